"""The paths of the server: answers, refusals and metrics."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from starlette.testclient import TestClient

import nlp_rnn
from nlp_rnn.errors import UserError
from nlp_rnn.inference.outputs import to_json
from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.serving.app import make_app
from nlp_rnn.serving.door import Door
from nlp_rnn.serving.limits import Limits
from nlp_rnn.serving.metrics import Metrics
from nlp_rnn.serving.models import Models, Source

LIMITS = Limits(body=20_000, texts=20, characters=500, tokens=50, queue=40, seconds=20.0)

TEXTS = [
    "good , not bad at all",
    "",
    "Ann Lee lives in New York",
    "😀 the cat\tsleeps\n\u2028a",
    "the dog barks " * 9,
]
"""One of each kind: usual, empty, entities, odd characters, long."""

TASKS = [
    "classification",
    "tagging",
    "language_modelling",
    "sequence_to_sequence",
    "semantic_roles",
    "intents_and_slots",
]


def door(models: Models, limits: Limits = LIMITS, **options: Any) -> Door:
    return make_app(models, Metrics(), limits, **options)


@pytest.fixture(scope="module")
def models(bundles: dict[str, Path], crf_bundle: Path) -> Models:
    sources = [Source(str(folder), task) for task, folder in bundles.items()]
    return Models([*sources, Source(str(crf_bundle), "tagging")])


@pytest.fixture(scope="module")
def client(models: Models) -> Iterator[TestClient]:
    with TestClient(door(models)) as client:
        yield client


def post(client: TestClient, name: str, body: Any, to: str = "predict") -> Any:
    return client.post(f"/models/{name}/{to}", json=body)


def detail(response: Any, status: int) -> str:
    """The one line that says what to change."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    (line,) = response.json().values()
    assert isinstance(line, str) and line and "\n" not in line
    return line


# --- answers ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_predictions_are_those_of_python(
    client: TestClient, bundles: dict[str, Path], task: str
) -> None:
    response = post(client, task, {"texts": TEXTS})
    assert response.status_code == 200
    answer = response.json()
    assert answer["model"] == task
    own = nlp_rnn.load(bundles[task]).predict(TEXTS)
    assert to_json(answer["predictions"]) == to_json(own)


def test_split_words_stay_split(client: TestClient, bundles: dict[str, Path]) -> None:
    sentence = ["New", "York", "Ann Lee", ""]
    (found,) = post(client, "tagging", {"texts": [sentence]}).json()["predictions"]
    assert found == nlp_rnn.load(bundles["tagging"]).predict([sentence])[0]
    assert found["tokens"] == sentence


@pytest.mark.slow
def test_concurrent_requests_get_the_bits_that_they_get_alone(models: Models) -> None:
    requests = [(task, f"{text} {i}") for task in TASKS for i in range(3) for text in TEXTS[:3]]
    requests += [("tagging?version=" + list(models)[-1].version, text) for text in TEXTS]
    batches: list[int] = []
    for served in models:
        served.batcher._observe = batches.append

    async def ask(client: httpx2.AsyncClient, name: str, text: str) -> Any:
        name, _, version = name.partition("?")
        answer = await client.post(f"/models/{name}/predict?{version}", json={"texts": [text]})
        assert answer.status_code == 200, answer.text
        return answer.text

    async def ask_all() -> tuple[list[Any], list[Any]]:
        transport = httpx2.ASGITransport(door(models, Limits()))
        async with httpx2.AsyncClient(transport=transport, base_url="http://server") as client:
            alone = [await ask(client, *request) for request in requests]
            assert set(batches) == {1}
            return alone, await asyncio.gather(*(ask(client, *request) for request in requests))

    alone, together = asyncio.run(ask_all())
    assert max(batches) > 1
    assert together == alone


def test_numbers_that_json_lacks_are_null(models: Models, client: TestClient) -> None:
    served = models.find("classification")
    usual = served.batcher._predict
    served.batcher._predict = lambda items: [{"probability": float("nan")} for _ in items]
    try:
        assert post(client, "classification", {"texts": ["a"]}).json()["predictions"] == [
            {"probability": None}
        ]
    finally:
        served.batcher._predict = usual


