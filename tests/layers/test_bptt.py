"""LSTM and GRU with a hand-written backward pass: the same as Keras's, by independent means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from helpers.backends import assert_all_agree, numerical_gradient
from helpers.grids import grid
from nlp_rnn import backend
from nlp_rnn.layers.bidirectional import Bidirectional
from nlp_rnn.layers.gru import GRU, gru
from nlp_rnn.layers.lstm import LSTM, lstm

pytestmark = pytest.mark.slow

BATCH, STEPS, FEATURES, UNITS = 4, 6, 3, 5
PAIRS = {"lstm": (LSTM, layers.LSTM), "gru": (GRU, layers.GRU)}
LENGTHS = np.array([[6], [1], [3], [5]])
MASKS = {
    "unmasked": None,
    "right padding": np.arange(STEPS) < LENGTHS,
    "steps that no row has": np.arange(STEPS) < LENGTHS / 2,
    "holes before steps that no row has": (np.arange(STEPS) != 1)
    & (np.arange(STEPS) < 4)
    & (LENGTHS > 0),
    "leading": np.arange(STEPS) >= np.array([[0], [3], [5], [6]]),
    "holes": np.array([[1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 1, 1], [1, 0, 0, 0, 1, 0], [0, 1] * 3]) > 0,
}


def sequences() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(BATCH, STEPS, FEATURES)).astype(np.float32)


def arrays(tensors: Any) -> list[np.ndarray]:
    tensors = tensors if isinstance(tensors, list | tuple) else [tensors]
    return [np.array(ops.convert_to_numpy(tensor)) for tensor in tensors]


class Trained(keras.Model):
    """One layer, trained on a loss to which every output and state contributes."""

    def __init__(
        self, layer: layers.Layer, mask: np.ndarray | None, states: list[np.ndarray] | None = None
    ) -> None:
        super().__init__()
        self.layer = layer
        self.mask = mask
        self.states = states

    def call(self, x: Any, training: bool = False) -> Any:
        mask = None if self.mask is None else ops.convert_to_tensor(self.mask)
        states = self.states and [ops.convert_to_tensor(state) for state in self.states]
        return self.layer(x, initial_state=states, mask=mask, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        outputs = y_pred if isinstance(y_pred, list | tuple) else [y_pred]
        return sum(ops.mean(ops.sin(3 * output + i)) for i, output in enumerate(outputs))


def initial(cell: str, directions: int = 1) -> list[np.ndarray]:
    """Initial states of a layer."""
    rng = np.random.default_rng(8)
    count = {"lstm": 2, "gru": 1}[cell] * directions
    return [rng.normal(size=(BATCH, UNITS)).astype(np.float32) for _ in range(count)]


def learned(
    layer: layers.Layer,
    mask: np.ndarray | None,
    states: list[np.ndarray] | None = None,
    eagerly: bool = True,
) -> list[np.ndarray]:
    """Outputs and states, and the weights after a step down the gradient.

    Args:
        eagerly: whether the step is not compiled, which takes longer than a single step.
    """
    keras.utils.set_random_seed(1)
    model = Trained(layer, mask, states)
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=None, run_eagerly=eagerly)
    before = arrays(model(sequences()))
    model.train_on_batch(sequences(), np.zeros((BATCH, 1)))
    return before + layer.get_weights()


def with_equal_weights(*alike: layers.Layer) -> list[np.ndarray]:
    """Give layers the same random weights."""
    for layer in alike:
        layer.build((BATCH, STEPS, FEATURES))
    rng = np.random.default_rng(2)
    weights = [rng.normal(scale=0.5, size=w.shape) for w in alike[0].get_weights()]
    for layer in alike:
        layer.set_weights(weights)
    return weights


def assert_drop_in(
    make: Callable[[type], layers.Layer],
    cell: str,
    mask: np.ndarray | None,
    states: list[np.ndarray] | None = None,
) -> None:
    """The same from our layer and Keras's, and nothing went around the comparison."""
    ours, stock = (make(kind) for kind in PAIRS[cell])
    weights = with_equal_weights(stock, ours)
    results = learned(ours, mask, states), learned(stock, mask, states)
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)
    assert any(np.abs(w - v).max() > 1e-3 for w, v in zip(weights, ours.get_weights(), strict=True))


@pytest.mark.parametrize("mask", grid(MASKS, "right padding", "leading", "holes"))
@pytest.mark.parametrize("cell", PAIRS)
def test_outputs_states_and_a_training_step_are_those_of_keras(cell: str, mask: str) -> None:
    for backwards in (False, True):
        options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
        assert_drop_in(lambda kind, o=options: kind(UNITS, **o), cell, MASKS[mask])


