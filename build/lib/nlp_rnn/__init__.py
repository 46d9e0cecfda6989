"""Recurrent neural networks for text: tracked, reproducible pipelines in Keras 3.

>>> import nlp_rnn
>>> nlp_rnn.load("models/nowhere")
Traceback (most recent call last):
    ...
nlp_rnn.errors.UserError: models/nowhere: no such model folder; give a folder written by training
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from nlp_rnn.errors import UserError

if TYPE_CHECKING:
    from nlp_rnn.inference.model import Model

__all__ = ["UserError", "__version__", "load"]

__version__ = "0.1.0"


def load(model: str | PathLike[str]) -> Model:
    """Load a trained model.

    Args:
        model: a bundle folder (``models/NAME``), or a model of MLflow: ``runs:/RUN_ID``,
            ``models:/NAME@alias`` or ``models:/NAME/VERSION``.

    Returns:
        A :class:`~nlp_rnn.inference.model.Classifier`, a
        :class:`~nlp_rnn.inference.model.Tagger` or a
        :class:`~nlp_rnn.inference.model.LanguageModel`, by the task that it was trained for.

    Raises:
        UserError: there is no such model, it is damaged, or what runs it is not installed.
    """
    from nlp_rnn.loading import load as load_model

    return load_model(model)
