"""The interface to Keras's backends: choosing one, and operations that only some of them have.

All other code uses ``keras.layers`` and ``keras.ops``. :func:`select` must run before anything
imports Keras.
"""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_rnn.errors import UserError
from nlp_rnn.extras import install_command

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BACKENDS = ("tensorflow", "jax", "torch")

NVIDIA = Path("/proc/driver/nvidia/version")
"""A file that exists if the driver of an NVIDIA GPU is loaded."""


def fastest() -> str:
    """The installed backend that trains fastest on this machine.

    On a CPU this is JAX (``docs/performance.md``), on a GPU TensorFlow, whose fused kernels take
    masks.
    """
    order = ("tensorflow", "jax", "torch") if NVIDIA.exists() else ("jax", "tensorflow", "torch")
    return next((name for name in order if importlib.util.find_spec(name)), order[0])


def chosen(configured: str | None = None) -> str:
    """The backend that :func:`select` makes Keras use.

    Raises:
        UserError: the backend is unknown or not installed.
    """
    name = os.environ.get("KERAS_BACKEND") or configured or "auto"
    name = fastest() if name == "auto" else name
    if name not in BACKENDS:
        raise UserError(f"backend '{name}': expected one of {', '.join(BACKENDS)}")
    if importlib.util.find_spec(name) is None:
        command = install_command("train,torch" if name == "torch" else "train")
        raise UserError(f"backend '{name}' is not installed; install it with: {command}")
    return name


def select(configured: str | None = None) -> str:
    """Make Keras use ``KERAS_BACKEND``, or else the ``configured`` backend, or else the fastest.

    Args:
        configured: the name of a backend; ``auto`` or None is :func:`fastest`.

    Returns:
        The backend in use.

    Raises:
        UserError: the backend is unknown or not installed.
    """
    name = chosen(configured)
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _keep_freed_memory()
    with _quiet():
        with _hidden(*_unneeded):
            import keras

        if name == "jax":
            _keep_compiled_programs()
            with _hidden("tensorflow"):
                # Its import takes five seconds. If it is installed, Keras imports it the first time
                # it checks whether an object is from TensorFlow, and never checks again.
                keras.saving.serialize_keras_object(keras.layers.Identity())

        if name == "tensorflow":
            import tensorflow as tf

            tf.config.list_physical_devices()
            tf.get_logger().setLevel("ERROR")  # it warns of every new shape, but lengths vary
        if keras.backend.backend() != name:
            raise UserError(
                f"Keras already runs on {keras.backend.backend()}, so it cannot change to {name}; "
                "start a new process"
            )
    return name


def _keep_freed_memory() -> None:
    """Tell glibc to reuse large blocks instead of returning them to the system after each step.

    A training step allocates the same buffers again and again; getting fresh pages from the system
    costs a fifth of its time or more. The allocators of other systems are not changed.
    """
    if sys.platform != "linux":
        return

    import ctypes

    trim_threshold, mmap_max, arena_max = -1, -4, -8  # of <malloc.h>
    with suppress(OSError, AttributeError):  # musl has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((arena_max, 1), (mmap_max, 0), (trim_threshold, 2**31 - 1)):
            mallopt(parameter, value)


KEPT_PROGRAMS = 1 << 30
"""How many bytes of compiled programs are kept from run to run."""


def _keep_compiled_programs() -> None:
    """Let JAX keep compiled programs in the user's cache folder, so that later runs start faster.

    ``JAX_COMPILATION_CACHE_DIR`` names another folder. JAX itself would look at every file of the
    folder whenever it adds one, to stay below a limit.
    """
    import jax

    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nlp_rnn" / "jax"
        jax.config.update("jax_compilation_cache_dir", str(cache))
        with suppress(OSError):
            _remove_oldest(cache, KEPT_PROGRAMS)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _remove_oldest(folder: Path, size: int) -> None:
    """Leave only those files of ``folder`` that were read last, ``size`` bytes in all.

    Raises:
        OSError: the folder cannot be read or written.
    """
    files = [(file.stat(), file) for file in folder.iterdir()] if folder.is_dir() else []
    total = sum(stat.st_size for stat, _ in files)
    for stat, file in sorted(files, key=lambda each: max(each[0].st_atime, each[0].st_mtime)):
        if total <= size:
            break
        file.unlink(missing_ok=True)  # another process may be faster
        total -= stat.st_size


_unneeded: list[str] = []


