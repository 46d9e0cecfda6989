"""Generation: filters by their definitions, beam search by exhaustive search, texts as printed."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from helpers.backends import assert_all_agree
from helpers.experiments import small_experiment
from nlp_rnn.cli import main
from nlp_rnn.config import TokenizerParameters
from nlp_rnn.inference import generation
from nlp_rnn.inference.decoding import (
    Hypothesis,
    beam_search,
    draw,
    length_penalty,
    nucleus,
    sample,
    tempered,
    top_k,
)
from nlp_rnn.inference.generation import (
    BeamSearch,
    PromptedModel,
    Sampling,
    next_distribution,
)
from nlp_rnn.inference.predictor import language_model
from nlp_rnn.models.network import build_network
from nlp_rnn.runtime.network import KerasNetwork
from nlp_rnn.text.tokenizers import make_tokenizer
from nlp_rnn.text.vocabulary import Vocabulary
from nlp_rnn.text.writing import piece

pytestmark = pytest.mark.slow

START = 0


class PrefixModel:
    """A random distribution after each prefix, a different one after each other.

    Its state is the whole prefix as a number, so that a row with another's state is found out.
    """

    def __init__(self, vocabulary: int, seed: int = 0, impossible: Sequence[int] = ()) -> None:
        self.vocabulary, self.seed, self.impossible = vocabulary, seed, list(impossible)
        self.steps = 0
        self.start = [np.zeros((1, 1))]

    def _after(self, code: int) -> np.ndarray:
        logits = np.random.default_rng([self.seed, code]).normal(0, 1.5, self.vocabulary)
        logits[self.impossible] = -np.inf
        return logits - np.logaddexp.reduce(logits)

    def step(self, tokens: np.ndarray, states: Sequence[Any]) -> tuple[np.ndarray, Sequence[Any]]:
        self.steps += 1
        codes = states[0] * (self.vocabulary + 1) + tokens[:, None] + 1
        return np.array([self._after(int(code)) for code in codes[:, 0]]), [codes]

    def log_probability(self, tokens: Sequence[int]) -> float:
        """By the chain rule."""
        code, total = START + 1, 0.0
        for token in tokens:
            total += float(self._after(code)[token])
            code = code * (self.vocabulary + 1) + token + 1
        return total

    def texts(self, length: int, end: int | None) -> Iterator[tuple[int, ...]]:
        """All texts of at most ``length`` tokens: those that end, and those that are full."""
        for n in range(1, length + 1):
            for tokens in itertools.product(range(self.vocabulary), repeat=n):
                if end not in tokens[:-1] and (tokens[-1] == end or n == length):
                    yield tokens

    def exhaustive(self, length: int, end: int | None, alpha: float) -> list[Hypothesis]:
        """Every possible text, the best first."""
        found = [
            Hypothesis(text, log_p, log_p / ((5 + len(text)) / 6) ** alpha)
            for text in self.texts(length, end)
            if (log_p := self.log_probability(text)) > -math.inf
        ]
        return sorted(found, key=lambda hypothesis: -hypothesis.score)


def rows_of(states: Sequence[Any], rows: np.ndarray) -> list[Any]:
    return [state[rows] for state in states]


def assert_same(found: Sequence[Hypothesis], expected: Sequence[Hypothesis]) -> None:
    assert [h.tokens for h in found] == [h.tokens for h in expected]
    for attribute in ("log_probability", "score"):
        np.testing.assert_allclose(
            [getattr(h, attribute) for h in found], [getattr(h, attribute) for h in expected]
        )


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize(("end", "impossible"), [(None, ()), (1, ()), (1, (0, 2))])
def test_a_wide_beam_is_an_exhaustive_search(
    end: int | None, impossible: Sequence[int], alpha: float
) -> None:
    model = PrefixModel(4, impossible=impossible)
    expected = model.exhaustive(4, end, alpha)
    for n in (1, 7, len(expected)):
        found = beam_search(model.step, rows_of, START, model.start, 4**4, 4, end, alpha, n)
        assert_same(found, expected[:n])


def test_a_beam_gives_as_many_texts_as_there_are() -> None:
    model = PrefixModel(3)
    found = beam_search(model.step, rows_of, START, model.start, 50, 2, 1, n=50)
    assert len(found) == len(set(found)) == len(list(model.texts(2, 1)))


@pytest.mark.parametrize("seed", range(5))
def test_texts_of_a_narrow_beam_have_the_scores_it_says(seed: int) -> None:
    model = PrefixModel(6, seed)
    found = beam_search(model.step, rows_of, START, model.start, 3, 5, 1, 0.6, 3)
    assert len({h.tokens for h in found}) == 3
    for hypothesis in found:
        log_p = model.log_probability(hypothesis.tokens)
        assert hypothesis.log_probability == pytest.approx(log_p)
        assert hypothesis.score == pytest.approx(
            log_p / length_penalty(len(hypothesis.tokens), 0.6)
        )
    assert found == sorted(found, key=lambda h: -h.score)


@pytest.mark.parametrize("alpha", [0.0, 0.6])
@pytest.mark.parametrize("end", [None, 1])
@pytest.mark.parametrize("seed", range(8))
def test_a_beam_of_one_is_greedy(seed: int, end: int | None, alpha: float) -> None:
    model = PrefixModel(5, seed)
    (found,) = beam_search(model.step, rows_of, START, model.start, 1, 6, end, alpha)
    tokens = [int(row[0]) for row in sampled(model, 1, 6, lambda x: tempered(x, 0), end)]
    assert list(found.tokens) == tokens


def chain(*rows: Sequence[float]) -> Callable[..., Any]:
    """A model whose next token depends on the last one only."""
    table = np.log(np.maximum(np.array(rows), 1e-300))
    return lambda tokens, states: (table[tokens], states)


def test_a_beam_finds_what_greedy_misses() -> None:
    # 1 is likelier at first, but what follows 2 is certain.
    step = chain([0, 0.6, 0.4, 0], [0.3, 0.3, 0.2, 0.2], [0, 0, 0, 1], [0.25] * 4)
    greedy, wide = (beam_search(step, rows_of, 0, [], width, 2)[0] for width in (1, 2))
    assert greedy.tokens[0] == 1
    assert wide.tokens == (2, 3)
    assert wide.log_probability == pytest.approx(math.log(0.4))


def test_the_length_penalty_is_the_papers_and_favours_longer_texts() -> None:
    assert length_penalty(1, 0.7) == 1
    assert length_penalty(7, 1) == 2
    assert length_penalty(19, 0.5) == 2
    # "1" ends at once with 0.6; "2 3 4 1" has 0.4.
    step = chain([0, 0.6, 0.4, 0, 0], [0.2] * 5, [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 1, 0, 0, 0])
    short, long = (beam_search(step, rows_of, 0, [], 2, 8, 1, alpha)[0] for alpha in (0.0, 3.0))
    assert short.tokens == (1,)
    assert long.tokens == (2, 3, 4, 1)
    assert long.score == pytest.approx(math.log(0.4) / 1.5**3)


def test_texts_that_end_leave_the_beam_as_wide_as_it_is() -> None:
    # In a beam of 2, "1" ends first, and "3" takes its place.
    step = chain([0, 0.5, 0.3, 0.2], [0.25] * 4, [0.25] * 4, [0, 1, 0, 0])
    found = beam_search(step, rows_of, 0, [], 2, 5, 1, n=2)
    assert [hypothesis.tokens for hypothesis in found] == [(1,), (3, 1)]


def test_a_search_ends_when_nothing_better_can_follow() -> None:
    model = PrefixModel(4)

    ending = np.log([1e-9, 1 - 3e-9, 1e-9, 1e-9])

    def surely_ending(tokens: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        found, states = model.step(tokens, states)
        return (found if model.steps < 3 else np.tile(ending, (len(tokens), 1))), states

    beam_search(surely_ending, rows_of, START, model.start, 2, 10_000, 1, 0.6)
    assert model.steps < 20


def distributions(rows: int, vocabulary: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(vocabulary, 0.5), rows)


def assert_restricted(filtered: np.ndarray, plain: np.ndarray) -> None:
    """A distribution in proportion to ``plain`` where it is not 0."""
    kept = filtered > 0
    assert filtered.sum() == pytest.approx(1)
    np.testing.assert_allclose(filtered[kept], plain[kept] / plain[kept].sum())


@pytest.mark.parametrize("k", [1, 3, 10, 11, 500])
def test_top_k_keeps_the_k_likeliest(k: int) -> None:
    plain = distributions(20, 11)
    for row, filtered in zip(plain, top_k(plain, k), strict=True):
        assert set(np.flatnonzero(filtered)) == set(np.argsort(row)[-k:])
        assert_restricted(filtered, row)


def test_top_k_keeps_no_more_where_several_are_equally_likely() -> None:
    filtered = top_k(np.array([[0.1, 0.3, 0.3, 0.3]]), 2)[0]
    assert sorted(filtered) == [0, 0, 0.5, 0.5]
    assert filtered[0] == 0


@pytest.mark.parametrize("p", [1e-9, 0.1, 0.5, 0.9, 0.999])
def test_the_nucleus_is_the_smallest_set_of_that_probability(p: float) -> None:
    plain = distributions(20, 11)
    for row, filtered in zip(plain, nucleus(plain, p), strict=True):
        kept = filtered > 0
        assert row[kept].sum() >= p
        assert row[kept].sum() - row[kept].min() < p
        assert row[~kept].max(initial=0) <= row[kept].min()
        assert_restricted(filtered, row)


def test_the_nucleus_at_its_bounds() -> None:
    row = np.array([[0.125, 0.5, 0.25, 0.125]])
    assert nucleus(row, 0.5).tolist() == [[0, 1, 0, 0]]
    assert np.count_nonzero(nucleus(row, 0.75)) == 2
    assert np.count_nonzero(nucleus(row, np.nextafter(0.75, 1))) == 3
    np.testing.assert_allclose(nucleus(row, 1), row)


@pytest.mark.parametrize(
    ("filtering", "value"), [(top_k, 0), (nucleus, 0), (nucleus, 1.1), (nucleus, math.nan)]
)
def test_filters_refuse_what_has_no_meaning(filtering: Any, value: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        filtering(distributions(1, 3), value)


def test_temperature_divides_the_logits() -> None:
    logits = np.array([[0.0, 1.0, 2.0, -np.inf], [5.0, 5.0, 1.0, 0.0]])
    for temperature in (0.5, 1, 3):
        weights = np.exp(logits / temperature)
        expected = weights / weights.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(tempered(logits, temperature), expected)
    assert tempered(logits, 0).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    assert tempered(logits, 1e-320)[0].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.6}, {"k": 4}, {"p": 0.8}, {"temperature": 1.5, "k": 5, "p": 0.9}],
)
def test_samples_are_distributed_as_the_filtered_softmax(options: dict[str, Any]) -> None:
    draws, logits = 20_000, np.random.default_rng(1).normal(0, 1, 12)
    # The definitions once more, for one distribution, in plain Python.
    ranked = sorted(range(2, 12), key=lambda token: -logits[token])[: options.get("k", 10)]
    weights = [math.exp(logits[token] / options.get("temperature", 1)) for token in ranked]
    mass = list(itertools.accumulate(weight / sum(weights) for weight in weights))
    size = 1 + sum(m < options.get("p", 1) - 1e-12 for m in mass[:-1])
    expected = np.zeros(12)
    expected[ranked[:size]] = np.array(weights[:size]) / sum(weights[:size])

    probabilities = next_distribution(logits[None], **{"temperature": 1.0} | options)
    np.testing.assert_allclose(probabilities[0], expected, atol=1e-12)
    uniform = np.random.default_rng(2).random(draws)
    counts = np.bincount(draw(np.repeat(probabilities, draws, axis=0), uniform), minlength=12)
    assert not counts[expected == 0].any()
    assert chisquare(counts[expected > 0], draws * expected[expected > 0]).pvalue > 0.01


def test_what_has_no_probability_is_never_drawn() -> None:
    probabilities = np.array([[0, 0.1, 0, 0.9, 0]] * 2)
    assert draw(probabilities, np.array([0, np.nextafter(1, 0)])).tolist() == [1, 3]


def sampled(
    model: PrefixModel,
    samples: int,
    length: int,
    distribution: Callable[[Any], Any] = np.exp,
    end: int | None = None,
) -> list[np.ndarray]:
    generators = np.random.default_rng(5).spawn(samples)
    return list(
        sample(model.step, rows_of, START, model.start, distribution, generators, length, end)
    )


def test_a_sample_depends_on_the_seed_alone() -> None:
    model = PrefixModel(5)
    many = np.stack(sampled(model, 8, 10), axis=1)
    np.testing.assert_array_equal(many, np.stack(sampled(model, 8, 10), axis=1))
    np.testing.assert_array_equal(many[:3, :6], np.stack(sampled(model, 3, 6), axis=1))
    assert len(np.unique(many, axis=0)) == 8


def test_whole_samples_have_the_probabilities_of_the_model() -> None:
    """So the states of every sample are its own."""
    model, draws = PrefixModel(3), 5_000
    found = np.stack(sampled(model, draws, 2), axis=1)
    counts = np.bincount(found[:, 0] * 3 + found[:, 1], minlength=9)
    expected = [math.exp(model.log_probability(text)) for text in model.texts(2, None)]
    assert chisquare(counts, draws * np.array(expected)).pvalue > 0.01


def test_samples_stay_ended_until_all_have() -> None:
    rows = np.stack(sampled(PrefixModel(4), 20, 200, end=2), axis=1)
    assert rows.shape[1] < 200
    lengths = [1 + row.tolist().index(2) for row in rows]
    assert max(lengths) == rows.shape[1] > min(lengths)
    for row, length in zip(rows, lengths, strict=True):
        assert (row[length:] == 2).all()


# --- texts ---------------------------------------------------------------------------------


class PrefixNetwork:
    """:class:`PrefixModel` as a network over many steps."""

    def __init__(self, model: PrefixModel) -> None:
        self._model = model

    def zero_states(self, rows: int) -> list[np.ndarray]:
        return [np.repeat(state, rows, axis=0) for state in self._model.start]

    def first_states(self, rows: int, start: Sequence[Any] | None) -> list[np.ndarray]:
        assert start is None
        return self.zero_states(rows)

    def select(self, states: Sequence[Any], rows: np.ndarray) -> list[Any]:
        return rows_of(states, rows)

    def log_probabilities(self, ids: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        found = []
        for tokens in ids.T:
            logs, states = self._model.step(tokens, states)
            found.append(logs)
        return np.stack(found, axis=1), states


TYPES = {
    "character": ["<pad>", "<unk>", "\n", "a", "b", " "],
    "whitespace": ["<pad>", "<unk>", "<eos>", "the", "cat", "sleeps"],
}


def predictor(unit: str) -> Any:
    types = TYPES[unit]
    parameters = TokenizerParameters(unit=unit, lowercase=False)  # type: ignore[arg-type]
    return SimpleNamespace(
        network=PrefixNetwork(PrefixModel(len(types))),
        start=None,
        bundle=SimpleNamespace(
            vocabulary=Vocabulary(types, [1] * len(types), types[2]),
            tokenizer=make_tokenizer(parameters),
        ),
    )


@pytest.fixture(params=TYPES)
def unit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of the model that ``nlp-rnn generate`` finds wherever it looks."""
    monkeypatch.setattr(generation, "language_model", lambda folder: predictor(request.param))
    return request.param


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*options: str) -> str:
        assert main(["generate", "model", *options]) == 0
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    ("tokens", "unit", "text"),
    [
        (["the", "cat", "<eos>", "the"], "word", "the cat\nthe"),
        (["a", " ", " ", "b", "\n", "a"], "character", "a  b\na"),
        (["▁the", "▁c", "at", "s", "<eos>", "▁the"], "subword", "the cats\nthe"),
    ],
)
def test_tokens_become_text(tokens: list[str], unit: str, text: str) -> None:
    found = ""
    for token in tokens:
        found += piece(token, found, unit)
    assert found == text


