"""From a model's name to the model: a folder, or what MLflow keeps under a run or a name."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from nlp_rnn.extras import require
from nlp_rnn.inference.model import Model, open_model


def load(model: str | PathLike[str]) -> Model:
    """See :func:`nlp_rnn.load`."""
    return open_model(bundle_folder(os.fspath(model)))


def bundle_folder(model: str) -> Path:
    """The bundle folder that a model's name means, fetched from MLflow where it lies there."""
    if model.startswith(("runs:/", "models:/")):
        require("mlflow", "train", model)

        from nlp_rnn.tracking import fetch_bundle

        return fetch_bundle(model)
    return Path(model)
