"""How far back a recurrent layer learns: norms of ``∂h_T/∂h_k`` (Pascanu et al. 2013, section 2.1).

The gradient of a loss at step ``T`` reaches step ``k`` multiplied by ``∂h_T/∂h_k``, the product
of the Jacobians of the steps between (eq. 5). If its norm falls towards 0 as ``T - k`` grows, the
gradient vanishes and anything further back is not learned; if it rises, the gradient explodes
(Bengio, Simard & Frasconi 1994).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from nlp_rnn.backend import gradient
from nlp_rnn.drawing import blank_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gradient_flow(
    layer: keras.layers.RNN,
    inputs: ArrayLike,
    initial_state: Sequence[ArrayLike] | None = None,
    state: str = "h",
) -> NDArray[np.float64]:
    """The spectral norm of ``∂h_T/∂h_k`` by lag ``T - k``, along one sequence of ``T`` steps.

    If a cell has more states than ``h``, they are held fixed at step ``k`` and vary with ``h`` from
    then on: the result is the norm of one block of ``∂s_T/∂s_k``, with ``s`` all states. An LSTM's
    ``∂h_T/∂h_k`` therefore passes through the cell states of the steps after ``k``, but excludes
    what ``c_k`` itself carries on; that is ``∂c_T/∂c_k``, given by ``state="c"``.

    It is computed by backpropagation through time from all components of ``h_T`` at once, which is
    exact up to rounding. Products are kept in float64, so norms below float32's 1e-38 are still
    correct.

    Args:
        layer: a built ``keras.layers.SimpleRNN``, ``LSTM``, ``GRU`` or ``RNN``, run as at
            inference, without dropout.
        inputs: ``(timesteps, features)``, real tokens only; at least one step.
        initial_state: the states before the first step, each ``(size,)``; None uses the layer's
            own, usually zeros.
        state: the name of the state, as in the cell's ``state_names``; Keras's own cells have
            ``"h"``, and for an LSTM also ``"c"``.

    Returns:
        The norms by lag, ``(timesteps,)``: 1 at lag 0, and last that of ``∂h_T/∂h_1``.

    Raises:
        ValueError: the layer has no such state, or is a stack of cells.
    """
    block = _block(layer, state)
    inputs = np.asarray(inputs)[:: -1 if layer.go_backwards else 1]
    if initial_state is None:
        initial_state = [ops.convert_to_numpy(s[0]) for s in layer.get_initial_state(1)]
    states = [np.concatenate([np.asarray(s, np.float64) for s in initial_state])]
    for x in inputs[:-1]:
        new = _step(layer, x, states[-1][None])[0]
        states.append(ops.convert_to_numpy(new).astype(np.float64))

    jacobian = np.eye(sum(layer.state_size))[block]  # ∂h_T/∂s_T
    norms = [1.0]
    for x, s in zip(inputs[:0:-1], states[:0:-1], strict=True):
        jacobian = _backward_step(layer, x, s, jacobian)
        norms.append(_spectral_norm(jacobian[:, block]))
    return np.array(norms)


def _block(layer: keras.layers.RNN, state: str) -> slice:
    """The position of ``state`` in the concatenated states of ``layer``."""
    if isinstance(layer.cell, keras.layers.StackedRNNCells):
        raise ValueError(f"{layer.name} is a stack of cells; use one layer per cell instead")
    names = getattr(layer.cell, "state_names", ("h", "c"))[: len(layer.state_size)]
    if state not in names:
        raise ValueError(f"{layer.name} has no state '{state}', only {', '.join(names)}")
    i = names.index(state)
    start = sum(layer.state_size[:i])
    return slice(start, start + layer.state_size[i])


def _step(layer: keras.layers.RNN, x: NDArray[Any], states: Any) -> Any:
    """``s_t`` from ``x_t (features,)`` and several ``s_{t-1}``, ``(batch, all sizes)``."""
    dtype = layer.cell.compute_dtype
    x = ops.convert_to_tensor(np.tile(x, (len(states), 1)), dtype)
    states = ops.cast(states, dtype)
    ends = np.cumsum(layer.state_size)
    parts = [states[:, end - n : end] for n, end in zip(layer.state_size, ends, strict=True)]
    _, new = layer.cell(x, parts, training=False)
    return ops.concatenate(keras.tree.flatten(new), axis=-1)


def _backward_step(
    layer: keras.layers.RNN, x: NDArray[Any], state: NDArray[Any], jacobian: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``∂h_T/∂s_{t-1} = ∂h_T/∂s_t · ∂s_t/∂s_{t-1}``, with a row for each component of ``h_T``."""
    scale = np.abs(jacobian).max() or 1.0  # the layer's own precision would underflow

    def weighted(states: Any) -> Any:
        new = _step(layer, x, states)
        return ops.sum(new * ops.cast(jacobian / scale, new.dtype))

    rows = np.tile(state, (len(jacobian), 1))
    return scale * gradient(weighted, rows).astype(np.float64)


