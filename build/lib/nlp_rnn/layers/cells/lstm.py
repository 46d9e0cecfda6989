"""The LSTM and its variants: one cell with switches."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn.layers.cells.cell import RecurrentDropoutCell

COLUMNS = ("i", "f", "c", "o")
"""Blocks of columns in Keras's order: input gate, forget gate, cell input, output gate."""


@keras.saving.register_keras_serializable("nlp_rnn")
class ForgetGateBias(keras.initializers.Initializer):
    """The bias of Keras's LSTM: ``forget_bias`` for the forget gate, zeros elsewhere.

    For ``keras.layers.LSTM(..., unit_forget_bias=False, bias_initializer=ForgetGateBias(2.0))``;
    Jozefowicz et al. (2015) found 1 to close the gap between LSTM and GRU.
    """

    def __init__(self, forget_bias: float = 1.0) -> None:
        self.forget_bias = forget_bias

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        return block_bias({"f": self.forget_bias}, COLUMNS, shape[0] // len(COLUMNS), dtype)

    def get_config(self) -> dict[str, Any]:
        return {"forget_bias": self.forget_bias}


def block_bias(values: dict[str, float], columns: tuple[str, ...], units: int, dtype: Any) -> Any:
    """A bias ``(columns * units,)``, constant in each block; zero in those not in ``values``."""
    return ops.concatenate([ops.full((units,), values.get(c, 0.0), dtype) for c in columns])


def blocks(names: tuple[str, ...], z: Any) -> dict[str, Any]:
    """``z`` split into equal blocks of columns, by name."""
    return dict(zip(names, ops.split(z, len(names), axis=-1), strict=True))


@keras.saving.register_keras_serializable("nlp_rnn")
class LSTMCell(RecurrentDropoutCell):
    """The LSTM (Hochreiter & Schmidhuber 1997; Gers et al. 2000) and its variants.

    After "LSTM: A Search Space Odyssey" (Greff et al. 2015), whose vanilla LSTM is
    ``peepholes=True``:

    ``i = sigmoid(x W_i + h_{t-1} R_i + p_i * c_{t-1} + b_i)``, ``f`` likewise,
    ``g = tanh(x W_c + h_{t-1} R_c + b_c)``, ``c = f * c_{t-1} + i * g``,
    ``o = sigmoid(x W_o + h_{t-1} R_o + p_o * c + b_o)``, ``h = o * tanh(c)``.

    With the defaults it is Keras's LSTM, with the same weight layout. Gates that a variant lacks
    have no columns in the kernels.

    Args:
        units: size of ``c``, and of ``h`` without a projection.
        forget_bias: initial bias of the forget gate (Jozefowicz et al. 2015). With coupled gates,
            the input gate gets the negated value, so that ``f`` starts at the same value.
        peepholes: let the gates see the cell state (Gers & Schmidhuber 2000).
        coupled_gates: ``f = 1 - i`` (CIFG).
        input_gate: false fixes ``i = 1`` (NIG).
        forget_gate: false fixes ``f = 1`` (NFG).
        output_gate: false fixes ``o = 1`` (NOG).
        input_activation: false replaces the tanh of ``g`` by the identity (NIAF).
        output_activation: false replaces the tanh of ``h`` by the identity (NOAF).
        full_gate_recurrence: let the gates see all gates of the previous step (FGR), which
            become states, beside ``h`` and ``c``.
        layer_normalization: normalise ``x W``, ``h R`` and, inside the output's tanh, ``c``
            (Ba et al. 2016, eqs. 20 to 22; the biases of the first two are one). Peepholes and
            gate recurrence are added unnormalised.
        projection: size of ``h = (o * tanh(c)) P`` (Sak et al. 2014); None for no projection.
        recurrent_initializer: the initializer of ``R``, by name or as a Keras initializer.
        recurrent_dropout: probability that an element of ``h_{t-1}`` is dropped.

    Raises:
        ValueError: options are mutually exclusive.
    """

    def __init__(
        self,
        units: int,
        forget_bias: float = 1.0,
        peepholes: bool = False,
        coupled_gates: bool = False,
        input_gate: bool = True,
        forget_gate: bool = True,
        output_gate: bool = True,
        input_activation: bool = True,
        output_activation: bool = True,
        full_gate_recurrence: bool = False,
        layer_normalization: bool = False,
        projection: int | None = None,
        recurrent_initializer: Any = "orthogonal",
        recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(recurrent_dropout, **kwargs)
        gates = {"input_gate": input_gate, "forget_gate": forget_gate, "output_gate": output_gate}
        for gate, present in gates.items():
            if coupled_gates and gate != "output_gate" and not present:
                raise ValueError(f"coupled_gates excludes {gate}=False")
            if full_gate_recurrence and not present:
                raise ValueError(f"full_gate_recurrence excludes {gate}=False")
        if full_gate_recurrence and coupled_gates:
            raise ValueError("full_gate_recurrence excludes coupled_gates")
        self.units = units
        self.forget_bias = forget_bias
        self.peepholes = peepholes
        self.coupled_gates = coupled_gates
        self.input_gate = input_gate
        self.forget_gate = forget_gate
        self.output_gate = output_gate
        self.input_activation = input_activation
        self.output_activation = output_activation
        self.full_gate_recurrence = full_gate_recurrence
        self.layer_normalization = layer_normalization
        self.projection = projection
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        absent = {
            "i": not input_gate,
            "f": coupled_gates or not forget_gate,
            "c": False,
            "o": not output_gate,
        }
        self.columns = tuple(block for block in COLUMNS if not absent[block])
        self.state_size = [projection or units, units]
        self.state_names = ("h", "c")
        if full_gate_recurrence:
            self.state_size += [units] * 3
            self.state_names += ("i", "f", "o")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        n, width = self.units, len(self.columns) * self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], width), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.state_size[0], width),
            initializer=self.recurrent_initializer,
            name="recurrent_kernel",
        )
        self.bias = self.add_weight(shape=(width,), initializer=self.initial_bias, name="bias")
        if self.peepholes:
            self.peephole = {
                gate: self.add_weight(shape=(n,), initializer="zeros", name=f"peephole_{gate}")
                for gate in self.columns
                if gate != "c"
            }
        if self.full_gate_recurrence:
            self.gate_kernel = self.add_weight(
                shape=(3 * n, 3 * n), initializer=self.recurrent_initializer, name="gate_kernel"
            )
        if self.layer_normalization:
            self.gain = self.add_weight(shape=(width,), initializer="ones", name="gain")
            self.recurrent_gain = self.add_weight(
                shape=(width,), initializer="ones", name="recurrent_gain"
            )
            self.cell_gain = self.add_weight(shape=(n,), initializer="ones", name="cell_gain")
            self.cell_bias = self.add_weight(shape=(n,), initializer="zeros", name="cell_bias")
        if self.projection:
            self.projection_kernel = self.add_weight(
                shape=(n, self.projection), name="projection_kernel"
            )

    def initial_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """The initial bias, as in :class:`ForgetGateBias`, of the columns that exist."""
        values = {"i": -self.forget_bias} if self.coupled_gates else {"f": self.forget_bias}
        return block_bias(values, self.columns, self.units, dtype)

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        h, c, *gates = states
        x, h = self.drop(inputs, h, training)
        z = self.preactivations(x, h, gates)
        i = self.gate("i", z, c)
        f = 1 - i if self.coupled_gates else self.gate("f", z, c)
        g = ops.tanh(z["c"]) if self.input_activation else z["c"]
        c = f * c + i * g
        o = self.gate("o", z, c)
        h = o * self.squashed(c)
        if self.projection:
            h = ops.matmul(h, self.projection_kernel)
        return h, [h, c, *([i, f, o] if self.full_gate_recurrence else [])]

    def preactivations(self, x: Any, h: Any, gates: list[Any]) -> dict[str, Any]:
        """The preactivations by block of columns, from the inputs, ``h`` and the previous gates."""
        xW, hR = ops.matmul(x, self.kernel), ops.matmul(h, self.recurrent_kernel)
        if self.layer_normalization:
            xW = ops.layer_normalization(xW, self.gain)
            hR = ops.layer_normalization(hR, self.recurrent_gain)
        z = blocks(self.columns, xW + hR + self.bias)
        if gates:
            recurrence = ops.matmul(ops.concatenate(gates, axis=-1), self.gate_kernel)
            for gate, value in blocks(("i", "f", "o"), recurrence).items():
                z[gate] = z[gate] + value
        return z

    def gate(self, name: str, z: dict[str, Any], c: Any) -> Any:
        """The gate's value in (0, 1), or 1 where the variant lacks it."""
        if name not in z:
            return 1.0
        return ops.sigmoid(z[name] + self.peephole[name] * c if self.peepholes else z[name])

    def squashed(self, c: Any) -> Any:
        """The cell state as the output gate receives it."""
        if self.layer_normalization:
            c = ops.layer_normalization(c, self.cell_gain, self.cell_bias)
        return ops.tanh(c) if self.output_activation else c

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "forget_bias": self.forget_bias,
            "peepholes": self.peepholes,
            "coupled_gates": self.coupled_gates,
            "input_gate": self.input_gate,
            "forget_gate": self.forget_gate,
            "output_gate": self.output_gate,
            "input_activation": self.input_activation,
            "output_activation": self.output_activation,
            "full_gate_recurrence": self.full_gate_recurrence,
            "layer_normalization": self.layer_normalization,
            "projection": self.projection,
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
        }
