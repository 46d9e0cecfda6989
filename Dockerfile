# Serves models over HTTP, without TensorFlow and without MLflow (docs/serving.md):
#   docker build -t nlp_rnn .
#   docker run -p 8000:8000 -v "$PWD/models:/models:ro" nlp_rnn /models/sentiment-bilstm
FROM python:3.11-slim AS build
COPY pyproject.toml README.md /src/
COPY nlp_rnn /src/nlp_rnn
RUN python -m venv /opt/nlp_rnn \
    && /opt/nlp_rnn/bin/pip install --no-cache-dir '/src[serve,subword]'

FROM python:3.11-slim
COPY --from=build /opt/nlp_rnn /opt/nlp_rnn
USER 10001
EXPOSE 8000
HEALTHCHECK CMD ["/opt/nlp_rnn/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=5)"]
ENTRYPOINT ["/opt/nlp_rnn/bin/nlp-rnn", "serve", "--host", "0.0.0.0", "--port", "8000"]
