"""Learning word vectors: against definitions, gensim itself, and the grammar's word classes."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from helpers.corpora import ListCorpus, prepared, same_everywhere
from nlp_rnn.config import AnyVectors, FastTextVectors, GloveVectors, Word2VecVectors
from nlp_rnn.config.vectors import Vectors
from nlp_rnn.corpora.grammar import classes_of_words, generate
from nlp_rnn.embeddings.classes import evaluate_classes
from nlp_rnn.embeddings.learning import cooccurrence
from nlp_rnn.embeddings.learning.cooccurrence import cooccurrences
from nlp_rnn.embeddings.learning.corpus import TokenCorpus
from nlp_rnn.embeddings.learning.glove import Glove, _compiled, weights
from nlp_rnn.embeddings.learning.learner import learn
from nlp_rnn.embeddings.learning.pmi_svd import pmi, truncated_svd
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

pytestmark = pytest.mark.slow

SEED = 1


def parameters(algorithm: str, **options: Any) -> AnyVectors:
    section = {"dataset": "text", "algorithm": algorithm, "dimension": 30, **options}
    return TypeAdapter(Vectors).validate_python(section)


def drawn(words: int = 7, sentences: int = 40, seed: int = SEED) -> TokenCorpus:
    """Sentences of random words, some of them empty."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 9, sentences))])
    ids = np.minimum(rng.geometric(3 / words, offsets[-1]) - 1, words - 1).astype(np.int32)
    counts = np.bincount(ids, minlength=words)
    return TokenCorpus([f"w{i}" for i in range(words)], counts, ids, offsets)


@pytest.fixture(scope="module")
def grammar_text(tmp_path_factory: pytest.TempPathFactory) -> TokenCorpus:
    lines = list(generate("text", 30_000, seed=1))
    corpus = ListCorpus("text", train=lines, validation=lines[:5], test=lines[:5])
    dataset = prepared(tmp_path_factory.mktemp("text"), corpus)
    return TokenCorpus.of(dataset.split("train"), dataset.vocabulary.types, 2)


def test_rare_words_count_as_unknown_and_frequent_ones_come_first(tmp_path: Path) -> None:
    lines = [Example(text=line) for line in ("b a b", "a b c", "d")]
    dataset = prepared(tmp_path, same_everywhere("text", lines))
    corpus = TokenCorpus.of(dataset.split("train"), dataset.vocabulary.types, 2)
    assert corpus.words == ["<eos>", "b", "<unk>", "a"]
    assert corpus.counts.tolist() == [3, 3, 2, 2]
    assert list(corpus.sentences()) == [
        ["b", "a", "b", "<eos>"],
        ["a", "b", "<unk>", "<eos>"],
        ["<unk>", "<eos>"],
    ]
    with pytest.raises(UserError, match="min_count"):
        TokenCorpus.of(dataset.split("train"), dataset.vocabulary.types, 100)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("weighting", ["none", "harmonic"])
def test_cooccurrences_are_those_of_a_plain_count(
    monkeypatch: pytest.MonkeyPatch, weighting: Any, symmetric: bool
) -> None:
    corpus, window = drawn(), 3
    monkeypatch.setattr(cooccurrence, "PAIRS", 30)  # several blocks
    expected = np.zeros((7, 7))
    for begin, end in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True):
        for t in range(begin, end):
            for other in range(max(begin, t - window), t):
                weight = 1 / (t - other) if weighting == "harmonic" else 1
                expected[corpus.ids[t], corpus.ids[other]] += weight
                if symmetric:
                    expected[corpus.ids[other], corpus.ids[t]] += weight
    counted = cooccurrences(corpus, window, weighting, symmetric)
    np.testing.assert_allclose(counted.toarray(), expected, rtol=1e-12)


@pytest.mark.parametrize("positive", [True, False])
def test_mutual_information_is_that_of_its_definition(positive: bool) -> None:
    counts = cooccurrences(drawn(), 2, symmetric=False)
    x = counts.toarray()
    p_word = x.sum(axis=1, keepdims=True) / x.sum()
    p_context = x.sum(axis=0) ** 0.75 / (x.sum(axis=0) ** 0.75).sum()
    with np.errstate(divide="ignore"):
        expected = np.log(x / x.sum() / (p_word * p_context)) - np.log(1.5)
    expected[x == 0] = 0
    if positive:
        expected = np.maximum(expected, 0)
    assert (expected < 0).any() != positive
    found = pmi(counts, shift=1.5, smoothing=0.75, positive=positive)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-12)


def test_the_svd_keeps_the_products_of_rows_as_well_as_its_rank_allows() -> None:
    matrix = cooccurrences(drawn(30, 200), 2)
    u, s, _ = np.linalg.svd(matrix.toarray())
    vectors = truncated_svd(matrix, 5, 1.0, SEED)
    expected = (u[:, :5] * s[:5] ** 2) @ u[:, :5].T
    np.testing.assert_allclose(vectors @ vectors.T, expected, rtol=1e-2, atol=1e-2 * s[0])
    halves = truncated_svd(matrix, 5, 0.5, SEED)
    np.testing.assert_allclose(
        np.linalg.norm(halves, axis=0), np.sqrt(s[:5]), rtol=1e-2
    )  # U's columns have length 1


