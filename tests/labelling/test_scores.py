"""Scores of texts against their definitions, and diverse texts against exhaustive search."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy

from nlp_rnn.inference.predictor import Predictor
from nlp_rnn.labelling.beliefs import beliefs, encoder_vectors
from nlp_rnn.labelling.diversity import k_centre, k_means, tf_idf
from nlp_rnn.labelling.scores import Belief, score
from nlp_rnn.runtime.bundle import Bundle

SURE = Belief.independent(np.array([[0.9, 0.1, 0.0]]))
TORN = Belief.independent(np.array([[0.4, 0.39, 0.21]]))
OTHER = Belief.independent(np.array([[0.1, 0.9, 0.0]]))


def test_scores_of_a_single_label() -> None:
    assert score("least-confidence", [SURE]) == pytest.approx(0.1)
    assert score("margin", [SURE]) == pytest.approx(0.2)
    assert score("entropy", [TORN]) == pytest.approx(scipy_entropy([0.4, 0.39, 0.21]))
    assert score("entropy", [SURE, TORN]) == pytest.approx((SURE.entropy + TORN.entropy) / 2)


def test_independent_decisions_are_one_answer() -> None:
    decisions = np.array([[0.7, 0.2, 0.1], [0.4, 0.5, 0.1]])
    belief = Belief.independent(decisions)
    every = [one * other for one, other in itertools.product(*decisions)]
    best, second = sorted(every, reverse=True)[:2]
    assert (belief.best, belief.second) == pytest.approx((best, second))
    assert belief.entropy == pytest.approx(scipy_entropy(every))
    assert score("entropy", [belief], per_word=True) == pytest.approx(belief.entropy / 2)


def test_disagreement() -> None:
    assert score("vote-entropy", [SURE, SURE]) == 0
    assert score("vote-entropy", [SURE, OTHER]) == pytest.approx(np.log(2))
    assert score("kl", [SURE, SURE]) == pytest.approx(0)
    mean = (SURE.decisions + OTHER.decisions) / 2
    each = [scipy_entropy(one.decisions[0], mean[0]) for one in (SURE, OTHER)]
    assert score("kl", [SURE, OTHER]) == pytest.approx(np.mean(each))


def test_a_crf_is_asked_for_whole_sequences(crf_bundle: Path) -> None:
    predictor = Predictor.of(Bundle.open(crf_bundle))
    sentence = ("Ann", "Rome")
    (belief,) = beliefs(predictor, [sentence])
    (tagged,) = predictor.tagged([sentence])  # type: ignore[attr-defined]
    labels = range(len(predictor.bundle.labels))
    every = [
        np.exp(tagged.log_likelihood(np.array(path)))
        for path in itertools.product(labels, repeat=2)
    ]
    best, second = sorted(every, reverse=True)[:2]
    assert (belief.best, belief.second) == pytest.approx((best, second))
    assert belief.entropy == pytest.approx(scipy_entropy(every))


def test_k_center_covers_nearly_as_well_as_possible() -> None:
    vectors = np.random.default_rng(3).normal(size=(12, 2))
    distances = np.linalg.norm(vectors[:, None] - vectors, axis=-1)

    def radius(centres: tuple[int, ...]) -> float:
        return float(distances[:, list(centres)].min(axis=1).max())

    best = min(map(radius, itertools.combinations(range(12), 3)))
    chosen = k_centre(vectors, 3)
    assert len(set(chosen.tolist())) == 3
    assert radius(tuple(chosen.tolist())) <= 2 * best


def test_k_center_leaves_out_what_is_labelled() -> None:
    vectors = np.array([[0.0], [0.1], [5.0], [9.0], [9.1]])
    assert k_centre(vectors, 1, known=[0, 4]).tolist() == [2]


def test_k_means_takes_a_text_of_each_cluster() -> None:
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    vectors = np.concatenate([centre + rng.normal(0, 0.1, (10, 2)) for centre in centres])
    assert {i // 10 for i in k_means(vectors, 3, seed=1).tolist()} == {0, 1, 2}


def test_equal_texts_still_give_as_many_as_asked_for() -> None:
    vectors = np.array([[0.0], [0.0], [0.0], [1.0]])
    assert len(set(k_means(vectors, 3, seed=1).tolist())) == 3


def test_tf_idf_is_compared_sparsely_like_densely() -> None:
    texts = [text.split() for text in ("a b c", "a b", "d e f", "f e", "a d")]
    sparse = tf_idf(texts)
    assert k_centre(sparse, 3).tolist() == k_centre(sparse.toarray(), 3).tolist()
    assert np.asarray(sparse.multiply(sparse).sum(axis=1)).ravel() == pytest.approx(1)


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_vectors_are_what_the_last_layer_sees(bundles: dict[str, Path], task: str) -> None:
    bundle = Bundle.open(bundles[task])
    predictor = Predictor.of(bundle)
    texts = ["a bad film", "not", "a bad film"]
    vectors = encoder_vectors(bundle, predictor, texts)
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)
    if task == "classification":
        kernel, bias = bundle.keras_model().get_layer("logits").get_weights()
        logits = vectors @ kernel + bias
        said = [max(each["probabilities"].values()) for each in predictor.predict(texts)]
        found = np.exp(logits.max(axis=1)) / np.exp(logits).sum(axis=1)
        assert found == pytest.approx(said, abs=1e-5)