@pytest.mark.parametrize("mask", ["leading", "holes"])
@pytest.mark.parametrize("cell", PAIRS)
def test_initial_states_reach_the_steps_that_they_reach_in_keras(cell: str, mask: str) -> None:
    for options in (
        {"return_sequences": True, "return_state": True},
        {"return_state": True, "go_backwards": True},
        {"return_state": True, "zero_output_for_mask": True},
    ):
        assert_drop_in(lambda kind, o=options: kind(UNITS, **o), cell, MASKS[mask], initial(cell))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_bias": False, "return_sequences": True},
        {"zero_output_for_mask": True, "return_sequences": True},
        {"zero_output_for_mask": True, "return_state": True},
        {"dropout": 0.5, "seed": 3, "return_sequences": True},
        {"recurrent_dropout": 0.5, "seed": 3},
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid", "return_sequences": True},
        {"unroll": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("cell", PAIRS)
def test_every_option_does_what_it_does_in_keras(cell: str, options: dict[str, Any]) -> None:
    assert_drop_in(lambda kind: kind(UNITS, **options), cell, MASKS["right padding"])


def test_a_gru_with_the_reset_gate_before_the_product_is_keras_s() -> None:
    assert_drop_in(lambda kind: kind(UNITS, reset_after=False), "gru", None)


@pytest.mark.parametrize("cell", PAIRS)
def test_both_directions_are_those_of_keras(cell: str) -> None:
    def both(kind: type) -> layers.Layer:
        return layers.Bidirectional(kind(UNITS, return_sequences=True, return_state=True))

    for mask in MASKS.values():
        assert_drop_in(both, cell, mask)


@pytest.mark.parametrize("cell", PAIRS)
def test_a_stateful_layer_goes_on_where_it_was(cell: str) -> None:
    results = []
    for kind in PAIRS[cell]:
        keras.utils.set_random_seed(4)
        layer = kind(UNITS, stateful=True)
        results.append(arrays([layer(sequences()), layer(sequences())]))
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)
    assert np.abs(results[0][0] - results[0][1]).max() > 1e-3


@pytest.mark.parametrize("cell", PAIRS)
def test_mixed_precision_stays_near_float32(cell: str) -> None:
    kind = PAIRS[cell][0]
    keras.utils.set_random_seed(5)
    single, half = kind(UNITS), kind(UNITS, dtype="mixed_bfloat16")
    for layer in (single, half):
        layer.build((BATCH, STEPS, FEATURES))
    half.set_weights(single.get_weights())
    for a, b in zip(learned(single, None), learned(half, None), strict=True):
        np.testing.assert_allclose(a, b.astype(np.float32), atol=0.05)


