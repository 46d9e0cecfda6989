"""Code shared by the layers with a hand-written backward pass.

Automatic differentiation of a loop accumulates the recurrent kernel's gradient step by step, with
one small product per step. Hand-written backpropagation through time leaves only ``dz_t R^T`` in
the loop; the gradient of each weight is one large product over all steps at once.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from nlp_rnn import backend


def applies(layer: Any, mask: Any, training: bool) -> bool:
    """Whether the hand-written pass and PyTorch's kernels support a layer's options.

    On a GPU, Keras's layers have their own fused kernels.
    """
    cell = layer.cell
    return (
        (backend.loops_are_fast() or (backend.has_fused_loops() and mask is None))
        and cell.activation.__name__ == "tanh"
        and cell.recurrent_activation.__name__ == "sigmoid"
        and not (training and cell.recurrent_dropout)
        and not layer.unroll
    )


def steps_first(sequences: Any) -> Any:
    """Swap the first two axes: ``(batch, timesteps, ...)`` and ``(timesteps, batch, ...)``."""
    return ops.swapaxes(sequences, 0, 1)


def inputs_of(layer: Any, sequences: Any, mask: Any, training: bool) -> tuple[Any, Any]:
    """What a layer's loop reads: its inputs after dropout, and the mask, timesteps first.

    Returns:
        ``(timesteps, batch, features)``, and bool ``(timesteps, batch, 1)`` or None.
    """
    if training and layer.cell.dropout:
        kept = layer.cell.get_dropout_mask(sequences[:, 0, :])
        sequences = sequences * ops.expand_dims(kept, 1)
    if mask is not None:
        mask = steps_first(ops.cast(mask, "bool"))
        mask = ops.expand_dims(mask, -1) if len(mask.shape) == 2 else mask
    return steps_first(sequences), mask


def constants(real: Any) -> tuple[Any, ...]:
    """What a loop reads beside differentiable tensors: ``real``, bool ``(timesteps, batch, 1)``,
    and the number of steps to run, where either is not None."""
    steps = backend.steps_to_run(real)
    return tuple(value for value in (real, steps) if value is not None)


def outputs_of(layer: Any, h: Any, mask: Any) -> tuple[Any, Any]:
    """The last output ``(batch, units)`` and all outputs, in the order in which the loop ran.

    At a masked step Keras repeats the previous output, or returns zeros if the layer sets
    ``zero_output_for_mask``. The final states are not outputs: masked steps always leave them
    unchanged.

    Args:
        h: the state after each step, ``(timesteps, batch, units)``, unchanged where ``mask`` is
            false.
        mask: as returned by :func:`inputs_of`.
    """
    if mask is not None:
        if layer.zero_output_for_mask:
            h = ops.where(mask, h, 0.0)
        elif backend.outputs_start_from_zeros():
            h = ops.where(_begun(mask, layer.go_backwards), h, 0.0)
    last = final(h, layer.go_backwards)
    if not layer.return_sequences:
        return last, ops.expand_dims(last, 1)
    outputs = steps_first(h)
    return last, ops.flip(outputs, 1) if layer.go_backwards else outputs


def final(h: Any, reverse: bool) -> Any:
    """The value of ``h`` ``(timesteps, batch, units)`` after the loop's last step."""
    return h[0] if reverse else h[-1]


def _begun(mask: Any, reverse: bool) -> Any:
    """Whether the loop has read a real step yet, in the shape of ``mask``."""
    real = ops.cast(ops.flip(mask, 0) if reverse else mask, "int32")
    begun = ops.cumsum(real, axis=0) > 0
    return ops.flip(begun, 0) if reverse else begun


def weights_of(cell: Any) -> tuple[Any, Any, Any]:
    """The kernel, recurrent kernel and bias of a cell; zeros if it has no bias."""
    # Copies, because TensorFlow's custom gradients treat variables separately.
    W, R = ops.copy(cell.kernel), ops.copy(cell.recurrent_kernel)
    return W, R, ops.zeros_like(W[0]) if cell.bias is None else ops.copy(cell.bias)


def before(first: Any, states: Any, reverse: bool) -> Any:
    """The state from which each step started, ``(timesteps, batch, units)``.

    Args:
        first: the initial state ``(batch, units)``.
        states: the states after each step ``(timesteps, batch, units)``.
        reverse: whether the steps ran from the last to the first.
    """
    first = ops.expand_dims(first, 0)
    if reverse:
        return ops.concatenate([states[1:], first])
    return ops.concatenate([first, states[:-1]])


def sum_of_products(left: Any, right: Any) -> Any:
    """``sum_t left_t^T right_t``, the gradient of a kernel, ``(features, gates)``.

    Args:
        left: the inputs of the kernel, ``(timesteps, batch, features)``.
        right: the gradient with respect to the products, ``(timesteps, batch, gates)``.
    """
    flat_left = ops.reshape(left, (-1, left.shape[-1]))
    flat_right = ops.reshape(right, (-1, right.shape[-1]))
    return ops.matmul(ops.transpose(flat_left), flat_right)


def after(steps: Any, sequence: Any, rest: Any) -> Any:
    """``sequence`` ``(timesteps, batch, ...)``, with ``rest`` after the first ``steps``; the same
    if ``steps`` is None."""
    if steps is None:
        return sequence
    return ops.where(_is_after(steps, sequence), rest, sequence)


def sum_after(steps: Any, gradient: Any) -> Any:
    """The sum of a gradient ``(timesteps, batch, units)`` after the first ``steps``, which belongs
    to the state that all those steps repeat; 0 if ``steps`` is None."""
    if steps is None:
        return 0.0
    return ops.sum(ops.where(_is_after(steps, gradient), gradient, 0.0), axis=0)


def _is_after(steps: Any, sequence: Any) -> Any:
    """bool ``(timesteps, 1, ...)``: whether a step is after the first ``steps``."""
    numbers = ops.arange(sequence.shape[0], dtype="int32")
    return ops.reshape(numbers >= steps, (-1, *[1] * (len(sequence.shape) - 1)))
