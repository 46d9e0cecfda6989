"""Scheduled sampling: whose tokens a language model reads, and how often its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from nlp_rnn.config import EncoderDecoderParameters, ScheduledSamplingParameters, parse
from nlp_rnn.models.encoder import embedding_layer
from nlp_rnn.models.encoder_decoder import begun_decoder, encoder_decoder
from nlp_rnn.models.network import build_network
from nlp_rnn.text.batches import Batch
from nlp_rnn.text.vocabulary import PAD_INDEX
from nlp_rnn.training.objective import TargetObjective, TruncatedBPTT, compiled
from nlp_rnn.training.scheduled_sampling import FIRST, mixed_inputs
from nlp_rnn.training.schedules import sampling_probability
from nlp_rnn.training.steps import training_steps

sys.path.append(str(Path(__file__).parents[1] / "models"))
from helpers.networks import UNITS, VOCABULARY, build, run

IDS = np.random.default_rng(0).integers(1, VOCABULARY, (64, 6)).astype(np.int32)
ZEROS = [np.zeros((64, UNITS), np.float32)]


def language_model(scale: float) -> keras.Model:
    """A GRU language model; the larger the scale, the surer of its next token."""
    model = build("language_modelling", cell="gru")
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, scale, w.shape) for w in model.get_weights()])
    return model


def mixed(model: keras.Model, probability: float, ids: np.ndarray = IDS) -> np.ndarray:
    seeds = keras.random.SeedGenerator(0)
    states = [keras.ops.convert_to_tensor(state) for state in ZEROS]
    tokens = mixed_inputs(model, keras.ops.convert_to_tensor(ids), states, probability, seeds)
    return keras.ops.convert_to_numpy(tokens)


def test_teacher_forcing_reads_the_true_tokens() -> None:
    np.testing.assert_array_equal(mixed(language_model(1.0), 0.0), IDS)


@pytest.mark.slow
def test_a_sure_model_reads_its_own_likeliest_tokens() -> None:
    model = language_model(6000.0)
    expected = IDS.copy()
    for step in range(1, IDS.shape[1]):
        logits, *_ = run(model, [expected[:, :step], *ZEROS])
        expected[:, step] = FIRST + logits[:, -1, FIRST:].argmax(axis=-1)
    assert (mixed(model, 1.0) == expected).mean() > 0.99


def confident_pairs(attention: Any) -> keras.Model:
    """An encoder-decoder that is nearly certain of its next token."""
    keras.utils.set_random_seed(1)
    parameters = EncoderDecoderParameters.model_validate(
        {"cell": "gru", "units": 4, "attention": attention}
    )
    vectors = [embedding_layer(VOCABULARY, 4, None, True, name) for name in ("source", "target")]
    network = encoder_decoder(*vectors, parameters)
    rng = np.random.default_rng(1)
    for weight in network.trainable_variables:
        weight.assign(rng.normal(0, 500, weight.shape))
    return network


@pytest.mark.slow
@pytest.mark.parametrize("attention", [None, "general", "additive"])
def test_a_decoder_reads_its_own_likeliest_tokens(attention: Any) -> None:
    network = confident_pairs(attention)
    targets, source = IDS[:8, :4], IDS[8:16]
    decoder, read, states = begun_decoder(network, keras.ops.convert_to_tensor(source), [])
    seeds = keras.random.SeedGenerator(0)
    found = mixed_inputs(decoder, keras.ops.convert_to_tensor(targets), states, 1.0, seeds, read)
    expected = targets.copy()
    for step in range(1, targets.shape[1]):
        logits = run(network, [source, expected[:, :step]])
        expected[:, step] = FIRST + logits[:, -1, FIRST:].argmax(axis=-1)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), expected)
    assert (expected != targets).any()


@pytest.mark.slow
def test_a_decoder_that_samples_is_trained_on_what_it_read() -> None:
    """Its loss is that of the tokens it drew, against the true targets."""
    network = confident_pairs("general")
    objective = TargetObjective(
        network, scheduled_sampling=ScheduledSamplingParameters(sampling=1.0)
    )
    inputs = [IDS[8:16], IDS[:8, :4]]
    objective.sampling.assign(0.0)
    forced = keras.ops.convert_to_numpy(objective(inputs, training=True))
    np.testing.assert_allclose(forced, run(network, inputs), rtol=1e-4)
    objective.sampling.assign(1.0)
    free = keras.ops.convert_to_numpy(objective(inputs, training=True))
    np.testing.assert_allclose(free[:, 0], forced[:, 0], rtol=1e-4)
    assert abs(free[:, 1:] - forced[:, 1:]).max() > 1


@pytest.mark.slow
def test_an_unsure_model_reads_tokens_as_often_as_it_thinks_them_likely() -> None:
    model = language_model(1.0)
    same = np.repeat(IDS[:1], 64, axis=0)
    seeds = keras.random.SeedGenerator(0)
    states = [keras.ops.convert_to_tensor(state) for state in ZEROS]
    drawn = np.concatenate(
        [
            keras.ops.convert_to_numpy(
                mixed_inputs(model, keras.ops.convert_to_tensor(same[:, :2]), states, 1.0, seeds)
            )[:, 1]
            for _ in range(60)
        ]
    )
    logits, *_ = run(model, [same[:1, :1], ZEROS[0][:1]])
    expected = np.exp(logits[0, 0])
    expected[PAD_INDEX] = 0
    expected /= expected.sum()
    found = np.bincount(drawn, minlength=VOCABULARY) / len(drawn)
    np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(0.25 / len(drawn)))


def test_padding_stays_and_is_never_drawn() -> None:
    model = language_model(1.0)
    *_, bias = model.get_layer("logits").weights
    bias.assign([30.0, *bias[1:]])  # the model is sure of <pad>
    ids = IDS * (np.arange(IDS.shape[1]) < np.arange(len(IDS))[:, None] % 7)
    np.testing.assert_array_equal(mixed(model, 1.0, ids) == PAD_INDEX, ids == PAD_INDEX)


@pytest.mark.slow
def test_half_the_tokens_are_its_own_at_one_half() -> None:
    model = language_model(60.0)
    own, some = mixed(model, 1.0), mixed(model, 0.5)
    np.testing.assert_array_equal(some[:, 0], IDS[:, 0])
    second = own[:, 1] != IDS[:, 1]  # later steps depend on what was read before
    share = (some[second, 1] == own[second, 1]).mean()
    assert 0.25 < share < 0.75


@pytest.mark.parametrize("schedule", ["linear", "exponential", "inverse_sigmoid"])
def test_the_models_share_grows_to_what_is_set(schedule: str) -> None:
    parameters = ScheduledSamplingParameters(schedule=schedule, sampling=0.4)  # type: ignore[arg-type]
    shares = [sampling_probability(parameters, p) for p in np.linspace(0, 1, 20)]
    assert shares == sorted(shares)
    assert shares[0] < 0.01
    assert shares[-1] == pytest.approx(0.4, abs=0.01)


def test_an_exponential_schedule_that_would_jump_is_refused() -> None:
    with pytest.raises(ValidationError, match="would jump to 1 after the first batch"):
        ScheduledSamplingParameters(schedule="exponential", sampling=1.0)
    assert ScheduledSamplingParameters(schedule="linear", sampling=1.0).sampling == 1


DRAWING = {
    "gru": {"cell": "gru", "recurrent_dropout": 0.2, "norm_stabilizer": 1.0},
    "lstm": {
        "cell": "lstm",
        "recurrent_dropout": 0.2,
        "weight_drop": 0.2,
        "embedding_dropout": 0.2,
        "dropout": 0.2,
        "variational": True,
        "activation_regularization": 1.0,
        "temporal_activation_regularization": 1.0,
    },
}
"""Models that draw in training all that can be drawn, and Keras's cells in predictions too."""


