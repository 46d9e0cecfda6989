"""Real data, where it is present."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def real_data(relative: str) -> Path:
    """A file under ``NLP_RNN_DATA``; the test is skipped where it is absent."""
    folder = os.environ.get("NLP_RNN_DATA")
    if not folder:
        pytest.skip("NLP_RNN_DATA is not set, so there is no real data to test on")
    file = Path(folder) / relative
    if not file.exists():
        pytest.skip(f"no {relative} under NLP_RNN_DATA")
    return file
