"""Every cell on every installed backend: the same outputs, the same training step."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BACKENDS = [b for b in ("tensorflow", "jax", "torch") if importlib.util.find_spec(b)]


def computed_on(backend: str, folder: Path) -> dict[str, np.ndarray]:
    """What ``cells_on_backend.py`` computes on ``backend``."""
    file = folder / f"{backend}.npz"
    subprocess.run(
        [sys.executable, str(Path(__file__).parent / "cells_on_backend.py"), str(file)],
        env=os.environ | {"KERAS_BACKEND": backend},
        check=True,
    )
    with np.load(file) as arrays:
        return dict(arrays)


def test_every_installed_backend_computes_and_learns_the_same(tmp_path: Path) -> None:
    if len(BACKENDS) < 2:
        pytest.skip("only one backend is installed; the extras jax and torch add others")
    results = {backend: computed_on(backend, tmp_path) for backend in BACKENDS}
    first = results[BACKENDS[0]]
    for backend, arrays in results.items():
        assert arrays.keys() == first.keys()
        for name, values in arrays.items():
            assert np.isfinite(values).all(), (backend, name)
            if not name.startswith("random_"):
                np.testing.assert_allclose(
                    values, first[name], atol=1e-5, err_msg=f"{backend} {name}"
                )
        powers = arrays["random_powers of a mask"]
        mask = powers[:, 1]
        assert 0 < (mask == 0).mean() < 1, backend
        np.testing.assert_array_equal(powers[:, 2], mask**2, err_msg=backend)
