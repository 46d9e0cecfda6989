"""DropConnect on the step from one hidden state to the next."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from nlp_rnn.layers.dropout import Dropout


@keras.saving.register_keras_serializable("nlp_rnn")
class WeightDrop(layers.Wrapper):
    """Drops entries of a recurrent layer's recurrent kernels during training.

    Each entry of ``U`` is zero with probability ``rate`` and otherwise ``U / (1 - rate)``:
    DropConnect (Wan et al. 2013) on the hidden-to-hidden weights (Merity, Keskar & Socher 2017,
    section 2). One mask serves every step and every sequence of a call, so the layer itself runs
    unchanged, with whatever fused kernels it has. ``WeightDrop(Bidirectional(LSTM(units)), rate)``
    drops entries in both directions, each with its own mask; ``Bidirectional(WeightDrop(…))`` is
    not supported.

    Args:
        layer: a recurrent layer, alone or in ``Bidirectional``. Its recurrent kernels are the
            variables named ``recurrent_kernel``, as in Keras's cells. It takes and returns states,
            sequences and masks as it is configured to.
        rate: the probability of dropping an entry.
        seed: an integer, or None for one drawn from the global seed.

    Call arguments:
        sequences: ``(batch, timesteps, features)``.
        initial_state: a list of states ``(batch, units)``; zeros when None.
        mask: bool ``(batch, timesteps)``.

    Returns:
        What ``layer`` returns.

    Raises:
        ValueError: if ``rate`` is not a probability, or ``layer`` is stateful (pass
            ``initial_state`` instead); when built, if it has no recurrent kernel; in training, if
            its call adds to the loss (``activity_regularizer``): penalise its outputs with a layer
            of :mod:`nlp_rnn.layers.activity` instead.
    """

    def __init__(
        self, layer: layers.Layer, rate: float, seed: int | None = None, **kwargs: Any
    ) -> None:
        if getattr(layer, "stateful", False):
            # Keras does not count that state among the layer's variables.
            raise ValueError(f"{layer.name} is stateful: pass its state as initial_state instead")
        # In the dtype of the weights, so that mixed precision rounds them only once, when they are
        # used.
        super().__init__(layer, **{**kwargs, "dtype": layer.variable_dtype})
        self.rate = rate
        self.seed = seed
        self.dropout = Dropout(rate, seed=seed, dtype=self.dtype_policy)
        self.supports_masking = True

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape)
        if not any(is_recurrent_kernel(variable) for variable in self.layer.variables):
            raise ValueError(f"{self.layer.name} has no variable named recurrent_kernel to drop")

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        arguments = {"initial_state": initial_state, "mask": mask, "training": training}
        if not training:
            return self.layer(sequences, **arguments)
        variables = self.layer.variables
        values = [(v, self.drop(v) if is_recurrent_kernel(v) else v) for v in variables]
        # In this scope a variable has the value given here, so gradients pass through the mask to
        # the variable itself. Whatever the layer assigns to it inside must be assigned again here.
        with keras.StatelessScope(values, collect_losses=True) as scope:
            before = [scope.get_current_value(v) for v in variables]
            outputs = self.layer(sequences, **arguments)
        if scope.losses:
            raise ValueError(
                f"{self.layer.name} adds a penalty on its activities to the loss, which is lost "
                "in WeightDrop: penalise the outputs with a layer of nlp_rnn.layers.activity"
            )
        for variable, old in zip(variables, before, strict=True):
            new = scope.get_current_value(variable)
            if new is not old:
                variable.assign(new)
        return outputs

    def drop(self, kernel: keras.Variable) -> Any:
        return self.dropout(ops.convert_to_tensor(kernel), training=True)

    def compute_mask(self, sequences: Any, previous_mask: Any) -> Any:
        return self.layer.compute_mask(sequences, previous_mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def is_recurrent_kernel(variable: keras.Variable) -> bool:
    """Whether the step from ``h_{t-1}`` to ``h_t`` multiplies by this variable."""
    return variable.name == "recurrent_kernel"