def trained(model: dict[str, Any]) -> list[float]:
    """The losses of three steps in which a language model reads ever more of its own tokens."""
    experiment = parse(
        {
            "datasets": {"lines": {"source": "files", "train": "x", "format": "text"}},
            "experiments": {
                "mine": {
                    "task": "language_modelling",
                    "dataset": "lines",
                    "embeddings": {"kind": "learned", "dimension": 4},
                    "model": {"units": 4} | model,
                    "training": {"streams": "lines", "scheduled_sampling": {"sampling": 1.0}},
                }
            },
        },
        Path("params.yaml"),
    ).experiment("mine")
    objective = TruncatedBPTT(build_network(experiment, 9, []), 3, experiment.training)
    compiled(objective, experiment.training)
    ids = IDS[:3, :5] % 8 + 1
    ids[1, 3:] = PAD_INDEX
    real = (ids != PAD_INDEX).astype(np.float32)
    batch = Batch(ids, np.roll(ids, -1, axis=1), real, starts=np.ones(3, np.float32))
    steps = training_steps(objective, batch)
    for progress in (0.0, 0.5, 1.0):
        steps.run(batch, objective.settings(progress))
    return [figures["cross_entropy"] for figures in steps.finish()]


def computed() -> dict[str, np.ndarray]:
    """Losses, for which no two backends draw alike."""
    return {f"random {name}": np.array(trained(model)) for name, model in DRAWING.items()}


def test_all_that_is_drawn_goes_with_it_on_every_backend(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    for losses in on_backends.values():
        assert losses.keys() == {f"random {name}" for name in DRAWING}
        for of_steps in losses.values():
            assert len(set(of_steps.tolist())) == 3
            assert (np.abs(of_steps - np.log(9)) < 1).all()
