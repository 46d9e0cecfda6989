"""The model that MLflow loads: a bundle behind ``pyfunc``, for pandas, the CLI, REST and Spark.

MLflow logs this file itself ("models from code") and runs it to load the model, so that no
pickle is involved. It must import nothing heavy before ``load_context``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

if TYPE_CHECKING:
    from nlp_rnn.inference.items import Item


class BundleModel(PythonModel):
    """Predicts with a model bundle: a column ``text`` in, one row a text out, in order.

    A value that is a list or a mapping, such as the tags of a sentence, is a JSON string: tables
    in CSV files, Spark and MLflow's signatures hold only plain values.
    """

    @classmethod
    def of(cls, bundle: Path) -> BundleModel:
        """A model of the ``bundle`` that lies in a local folder."""
        from nlp_rnn.inference.predictor import Predictor

        model = cls()
        model._predictor = Predictor.load(bundle)
        return model

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle among the model's artifacts; MLflow requires the name ``context``."""
        from nlp_rnn.inference.predictor import Predictor

        self._predictor = Predictor.load(Path(context.artifacts["bundle"]))

    def predict(
        self,
        context: PythonModelContext | None,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Predict each text of the column ``text``; a missing text counts as an empty one.

        A tagger also takes a list of words, a sentence that is segmented already.

        Raises:
            UserError: a value is neither.
        """
        segmented = self._predictor.bundle.task.tagged
        items = [_item(value, row, segmented) for row, value in enumerate(model_input["text"])]
        return pd.DataFrame(
            [_plain(prediction) for prediction in self._predictor.predict(items)],
            index=pd.RangeIndex(len(items)),
        )


def _item(value: Any, row: int, segmented: bool) -> Item:
    """What the predictor is given for a value of the column ``text``."""
    from nlp_rnn.errors import UserError

    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, np.ndarray)):
        words = list(value)
        if segmented and all(isinstance(word, str) and word for word in words):
            return words
        expected = "a text or a list of words" if segmented else "a text"
        raise UserError(
            f"row {row}, column 'text': expected {expected}, found {type(value).__name__} "
            f"{words!r:.60}; give each text a row of its own"
        )
    if pd.api.types.is_scalar(value):
        return "" if pd.isna(value) else str(value)
    raise UserError(
        f"row {row}, column 'text': expected a text, found {type(value).__name__}; give each text "
        "a row of its own"
    )


def _plain(prediction: dict[str, Any]) -> dict[str, Any]:
    """``prediction`` with its lists and mappings as JSON strings."""
    return {
        key: json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
        for key, value in prediction.items()
    }


set_model(BundleModel())
