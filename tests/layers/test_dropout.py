"""Dropout of word types, and of features for whole sequences, by what can be observed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from nlp_rnn.layers.dropout import Dropout, EmbeddingDropout

VOCABULARY, DIMENSION, RATE = 2000, 3, 0.25
KEPT = 1 / (1 - RATE)


def ids(batch: int = 60, timesteps: int = 100) -> np.ndarray:
    return np.random.default_rng(0).integers(0, VOCABULARY, (batch, timesteps)).astype(np.int32)


def dropped(layer: layers.Layer, ids: np.ndarray) -> np.ndarray:
    """What becomes of vectors of ones in training."""
    ones = np.ones((*ids.shape, DIMENSION), np.float32)
    return keras.ops.convert_to_numpy(layer(ones, ids, training=True))


def test_a_dropped_type_is_missing_wherever_it_occurs() -> None:
    keras.utils.set_random_seed(0)
    outputs = dropped(EmbeddingDropout(VOCABULARY, RATE), ids())
    types = np.full((VOCABULARY, 1), np.nan)
    types[ids().ravel()] = outputs.reshape(-1, DIMENSION)[:, :1]
    np.testing.assert_array_equal(outputs, np.broadcast_to(types[ids()], outputs.shape))
    assert set(np.unique(outputs)) == {np.float32(0), np.float32(KEPT)}
    assert np.nanmean(types == 0) == pytest.approx(RATE, abs=0.04)  # four standard errors


def test_calls_differ_and_the_seed_repeats_them() -> None:
    def two_calls(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        layer = EmbeddingDropout(VOCABULARY, RATE)
        return [dropped(layer, ids()) for _ in range(2)]

    first, second = two_calls(1)
    assert (first != second).any()
    np.testing.assert_array_equal(two_calls(1), [first, second])
    assert (two_calls(2)[0] != first).any()


def test_inference_drops_nothing() -> None:
    embedded = np.random.default_rng(0).normal(size=(2, 3, DIMENSION)).astype(np.float32)
    np.testing.assert_array_equal(EmbeddingDropout(VOCABULARY, 0.9)(embedded, ids(2, 3)), embedded)


def test_a_rate_beyond_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="rate"):
        EmbeddingDropout(VOCABULARY, 1.5)


def test_the_embeddings_mask_passes_on() -> None:
    few = ids(2, 4) % 2
    embedded = layers.Embedding(2, DIMENSION, mask_zero=True)(few)
    outputs: Any = EmbeddingDropout(2, RATE)(embedded, few)
    np.testing.assert_array_equal(outputs._keras_mask, few > 0)


def test_half_precision_stays_half() -> None:
    layer = EmbeddingDropout(VOCABULARY, RATE, dtype="mixed_float16")
    assert dropped(layer, ids()).dtype == np.float16


def build(variational: bool) -> keras.Model:
    """Embeddings with dropout; the sum of its outputs is the loss."""
    tokens = keras.Input((None,), dtype="int32")
    embedded = layers.Embedding(VOCABULARY, DIMENSION)(tokens)
    if variational:
        outputs = Dropout(RATE, noise_shape=(None, 1, None))(embedded)
    else:
        outputs = EmbeddingDropout(VOCABULARY, RATE, seed=3)(embedded, tokens)
    model = keras.Model(tokens, outputs)
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=total)
    return model


def total(_: Any, outputs: Any) -> Any:
    return keras.ops.sum(outputs)


def test_a_saved_model_drops_alike(tmp_path: Path) -> None:
    model = build(variational=False)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(model(ids(), training=True), reloaded(ids(), training=True))


def gradient(model: keras.Model, ids: np.ndarray) -> np.ndarray:
    """Of the embedding matrix: by type, the sum of the multipliers of its occurrences."""
    before = model.get_weights()[0]
    model.train_on_batch(ids, np.zeros((*ids.shape, DIMENSION), np.float32))
    return before - model.get_weights()[0]


SHAPES = [(40, 20), (30, 50)]


def masks() -> np.ndarray:
    """Which features some calls keep, of equal layers with two seeds ``(2, calls, 50, 400)``."""
    ones = np.ones((50, 400), np.float32)
    both = [Dropout(RATE, seed=seed) for seed in (1, 2)]
    return np.array(
        [
            [keras.ops.convert_to_numpy(layer(ones, training=True)) for _ in range(8)]
            for layer in both
        ]
    )


def masks_of_one_state() -> np.ndarray:
    """What a layer without a seed keeps, twice from the same state of its generator."""
    layer, ones = Dropout(RATE), np.ones((50, 400), np.float32)
    state = keras.ops.convert_to_numpy(layer.seed_generator.state).copy()
    found = []
    for _ in range(2):
        layer.seed_generator.state.assign(state)
        found.append(keras.ops.convert_to_numpy(layer(ones, training=True)))
    return np.array(found)


def computed() -> dict[str, np.ndarray]:
    """Gradients from compiled training at two shapes of batch, masks, and everything dropped."""
    types, sequences = build(variational=False), build(variational=True)
    everything = Dropout(1.0)(np.ones((2, 3), np.float32), training=True)
    results = {"masks": masks(), "nothing": keras.ops.convert_to_numpy(everything)}
    results["random again"] = masks_of_one_state()
    for batch, timesteps in SHAPES:
        results[f"types {batch}"] = gradient(types, ids(batch, timesteps))
        distinct = np.arange(batch * timesteps, dtype=np.int32).reshape(batch, timesteps)
        multipliers = gradient(sequences, distinct)[: distinct.size]
        results[f"sequences {batch}"] = multipliers.reshape(batch, timesteps, DIMENSION)
    return results


def test_a_dropped_type_learns_nothing_on_every_backend(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for backend, results in on_backends.items():
        masks = []
        for batch, timesteps in SHAPES:
            occurrences = np.bincount(ids(batch, timesteps).ravel(), minlength=VOCABULARY)
            seen = occurrences > 0
            multipliers = results[f"types {batch}"][seen] / occurrences[seen, None]
            kept = multipliers > 0.1
            np.testing.assert_allclose(multipliers, kept * KEPT, atol=1e-5, err_msg=backend)
            np.testing.assert_array_equal(kept, kept[:, :1].repeat(DIMENSION, 1))
            assert kept[:, 0].mean() == pytest.approx(1 - RATE, abs=0.08), backend
            masks.append(np.where(seen, results[f"types {batch}"][:, 0] > 0.1, np.nan))
        both = ~np.isnan(masks[0]) & ~np.isnan(masks[1])
        assert (masks[0] != masks[1])[both].any(), backend


def test_a_rate_of_one_drops_everything(on_backends: dict[str, dict[str, np.ndarray]]) -> None:
    for backend, results in on_backends.items():
        np.testing.assert_array_equal(results["nothing"], np.zeros((2, 3)), err_msg=backend)


def test_masks_are_those_of_the_generator_that_checkpoints_hold(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for backend, results in on_backends.items():
        one, again = results["random again"]
        np.testing.assert_array_equal(one, again, err_msg=backend)
        assert 0.4 < (one == 0).mean() / RATE < 1.6, backend


def test_masks_are_as_random_as_independent_draws(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    """Neither their rate, nor rows, columns, neighbours, calls or seeds tell them apart from it.

    Only on JAX are they ours.
    """
    if "jax" not in on_backends:
        pytest.skip("JAX is not installed; the extra train-jax adds it")
    outputs = on_backends["jax"]["masks"]
    assert set(np.unique(outputs)) == {np.float32(0), np.float32(KEPT)}
    centred = ((outputs > 0) - (1 - RATE)) / np.sqrt(RATE * (1 - RATE))
    for axes in [(0, 1, 2, 3), (2, 3), (0, 1, 2), (0, 1, 3)]:
        count = np.prod([centred.shape[axis] for axis in axes])
        assert np.abs(centred.mean(axes)).max() * np.sqrt(count) < 4.5
    flat = centred.reshape(16, -1)
    for distance in (1, 2, 3, 32, 400):
        together = flat[:, distance:] * flat[:, :-distance]
        assert abs(together.mean()) * np.sqrt(together.size) < 4.5
    apart = flat @ flat.T / np.sqrt(flat.shape[1])
    assert np.abs(apart[~np.eye(16, dtype=bool)]).max() < 4.5


def test_variational_dropout_is_kerass_dropout_with_one_mask_a_sequence(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for backend, results in on_backends.items():
        for batch, _ in SHAPES:
            multipliers = results[f"sequences {batch}"]
            kept = multipliers[:, :1] > 0.1
            np.testing.assert_allclose(
                multipliers, np.broadcast_to(kept * KEPT, multipliers.shape), atol=1e-5
            )
            assert kept.mean() == pytest.approx(1 - RATE, abs=0.18), backend
            assert (kept != kept[:1]).any(), backend  # sequences differ
            assert (kept != kept[..., :1]).any(), backend  # features differ
