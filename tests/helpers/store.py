"""An MLflow store without runs, copied, because making one takes seconds."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@cache
def _empty_store() -> tuple[TemporaryDirectory[str], Path]:
    """The file, in a folder that is there as long as the process."""
    from nlp_rnn.tracking.store import connected

    folder = TemporaryDirectory()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DVC_ROOT", folder.name)
        with connected():
            pass
    return folder, Path(folder.name) / "mlflow.db"


def put_store(folder: Path) -> None:
    """Put a store without runs into a folder."""
    _, store = _empty_store()
    shutil.copy(store, folder / "mlflow.db")
