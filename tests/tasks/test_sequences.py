"""The task sequence_to_sequence: what is learned, measured, decoded and predicted."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from helpers.bundles import write_untrained
from helpers.corpora import prepared, same_everywhere
from helpers.experiments import small_experiment
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.inference.predictor import Options, Predictor
from nlp_rnn.runtime.bundle import Bundle
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.runtime.pairs import target_losses
from nlp_rnn.tasks.sequences import SequenceToSequence
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.training.checkpoint import Checkpoint
from nlp_rnn.training.fit import fit
from nlp_rnn.training.objective import compiled

LETTERS = "a b c"


def reversals(folder: Path) -> PreparedDataset:
    """All texts of three letters, with the same letters in reverse."""
    pairs = [
        Example(text=" ".join(text), target=" ".join(reversed(text)).upper())
        for text in product(LETTERS.split(), repeat=3)
    ]
    return prepared(folder, same_everywhere("pairs", pairs))


def task_of(data: PreparedDataset, epochs: int = 1, **model: Any) -> SequenceToSequence:
    experiment = small_experiment(
        "sequence_to_sequence",
        {"cell": "gru", "units": 16, **model},
        {
            "epochs": epochs,
            "batch_size": 9,
            "learning_rate": 0.03,
            "clip_norm": 1.0,
            "select": "exact_match",
        },
        dimension=8,
        decoding={"beam": 2, "longest_extra": 5},
    )
    return SequenceToSequence(experiment, data, 1)


def network_of(task: SequenceToSequence) -> keras.Model:
    keras.utils.set_random_seed(1)
    vectors = np.random.default_rng(1).normal(0, 0.1, (len(task.dataset.vocabulary), 8))
    return task.network(vectors)


def trained(task: SequenceToSequence, folder: Path, epochs: int) -> tuple[keras.Model, Any]:
    """Train up to an epoch; a checkpoint in the folder is resumed."""
    network = network_of(task)
    objective = compiled(task.objective(network), task.training)
    training = task.training.model_copy(update={"epochs": epochs})
    progress = fit(
        objective,
        task.batches,
        lambda: task.validate(objective),
        training,
        Checkpoint(folder, "same"),
    )
    return network, progress


@pytest.mark.slow
def test_a_small_network_learns_to_reverse(tmp_path: Path) -> None:
    task = task_of(reversals(tmp_path / "d"), epochs=30)
    network, progress = trained(task, tmp_path / "whole", 30)
    result = task.evaluate(KerasNetwork(network))
    assert result.test["exact_match"] > 0.9
    assert result.test["exact_match"] > max(b["exact_match"] for b in result.baselines.values())
    assert result.predictions[0].keys() >= {"text", "output", "log_probability", "loss", "tokens"}
    assert result.test["alignment_error"] < 0.5  # of links chosen at random: about 0.8
    assert progress.history[-1]["validation/exact_match"] > 0.9
    assert [alignment.keys() for alignment in result.attention[:1]] == [
        {"source": 0, "output": 0, "weights": 0}.keys()
    ]


def test_a_copied_type_is_the_same_word_of_the_target(tmp_path: Path) -> None:
    pairs = [Example(text="a b c", target="c a d"), Example(text="b", target="d")]
    task = task_of(prepared(tmp_path, same_everywhere("pairs", pairs)), copying=True)
    source, target = task.dataset.vocabulary, task.dataset.target_vocabulary
    types = network_of(task).get_layer("encoder").get_layer("copied").types
    copied = [target.types[i] for i in keras.ops.convert_to_numpy(types)]
    found = dict(zip(source.types, copied, strict=True))
    assert (found["a"], found["c"], found["b"]) == ("a", "c", "<unk>")


@pytest.mark.slow
def test_the_loss_of_a_target_is_the_sum_of_its_steps(tmp_path: Path) -> None:
    """The probability with the true tokens read is that of a search that has to write them."""
    task = task_of(reversals(tmp_path / "d"))
    network = KerasNetwork(network_of(task))
    split, [source] = task.dataset.split("test"), task.inputs("test", 1)
    target, end = np.array(split.target(0)), task.dataset.target_vocabulary.end_index
    [losses] = target_losses(network, [source], [target], end, 1)
    read, states = network.encode(source.ids[None], np.array([3], np.int32))
    total, token = 0.0, end
    for wanted in target.tolist():
        decoded = network.decode(np.array([[token]], np.int32), read, states)
        total -= float(decoded.log_probabilities[0, 0, wanted])
        states, token = decoded.states, wanted
    assert losses.sum() == pytest.approx(total, abs=1e-5)


def test_a_reversed_source_is_read_from_its_end(tmp_path: Path) -> None:
    data = reversals(tmp_path / "d")
    forwards, backwards = task_of(data), task_of(data, reversed_source=True)
    for one, other in zip(forwards.inputs("test"), backwards.inputs("test"), strict=True):
        assert one.ids.tolist() == other.ids[::-1].tolist()
    batch = next(iter(backwards.batches(0)[0]))
    ends = {x.ids[0] for x in backwards.inputs("train")}
    assert set(batch.ids[:, 0].tolist()) <= ends


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    pairs = [Example(text="where is Ann", context=("Ann went home",), target="at home")]
    folder = tmp_path_factory.mktemp("pairs")
    return Bundle.open(write_untrained(folder, "sequence_to_sequence", "pairs", pairs, scale=0.5))


@pytest.mark.slow
def test_n_best_outputs_are_listed_best_first(bundle: Bundle) -> None:
    [found] = Predictor.of(bundle, Options(n_best=3)).predict(["where is Ann"])
    scores = [each["score"] for each in found["n_best"]]
    assert scores == sorted(scores, reverse=True)
    assert found["output"] == found["n_best"][0]["output"]
    assert found["log_probability"] == found["n_best"][0]["log_probability"]


@pytest.mark.slow
def test_attention_is_of_the_tokens_of_both_sides(bundle: Bundle) -> None:
    text = "Ann went home <sep> where is Ann"
    [found] = Predictor.of(bundle, Options(attention=True)).predict([text])
    shown = found["attention"]
    assert shown["source"] == text.split()
    weights = np.array(shown["weights"])
    assert weights.shape == (len(shown["output"]), len(shown["source"]))
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (Options(n_best=4), "n_best 4 is more than a beam of 3 can find"),
        (Options(beam=0), "beam: expected a whole number of 1 or more"),
        (Options(review_below=0.5), "have no confidence"),
    ],
)
def test_options_that_do_not_fit_are_named(bundle: Bundle, options: Options, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        options.check(bundle)


def test_options_of_a_search_are_of_encoder_decoders(bundles: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="is of models for sequence_to_sequence"):
        Options(beam=3).check(Bundle.open(bundles["classification"]))