def test_no_second_space_follows_a_prompt_that_ends_with_one() -> None:
    assert piece("cat", "the ", "word") == piece("▁cat", "the ", "subword") == "cat"


@pytest.mark.parametrize("window", [1, 3, 1000])
def test_a_prompt_is_read_with_its_line_ends(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tokens are read at once."""
    monkeypatch.setattr(generation, "LOGITS_AT_ONCE", window * 6)
    model = predictor("whitespace")
    prompted = PromptedModel(model, "the cat\nsleeps unheard")
    ((text, hypothesis),) = prompted.search(3, BeamSearch(4))
    assert text.startswith("the cat\nsleeps unheard")

    ids = np.array([[2, 3, 4, 2, 5, 1, *hypothesis.tokens]], np.int32)
    found, _ = model.network.log_probabilities(ids, model.network.zero_states(1))
    steps = found[0, np.arange(5, 8), ids[0, 6:]]
    assert hypothesis.log_probability == pytest.approx(steps.sum())


@pytest.mark.parametrize(
    "options",
    [
        ("--seed", "1"),
        ("--seed", "1", "--top-k", "2", "--top-p", "0.9", "--temperature", "0.7"),
        ("--temperature", "0"),
        ("--beam", "3"),
    ],
)
def test_the_same_command_prints_the_same_text(
    unit: str, printed: Callable[..., str], options: Sequence[str]
) -> None:
    first = printed(*options, "--length", "20")
    assert first == printed(*options, "--length", "20")
    assert "<" not in first


def test_greedy_is_temperature_0_and_one_likeliest_token(
    unit: str, printed: Callable[..., str]
) -> None:
    greedy = printed("--temperature", "0")
    assert greedy == printed("--top-k", "1") == printed("--top-p", "1e-6")
    assert greedy == printed("--beam", "1")


def test_every_sample_continues_the_prompt(printed: Callable[..., str], unit: str) -> None:
    prompt = TYPES[unit][3]
    options = ("--prompt", prompt, "--seed", "3", "--stop-at-end", "--length", "60")
    alone, many = printed(*options), printed(*options, "--samples", "5")
    texts = many.removesuffix("\n").split("\n\n")
    assert len(texts) == 5
    assert texts[0] + "\n" == alone
    assert all(text.startswith(prompt) and "\n" not in text for text in texts)


def test_samples_are_drawn_a_few_at_a_time_where_memory_is_short(
    printed: Callable[..., str], unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--seed", "3", "--samples", "5", "--length", "9")
    together = printed(*options)
    monkeypatch.setattr(generation, "LOGITS_AT_ONCE", 2 * len(TYPES[unit]))
    assert printed(*options) == together


@pytest.mark.parametrize(
    ("prompt", "said"), [("the yak sleeps\nyak emu", ": yak, emu\n"), ("the <unk> cat", "")]
)
def test_words_that_the_model_does_not_know_are_named(
    prompt: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generation, "language_model", lambda folder: predictor("whitespace"))
    assert main(["generate", "model", "--prompt", prompt]) == 0
    out, error = capsys.readouterr()
    assert out.startswith(prompt)
    assert error.endswith(said) and error.count("\n") == bool(said)


def test_without_stopping_lines_follow_one_another(printed: Callable[..., str], unit: str) -> None:
    text = printed("--seed", "1", "--length", "60")
    assert "\n" in text.strip("\n")
    assert printed("--seed", "1", "--length", "60", "--stop-at-end") == text[: text.index("\n") + 1]


def test_a_single_sample_appears_as_it_is_written(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(
        sys, "stdout", SimpleNamespace(write=shown.append, flush=lambda: shown.append("FLUSH"))
    )
    assert main(["generate", "model", "--seed", "1", "--length", "7", "--prompt", "b"]) == 0
    pieces = "".join(shown).split("FLUSH")
    assert pieces[0] == "b"
    assert len(pieces) == 9  # the prompt, 7 tokens, the last newline
    assert all(len(written.strip()) <= max(map(len, TYPES[unit])) for written in pieces)


def test_an_n_best_list_is_printed_as_json_lines(printed: Callable[..., str], unit: str) -> None:
    options = ("--beam", "4", "--stop-at-end", "--length", "5", "--prompt", TYPES[unit][3])
    records = [json.loads(line) for line in printed(*options, "--n-best", "3").splitlines()]
    assert [list(record) for record in records] == [["text", "log_probability", "score"]] * 3
    scores = [record["score"] for record in records]
    assert scores == sorted(scores, reverse=True)
    assert printed(*options) == records[0]["text"] + "\n"
    unpenalised = printed(*options, "--n-best", "3", "--length-penalty", "0").splitlines()
    assert all(r["score"] == r["log_probability"] for r in map(json.loads, unpenalised))


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        ("--beam 4 --top-k 3", "--top-k is for random draws"),
        ("--beam 4 --temperature 1", "--temperature is for random draws"),
        ("--beam 4 --samples 2", "--samples is for random draws"),
        ("--beam 4 --seed 0", "--seed is for random draws"),
        ("--n-best 2", "add --beam"),
        ("--length-penalty 1 --stop-at-end", "add --beam"),
        ("--beam 4 --n-best 5", "expected --beam 5 or more"),
        ("--beam 4 --length-penalty 1", "add --stop-at-end"),
        ("--temperature 0 --top-p 0.5", "--top-p is for random draws"),
        ("--temperature 0 --samples 2", "--samples is for random draws"),
    ],
)
def test_options_that_make_no_sense_together_are_refused_in_one_line(
    options: str, mend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "nowhere", *options.split()]) == 2
    said = capsys.readouterr().err
    assert mend in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "options", ["--top-p 0", "--top-p 1.5", "--top-k 0", "--beam 0", "--length-penalty -1"]
)
def test_values_without_a_meaning_are_refused(options: str) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["generate", "nowhere", *options.split()])
    assert exit.value.code == 2


# --- networks ------------------------------------------------------------------------------


def by_keras(**model: Any) -> KerasNetwork:
    """A language model of 9 types with fixed weights."""
    experiment = small_experiment("language_modelling", {"cell": "gru", "units": 5} | model)
    built = build_network(experiment, 9, ())
    rng = np.random.default_rng(0)
    built.set_weights([rng.normal(0, 0.5, w.shape) for w in built.get_weights()])
    return KerasNetwork(built, experiment.model.monte_carlo_samples)


def computed() -> dict[str, np.ndarray]:
    """On each backend: rows that change places between steps, and dropout."""
    ids = np.random.default_rng(1).integers(1, 9, (3, 6)).astype(np.int32)
    rows = np.array([2, 0, 2])
    model = by_keras()
    _, states = model.log_probabilities(ids[:, :4], model.zero_states(3))
    selected = model.select(states, rows)
    found, after = model.log_probabilities(ids[rows, 4:], selected)
    assert not any(isinstance(state, np.ndarray) for state in (*states, *selected, *after))
    whole, _ = model.log_probabilities(ids[rows], model.zero_states(3))
    np.testing.assert_allclose(found, whole[:, 4:], atol=1e-5)
    return {"selected": found}


def test_states_stay_on_the_device_of_every_backend_and_rows_may_change_places(
    on_backends: dict[str, dict[str, np.ndarray]],
) -> None:
    assert_all_agree(on_backends)
    for arrays in on_backends.values():
        np.testing.assert_allclose(np.exp(arrays["selected"]).sum(axis=-1), 1, atol=1e-6)


def test_a_trained_models_search_and_predictions_agree(bundles: dict[str, Path]) -> None:
    model = language_model(bundles["language_modelling"])
    found = PromptedModel(model, "").search(4, BeamSearch(200, 200), stop_at_end=True)
    whole = {text: h for text, h in found if len(h.tokens) < 4}
    assert len(whole) > 20
    for prediction, hypothesis in zip(model.predict(whole), whole.values(), strict=True):
        assert prediction["tokens"] == len(hypothesis.tokens)
        assert prediction["log_probability"] == pytest.approx(hypothesis.log_probability, rel=1e-5)


def test_samples_of_a_trained_model_do_not_mix(bundles: dict[str, Path]) -> None:
    model = PromptedModel(language_model(bundles["language_modelling"]), "the")
    one, three = (list(model.samples(12, Sampling(samples=n, seed=4))) for n in (1, 3))
    assert one == three[:1]
    assert len(set(three)) == 3
