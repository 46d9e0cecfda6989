"""What commands share: the model they use, and types of arguments that say what they expect."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nlp_rnn.extras import require

N = TypeVar("N", int, float)

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
    return _number(text, float, lambda x: math.isfinite(x) and x >= 0, "a number of 0 or more")


def count(text: str) -> int:
    """A whole number of 1 or more."""
    return _number(text, int, lambda x: x >= 1, "a whole number of 1 or more")


def fraction(text: str) -> float:
    """A number above 0, at most 1."""
    return _number(text, float, lambda x: 0 < x <= 1, "a number above 0, at most 1")


def seed(text: str) -> int:
    """A whole number of 0 or more."""
    return _number(text, int, lambda x: x >= 0, "a whole number of 0 or more")


def _number(text: str, kind: Callable[[str], N], fits: Callable[[N], bool], expected: str) -> N:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text}")
    return value
