"""A network that goes on from another one predicts as that did, before it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest

from helpers.experiments import small_experiment
from nlp_rnn.errors import UserError
from nlp_rnn.models.network import build_network
from nlp_rnn.models.tagger import crf_of
from nlp_rnn.models.transfer import take_over
from nlp_rnn.runtime.forward import softmax
from nlp_rnn.text.vocabulary import UNK_INDEX

OLD_WORDS, NEW_WORDS = 7, 10
OLD_IDS = np.array([[2, 6, 1, 5, 3]], np.int32)
NEW_IDS = np.array([[2, 6, 8, 5, 3]], np.int32)
"""The same sentence with a new word where the old network reads ``<unk>``."""

OLD_LABELS, NEW_LABELS = ["O", "B-x", "I-x"], ["O", "B-x", "I-x", "B-y", "I-y"]


def built(
    task: str, model: dict[str, Any], words: int, labels: Sequence[str], characters: str
) -> keras.Model:
    experiment = small_experiment(task, model)
    vectors = np.random.default_rng(words).normal(size=(words, 4)).astype(np.float32)
    network = build_network(experiment, words, labels, characters, vectors)
    rng = np.random.default_rng(len(labels))
    for weight in network.trainable_variables:  # biases and transitions too
        weight.assign(rng.normal(size=weight.shape))
    return network


def grown(
    task: str, model: dict[str, Any], places: Sequence[int] = (0, 1, 2)
) -> tuple[keras.Model, keras.Model]:
    """A network, and one with more words, characters and labels that goes on from it."""
    source = built(task, model, OLD_WORDS, OLD_LABELS, "?_|abc")
    network = built(task, model, NEW_WORDS, NEW_LABELS, "?_|abcde")
    own = [] if task == "language_modelling" else places
    take_over(network, source, np.array(own, np.int64), new_as_unknown=True)
    return source, network


def test_a_classifier_keeps_the_scores_of_its_labels() -> None:
    source, network = grown("classification", {"units": 3, "pooling": "attention"})
    np.testing.assert_allclose(
        np.asarray(network(NEW_IDS))[:, :3], np.asarray(source(OLD_IDS)), atol=1e-5
    )


def test_a_tagger_keeps_the_scores_of_its_tags_and_their_transitions() -> None:
    model = {"units": 3, "output": "crf", "characters": {"kind": "cnn", "units": 3}, "casing": 2}
    source, network = grown("tagging", model)
    old_spelling = np.array([[[2, 3, 1, 2]] * 5], np.int32)
    new_spelling = np.array([[[2, 3, 7, 2]] * 5], np.int32)  # a new character, once <unk>
    np.testing.assert_allclose(
        np.asarray(network([NEW_IDS, new_spelling]))[..., :3],
        np.asarray(source([OLD_IDS, old_spelling])),
        atol=1e-5,
    )
    own, old = crf_of(network), crf_of(source)
    assert own is not None and old is not None
    between = np.asarray(own.transitions)
    np.testing.assert_array_equal(between[:3, :3], np.asarray(old.transitions))
    np.testing.assert_array_equal(np.asarray(own.end)[:3], np.asarray(old.end))


def test_learned_tags_find_their_places_where_new_ones_stand_between() -> None:
    # With BIOES, new labels stand before the S- and E- of the old ones.
    source = built("tagging", {"units": 3}, OLD_WORDS, ["O", "B-x", "I-x", "S-x", "E-x"], "?")
    own = ["O", "B-x", "I-x", "B-y", "I-y", "S-x", "E-x", "S-y", "E-y"]
    network = built("tagging", {"units": 3}, NEW_WORDS, own, "?")
    places = np.array([0, 1, 2, 5, 6])
    take_over(network, source, places, new_as_unknown=True)
    np.testing.assert_allclose(
        np.asarray(network(NEW_IDS))[..., places], np.asarray(source(OLD_IDS)), atol=1e-5
    )


@pytest.mark.parametrize("model", [{"units": 4, "tied": True}, {"units": 3}])
def test_new_words_of_a_language_model_share_the_probability_of_unknown(
    model: dict[str, Any],
) -> None:
    source, network = grown("language_modelling", model)
    states = [np.zeros((1, state.shape[-1]), np.float32) for state in source.inputs[1:]]
    before = softmax(np.asarray(source([OLD_IDS, *states])[0]))
    after = softmax(np.asarray(network([NEW_IDS, *states])[0]))
    known = np.delete(np.arange(OLD_WORDS), UNK_INDEX)
    np.testing.assert_allclose(after[..., known], before[..., known], atol=1e-5)
    sharing = [UNK_INDEX, *range(OLD_WORDS, NEW_WORDS)]
    share = before[..., [UNK_INDEX]] / len(sharing)
    np.testing.assert_allclose(after[..., sharing], np.repeat(share, 4, axis=-1), atol=1e-5)


def test_given_vectors_of_new_words_stay() -> None:
    source = built("classification", {"units": 3}, OLD_WORDS, ["a", "b"], "?")
    network = built("classification", {"units": 3}, NEW_WORDS, ["a", "b"], "?")
    (own,) = network.get_layer("embedding").get_weights()
    take_over(network, source, np.array([0, 1]), new_as_unknown=False)
    (found,) = network.get_layer("embedding").get_weights()
    np.testing.assert_array_equal(found[OLD_WORDS:], own[OLD_WORDS:])
    np.testing.assert_array_equal(found[:OLD_WORDS], source.get_layer("embedding").get_weights()[0])


@pytest.mark.parametrize(
    "output", [{"kind": "adaptive_softmax", "cutoffs": [4]}, "hierarchical_softmax"]
)
def test_output_layers_that_order_words_take_no_new_ones(output: Any) -> None:
    with pytest.raises(UserError, match=r"^model\.output: .*use softmax"):
        grown("language_modelling", {"units": 4, "output": output})