def test_an_svd_needs_more_words_than_dimensions() -> None:
    with pytest.raises(UserError, match="set it to 6 or less"):
        learn(drawn(), parameters("pmi_svd"), SEED)


def small_glove(threads: int = 1, **options: Any) -> Glove:
    section = parameters("glove", **{"dimension": 5, "x_max": 10.0, **options})
    assert isinstance(section, GloveVectors)
    return Glove(cooccurrences(drawn(30, 300), 4, "harmonic"), section, SEED, threads)


def test_steps_of_glove_are_those_of_adagrad_on_its_objective() -> None:
    rng = np.random.default_rng(SEED)
    rows, columns = (rng.integers(0, 4, 60).astype(np.int32) for _ in range(2))
    logarithms, weight = (rng.random(60).astype(np.float32) for _ in range(2))
    start = [rng.normal(size=s).astype(np.float32) for s in ((4, 3), (4, 3), (4,), (4,))]
    start += [np.ones_like(array) for array in start]
    found = [array.copy() for array in start]
    cost = _compiled()(rows, columns, logarithms, weight, *found, np.float32(0.3))
    w, c, b, d, *sums = (array.astype(np.float64) for array in start)
    expected_cost = 0.0
    for i, j, x, f in zip(rows, columns, logarithms, weight, strict=True):
        difference = w[i] @ c[j] + b[i] + d[j] - x
        expected_cost += f * difference**2
        gradients = [f * difference * part for part in (c[j], w[i], 1.0, 1.0)]
        of = [(w, i), (c, j), (b, i), (d, j)]
        for (array, row), total, gradient in zip(of, sums, gradients, strict=True):
            array[row] -= 0.3 * gradient / np.sqrt(total[row])
            total[row] += (0.3 * gradient) ** 2
    assert cost == pytest.approx(expected_cost, rel=1e-4)
    for array, expected in zip(found, [w, c, b, d, *sums], strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-5)


def test_an_epoch_of_glove_visits_every_cell_once() -> None:
    model = small_glove(learning_rate=1e-30)
    w, c, b, d, *_ = (array.astype(np.float64) for array in model.arrays)
    x = cooccurrences(drawn(30, 300), 4, "harmonic").toarray()
    seen = x > 0
    squares = np.square(w @ c.T + b[:, None] + d - np.log(np.where(seen, x, 1)))
    expected = (np.minimum(1, (x / 10) ** 0.75) * squares)[seen].mean()
    assert model.epoch(0) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(weights(np.array([10.0, 40, 0.625]), 10, 0.75), [1, 1, 0.125])


