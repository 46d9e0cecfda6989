"""What commands share: the model they use, and types of arguments that say what they expect."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from nlp_rnn.extras import require

MODEL_HELP = "a bundle folder (models/NAME), runs:/RUN_ID or models:/NAME@current"


def bundle_folder(model: str) -> Path:
    """The bundle folder that MODEL names, fetched from MLflow where it lies there."""
    if model.startswith(("runs:/", "models:/")):
        require("mlflow", "train", model)

        from nlp_rnn.tracking import fetch_bundle

        return fetch_bundle(model)
    return Path(model)


def words(argument: str) -> str:
    """A text of the command line, in UTF-8 where the locale's encoding could not read it."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def positive(text: str) -> float:
    """A number of 0 or more."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected a number of 0 or more, found {text}")
    return value


def count(text: str) -> int:
    """A whole number of 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, found {text}")
    return value


def fraction(text: str) -> float:
    """A number above 0, at most 1."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, at most 1, found {text}")
    return value


def seed(text: str) -> int:
    """A whole number of 0 or more."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number of 0 or more, found {text}")
    return value