def _spectral_norm(matrix: NDArray[np.float64]) -> float:
    """The largest singular value; NaN if the matrix has overflowed."""
    return float(np.linalg.norm(matrix, 2)) if np.isfinite(matrix).all() else np.nan


def mean_gradient_flow(
    layer: keras.layers.RNN, sequences: Sequence[ArrayLike], state: str = "h"
) -> NDArray[np.float64]:
    """The geometric mean of :func:`gradient_flow` over ``sequences``.

    Args:
        sequences: each ``(timesteps, features)``; one or more.

    Returns:
        The means by lag, ``(timesteps,)`` of the shortest sequence, so that each covers all
        sequences.
    """
    flows = [gradient_flow(layer, sequence, state=state) for sequence in sequences]
    shortest = min(map(len, flows))
    with np.errstate(divide="ignore"):  # the mean with a zero is zero
        return np.exp(np.mean([np.log(flow[:shortest]) for flow in flows], axis=0))


def recurrent_layers(network: keras.Model) -> dict[str, keras.layers.RNN]:
    """The recurrent layers of a functional network that read forwards.

    Returns:
        The layers in the order of ``network.layers``, by their names in the network: that of the
        wrapper (``Bidirectional``, ``WeightDrop``) if there is one.
    """
    found = {layer.name: _unwrapped(layer) for layer in network.layers}
    return {name: layer for name, layer in found.items() if layer is not None}


def _unwrapped(layer: Any) -> keras.layers.RNN | None:
    """The forward recurrent layer inside ``layer``, or None."""
    while layer is not None and not isinstance(layer, keras.layers.RNN):
        layer = getattr(layer, "forward_layer", getattr(layer, "layer", None))
    return layer


def layer_inputs(network: keras.Model, name: str, *inputs: ArrayLike) -> NDArray[Any]:
    """The inputs that the layer ``name`` of ``network`` receives for one sequence.

    Args:
        network: a functional model.
        name: a name from :func:`recurrent_layers`.
        *inputs: the network's inputs without the batch axis, token indices ``(timesteps,)`` first.
            Omitted inputs (a language model's initial states) are zeros.

    Returns:
        ``(timesteps, features)``.
    """
    received, *_ = keras.tree.flatten(network.get_layer(name).input)  # then mask and states
    below = keras.Model(network.inputs, received)
    rest = [np.zeros(i.shape[1:], i.dtype) for i in network.inputs[len(inputs) :]]
    return ops.convert_to_numpy(below([np.asarray(i)[None] for i in (*inputs, *rest)])[0])


def network_gradient_flow(
    network: keras.Model, examples: Sequence[Sequence[ArrayLike]], moment: str
) -> dict[str, NDArray[np.float64]]:
    """:func:`mean_gradient_flow` of every recurrent layer of a network.

    Args:
        examples: the network's inputs for each example, without the batch axis or padding.
        moment: the suffix of each name, as in ``"lstm_0, fresh"``.
    """
    return {
        f"{name}, {moment}": mean_gradient_flow(
            layer, [layer_inputs(network, name, *inputs) for inputs in examples]
        )
        for name, layer in recurrent_layers(network).items()
    }


def gradient_flow_rows(curves: Mapping[str, NDArray[np.float64]]) -> list[dict[str, Any]]:
    """``curves`` as rows of a table: ``curve``, ``lag``, ``norm``."""
    return [
        {"curve": name, "lag": lag, "norm": float(norm)}
        for name, curve in curves.items()
        for lag, norm in enumerate(curve)
    ]


def gradient_flow_picture(curves: Mapping[str, NDArray[np.float64]], title: str) -> Figure:
    """Plot norms against lags on a logarithmic axis: vanishing gradients fall, exploding ones rise.

    Args:
        curves: results of :func:`gradient_flow` by their names in the legend, such as
            ``"lstm_0, fresh"``. A curve ends where it is exactly 0.
    """
    figure = blank_figure(7, 4)
    axes = figure.subplots()
    axes.set_yscale("log", nonpositive="mask")
    axes.axhline(1, color="gray", linestyle=":")
    for name, curve in curves.items():
        axes.plot(curve, label=name)
    axes.set(title=title, xlabel="lag t - k (timesteps)", ylabel="‖∂h(t)/∂h(k)‖")
    axes.legend()
    return figure