def test_glove_is_the_same_with_any_number_of_threads() -> None:
    models = [small_glove(threads) for threads in (1, 2, 5)]
    costs = [[model.epoch(number) for number in range(3)] for model in models]
    assert costs[0] == costs[1] == costs[2]
    assert costs[0][0] > costs[0][1] > costs[0][2]
    for model in models[1:]:
        for one, other in zip(models[0].arrays, model.arrays, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_learning_rate_that_is_too_high_is_named() -> None:
    with pytest.raises(UserError, match=r"lower vectors\.learning_rate"):
        learn(drawn(30, 300), parameters("glove", learning_rate=1e30), SEED)


@pytest.mark.parametrize("architecture", ["skip_gram", "cbow"])
@pytest.mark.parametrize("output", ["negative_sampling", "hierarchical_softmax"])
def test_word2vec_is_gensims_own(architecture: str, output: str) -> None:
    from gensim.models import Word2Vec

    corpus = drawn(30, 300)
    section = parameters("word2vec", architecture=architecture, output=output, epochs=3)
    vectors, _ = learn(corpus, section, seed=3)
    model = Word2Vec(
        list(corpus.sentences()),
        vector_size=30,
        window=5,
        sg=int(architecture == "skip_gram"),
        hs=int(output == "hierarchical_softmax"),
        negative=5 if output == "negative_sampling" else 0,
        workers=1,
        seed=3,
        min_count=1,
        epochs=3,
    )
    for word in corpus.words:
        np.testing.assert_allclose(vectors[word], model.wv[word], rtol=1e-3, atol=1e-5)


def test_fasttext_has_vectors_for_words_that_never_occurred() -> None:
    from gensim.models.fasttext import ft_ngram_hashes

    corpus = drawn(30, 300)
    section = parameters("fasttext", buckets=50, shortest=1, longest=4, epochs=1)
    vectors, subwords = learn(corpus, section, SEED)
    assert subwords is not None
    assert subwords.matrix.shape == (50, 30)
    for word in ("w3w4", "naïve", "日本", "x"):
        rows = ft_ngram_hashes(word, 1, 4, 50)
        expected = subwords.matrix[rows].mean(axis=0)
        np.testing.assert_allclose(subwords.vector(word), expected, rtol=1e-4, atol=1e-6)
    assert np.abs(vectors.matrix).min() > 0


class Stopped(Exception):
    """What ends a run in these tests."""


@pytest.mark.parametrize("algorithm", ["glove", "word2vec", "fasttext"])
def test_an_interrupted_run_ends_with_the_same_vectors(algorithm: str) -> None:
    options = {"buckets": 50} if algorithm == "fasttext" else {}
    section, corpus = parameters(algorithm, epochs=3, **options), drawn(30, 300)
    whole, _ = learn(corpus, section, SEED)
    for end in (2, 3):
        states = []

        def save(epochs: int, arrays: list[np.ndarray], states=states, end=end) -> None:
            states.append((epochs, [array.copy() for array in arrays]))
            if epochs == end:
                raise Stopped

        with pytest.raises(Stopped):
            learn(corpus, section, SEED, save=save)
        resumed, _ = learn(corpus, section, SEED, saved=states[-1])
        np.testing.assert_array_equal(resumed.matrix, whole.matrix)


@pytest.mark.parametrize(
    ("algorithm", "options", "least"),
    [
        ("cooccurrence_svd", {"window": 2}, 0.9),
        ("pmi_svd", {"window": 2}, 0.95),
        ("glove", {"dimension": 50}, 0.5),  # it never learns that two words do not occur together
        ("word2vec", {"window": 2}, 0.95),
        ("word2vec", {"window": 2, "architecture": "cbow"}, 0.95),
        ("word2vec", {"window": 2, "output": "hierarchical_softmax"}, 0.95),
        ("fasttext", {"window": 2, "buckets": 5000}, 0.8),
    ],
)
def test_every_algorithm_learns_the_word_classes_of_the_grammar(
    grammar_text: TokenCorpus, algorithm: str, options: dict[str, Any], least: float
) -> None:
    vectors, _ = learn(grammar_text, parameters(algorithm, **options), SEED)
    assert vectors.words == grammar_text.words
    report = evaluate_classes(vectors, classes_of_words("text"))
    assert report.words > 550
    assert report.neighbour_accuracy > least
    assert report.purity > min(least, 0.8) - 0.05
    assert report.neighbour_chance < 0.05
    assert report.purity_chance < 0.2


@pytest.mark.parametrize("algorithm", ["pmi_svd", "glove", "word2vec", "fasttext"])
def test_seeds_decide_what_is_drawn(algorithm: str) -> None:
    options = {"buckets": 50} if algorithm == "fasttext" else {}
    section, corpus = parameters(algorithm, dimension=5, **options), drawn(30, 300)
    one, again, other = (learn(corpus, section, seed)[0].matrix for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_predicted_vectors_have_their_own_parameters() -> None:
    assert isinstance(parameters("word2vec"), Word2VecVectors)
    assert isinstance(parameters("fasttext"), FastTextVectors)
    with pytest.raises(ValueError, match="more than longest"):
        parameters("fasttext", shortest=4, longest=3)


def one_line(tokens: int, line_end: int | None = None) -> TokenCorpus:
    """Words ``a`` and ``b`` in turns, and ``x`` and ``y`` in turns in the last tenth."""
    ids = np.arange(tokens) % 2
    ids[-tokens // 10 :] += 2
    counts = np.bincount(ids, minlength=4)
    offsets = np.arange(0, tokens + 1, line_end or tokens)
    return TokenCorpus(["a", "b", "x", "y"], counts, ids.astype(np.int32), offsets)


@pytest.mark.parametrize("algorithm", ["word2vec", "fasttext", "glove", "pmi_svd"])
def test_a_long_line_is_read_to_its_end(algorithm: str) -> None:
    """gensim drops what follows the first 10,000 tokens of a line."""
    more: dict[str, Any] = {"dimension": 3, "window": 2}
    if algorithm in ("word2vec", "fasttext"):
        more |= {"epochs": 2, "subsample": 0}
    if algorithm == "fasttext":
        more |= {"buckets": 50}
    section = parameters(algorithm, **more)
    whole, _ = learn(one_line(30_000), section, SEED)
    pieces, _ = learn(one_line(30_000, 10_000), section, SEED)
    assert whole.words == pieces.words
    if algorithm in ("word2vec", "fasttext"):
        np.testing.assert_array_equal(whole.matrix, pieces.matrix)
    assert whole.similarity("x", "y") > whole.similarity("x", "a")


def test_cutting_keeps_every_token_and_every_empty_sentence() -> None:
    corpus = TokenCorpus(
        ["a", "b"],
        np.array([9, 8]),
        np.array([0, 1] * 8 + [0], np.int32),
        np.array([0, 0, 7, 7, 10, 17]),
    )
    words = list(chain.from_iterable(corpus.sentences()))
    for longest in (1, 2, 3, 6, 7, 100):
        cut = corpus.in_pieces(longest)
        lengths = np.diff(cut.offsets)
        assert lengths.max() <= longest and (lengths == 0).sum() == 2
        assert list(chain.from_iterable(cut.sentences())) == words
        assert set(corpus.offsets) <= set(cut.offsets)
    assert corpus.in_pieces(100).offsets.tolist() == corpus.offsets.tolist()
