"""N-gram models against the papers' equations over dictionaries, and against known figures."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest

from helpers import brute_force
from nlp_rnn.corpora import data_folder
from nlp_rnn.ngrams import (
    BackoffScores,
    NGramCounts,
    NGramModel,
    add_k,
    count_ngrams,
    katz,
    kneser_ney,
    modified_kneser_ney,
    stupid_backoff,
)
from nlp_rnn.ngrams.katz import good_turing_discounts
from nlp_rnn.ngrams.kneser_ney import one_discount, three_discounts

SIZE, END = 9, 2
"""Types of the toy corpus: <pad>, <unk>, <eos> and six words, of which 8 never occurs."""

MODELS: dict[str, tuple[Callable[[NGramCounts], NGramModel], type[brute_force.Model]]] = {
    "add-k": (partial(add_k, k=0.3), brute_force.AddK),
    "katz": (katz, brute_force.Katz),
    "katz without singles": (partial(katz, min_count=2), brute_force.KatzWithoutSingles),
    "kneser-ney": (kneser_ney, brute_force.KneserNey),
    "modified kneser-ney": (modified_kneser_ney, brute_force.ModifiedKneserNey),
}
ORDERS = [1, 2, 3, 4, 5]

every_model = pytest.mark.parametrize("name", MODELS)
every_order = pytest.mark.parametrize("order", ORDERS)


def toy_text(tokens: int, seed: int, words: int) -> np.ndarray:
    """Words of falling frequency; the last sentence is not complete, some are empty."""
    rng = np.random.default_rng(seed)
    types = np.array([3, 4, END, 5, 1, 6, 7, 8])[:words]
    frequencies = 1 / np.arange(1, words + 1)
    text = rng.choice(types, tokens, p=frequencies / frequencies.sum())
    # Repeated phrases, so that long n-grams have counts above 1.
    for start in range(20, tokens - 25, 30):
        text[start : start + 5] = text[start - 20 : start - 15]
    return np.append(text, 3)


TRAINING = toy_text(250, 0, words=7)
TEST = toy_text(150, 1, words=8)


@cache
def counts(order: int) -> NGramCounts:
    return count_ngrams(TRAINING, order, SIZE, END)


def contexts() -> list[list[int]]:
    """All up to two words long, with and without <s>, seen and unseen, and some longer ones."""
    words = [1, 3, 4, 5, 6, 7, 8]
    short = [list(h) for n in (0, 1, 2) for h in itertools.product(words, repeat=n)]
    rng = np.random.default_rng(2)
    long = [rng.choice(words, n).tolist() for n in (3, 4, 5) for _ in range(10)]
    seen = [TRAINING[i : i + 4].tolist() for i in range(0, 200, 7)]
    within = [h for h in seen if END not in h]
    return [*short, *([END, *h] for h in short), *long, *within]


def symbols(context: list[int]) -> brute_force.NGram:
    return tuple(brute_force.BEGIN if word == END else word for word in context)


@every_order
@every_model
def test_tokens_of_a_text_have_the_probabilities_of_the_equations(name: str, order: int) -> None:
    estimate, reference = MODELS[name]
    expected = reference(TRAINING.tolist(), order, SIZE, END).of_text(TEST.tolist())
    probabilities = estimate(counts(order)).probabilities(TEST)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-10)


@every_order
@every_model
def test_every_context_has_the_distribution_of_the_equations(name: str, order: int) -> None:
    estimate, reference = MODELS[name]
    model, expected = estimate(counts(order)), reference(TRAINING.tolist(), order, SIZE, END)
    for context in contexts():
        distribution = model.distribution(np.array(context, np.int32))
        assert distribution[0] == 0
        assert abs(distribution.sum() - 1) < 1e-12, context
        np.testing.assert_allclose(
            distribution[1:],
            [expected(word, symbols(context)) for word in expected.types],
            rtol=1e-10,
            err_msg=str(context),
        )


@every_order
def test_stupid_backoff_has_the_scores_of_brants(order: int) -> None:
    model = stupid_backoff(counts(order))
    expected = brute_force.StupidBackoff(TRAINING.tolist(), order, SIZE, END)
    np.testing.assert_allclose(model.scores(TEST), expected.of_text(TEST.tolist()), rtol=1e-12)
    for context in contexts():
        np.testing.assert_allclose(
            model.next_scores(np.array(context, np.int32))[1:],
            [expected(word, symbols(context)) for word in expected.types],
            rtol=1e-12,
        )


def test_stupid_backoff_has_no_probabilities() -> None:
    model: BackoffScores = stupid_backoff(counts(3))
    assert not isinstance(model, NGramModel)
    assert model.next_scores(np.array([END])).sum() > 1


@pytest.mark.parametrize("text", [[], [END], [3], [3, 4, END], [END, END, END], [3, 3, 3, 3, 3, 3]])
@every_order
@every_model
def test_the_shortest_corpora_give_distributions(name: str, order: int, text: list[int]) -> None:
    estimate, reference = MODELS[name]
    model = estimate(count_ngrams(np.array(text, np.int32), order, SIZE, END))
    expected = reference(text, order, SIZE, END)
    for context in ([], [END], [3], [END, 3], [3, 3, 3, 3, 3], [END, 7, 8]):
        distribution = model.distribution(np.array(context, np.int32))
        assert abs(distribution.sum() - 1) < 1e-12
        assert distribution[1:].min() > 0
        np.testing.assert_allclose(
            distribution[1:], [expected(word, symbols(context)) for word in expected.types]
        )


@every_model
def test_an_empty_corpus_tells_nothing(name: str) -> None:
    model = MODELS[name][0](count_ngrams(np.array([], np.int32), 3, SIZE, END))
    np.testing.assert_allclose(model.probabilities(TEST), 1 / (SIZE - 1))
    assert abs(model.perplexity(TEST) - (SIZE - 1)) < 1e-9


@every_model
def test_a_single_type_has_all_probability(name: str) -> None:
    model = MODELS[name][0](count_ngrams(np.array([1, 1]), 3, vocabulary_size=2, end_index=1))
    np.testing.assert_allclose(model.probabilities(np.array([1, 1, 1])), 1)


@every_model
def test_contexts_begin_with_the_sentence(name: str) -> None:
    model = MODELS[name][0](counts(5))
    ends = np.flatnonzero(TEST == END) + 1
    alone = [model.probabilities(sentence) for sentence in np.split(TEST, ends)]
    np.testing.assert_array_equal(np.concatenate(alone), model.probabilities(TEST))


@every_model
def test_a_text_and_its_contexts_agree(name: str) -> None:
    model = MODELS[name][0](counts(4))
    read = np.append(END, TEST)
    one_by_one = [model.distribution(read[: i + 1])[word] for i, word in enumerate(TEST)]
    np.testing.assert_allclose(model.probabilities(TEST), one_by_one, rtol=1e-13)


def test_perplexity_is_that_of_the_geometric_mean() -> None:
    model = modified_kneser_ney(counts(3))
    p = model.probabilities(TEST)
    assert abs(model.perplexity(TEST) - np.prod(p) ** (-1 / len(TEST))) < 1e-9


def test_counts_are_of_whole_n_grams() -> None:
    text = np.array([3, 4, END, 3, 4, 4, END], np.uint16)
    counted = count_ngrams(text, 3, SIZE, END)
    ngrams = counted.ngrams
    spelt = [[(word,) for word in range(SIZE)]]
    for n in (2, 3):
        pairs = zip(ngrams.contexts(n), ngrams.words(n), strict=True)
        spelt.append([(*spelt[-1][context], int(word)) for context, word in pairs])
    tallies = [
        dict(zip(g, c.tolist(), strict=True)) for g, c in zip(spelt, counted.counts, strict=True)
    ]
    assert tallies[0] == {(word,): {3: 2, 4: 3, END: 2}.get(word, 0) for word in range(SIZE)}
    assert tallies[1] == {(END, 3): 2, (3, 4): 2, (4, END): 2, (4, 4): 1}
    assert tallies[2] == {(END, 3, 4): 2, (3, 4, END): 1, (3, 4, 4): 1, (4, 4, END): 1}


def test_discounts_are_those_of_chen_and_goodman() -> None:
    # D = 100 / (100 + 2 * 40) = 5/9
    n = np.array([100, 40, 20, 12])
    assert one_discount(n) == 5 / 9
    expected = [1 - 2 * 5 / 9 * 0.4, 2 - 3 * 5 / 9 * 0.5, 3 - 4 * 5 / 9 * 0.6]
    np.testing.assert_allclose(three_discounts(n), expected)


@pytest.mark.parametrize(
    ("n", "discount"),
    [
        ([100, 40, 20, 0], 5 / 9),
        ([100, 40, 0, 12], 5 / 9),
        ([100, 40, 20, 90], 5 / 9),  # D3+ would be 3 - 4 * 5/9 * 4.5 = -7
        ([0, 40, 20, 12], 1 / 2),
        ([100, 0, 20, 12], 1 / 2),
        ([0, 0, 0, 0], 1 / 2),
    ],
)
def test_discounts_that_the_counts_do_not_tell_are_one(n: list[int], discount: float) -> None:
    np.testing.assert_allclose(three_discounts(np.array(n)), discount)


def test_good_turing_discounts_are_those_of_katz() -> None:
    # k = 2: r* is 2 * 30 / 100 = 0.6 for 1 and 3 * 10 / 30 = 1 for 2; 3 n_3 / n_1 is 0.3.
    expected = [1, (0.6 - 0.3) / 0.7, (0.5 - 0.3) / 0.7]
    np.testing.assert_allclose(good_turing_discounts(np.array([100, 30, 10])), expected)
    # No n-gram occurs four times: k is lowered to 2. None twice: counts lose 1/2.
    lowered = good_turing_discounts(np.array([100, 30, 10, 0]))
    np.testing.assert_allclose(lowered, [*expected, 1])
    np.testing.assert_allclose(good_turing_discounts(np.array([9, 0, 1])), [1, 1 / 2, 3 / 4])


def test_what_is_no_text_is_refused() -> None:
    model = kneser_ney(counts(2))
    for text in ([3, 0], [SIZE], [-1], [[3, 4]], [0.5]):
        with pytest.raises(ValueError, match="received"):
            count_ngrams(np.array(text), 2, SIZE, END)
        with pytest.raises(ValueError, match="received"):
            model.probabilities(np.array(text))
        with pytest.raises(ValueError, match="received"):
            model.distribution(np.array(text))
    with pytest.raises(ValueError, match="without tokens"):
        model.perplexity(np.array([], np.int32))


def test_what_is_no_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        count_ngrams(TRAINING, 0, SIZE, END)
    for end in (0, SIZE):
        with pytest.raises(ValueError, match="received"):
            count_ngrams(TRAINING, 2, SIZE, end)
    with pytest.raises(ValueError, match="k is positive"):
        add_k(counts(2), 0)
    with pytest.raises(ValueError, match="alpha is positive"):
        stupid_backoff(counts(2), 0)
    with pytest.raises(ValueError, match="k is at least 2"):
        katz(counts(2), k=1)
    with pytest.raises(ValueError, match="min_count"):
        katz(counts(2), k=3, min_count=4)


def penn_treebank(part: str, index: dict[str, int]) -> np.ndarray:
    file = data_folder() / f"ptb/ptb.{part}.txt"
    if not file.exists():
        pytest.skip("no ptb/ptb.train.txt in the folder that NLP_RNN_DATA names")
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    words = [word for line in lines for word in [*line.split(), "<eos>"]]
    return np.array([index.setdefault(word, len(index)) for word in words], np.int32)


@pytest.mark.slow
def test_penn_treebank_has_the_known_perplexities() -> None:
    """Those of SRILM that Mikolov et al. (2011), "Empirical evaluation and combination of advanced
    language modeling techniques", report as GT3, KN3, GT5 and KN5. SRILM leaves out long n-grams
    that occurred once for GT, and does not discount unigrams, which makes 0.1 of difference."""
    index = {"<pad>": 0, "<unk>": 1, "<eos>": END}
    training, test = penn_treebank("train", index), penn_treebank("test", index)
    assert len(index) == 10_001
    good_turing = partial(katz, k=7, min_count=2)
    perplexities = []
    for order in (3, 5):
        counted = count_ngrams(training, order, len(index), END)
        perplexities += [
            good_turing(counted).perplexity(test),
            modified_kneser_ney(counted).perplexity(test),
        ]
    np.testing.assert_allclose(perplexities, [165.2, 148.3, 162.3, 141.2], atol=0.2)
