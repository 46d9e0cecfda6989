"""The LSTM's forward and backward pass, written out from its equations."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn import backend
from nlp_rnn.layers import bptt


def lstm(
    x: Any, h0: Any, c0: Any, W: Any, R: Any, b: Any, real: Any = None, reverse: bool = False
) -> tuple[Any, Any]:
    """The states of an LSTM, with hand-written backpropagation through time as their gradient.

    Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000)::

        [z_i, z_f, z_g, z_o] = x_t W + h_{t-1} R + b
        i = sigmoid(z_i)   f = sigmoid(z_f)   g = tanh(z_g)   o = sigmoid(z_o)
        c_t = f c_{t-1} + i g
        h_t = o tanh(c_t)

    and backwards, where ``dv`` is the gradient of the loss with respect to ``v``::

        dc_t += dh_t o (1 - tanh(c_t)^2)
        dz_i = dc_t g i (1 - i)          dz_f = dc_t c_{t-1} f (1 - f)
        dz_g = dc_t i (1 - g^2)          dz_o = dh_t tanh(c_t) o (1 - o)
        dh_{t-1} = dz R^T                dc_{t-1} = dc_t f
        dW = sum_t x_t^T dz    dR = sum_t h_{t-1}^T dz    db = sum_t dz    dx_t = dz W^T

    Factors that depend on neither ``dh_t`` nor ``dc_t`` are computed for all steps at once.

    Args:
        x: ``(timesteps, batch, features)``.
        h0, c0: initial states ``(batch, units)``.
        W: kernel ``(features, 4 units)``.
        R: recurrent kernel ``(units, 4 units)``.
        b: bias ``(4 units,)``.
        real: bool ``(timesteps, batch, 1)``; states do not change where it is false.
        reverse: run from the last step to the first.

    Returns:
        ``h`` after each step ``(timesteps, batch, units)``, and the final ``c`` ``(batch, units)``.
    """
    constants = bptt.constants(real)

    @backend.custom_gradient
    def states(x: Any, h0: Any, c0: Any, W: Any, R: Any, b: Any, *constants: Any) -> Any:
        masks, steps = constants[:1], next(iter(constants[1:]), None)

        def step(before: Any, inputs: Any) -> Any:
            (h, c), (xW, *real) = before, inputs
            z_i, z_f, z_g, z_o = ops.split(xW + ops.matmul(h, R), 4, axis=-1)
            i, f, g, o = ops.sigmoid(z_i), ops.sigmoid(z_f), ops.tanh(z_g), ops.sigmoid(z_o)
            c_t = f * c + i * g
            h_t = o * ops.tanh(c_t)
            for is_real in real:
                h_t, c_t = ops.where(is_real, h_t, h), ops.where(is_real, c_t, c)
            return (h_t, c_t), (h_t, c_t, i, f, g, o)

        (last_h, last_c), (h, c, i, f, g, o) = backend.scan(
            step, (h0, c0), (ops.matmul(x, W) + b, *masks), 6, reverse, steps
        )
        h = bptt.after(steps, h, h0 if reverse else last_h)
        c = bptt.after(steps, c, c0 if reverse else last_c)

        def gradient(dh_out: Any, dc_last: Any) -> Any:
            tanh_c = ops.tanh(c)
            dc_dh = o * (1 - tanh_c * tanh_c)
            dz_dc = ops.concatenate(
                [g * i * (1 - i), bptt.before(c0, c, reverse) * f * (1 - f), i * (1 - g * g)], -1
            )
            dz_dh = tanh_c * o * (1 - o)
            forget = f
            for is_real in masks:
                dc_dh, dz_dc, dz_dh = (
                    ops.where(is_real, factor, 0.0) for factor in (dc_dh, dz_dc, dz_dh)
                )
                forget = ops.where(is_real, f, 1.0)
            R_T = backend.materialized(ops.transpose(R))

            def step_back(after: Any, inputs: Any) -> Any:
                (dh, dc), (dh_t, dc_dh, dz_dc, dz_dh, forget, *real) = after, inputs
                dh = dh + dh_t
                dc = dc + dh * dc_dh
                dz = ops.concatenate([ops.concatenate([dc, dc, dc], -1) * dz_dc, dh * dz_dh], -1)
                dh_before = ops.matmul(dz, R_T)
                for is_real in real:
                    dh_before = dh_before + ops.where(is_real, 0.0, dh)
                return (dh_before, dc * forget), (dz,)

            dh_rest = ops.zeros_like(h0) + bptt.sum_after(steps, dh_out)
            (dh0, dc0), (dz,) = backend.scan(
                step_back,
                (ops.zeros_like(h0) if reverse else dh_rest, dc_last),
                (dh_out, dc_dh, dz_dc, dz_dh, forget, *masks),
                1,
                not reverse,
                steps,
            )
            dh0 = dh0 + dh_rest if reverse else dh0
            dW = bptt.sum_of_products(x, dz)
            dR = bptt.sum_of_products(bptt.before(h0, h, reverse), dz)
            dx = ops.matmul(dz, ops.transpose(W))
            return dx, dh0, dc0, dW, dR, ops.sum(dz, (0, 1))

        return (h, last_c), gradient

    return states(x, h0, c0, W, R, b, *constants)


@keras.saving.register_keras_serializable("nlp_rnn")
class LSTM(keras.layers.LSTM):
    """``keras.layers.LSTM`` with :func:`lstm`'s hand-written backpropagation through time.

    A drop-in replacement: same arguments, weights, masks, states and results, but faster training
    on a CPU. Where :func:`lstm` does not apply (other activations, recurrent dropout in training, a
    GPU with its fused kernels) it behaves as Keras's layer.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        if not bptt.applies(self, mask, training):
            return super().inner_loop(sequences, initial_state, mask, training)
        x, real = bptt.inputs_of(self, sequences, mask, training)
        h0, c0 = initial_state
        W, R, b = bptt.weights_of(self.cell)
        if backend.has_fused_loops():
            h, c = backend.fused_lstm(x, h0, c0, W, R, b, self.go_backwards)
        else:
            h, c = lstm(x, h0, c0, W, R, b, real, self.go_backwards)
        last, outputs = bptt.outputs_of(self, h, real)
        return last, outputs, [bptt.final(h, self.go_backwards), c]
