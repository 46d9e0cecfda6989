"""The seam between Keras and its backends: choosing one and what only one of them can do.

Everything else is written in ``keras.layers`` and ``keras.ops``. :func:`select` must run
before anything imports Keras.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nlp_rnn.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BACKENDS = ("tensorflow", "jax", "torch")


def select(configured: str | None = None) -> str:
    """Make Keras use ``KERAS_BACKEND``, else the ``configured`` backend, else TensorFlow.

    Returns:
        The backend in use.

    Raises:
        UserError: the backend is unknown or not installed.
    """
    name = os.environ.get("KERAS_BACKEND") or configured or "tensorflow"
    if name not in BACKENDS:
        raise UserError(f"backend '{name}': expected one of {', '.join(BACKENDS)}")
    if importlib.util.find_spec(name) is None:
        extra = "" if name == "tensorflow" else f"[{name}]"
        raise UserError(
            f"backend '{name}' is not installed; install it with: pip install 'nlp_rnn{extra}'"
        )
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _quiet():
        import keras

        if name == "tensorflow":
            import tensorflow as tf

            tf.config.list_physical_devices()
            tf.get_logger().setLevel("ERROR")  # each new length is a new shape: no news
        if keras.backend.backend() != name:
            raise UserError(
                f"Keras already runs on {keras.backend.backend()}, so it cannot change to {name}; "
                "start a new process"
            )
    return name


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what TensorFlow's C++ code prints on standard error while it starts.

    It says, whatever its log level, that there is no GPU. After a failure it is shown.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def installed(preferred: str | None) -> str | None:
    """The ``preferred`` backend if it is installed, else the first that is."""
    names = [name for name in (preferred, *BACKENDS) if name in BACKENDS]
    return next((name for name in names if importlib.util.find_spec(name)), None)


def deterministic(seed: int) -> None:
    """Seed every generator and ask the backend for the same sums in the same order.

    On a CPU the same seed, data, backend and number of threads then give the same numbers
    bit for bit. On a GPU, PyTorch's and JAX's fused kernels may still differ in the last bits.
    """
    import keras

    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def dense(gradient: Any) -> Any:
    """A gradient as a plain tensor.

    TensorFlow gives an embedding's gradient as one slice a token. Until the slices of equal
    tokens are added up, their norm is not the gradient's norm, which clipping needs.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)
    return gradient


def gradient(function: Callable[[Any], Any], array: ArrayLike) -> NDArray[Any]:
    """The gradient of a scalar function of a tensor.

    Args:
        function: from a tensor to a scalar tensor that depends on it, by ``keras.ops`` and built
            layers, with nothing drawn at random. Layers' weights are constants here.
        array: where to take the gradient; of floating point.

    Returns:
        In the shape of ``array``.
    """
    import keras

    point = keras.ops.convert_to_tensor(array)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(point)
            value = function(point)
        result = dense(tape.gradient(value, point))
    elif keras.backend.backend() == "jax":
        import jax

        result = jax.grad(function)(point)
    else:
        import torch

        point = point.detach().requires_grad_()
        (result,) = torch.autograd.grad(function(point), point)
    return keras.ops.convert_to_numpy(result)


def devices() -> list[str]:
    """The devices Keras computes on, e.g. ``["cpu:0"]``."""
    import keras

    return list(keras.distribution.list_devices()) or ["cpu:0"]


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on, for the record of a run."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, Any] = {"python": sys.version.split()[0]}
    for package in ("nlp_rnn", "keras", "tensorflow", "jax", "torch", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