def import_keras_alone() -> None:
    """Let :func:`select` import Keras without libraries that only Keras's own extras use.

    scikit-learn, for its wrappers, and Matplotlib, for its galleries, are half of the time that
    the import takes. It is for processes that are a command's own: elsewhere Keras may be
    somebody else's too.
    """
    _unneeded[:] = ["sklearn", "matplotlib"]


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Let modules that are not imported yet look as if they were not installed."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what TensorFlow's C++ code prints to standard error while it starts.

    Whatever its log level, it says that there is no GPU. After a failure the output is shown.
    """
    import tempfile  # slow, and the help of a command needs no backend

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
    """The ``preferred`` backend if it is installed, otherwise the first that is."""
    names = [name for name in (preferred, *BACKENDS) if name in BACKENDS]
    return next((name for name in names if importlib.util.find_spec(name)), None)


def deterministic(seed: int) -> None:
    """Seed every random generator and ask the backend to add in a fixed order.

    On a CPU, the same seed, data, backend and number of threads then give bit-identical results. On
    a GPU, the fused kernels of PyTorch and JAX may still differ in the last bits.
    """
    import keras

    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def dense(gradient: Any) -> Any:
    """A gradient as a plain tensor.

    TensorFlow returns an embedding's gradient as one slice per token. Until the slices of equal
    tokens are added up, their norm is not the norm of the gradient, which clipping needs.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)
    return gradient


