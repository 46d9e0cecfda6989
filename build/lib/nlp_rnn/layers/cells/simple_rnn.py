"""The simple recurrent network, with extensions that make it remember longer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nlp_rnn.layers.cells.cell import RecurrentDropoutCell

ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "tanh": (ops.tanh, lambda z: 1 - ops.square(ops.tanh(z))),
    "relu": (ops.relu, lambda z: ops.cast(z > 0, z.dtype)),
}
"""Each activation function with its derivative."""


def norm(vectors: Any) -> Any:
    """The Euclidean norm of each row, ``(batch, 1)``."""
    return ops.sqrt(ops.sum(ops.square(vectors), axis=-1, keepdims=True))


def penalty_gradient(delta: Any, slope: Any, recurrent_kernel: Any) -> Any:
    """The immediate derivative of one step's ``Omega_t`` with respect to the recurrent kernel.

    ``Omega_t = (|v| / |delta| - 1)²`` with ``v = dE/dh_{t-1} = (delta * slope) R^T``, averaged
    over the batch; ``delta`` and ``slope`` are constants (Pascanu et al. 2013, eqs. 9 and 10).
    A sequence without an error at this step (``delta = 0``), or whose error vanishes here
    (``v = 0``), contributes nothing.

    Args:
        delta: ``dE/dh_t``, ``(batch, units)``.
        slope: ``f'(z_t)``, ``(batch, units)``.
        recurrent_kernel: ``(units, units)``.

    Returns:
        ``(units, units)``.
    """
    # Omega does not change with the scale of delta, whose square may underflow.
    delta = ops.divide_no_nan(delta, ops.max(ops.abs(delta), axis=-1, keepdims=True))
    error = delta * slope
    v = ops.matmul(error, ops.transpose(recurrent_kernel))
    ratio = ops.divide_no_nan(norm(v), norm(delta))
    gradient = ops.divide_no_nan(2 * (ratio - 1) * v, norm(v) * norm(delta))
    batch_size = ops.cast(ops.shape(delta)[0], delta.dtype)
    return ops.matmul(ops.transpose(gradient), error) / batch_size


@keras.saving.register_keras_serializable("nlp_rnn")
class SimpleRNNCell(RecurrentDropoutCell):
    """The simple recurrent network: ``h_t = f(x_t W + h_{t-1} R + b)`` (Elman 1990).

    With "relu" and the recurrent initializer "identity" it is the IRNN (Le et al. 2015).

    Args:
        units: size of ``h``.
        activation: ``f``, "tanh" or "relu".
        leaking_rate: ``a`` in ``h_t = (1 - a) h_{t-1} + a f(...)`` (leaky integration,
            Jaeger et al. 2007; Bengio et al. 2013).
        layer_normalization: normalise the summed input, ``f(LN(x_t W + h_{t-1} R) + b)`` with a
            gain (Ba et al. 2016, eq. 4).
        recurrent_initializer: the initializer of ``R``, by name or as a Keras initializer.
        recurrent_dropout: probability that an element of ``h_{t-1}`` is dropped.
        vanishing_gradient_penalty: weight of the regulariser ``Omega``, which preserves the norm of
            the error as it flows back through time (Pascanu et al. 2013, eqs. 9 and 10). It changes
            the gradient of ``R`` but not the loss.

    Raises:
        ValueError: the activation is unknown, or options are mutually exclusive.
    """

    state_names = ("h",)

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        leaking_rate: float = 1.0,
        layer_normalization: bool = False,
        recurrent_initializer: Any = "orthogonal",
        recurrent_dropout: float = 0.0,
        vanishing_gradient_penalty: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(recurrent_dropout, **kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation {activation!r}: expected one of {', '.join(ACTIVATIONS)}")
        excluded = {
            "layer_normalization": layer_normalization,
            "leaking_rate": leaking_rate != 1,
            "recurrent_dropout": recurrent_dropout > 0,
        }
        for option, chosen in excluded.items():
            if vanishing_gradient_penalty and chosen:
                raise ValueError(f"vanishing_gradient_penalty excludes {option}")
        self.units = units
        self.activation = activation
        self.leaking_rate = leaking_rate
        self.layer_normalization = layer_normalization
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.vanishing_gradient_penalty = vanishing_gradient_penalty
        self.state_size = [units]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        n = self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], n), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(n, n), initializer=self.recurrent_initializer, name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(n,), initializer="zeros", name="bias")
        if self.layer_normalization:
            self.gain = self.add_weight(shape=(n,), initializer="ones", name="gain")

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        previous = states[0]
        x, h = self.drop(inputs, previous, training)
        z = ops.matmul(x, self.kernel)
        f, _ = ACTIVATIONS[self.activation]
        if self.vanishing_gradient_penalty:
            candidate = self.penalised_step(z + self.bias, h)
        elif self.layer_normalization:
            z = z + ops.matmul(h, self.recurrent_kernel)
            candidate = f(ops.layer_normalization(z, self.gain, self.bias))
        else:
            candidate = f(z + ops.matmul(h, self.recurrent_kernel) + self.bias)
        h = (1 - self.leaking_rate) * previous + self.leaking_rate * candidate
        return h, [h]

    def penalised_step(self, z: Any, h: Any) -> Any:
        """``f(z + h R)``, whose gradient with respect to ``R`` includes the penalty's."""
        f, derivative = ACTIVATIONS[self.activation]

        def step(z: Any, h: Any, recurrent_kernel: Any) -> Any:
            total = z + ops.matmul(h, recurrent_kernel)

            def gradient(*args: Any, upstream: Any = None) -> Any:
                # Only PyTorch passes the arguments and the upstream gradient by name.
                delta = args[0] if upstream is None else upstream
                slope = derivative(total)
                error = delta * slope
                penalty = penalty_gradient(delta, slope, recurrent_kernel)
                return (
                    error,
                    ops.matmul(error, ops.transpose(recurrent_kernel)),
                    ops.matmul(ops.transpose(h), error) + self.vanishing_gradient_penalty * penalty,
                )

            return f(total), gradient

        # The copy is a tensor, because TensorFlow's custom gradients treat variables separately.
        return ops.custom_gradient(step)(z, h, ops.copy(self.recurrent_kernel))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": self.activation,
            "leaking_rate": self.leaking_rate,
            "layer_normalization": self.layer_normalization,
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "vanishing_gradient_penalty": self.vanishing_gradient_penalty,
        }