def test_generated_text_is_that_of_python(client: TestClient, bundles: dict[str, Path]) -> None:
    model: Any = nlp_rnn.load(bundles["language_modelling"])
    asked = {"prompt": "the", "length": 12, "top_k": 4, "temperature": 0.7, "seed": 5}
    text = model.generate(**asked)
    name = "language_modelling"
    assert post(client, name, asked, "generate").json()["text"] == text
    streamed = post(client, name, asked | {"stream": True}, "generate")
    assert streamed.headers["content-type"].startswith("text/event-stream")
    *events, (kind, last) = (event.split("\n") for event in streamed.text.strip().split("\n\n"))
    pieces = [json.loads(line.removeprefix("data: "))["text"] for (line,) in events]
    assert len(pieces) == 12 and "the" + "".join(pieces) == text
    assert kind == "event: end"
    assert json.loads(last.removeprefix("data: "))["text"] == text


def test_what_is_served_is_listed(client: TestClient, models: Models) -> None:
    listed = client.get("/models").json()["models"]
    assert [(m["name"], m["task"]) for m in listed] == [
        *zip(TASKS, TASKS, strict=True),
        ("tagging", "tagging"),
    ]
    assert [m["default"] for m in listed] == [True] * len(TASKS) + [False]
    assert listed[0]["labels"] == models.find("classification").bundle.labels
    intents = {m["name"]: m["intents"] for m in listed}
    assert set(intents["intents_and_slots"]) == {"trip", "call"} and not intents["tagging"]


def test_a_version_is_chosen(client: TestClient) -> None:
    first, second = (
        m["version"] for m in client.get("/models").json()["models"] if m["name"] == "tagging"
    )
    assert first != second
    path = "/models/tagging/predict"
    for version in (first, second):
        answer = client.post(path, params={"version": version}, json={"texts": ["Rome"]})
        assert answer.json()["version"] == version
    assert client.post(path, json={"texts": ["Rome"]}).json()["version"] == first
    unknown = client.post(path, params={"version": "9"}, json={"texts": []})
    assert first in detail(unknown, 404) and second in detail(unknown, 404)


def test_the_documentation_has_examples_that_are_true(client: TestClient) -> None:
    documented = client.get("/openapi.json").json()
    schemas = documented["components"]["schemas"]
    for name in ("Texts", "Prompt"):
        for example in schemas[name]["examples"]:
            jsonschema.validate(example, {**schemas[name], "components": documented["components"]})
    assert schemas["Texts"]["properties"]["texts"]["maxItems"] == LIMITS.texts
    for example in schemas["Texts"]["examples"]:
        assert post(client, "tagging", example).status_code == 200
    for example in schemas["Prompt"]["examples"]:
        assert post(client, "language_modelling", example, "generate").status_code == 200
    predict = documented["paths"]["/models/{name}/predict"]["post"]["responses"]
    examples = predict["200"]["content"]["application/json"]["examples"]
    for task in TASKS:
        (shown,) = examples[task]["value"]["predictions"]
        (found,) = post(client, task, {"texts": ["Ann"]}).json()["predictions"]
        assert shown.keys() == found.keys()


# --- refusals -----------------------------------------------------------------------

