"""The model that MLflow loads: a bundle behind ``pyfunc``, for pandas, the CLI, REST and Spark.

MLflow logs this file itself ("models from code") and runs it to load the model, so that no
pickle is involved. It must import nothing heavy before ``load_context``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


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
        """Predict each text of the column ``text``; a missing text counts as an empty one."""
        texts = model_input["text"].fillna("").astype(str)
        return pd.DataFrame(
            [_plain(prediction) for prediction in self._predictor.predict(texts)],
            index=pd.RangeIndex(len(texts)),
        )


def _plain(prediction: dict[str, Any]) -> dict[str, Any]:
    """``prediction`` with its lists and mappings as JSON strings."""
    return {
        key: json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
        for key, value in prediction.items()
    }


set_model(BundleModel())