def gradient(function: Callable[[Any], Any], array: ArrayLike) -> NDArray[Any]:
    """The gradient of a scalar function of a tensor.

    Args:
        function: maps a tensor to a scalar tensor that depends on it, using ``keras.ops`` and built
            layers without randomness. The weights of layers are constants here.
        array: the floating-point array at which to take the gradient.

    Returns:
        The gradient, in the shape of ``array``.
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


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of tensors to one program on backends that compile: TensorFlow and JAX.

    Args:
        function: uses ``keras.ops`` and built layers, without randomness or assignments. It is
            compiled anew for each shape of its arguments.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """``keras.ops.custom_gradient`` for several outputs, the same on TensorFlow and JAX.

    Args:
        function: maps tensors, none of which is a variable, to a tuple of outputs and their
            gradient: a function from one gradient per output to one gradient per floating-point
            argument. Arguments of other types come last and have none. It must not refer to other
            tensors: those of a compiled program are unknown where JAX differentiates it.
    """
    import keras

    on_jax = keras.backend.backend() == "jax"

    def with_gradient(*arguments: Any) -> Any:
        outputs, gradient = function(*arguments)

        def backward(*upstream: Any) -> Any:
            found = tuple(gradient(*(upstream[0] if on_jax else upstream)))
            return (*found, *map(_no_gradient, arguments[len(found) :]))

        return outputs, backward

    return keras.ops.custom_gradient(with_gradient)


def _no_gradient(constant: Any) -> Any:
    """What stands for the gradient of a tensor that is not of a floating-point type."""
    import keras

    if keras.backend.backend() != "jax":
        return None
    import jax
    import numpy as np

    return np.zeros(constant.shape, jax.dtypes.float0)


@contextmanager
def drawing(generators: Sequence[Any], seed: Sequence[int]) -> Iterator[None]:
    """Draw random numbers from ``seed`` within the block, then restore the generators.

    Args:
        generators: the states of the seed generators of a model's layers. PyTorch has another
            generator, from which Keras draws dropout masks without a custom shape.
        seed: numbers from which each generator's own seed is derived.
    """
    import keras
    import numpy as np

    before = [np.array(keras.ops.convert_to_numpy(generator)) for generator in generators]
    seeds = np.random.SeedSequence(seed).generate_state(len(generators) + 1)
    own, *each = (seeds >> 1).tolist()  # 31 bits fit into every backend's type
    for generator, value in zip(generators, each, strict=True):
        generator.assign(np.array([value, 0]))
    try:
        with _pytorch_drawing(own) if keras.backend.backend() == "torch" else nullcontext():
            yield
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.assign(state)


@contextmanager
def _pytorch_drawing(seed: int) -> Iterator[None]:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def kept(seed: Any, shape: Sequence[int], rate: float) -> Any:
    """Which elements dropout keeps on JAX, where Keras's generator takes a quarter of a training
    step and half of its compilation.

    Element ``i`` is kept if a hash of ``i`` and the seed is ``rate`` or more of its range. The hash
    is two rounds of a multiply-and-shift mixer of 32 bits (MurmurHash3's finaliser by Appleby, with
    the constants that Wellons found to have the least bias): not for cryptography, but more than
    random enough for masks. Like every generator that counts (Salmon et al. 2011), it has no state.

    Args:
        seed: uint32 ``(2,)``, as Keras's seed generators return it.
        rate: the probability of an element to be dropped.

    Returns:
        bool, of ``shape``.
    """
    import jax.numpy as jnp
    import numpy as np

    def mixed(x: Any) -> Any:
        x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
        return x ^ (x >> 16)

    seed = seed.astype(jnp.uint32)
    count = jnp.arange(math.prod(shape), dtype=jnp.uint32)
    hashed = mixed(mixed(count ^ mixed(seed[0])) + mixed(seed[1]))
    return (hashed >= np.uint32(round(rate * 2**32))).reshape(shape)


def on_device(network: Any) -> Callable[[Sequence[Any]], list[Any]]:
    """The compiled prediction pass of a network with one input or several, and several outputs.

    Keras's ``predict_on_batch`` copies its results to NumPy. This function returns tensors, so that
    a state passed from one call to the next stays on the device.
    """
    import keras

    if keras.backend.backend() == "jax":
        import jax

        @jax.jit
        def compiled(weights: Any, others: Any, inputs: Any) -> Any:
            return network.stateless_call(weights, others, inputs)

        def run(inputs: Sequence[Any]) -> list[Any]:
            groups = (network.trainable_variables, network.non_trainable_variables)
            values = ([variable.value for variable in group] for group in groups)
            outputs, others = compiled(*values, _as_one_or_several(inputs))
            for variable, value in zip(groups[1], others, strict=True):  # generators advance
                variable.assign(value)
            return outputs

        return run
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(network, reduce_retracing=True)
    import torch

    def eagerly(inputs: Sequence[Any]) -> list[Any]:
        with torch.no_grad():
            return network([keras.ops.convert_to_tensor(value) for value in inputs])

    return eagerly


def _as_one_or_several(inputs: Sequence[Any]) -> Any:
    """Inputs in the structure that a network of as many expects."""
    return list(inputs) if len(inputs) > 1 else inputs[0]


def predicted_once(network: Any, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a network for inputs of shapes that do not come again.

    JAX compiles every operation that runs by itself, so one program for all is ready sooner.
    """
    import keras

    if keras.backend.backend() == "jax":
        return keras.tree.flatten(on_device(network)(inputs))
    return keras.tree.flatten(network(_as_one_or_several(inputs), training=False))


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]],
    carry: Sequence[Any],
    sequences: Sequence[Any],
    outputs: int,
    reverse: bool = False,
    steps: Any = None,
) -> tuple[Sequence[Any], Sequence[Any]]:
    """A loop over the first axis, like ``jax.lax.scan``, compiled on TensorFlow and JAX.

    Args:
        step: maps the carry and the sequences' values at a step to the next carry and the outputs.
        carry: tensors that the first step receives.
        sequences: tensors ``(steps, ...)``; the number of steps may be unknown while tracing.
        outputs: the number of output tensors of a step, each with the carry's dtype.
        reverse: start at the last step. Outputs keep the order of the sequences.
        steps: of :func:`steps_to_run`; outputs after them are zeros.

    Returns:
        The last carry, and the outputs of all steps ``(steps, ...)``.
    """
    import keras

    if keras.backend.backend() == "jax":
        import jax

        if steps is not None:
            return _first_steps(step, tuple(carry), tuple(sequences), reverse, steps)
        return jax.lax.scan(step, tuple(carry), tuple(sequences), reverse=reverse)
    if keras.backend.backend() == "torch":
        return _loop(step, carry, sequences, reverse)
    import tensorflow as tf

    steps = tf.shape(sequences[0])[0]
    reads = [tf.TensorArray(x.dtype, steps).unstack(x) for x in sequences]
    written = tuple(tf.TensorArray(carry[0].dtype, steps) for _ in range(outputs))

    def body(i: Any, carry: Any, written: Any) -> Any:
        t = steps - 1 - i if reverse else i
        carry, values = step(carry, tuple(read.read(t) for read in reads))
        arrays = (array.write(t, v) for array, v in zip(written, values, strict=True))
        return i + 1, tuple(carry), tuple(arrays)

    _, carry, written = tf.while_loop(
        lambda i, *_: i < steps, body, (0, tuple(carry), written), maximum_iterations=steps
    )
    return carry, [array.stack() for array in written]


def steps_to_run(real: Any) -> Any:
    """The number of steps up to the last that any row has, for a loop that need not run the others;
    None on backends whose loops run all.

    Where programs are compiled for each length, one program then serves many lengths: padding costs
    nothing in the loop.

    Args:
        real: bool ``(timesteps, batch, 1)``, or None if all steps are real.
    """
    import keras
    from keras import ops

    if real is None or keras.backend.backend() != "jax":
        return None
    numbers = ops.arange(1, real.shape[0] + 1, dtype="int32")
    return ops.max(ops.where(ops.any(real, axis=(1, 2)), numbers, 0))