MISTAKES: dict[str, tuple[str, Any, int, str]] = {
    "no such model": ("/models/x/predict", {"texts": []}, 404, "there are: classification"),
    "no such path": ("/predict", {"texts": []}, 404, "/openapi.json"),
    "a path of files": ("/models/..%2F..%2Fetc/predict", {"texts": []}, 404, "no such path"),
    "an address of MLflow": ("/models/models:%2Fx/predict", {"texts": []}, 404, "no such path"),
    "no JSON": ("/models/tagging/predict", b"{", 400, "no JSON"),
    "nothing": ("/models/tagging/predict", b"", 422, '{"texts": ['),
    "deep JSON": ("/models/tagging/predict", b"[" * 9000, 400, ""),
    "a list": ("/models/tagging/predict", ["a"], 422, '{"texts": ['),
    "no texts": ("/models/tagging/predict", {}, 422, "texts"),
    "one text": ("/models/tagging/predict", {"texts": "a"}, 422, "texts"),
    "null": ("/models/tagging/predict", {"texts": ["a", None]}, 422, "texts.1"),
    "half a character": ("/models/tagging/predict", b'{"texts": ["\\ud800"]}', 422, "texts.0"),
    "an unknown key": ("/models/tagging/predict", {"texts": [], "model": "/a"}, 422, "model"),
    "many texts": ("/models/tagging/predict", {"texts": ["a"] * 21}, 422, "21 texts"),
    "a long text": ("/models/tagging/predict", {"texts": ["", "a" * 501]}, 422, "texts.1"),
    "long words": ("/models/tagging/predict", {"texts": [["a" * 300] * 2]}, 422, "602 char"),
    "a large body": ("/models/tagging/predict", {"texts": ["é" * 20_000]}, 413, "20,000 bytes"),
    "no language model": ("/models/tagging/generate", {}, 404, "only language models"),
    "many tokens": ("/models/language_modelling/generate", {"length": 51}, 422, "51 tokens"),
    "a long prompt": ("/models/language_modelling/generate", {"prompt": "a" * 501}, 422, "prompt"),
    "a negative number": ("/models/language_modelling/generate", {"length": -1}, 422, "length"),
    "a number as text": ("/models/language_modelling/generate", {"top_k": "2"}, 422, "top_k"),
    "no number": ("/models/language_modelling/generate", b'{"temperature": NaN}', 422, "temp"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(client: TestClient, mistake: str) -> None:
    path, body, status, said = MISTAKES[mistake]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert said in detail(response, status)


def test_another_method_is_named(client: TestClient) -> None:
    response = client.get("/models/tagging/predict")
    assert "GET" in detail(response, 405) and response.headers["allow"] == "POST"
    response = client.post("/models")
    assert "POST" in detail(response, 405) and response.headers["allow"] == "GET"


def test_a_form_is_no_json(client: TestClient) -> None:
    """What ``curl -d`` sends without a header, and what pages of other sites can send."""
    for kind in ("application/x-www-form-urlencoded", "text/plain", ""):
        response = client.post(
            "/models/tagging/predict", content=b'{"texts": []}', headers={"Content-Type": kind}
        )
        assert "Content-Type: application/json" in detail(response, 415)


def test_a_body_without_a_length_is_bounded_too(client: TestClient) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"texts": ["'
        for _ in range(30):
            yield b"a" * 1000

    response = client.post(
        "/models/tagging/predict", content=pieces(), headers={"Content-Type": "application/json"}
    )
    assert "20,000 bytes" in detail(response, 413)


def test_a_body_that_does_not_arrive_is_not_waited_for(models: Models) -> None:
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/models/tagging/predict",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(door(models, Limits(patience=0.05))(scope, never, send))
    assert sent[0]["status"] == 408


def test_a_text_that_the_model_cannot_read_is_no_failure(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NLP_RNN_TEXT_TOKENS", "50")
    response = post(client, "classification", {"texts": ["a " * 100]})
    assert "shorten" in detail(response, 422)
    assert "NLP_RNN" not in response.text
    assert "NLP_RNN_TEXT_TOKENS" in capsys.readouterr().err


def test_a_fault_of_ours_is_told_without_its_traceback(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(items: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(models.find("classification").batcher, "_predict", fail)
    with TestClient(door(models), raise_server_exceptions=False) as client:
        response = post(client, "classification", {"texts": ["a"]})
        assert "log" in detail(response, 500) and "secret" not in response.text
        count = 'nlp_rnn_requests_total{model="classification",path="/models/{name}/predict"'
        assert f'{count},status="500"}} 1.0' in client.get("/metrics").text


class Gate:
    """Holds predictions up until it opens."""

    def __init__(self, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open, self.reached = threading.Event(), threading.Event()
        batcher = models.find("classification").batcher
        usual = batcher._predict

        def held(items: Any) -> Any:
            self.reached.set()
            assert self.open.wait(30)
            return usual(items)

        monkeypatch.setattr(batcher, "_predict", held)


def test_more_requests_than_the_queue_holds_come_back_later(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(models, monkeypatch)
    with TestClient(door(models, Limits(queue=1))) as client:
        answers: list[Any] = []
        first = threading.Thread(
            target=lambda: answers.append(post(client, "classification", {"texts": ["good"]}))
        )
        first.start()
        assert gate.reached.wait(30)
        response = post(client, "tagging", {"texts": ["good"]})
        assert "later" in detail(response, 503)
        assert response.headers["retry-after"] == "1"
        assert client.get("/health").status_code == 200
        assert "nlp_rnn_queue_requests 1.0" in client.get("/metrics").text
        gate.open.set()
        first.join()
        assert answers[0].status_code == 200
        assert post(client, "tagging", {"texts": ["good"]}).status_code == 200


class Scope(dict[str, Any]):
    """A request that one can see go."""


@pytest.mark.slow
def test_nothing_is_kept_of_a_request_that_is_turned_away(models: Models) -> None:
    full = door(models, Limits(queue=1))
    full.inside = 1
    headers = [(b"content-type", b"application/json")]
    scope = Scope(type="http", method="POST", path="/models/tagging/predict", headers=headers)
    sent: list[Any] = []

    async def nothing() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(full(scope, nothing, send))
    assert sent[0]["status"] == 503
    gone = weakref.ref(scope)
    del scope
    gc.collect()
    assert gone() is None


def test_an_answer_that_takes_too_long_is_given_up(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(models, monkeypatch)
    with TestClient(door(models, Limits(seconds=0.05, tokens=10**6))) as client:
        assert "fewer texts" in detail(post(client, "classification", {"texts": ["good"]}), 504)
        gate.open.set()
        endless = {"length": 10**6}
        name = "language_modelling"
        assert "fewer tokens" in detail(post(client, name, endless, "generate"), 504)
        streamed = post(client, name, endless | {"stream": True}, "generate").text
        assert "event: error" in streamed and "fewer tokens" in streamed.splitlines()[-2]


def test_a_server_that_stops_is_not_ready(models: Models) -> None:
    stopping = threading.Event()
    with TestClient(door(models, stopping=stopping.is_set)) as client:
        assert client.get("/ready").status_code == 200
        stopping.set()
        assert "stops" in detail(client.get("/ready"), 503)
        assert client.get("/health").json() == {"status": "ok"}


def test_a_key_is_asked_for_everywhere_but_by_those_who_watch(models: Models) -> None:
    with TestClient(door(models, key=b"right")) as client:
        for header in ("", "right", "Bearer", "Bearer wrong", "Basic right", "Bearer rightx"):
            client.headers["Authorization"] = header
            for path in ("/models", "/metrics", "/openapi.json", "/nothing"):
                response = client.get(path)
                assert "Authorization: Bearer" in detail(response, 401)
                assert response.headers["www-authenticate"] == "Bearer"
            assert detail(post(client, "tagging", {"texts": []}), 401)
            assert client.get("/health").status_code == client.get("/ready").status_code == 200
        client.headers["Authorization"] = "bearer right"
        assert post(client, "tagging", {"texts": ["a"]}).status_code == 200
        documented = client.get("/openapi.json").json()
        operation = documented["paths"]["/models/{name}/predict"]["post"]
        assert operation["security"] and "401" in operation["responses"]


def test_requests_and_batches_are_counted(models: Models) -> None:
    metrics = Metrics()
    for served in models:
        served.batcher._observe = lambda size, name=served.name: metrics.batch(name, size)
    with TestClient(make_app(models, metrics, LIMITS)) as client:
        post(client, "classification", {"texts": ["a", "b", "c"]})
        client.get("/no/such/path")
        post(client, "unknown", {"texts": []})
        lines = client.get("/metrics").text.splitlines()
    path = 'path="/models/{name}/predict"'
    assert f'nlp_rnn_requests_total{{model="classification",{path},status="200"}} 1.0' in lines
    assert f'nlp_rnn_requests_total{{model="",{path},status="404"}} 1.0' in lines
    assert 'nlp_rnn_requests_total{model="",path="other",status="404"} 1.0' in lines
    assert f"nlp_rnn_request_seconds_count{{{path}}} 2.0" in lines
    assert 'nlp_rnn_batch_texts_bucket{le="2.0",model="classification"} 0.0' in lines
    assert 'nlp_rnn_batch_texts_bucket{le="4.0",model="classification"} 1.0' in lines


# --- models -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "source"),
    [
        ("models/a", Source("models/a")),
        ("b=models/a", Source("models/a", "b")),
        ("b=models:/a@current", Source("models:/a@current", "b")),
        ("models/a=b", Source("models/a=b")),
        ("=a", Source("=a")),
        ("b=", Source("b=")),
    ],
)
def test_a_model_may_be_given_another_name(argument: str, source: Source) -> None:
    assert Source.parse(argument) == source


def test_names_that_cannot_be_served_are_one_line(bundles: dict[str, Path]) -> None:
    bundle = str(bundles["classification"])
    with pytest.raises(UserError, match=r"served already.*NAME=") as error:
        Models([Source(bundle), Source(bundle)])
    assert str(error.value).startswith(bundle)
    with pytest.raises(UserError, match="no such model folder"):
        Models([Source("nothing/there")])
    with pytest.raises(UserError, match="cannot be part of an address"):
        Models([Source(bundle, "a/b")])


def test_texts_are_predicted_one_by_one_where_company_would_show(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    from nlp_rnn.runtime.export import export_onnx

    export_onnx(bundles["classification"], tmp_path / "small", int8=True)
    served = Models([Source(str(tmp_path / "small"), "small")]).find("small")
    texts = ["a bad film", "good , not bad at all", "good"]
    alone = [next(Predictor.load(tmp_path / "small").predict([text])) for text in texts]
    assert asyncio.run(served.predict(texts)) == alone


def test_an_alias_is_followed(
    bundles: dict[str, Path],
    crf_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from nlp_rnn import tracking
    from nlp_rnn.serving import models as serving

    version = "1"

    def current(uri: str) -> str:
        if version == "lost":
            raise ConnectionError("reset by peer")  # MLflow lets what it connects with through
        return version

    folders = {
        "models:/tags/1": bundles["tagging"],
        "models:/tags/2": Path("gone"),
        "models:/tags/3": crf_bundle,
        "folder": bundles["classification"],
    }
    monkeypatch.setattr(tracking, "current_version", current)
    monkeypatch.setattr(serving, "bundle_folder", folders.__getitem__)
    models = Models([Source("models:/tags@current"), Source("folder", "fixed")])
    with TestClient(door(models, poll=0.01)) as client:
        before = post(client, "tags", {"texts": ["Rome"]}).json()
        assert before["version"] == "1"
        version = "2"  # it does not load, so the old one stays
        wait_for(lambda: "version 1 stays" in capsys.readouterr().err)
        assert post(client, "tags", {"texts": ["Rome"]}).json() == before
        version = "lost"
        wait_for(lambda: "reset by peer" in capsys.readouterr().err)
        version = "3"
        wait_for(lambda: models.find("tags").version == "3")
        after = post(client, "tags", {"texts": ["Rome"]}).json()
    own = nlp_rnn.load(crf_bundle).predict(["Rome"])
    assert after == {"model": "tags", "version": "3", "predictions": own}
    assert "version 3 takes the place of 1" in capsys.readouterr().err


def wait_for(happened: Any) -> None:
    for _ in range(3000):
        if happened():
            return
        threading.Event().wait(0.01)
    pytest.fail("it did not happen in 30 s")
