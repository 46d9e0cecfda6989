"""The model that MLflow loads: a bundle behind ``pyfunc``, for pandas, the CLI, REST and Spark.

MLflow logs this file itself ("models from code") and runs it to load the model, so that no
pickle is involved. It must import nothing heavy before ``load_context``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

if TYPE_CHECKING:
    from nlp_rnn.inference.items import Item


class BundleModel(PythonModel):
    """Predicts with a model bundle: it maps a column of texts to one row per text, in order.

    A row holds the prediction of :meth:`nlp_rnn.inference.model.Model.predict` for its text,
    including lists and mappings, with null for numbers that JSON lacks.
    """

    @classmethod
    def of(cls, bundle: Path) -> BundleModel:
        """A model of the ``bundle`` in a local folder."""
        from nlp_rnn.inference.model import open_model

        model = cls()
        model._model = open_model(bundle)
        return model

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle among the model's artifacts; MLflow requires the name ``context``."""
        from nlp_rnn.inference.model import open_model

        self._model = open_model(Path(context.artifacts["bundle"]))

    def signature(self) -> ModelSignature:
        """The model's inputs and outputs, which MLflow stores with it and enforces.

        The text is in the column of the training data or in ``text``, so neither is required if
        they differ.
        """
        from mlflow.types.schema import ColSpec, Schema

        from nlp_rnn.inference.schema import mlflow_type

        names = [name for name in self._model.text_columns if isinstance(name, str)]
        columns = self._model.columns.items()
        return ModelSignature(
            inputs=Schema([ColSpec("string", name, required=len(names) == 1) for name in names]),
            outputs=Schema([ColSpec(mlflow_type(type_), name) for name, type_ in columns]),
        )

    def predict(
        self,
        context: PythonModelContext | None,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Predict each text; a missing text counts as an empty one.

        A tagger also takes a list of words, a sentence that is already split.

        Args:
            model_input: a table with the texts in the column of the training data or in ``text``. A
                list of texts also works if no signature is enforced, because MLflow has no type for
                both.

        Raises:
            UserError: the table has no such column, or a value is neither a text nor a list of
                words.
        """
        from nlp_rnn.inference.schema import finite, pandas_frame

        predictions = self._model.predict(self._items(model_input))
        return pandas_frame(map(finite, predictions), self._model.columns)

    def _items(self, given: pd.DataFrame | list[Any]) -> list[Item]:
        from nlp_rnn.task_kinds import TASK_KINDS

        segmented = TASK_KINDS[self._model.task].tagged
        if not isinstance(given, pd.DataFrame):
            return [_item(value, f"text {i}", segmented) for i, value in enumerate(given)]
        name = self._model.text_column(given)
        return [
            _item(value, f"row {row}, column '{name}'", segmented)
            for row, value in enumerate(given[name])
        ]


def _item(value: Any, where: str, segmented: bool) -> Item:
    """The model's input for a table value."""
    from nlp_rnn.errors import UserError

    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, np.ndarray)):
        words = list(value)
        if segmented and all(isinstance(word, str) and word for word in words):
            return words
        expected = "a text or a list of words" if segmented else "a text"
        raise UserError(
            f"{where}: expected {expected}, found {type(value).__name__} {words!r:.60}; give each "
            "text a row of its own"
        )
    if pd.api.types.is_scalar(value):
        return "" if pd.isna(value) else str(value)
    raise UserError(
        f"{where}: expected a text, found {type(value).__name__}; give each text a row of its own"
    )


set_model(BundleModel())