def _first_steps(
    step: Callable[[Any, Any], tuple[Any, Any]],
    carry: tuple[Any, ...],
    sequences: tuple[Any, ...],
    reverse: bool,
    steps: Any,
) -> tuple[Any, Any]:
    """:func:`scan` on JAX over the first ``steps`` steps. It has no derivative."""
    import jax

    def run(number: Any, state: Any) -> Any:
        before, written = state
        t = steps - 1 - number if reverse else number
        after, found = step(before, tuple(x[t] for x in sequences))
        return after, tuple(
            jax.lax.dynamic_update_index_in_dim(all_steps, value, t, 0)
            for all_steps, value in zip(written, found, strict=True)
        )

    shapes = jax.eval_shape(step, carry, tuple(x[0] for x in sequences))[1]
    length = sequences[0].shape[0]  # symbolic, where Keras asks for the shape of the outputs alone
    nothing = tuple(jax.numpy.zeros((length, *x.shape), x.dtype) for x in shapes)
    return jax.lax.fori_loop(0, steps, run, (carry, nothing))


def _loop(
    step: Callable[[Any, Any], tuple[Any, Any]],
    carry: Sequence[Any],
    sequences: Sequence[Any],
    reverse: bool,
) -> tuple[Sequence[Any], Sequence[Any]]:
    """:func:`scan` on PyTorch."""
    import torch

    values = []
    order = range(len(sequences[0]))
    for t in reversed(order) if reverse else order:
        carry, found = step(tuple(carry), tuple(x[t] for x in sequences))
        values.append(found)
    columns = zip(*(reversed(values) if reverse else values), strict=True)
    return tuple(carry), [torch.stack(column) for column in columns]


def fused_lstm(x: Any, h0: Any, c0: Any, W: Any, R: Any, b: Any, reverse: bool) -> tuple[Any, Any]:
    """PyTorch's LSTM kernel, with the arguments and results of :func:`nlp_rnn.layers.lstm.lstm`."""
    import torch

    weights = [W.T, R.T, b, torch.zeros_like(b)]
    first = (h0[None], c0[None])
    h, _, c = torch.lstm(_steps(x, reverse), first, weights, True, 1, 0.0, *_PLAIN)
    return _steps(h, reverse), c[0]


def fused_gru(x: Any, h0: Any, W: Any, R: Any, b: Any, reverse: bool) -> Any:
    """PyTorch's GRU kernel, with the arguments and results of :func:`nlp_rnn.layers.gru.gru`."""
    import torch

    def reset_first(gates: Any) -> Any:
        z, r, g = torch.chunk(gates, 3, dim=-1)
        return torch.cat([r, z, g], dim=-1)

    weights = [reset_first(W).T, reset_first(R).T, reset_first(b[0]), reset_first(b[1])]
    h, _ = torch.gru(_steps(x, reverse), h0[None], weights, True, 1, 0.0, *_PLAIN)
    return _steps(h, reverse)


_PLAIN = (False, False, False)
"""PyTorch's arguments ``train`` (for its dropout between layers), ``bidirectional`` and
``batch_first``."""


def _steps(sequences: Any, reverse: bool) -> Any:
    return sequences.flip(0) if reverse else sequences


def materialized(tensor: Any) -> Any:
    """The tensor, computed only once: JAX's compiler would repeat a cheap operation in every
    step."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.lax.optimization_barrier(tensor)
    return tensor


def loops_are_fast() -> bool:
    """Whether :func:`scan` is the fastest way to run a recurrent layer here.

    It is not on a GPU, which has fused kernels, nor on PyTorch, which runs a loop step by step.
    """
    import keras

    return not _on_gpu() and keras.backend.backend() != "torch"


def has_fused_loops() -> bool:
    """Whether :func:`fused_lstm` and :func:`fused_gru` are available, as on PyTorch."""
    import keras

    return keras.backend.backend() == "torch"


def outputs_start_from_zeros() -> bool:
    """Whether Keras's layers output zeros at masked steps before a sequence's first real step.

    They do on TensorFlow and PyTorch; on JAX they output the initial state.
    """
    import keras

    return keras.backend.backend() != "jax"


def masks_lose_fused_kernels() -> bool:
    """Whether the fused recurrent kernels of this backend do not support masks; TensorFlow's do."""
    import keras

    name = keras.backend.backend()
    return name == "torch" or (name == "jax" and _on_gpu())


def _on_gpu() -> bool:
    return not all(device.startswith("cpu") for device in devices())


def devices() -> list[str]:
    """The devices Keras computes on, e.g. ``["cpu:0"]``."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        return [f"gpu:{i}" for i in range(torch.cuda.device_count())] or ["cpu:0"]
    return list(keras.distribution.list_devices()) or ["cpu:0"]


def versions() -> dict[str, str]:
    """The versions of packages on which results depend, for the record of a run."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, Any] = {"python": sys.version.split()[0]}
    for package in ("nlp_rnn", "keras", "tensorflow", "jax", "torch", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
