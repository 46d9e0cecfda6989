"""The small files that every project has."""

# DVC looks for data/raw.dvc only if no pattern covers all of data/, be it with an exception.
GITIGNORE = """\
# what the pipeline writes; DVC keeps it
/data/raw/
/data/prepared/
/data/checksums/
/embeddings/
/vectors/*/
/checkpoints/
/models/
/runs/
/metrics/
/figures/
/plots/
/predictions/
/reports/
/checks/
/search/

# what MLflow writes
/mlflow.db*
/mlartifacts/
/mlruns/

# what a killed process may leave behind
*.partial
"""

DVCIGNORE = """\
# What a killed process may leave behind.
*.partial
"""

README = """\
# {name}

`params.yaml` says what is learned, from which data and how; `dvc.yaml` has the stages. Run all
that is due, look at the results, and use the model:

```
dvc repro
dvc metrics show
{use}
```

From Python:

```python
import nlp_rnn

nlp_rnn.load("models/{model}").{use_in_python}
```

`reports/results.md` compares the model with simple baselines, and `data/prepared/{name}/card.json`
describes the data.

## Change the model

Edit `params.yaml`, then run `dvc repro`: only what depends on the change runs again.
`nlp-rnn parameters` lists all keys.

## Compare several values in one table

Experiments need a first commit: `git add . && git commit -m Begin`. These commands then train a
model for each value in a copy of the project; `params.yaml` and `models/` stay as they are.

```
dvc exp run --queue -S 'experiments.{model}.model.units=16,32,64' evaluate@{model}
dvc queue start
dvc exp show --only-changed
```

`dvc queue status` says how far they are, and `dvc exp apply NAME` takes one of them over.
"""
