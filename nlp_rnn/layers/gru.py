"""The GRU's forward and backward pass, written out from its equations."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn import backend
from nlp_rnn.layers import bptt


def gru(x: Any, h0: Any, W: Any, R: Any, b: Any, real: Any = None, reverse: bool = False) -> Any:
    """The states of a GRU, with hand-written backpropagation through time as their gradient.

    Cho et al. (2014) in the form that applies the reset gate after the product (cuDNN's)::

        [a_z, a_r, a_g] = x_t W + b_in        [p_z, p_r, p_g] = h_{t-1} R + b_rec
        z = sigmoid(a_z + p_z)    r = sigmoid(a_r + p_r)    g = tanh(a_g + r p_g)
        h_t = z h_{t-1} + (1 - z) g

    and backwards, where ``dv`` is the gradient of the loss with respect to ``v``::

        dp_z = dh_t (h_{t-1} - g) z (1 - z)      da_g = dh_t (1 - z) (1 - g^2)
        dp_r = da_g p_g r (1 - r)                dp_g = da_g r
        dh_{t-1} = dp R^T + dh_t z               da = [dp_z, dp_r, da_g]
        dW = sum_t x_t^T da    dR = sum_t h_{t-1}^T dp    db_in = sum_t da    db_rec = sum_t dp
        dx_t = da W^T

    Every ``dp`` is ``dh_t`` times a factor that is computed for all steps at once.

    Args:
        x: ``(timesteps, batch, features)``.
        h0: initial state ``(batch, units)``.
        W: kernel ``(features, 3 units)``.
        R: recurrent kernel ``(units, 3 units)``.
        b: biases ``(2, 3 units)``, of the input's and of the state's product.
        real: bool ``(timesteps, batch, 1)``; the state does not change where it is false.
        reverse: run from the last step to the first.

    Returns:
        ``h`` after each step ``(timesteps, batch, units)``.
    """
    constants = bptt.constants(real)
    units = R.shape[0]

    @backend.custom_gradient
    def states(x: Any, h0: Any, W: Any, R: Any, b: Any, *constants: Any) -> Any:
        masks, steps = constants[:1], next(iter(constants[1:]), None)

        def step(before: Any, inputs: Any) -> Any:
            (h,), (a, *real) = before, inputs
            p = ops.matmul(h, R) + b[1]
            z, r = ops.split(ops.sigmoid(a[:, : 2 * units] + p[:, : 2 * units]), 2, axis=-1)
            p_g = p[:, 2 * units :]
            g = ops.tanh(a[:, 2 * units :] + r * p_g)
            h_t = z * h + (1 - z) * g
            for is_real in real:
                h_t = ops.where(is_real, h_t, h)
            return (h_t,), (h_t, z, r, g, p_g)

        (last,), (h, z, r, g, p_g) = backend.scan(
            step, (h0,), (ops.matmul(x, W) + b[0], *masks), 5, reverse, steps
        )
        h = bptt.after(steps, h, h0 if reverse else last)

        def gradient(dh_out: Any) -> Any:
            h_before = bptt.before(h0, h, reverse)
            to_g = (1 - z) * (1 - g * g)
            to_p = ops.concatenate(
                [(h_before - g) * z * (1 - z), to_g * p_g * r * (1 - r), to_g * r], -1
            )
            keep = z
            for is_real in masks:
                to_g, to_p = ops.where(is_real, to_g, 0.0), ops.where(is_real, to_p, 0.0)
                keep = ops.where(is_real, z, 1.0)
            R_T = backend.materialized(ops.transpose(R))

            def step_back(after: Any, inputs: Any) -> Any:
                (dh,), (dh_t, to_p, keep) = after, inputs
                dh = dh + dh_t
                dp = ops.concatenate([dh, dh, dh], -1) * to_p
                return (ops.matmul(dp, R_T) + dh * keep,), (dh, dp)

            nothing = ops.zeros_like(h0)
            dh_rest = nothing + bptt.sum_after(steps, dh_out)
            (dh0,), (dh, dp) = backend.scan(
                step_back,
                (nothing if reverse else dh_rest,),
                (dh_out, to_p, keep),
                2,
                not reverse,
                steps,
            )
            dh0 = dh0 + dh_rest if reverse else dh0
            da = ops.concatenate([dp[:, :, : 2 * units], dh * to_g], -1)
            dW, dR = bptt.sum_of_products(x, da), bptt.sum_of_products(h_before, dp)
            db = ops.stack([ops.sum(da, (0, 1)), ops.sum(dp, (0, 1))])
            return ops.matmul(da, ops.transpose(W)), dh0, dW, dR, db

        return (h,), gradient

    (h,) = states(x, h0, W, R, b, *constants)
    return h


@keras.saving.register_keras_serializable("nlp_rnn")
class GRU(keras.layers.GRU):
    """``keras.layers.GRU`` with :func:`gru`'s hand-written backpropagation through time.

    A drop-in replacement: same arguments, weights, masks, states and results, but faster training
    on a CPU. Where :func:`gru` does not apply (other activations, ``reset_after=False``, recurrent
    dropout in training, a GPU with its fused kernels) it behaves as Keras's layer.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        if not (bptt.applies(self, mask, training) and self.cell.reset_after):
            return super().inner_loop(sequences, initial_state, mask, training)
        x, real = bptt.inputs_of(self, sequences, mask, training)
        (h0,) = initial_state
        W, R, b = bptt.weights_of(self.cell)
        if backend.has_fused_loops():
            h = backend.fused_gru(x, h0, W, R, b, self.go_backwards)
        else:
            h = gru(x, h0, W, R, b, real, self.go_backwards)
        last, outputs = bptt.outputs_of(self, h, real)
        return last, outputs, [bptt.final(h, self.go_backwards)]
