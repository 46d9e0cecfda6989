"""The phased LSTM: an LSTM in which each unit has its own periodic time gate."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from nlp_rnn.layers.cells.lstm import LSTMCell

BASE = 256
"""Integers below this are exact in bfloat16, which may be the dtype of a state."""

POWERS = (1.0, BASE, BASE**2)


@keras.saving.register_keras_serializable("nlp_rnn")
class PhasedLSTMCell(LSTMCell):
    """The phased LSTM (Neil, Pfeiffer & Liu 2016, eqs. 1 to 10).

    An LSTM step (eqs. 1 to 5, with peepholes) proposes ``h~`` and ``c~``; each unit takes them over
    only as far as its time gate ``k`` is open: ``c_t = k c~ + (1 - k) c_{t-1}`` (eq. 8), ``h``
    likewise (eq. 10). With the phase ``phi = ((t - s) mod tau) / tau`` (eq. 6), ``k`` rises from 0
    to 1 and falls back to 0 while ``phi < open_ratio``; for the rest of the period it is
    ``leak * phi`` in training, to let gradients through, and 0 at inference.

    The time ``t`` is the number of steps before this one since the states were zero; masked
    steps do not count. The period ``tau`` is learned as its logarithm, so that it stays positive,
    and the shift ``s`` in units of the period.

    The state ``time`` ``(batch, 3)`` is ``t`` as three base-256 digits, lowest first. It is exact
    up to 2²⁴ - 1 under every dtype policy; a single bfloat16 would stop at 256.

    Args:
        units: size of ``h`` and ``c``.
        leak: how far a closed gate leaks in training.
        open_ratio: the fraction of the period in which the gate is open; not learned.
        longest_period: periods are drawn log-uniformly from 1 to this many steps.
        peepholes: see :class:`LSTMCell`.
        **kwargs: see :class:`LSTMCell`.

    Raises:
        ValueError: an option adds states that the time gate does not support, or excludes another.
    """

    def __init__(
        self,
        units: int,
        leak: float = 0.001,
        open_ratio: float = 0.05,
        longest_period: float = 1000.0,
        peepholes: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, peepholes=peepholes, **kwargs)
        for option in ("full_gate_recurrence", "projection"):
            if getattr(self, option):
                raise ValueError(f"PhasedLSTMCell excludes {option}: the time gate holds h and c")
        self.leak = leak
        self.open_ratio = open_ratio
        self.longest_period = longest_period
        self.state_size = [units, units, len(POWERS)]
        self.state_names = ("h", "c", "time")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        uniform = keras.initializers.RandomUniform
        # Half precision would shift the phase by whole periods late in a sequence.
        self.log_period = self.add_weight(
            shape=(self.units,),
            initializer=uniform(0.0, math.log(self.longest_period)),
            autocast=False,
            name="log_period",
        )
        self.shift = self.add_weight(
            shape=(self.units,), initializer=uniform(0.0, 1.0), autocast=False, name="shift"
        )

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        h, c, digits = states
        _, (candidate_h, candidate_c) = super().call(inputs, [h, c], training)
        powers = ops.convert_to_tensor(
            POWERS, keras.backend.result_type(self.compute_dtype, "float32")
        )
        time = ops.sum(ops.cast(digits, powers.dtype) * powers, axis=-1, keepdims=True)
        k = ops.cast(self.openness(time, training), self.compute_dtype)
        h = k * candidate_h + (1 - k) * h
        c = k * candidate_c + (1 - k) * c
        digits = ops.mod(ops.floor((time + 1) / powers), BASE)
        return h, [h, c, ops.cast(digits, self.compute_dtype)]

    def openness(self, time: Any, training: bool) -> Any:
        """The time gate ``k`` (eq. 6), ``(batch, units)``, at ``time`` ``(batch, 1)``."""
        period = ops.exp(self.log_period)
        phase = ops.mod(ops.mod(time, period) / period - self.shift, 1)
        position = 2 * phase / self.open_ratio  # 0 where the gate opens, 2 where it closes
        closed = self.leak * phase if training else ops.zeros_like(phase)
        return ops.where(position < 1, position, ops.where(position < 2, 2 - position, closed))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "leak": self.leak,
            "open_ratio": self.open_ratio,
            "longest_period": self.longest_period,
        }