@pytest.mark.parametrize("cell", PAIRS)
def test_a_saved_model_comes_back(cell: str, tmp_path: Any) -> None:
    model = keras.Sequential([keras.Input((None, FEATURES)), PAIRS[cell][0](UNITS)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(*(m.predict_on_batch(sequences()) for m in (model, loaded)))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs float64 everywhere")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mask", grid(MASKS, "right padding", "holes"))
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_gradient_by_every_argument_is_the_slope(cell: str, mask: str, reverse: bool) -> None:
    rng = np.random.default_rng(6)
    gates, states = (4, 2) if cell == "lstm" else (3, 1)
    bias = (gates * UNITS,) if cell == "lstm" else (2, gates * UNITS)
    shapes = [(STEPS, BATCH, FEATURES)] + [(BATCH, UNITS)] * states
    shapes += [(FEATURES, gates * UNITS), (UNITS, gates * UNITS), bias]
    arguments = [rng.normal(size=shape) for shape in shapes]
    real = None if MASKS[mask] is None else ops.convert_to_tensor(MASKS[mask].T[:, :, None])

    def loss(which: int, value: Any) -> Any:
        given = [ops.convert_to_tensor(value if i == which else a) for i, a in enumerate(arguments)]
        outputs = (lstm if cell == "lstm" else gru)(*given, real, reverse)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return sum(ops.sum(ops.sin(2 * output + i)) for i, output in enumerate(outputs))

    for which, argument in enumerate(arguments):
        exact = backend.gradient(lambda value, i=which: loss(i, value), argument)
        assert exact.dtype == np.float64
        # Every element of the gradient has a part in the slope along a random direction.
        directions = rng.normal(size=(2, *argument.shape))

        def along(steps: np.ndarray, i: int = which, directions: np.ndarray = directions) -> float:
            return float(loss(i, arguments[i] + np.tensordot(steps, directions, 1)))

        slope = numerical_gradient(along, np.zeros(2))
        found = np.tensordot(directions, exact, exact.ndim)
        np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("mask", grid(["right padding", "leading", "holes"], "holes"))
@pytest.mark.parametrize("cell", PAIRS)
def test_a_mask_kept_from_the_kernels_changes_no_result(
    cell: str, mask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = layers.Bidirectional(PAIRS[cell][1](UNITS, return_sequences=True))
    ours = Bidirectional(PAIRS[cell][0](UNITS, return_sequences=True))
    weights = with_equal_weights(stock, ours)
    monkeypatch.setattr(backend, "masks_lose_fused_kernels", lambda: True)

    def no_masks(*_: Any, **arguments: Any) -> None:
        assert arguments.get("mask") is None

    for direction in (ours.forward_layer, ours.backward_layer):
        inner_loop = direction.inner_loop
        monkeypatch.setattr(
            direction,
            "inner_loop",
            lambda *a, f=inner_loop, **k: (no_masks(*a, **k), f(*a, **k))[1],
        )
    for states in (None, initial(cell, directions=2)):
        for layer in (ours, stock):
            layer.set_weights(weights)
        for a, b in zip(
            learned(ours, MASKS[mask], states), learned(stock, MASKS[mask], states), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=2e-6)


@pytest.mark.parametrize(
    "options", [{"merge_mode": "sum"}, {"return_state": True}, {"return_sequences": False}], ids=str
)
def test_other_results_of_both_directions_are_those_of_keras(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "masks_lose_fused_kernels", lambda: True)
    merge_mode = options.get("merge_mode", "concat")
    of_layer = {"return_sequences": True, **options}
    of_layer.pop("merge_mode", None)
    ours = Bidirectional(LSTM(UNITS, **of_layer), merge_mode=merge_mode)
    stock = layers.Bidirectional(layers.LSTM(UNITS, **of_layer), merge_mode=merge_mode)
    with_equal_weights(stock, ours)
    states = initial("lstm", directions=2)
    for a, b in zip(
        *(learned(layer, MASKS["holes"], states) for layer in (ours, stock)), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=2e-6)


EVERYWHERE = np.array(
    [[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 0], [0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]], bool
)
"""Masked steps after, before and among real ones, in all rows at the end, and a row of nothing
else."""


def drop_ins() -> dict[str, np.ndarray]:
    """What layers make of masked steps and initial states, by ``ours`` and ``keras``."""
    results = {}
    options: dict[str, dict[str, Any]] = {
        "all": {"return_sequences": True, "return_state": True},
        "all backwards": {"return_sequences": True, "return_state": True, "go_backwards": True},
        "last": {"return_state": True},
    }
    for cell, kinds in PAIRS.items():
        pairs = {name: [kind(UNITS, **of) for kind in kinds] for name, of in options.items()}
        pairs["both directions"] = [
            both(kind(UNITS, return_sequences=True))
            for both, kind in zip((Bidirectional, layers.Bidirectional), kinds, strict=True)
        ]
        for name, pair in pairs.items():
            with_equal_weights(*pair)
            states = initial(cell, directions=2 if name == "both directions" else 1)
            for whose, layer in zip(("ours", "keras"), pair, strict=True):
                found = arrays(Trained(layer, EVERYWHERE, states)(sequences()))
                for i, array in enumerate(found):
                    results[f"{whose} {cell} {name} {i}"] = array
    return results


def computed() -> dict[str, np.ndarray]:
    """Each layer alone and in both directions, as every backend runs it."""
    results = drop_ins()
    for cell, (kind, _) in PAIRS.items():
        for mask in ("unmasked", "holes before steps that no row has"):  # compiling takes long
            for both in (False, True):
                layer: layers.Layer = kind(UNITS, return_sequences=True)
                layer = Bidirectional(layer) if both else layer
                layer.build((BATCH, STEPS, FEATURES))
                rng = np.random.default_rng(7)
                layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
                for i, array in enumerate(learned(layer, MASKS[mask], eagerly=False)):
                    results[f"{cell} {mask} {both} {i}"] = array
        results |= slopes(cell, layer)
    return results


def slopes(cell: str, layer: layers.Layer) -> dict[str, np.ndarray]:
    """The gradient by the inputs, of a call and of a compiled call."""
    x = np.random.default_rng(3).normal(size=(BATCH, STEPS, FEATURES)).astype("float32")
    mask = MASKS["right padding"]

    def total(x: Any, real: Any) -> Any:
        return keras.ops.sum(keras.ops.square(layer(x, mask=real)))

    compiled = backend.compiled(total)
    real = keras.ops.convert_to_tensor(mask)
    return {
        f"slope {cell}": backend.gradient(lambda x: total(x, real), x),
        f"slope of compiled {cell}": backend.gradient(lambda x: compiled(x, real), x),
    }


def test_a_compiled_call_has_the_gradient_of_the_call(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for results in on_backends.values():
        for cell in PAIRS:
            np.testing.assert_allclose(
                results[f"slope of compiled {cell}"], results[f"slope {cell}"], atol=1e-5
            )


def test_masked_steps_are_those_of_keras_on_every_backend(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for name, results in on_backends.items():
        ours = [key for key in results if key.startswith("ours")]
        assert len(ours) == 17  # lstm: 3 * (h and 2 states) + 1; gru: 3 * (h and 1 state) + 1
        for key in ours:
            expected = results[key.replace("ours", "keras")]
            np.testing.assert_allclose(results[key], expected, atol=2e-6, err_msg=f"{name}: {key}")


def test_backends_agree(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    """But for what Keras itself puts out before a sequence begins."""
    own = ("ours", "keras")
    assert_all_agree(
        {
            name: {key: values for key, values in results.items() if not key.startswith(own)}
            for name, results in on_backends.items()
        }
    )
