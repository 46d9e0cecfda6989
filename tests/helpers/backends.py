"""What tests share about backends: one process for each, and what it is compared with.

A test module that asks for the fixture ``on_backends`` has a function ``computed()`` from
nothing to named arrays. It runs once in the process of every installed backend.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context

import numpy as np
import pytest

from nlp_rnn.backend import BACKENDS
from nlp_rnn.process import collect_rarely

INSTALLED = [backend for backend in BACKENDS if importlib.util.find_spec(backend)]

SOONEST = "jax" if "jax" in INSTALLED else INSTALLED[0]
"""The backend on which a new process trains a tiny network soonest."""

Arrays = dict[str, np.ndarray]


def compile_soon() -> None:
    """Let XLA, in this process and those that it starts, compile programs soon, not well.

    A program of a test runs a few times only. XLA ends a process whose flags it does not know, so
    those of JAX 0.10 are given to it alone.
    """
    flags = ["--xla_backend_optimization_level=0"]
    if "jax" in INSTALLED and version("jax").startswith("0.10."):
        flags.append("--xla_cpu_use_fusion_emitters=false")
    os.environ.setdefault("XLA_FLAGS", " ".join(flags))


def do_not_optimise() -> None:
    """Let TensorFlow, if it is imported, run its graphs as they are, for the same reason."""
    if "tensorflow" in sys.modules:
        options = {"disable_meta_optimizer": True}
        sys.modules["tensorflow"].config.optimizer.set_experimental_options(options)


def start(modules: Iterable[str]) -> dict[str, dict[str, Future[Arrays]]]:
    """Let one new process for each backend run ``computed`` of all modules, one by one.

    Returns:
        What they will have computed, by module and backend.
    """
    results: dict[str, dict[str, Future[Arrays]]] = {module: {} for module in modules}
    for backend in INSTALLED:
        process = ProcessPoolExecutor(1, get_context("spawn"), _select, (backend,))
        for module, futures in results.items():
            futures[backend] = process.submit(_computed, module)
        process.shutdown(wait=False)  # the process ends, and frees its memory, after the last
    return results


def _select(backend: str) -> None:
    """Before Keras is imported."""
    os.environ["KERAS_BACKEND"] = backend


def _computed(module: str) -> Arrays:
    """In a state that does not depend on the modules before."""
    import keras

    compute = importlib.import_module(module).computed
    do_not_optimise()
    gc.freeze()
    collect_rarely()
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    return {name: np.asarray(array) for name, array in compute().items()}


def assert_all_agree(results: dict[str, Arrays]) -> None:
    """Every backend has the same names, and the same values but for ``random...``."""
    if len(results) < 2:
        pytest.skip("only one backend is installed; the extras train and torch add others")
    first, *others = results
    for other in others:
        assert results[other].keys() == results[first].keys()
        for name, values in results[first].items():
            if not name.startswith("random"):
                np.testing.assert_allclose(
                    results[other][name], values, atol=1e-5, err_msg=f"{name}: {other}, {first}"
                )


def numerical_gradient(function: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Central differences, in float64."""
    gradient = np.zeros(at.shape)
    for i in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[i] = 1e-6
        gradient[i] = (function(at + step) - function(at - step)) / 2e-6
    return gradient
