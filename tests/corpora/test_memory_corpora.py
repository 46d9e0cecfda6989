"""Memory problems: labels are what the tokens say, distances as stated, chance exact."""

from __future__ import annotations

from collections import Counter
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_rnn.config import MemoryDataset, parse
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.memory import PROBLEMS, problem
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example
from nlp_rnn.text.prepared import PreparedDataset, prepare

NAMES = list(PROBLEMS)
STEPS = [1, 2, 3, 10, 57]


def dataset(name: str, steps: int, size: int = 300, **other: Any) -> MemoryDataset:
    sizes = {"train": size, "validation": 50, "test": 60}
    return MemoryDataset.model_validate(
        {"source": "memory", "problem": name, "steps": steps, "sizes": sizes} | other
    )


def examples(name: str, steps: int, split: str = "train", **other: Any) -> list[Example]:
    return list(open_corpus("mine", dataset(name, steps, **other)).read(split))


def words(example: Example) -> list[str]:
    return list(example.tokens) or example.text.split()


def answer(name: str, tokens: list[str]) -> str | list[str]:
    """The label, or the tags, as a reader of the tokens would give them."""
    if name == "store_bit":
        return tokens[0]
    if name == "adding":
        return str(sum(int(token[0]) for token in tokens if token.endswith("*")))
    if name == "copy":
        symbols = iter(tokens)
        return [next(symbols) if token == "?" else "-" for token in tokens]
    left, right = (sum(int(token.split("|")[side]) for token in tokens) for side in (0, 1))
    assert left != right
    return "left" if left > right else "right"


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", NAMES)
def test_labels_are_what_the_tokens_say(name: str, steps: int) -> None:
    for example in examples(name, steps):
        found = list(example.tags) if name == "copy" else example.label
        assert found == answer(name, words(example))


@pytest.mark.parametrize("steps", STEPS)
def test_as_many_distractors_follow_the_bit_as_there_are_steps(steps: int) -> None:
    for example in examples("store_bit", steps):
        assert [word in "01" for word in words(example)] == [True] + [False] * steps


@pytest.mark.parametrize("steps", STEPS)
def test_the_first_addend_is_in_the_first_tenth_and_the_second_in_the_first_half(
    steps: int,
) -> None:
    marks = []
    for example in examples("adding", steps, size=2000):
        assert len(words(example)) == steps + 1
        first, second = (i for i, word in enumerate(words(example)) if word.endswith("*"))
        marks.append((first, second))
    tenth, half = steps // 10, max(1, steps // 2)
    allowed = {(i, j) for i in range(tenth + 1) for j in range(i + 1, max(half, i + 1) + 1)}
    assert set(marks) == allowed


@pytest.mark.parametrize("steps", STEPS)
def test_blanks_of_copy_are_the_steps(steps: int) -> None:
    for example in examples("copy", steps):
        assert words(example)[5:] == ["."] * steps + ["?"] * 5


@pytest.mark.parametrize("steps", STEPS)
def test_columns_have_a_pair_a_step(steps: int) -> None:
    assert {len(words(example)) for example in examples("columns", steps)} == {steps}


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_draws_and_splits_share_nothing_but_chance(name: str) -> None:
    assert examples(name, 40) == examples(name, 40)
    drawn = [examples(name, 40, split, seed=seed) for split, seed in product(SPLITS, (1, 2))]
    texts = [" ".join(words(example)) for part in drawn for example in part]
    assert len(texts) == 2 * (300 + 50 + 60)
    assert len(set(texts)) > 0.95 * len(texts)


def test_more_examples_than_are_drawn_at_a_time_are_all_different() -> None:
    texts = [example.text for example in examples("columns", 20, size=2500)]
    assert len(texts) == len(set(texts)) == 2500


@pytest.mark.parametrize("name", NAMES)
def test_chance_is_the_share_of_the_most_frequent_answer(name: str) -> None:
    task = problem(name)
    _, labels = task.draw(np.random.default_rng(0), 40_000, 10)
    answers = labels[task.asked(labels) == 1]
    share = max(Counter(answers.tolist()).values()) / len(answers)
    assert share == pytest.approx(task.chance, abs=0.01)


def test_chance_of_adding_is_that_of_nine() -> None:
    sums = Counter(a + b for a, b in product(range(10), repeat=2))
    assert max(sums, key=sums.__getitem__) == 9
    assert sums[9] / 100 == problem("adding").chance


def test_copy_asks_for_nothing_but_its_symbols() -> None:
    task = problem("copy")
    tokens, labels = task.draw(np.random.default_rng(0), 7, 4)
    np.testing.assert_array_equal(task.asked(labels), tokens == task.types.index("?"), strict=False)


@pytest.mark.parametrize("name", NAMES)
def test_a_prepared_problem_has_no_unknown_token_and_every_label(name: str, tmp_path: Path) -> None:
    section = dataset(name, 3, size=1500)
    corpus = open_corpus("mine", section)
    card = prepare("mine", corpus, section.tokenizer, section.vocabulary, tmp_path / "mine")
    assert all(split["unknown_tokens"] == 0 for split in card["splits"].values())
    assert set(PreparedDataset(tmp_path / "mine").labels) == set(PROBLEMS[name].labels)


def test_provenance_names_problem_steps_and_seed() -> None:
    card = open_corpus("mine", dataset("adding", 7, seed=3)).provenance()
    assert "adding" in card["source"] and "7" in card["source"]
    assert card["seed"] == 3 and card["files"] == {}


def test_reading_is_lazy() -> None:
    section = dataset("store_bit", 10, size=10**9)
    assert len(list(islice(open_corpus("mine", section).read("train"), 3))) == 3


def test_an_unknown_problem_is_one_clear_error() -> None:
    with pytest.raises(
        UserError, match=r"no memory problem 'store_bits'; did you mean 'store_bit'"
    ):
        problem("store_bits")
    section = dataset("copy", 5).model_dump() | {"problem": "coppy"}
    with pytest.raises(UserError, match=r"params.yaml: datasets.mine.problem: .*'coppy'"):
        parse({"datasets": {"mine": section}}, Path("params.yaml"))
