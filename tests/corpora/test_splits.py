"""Splits taken from the training data: shares, strata, order, seeds and what goes wrong."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pytest

from nlp_rnn.config import SplitParameters
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.splits import apportion, cut_in_order, draw, with_all_splits
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example, Kind


class ListCorpus(Corpus):
    """A corpus in memory that counts how often it is read."""

    def __init__(self, kind: Kind, **splits: list[Example]) -> None:
        self.name = "mine"
        self.kind = kind
        self.data = splits
        self.readings = 0

    def splits(self) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if split in self.data)

    def origin(self, split: str) -> str:
        return f"{split}.txt"

    def read(self, split: str) -> Iterator[Example]:
        self.readings += 1
        return self._not_empty(self.data[split], split)

    def provenance(self) -> dict[str, Any]:
        return {"source": "list", "files": {}, "licence": "CC0", "citation": "none"}


RATIOS = SplitParameters(validation=0.1, test=0.2)


def reviews(count: int, positive: int = 4) -> list[Example]:
    """Every ``positive``-th review is positive."""
    return [
        Example(text=f"review {number}", label="neg" if number % positive else "pos")
        for number in range(count)
    ]


def everything(corpus: Corpus) -> dict[str, list[Example]]:
    return {split: list(corpus.read(split)) for split in SPLITS}


def test_labels_are_in_proportion_in_every_split() -> None:
    corpus = with_all_splits(ListCorpus("labelled", train=reviews(1000)), RATIOS, seed=1)
    assert corpus.splits() == SPLITS
    counts = {
        split: Counter(each.label for each in examples)
        for split, examples in everything(corpus).items()
    }
    assert counts["train"] == {"neg": 525, "pos": 175}
    assert counts["validation"] == {"neg": 75, "pos": 25}
    assert counts["test"] == {"neg": 150, "pos": 50}


@pytest.mark.parametrize("kind", ["labelled", "tagged", "text"])
def test_splits_share_nothing_lose_nothing_and_keep_the_order(kind: Kind) -> None:
    if kind == "tagged":
        train = [Example(tokens=(f"w{number}",), tags=("X",)) for number in range(997)]
    else:
        train = reviews(997, positive=7)
    found = everything(with_all_splits(ListCorpus(kind, train=train), RATIOS, seed=3))
    position = {example: number for number, example in enumerate(train)}
    for examples in found.values():
        assert all(position[one] < position[other] for one, other in pairwise(examples))
    assert sorted(position[each] for split in found.values() for each in split) == list(range(997))
    assert abs(len(found["validation"]) - 99.7) < 2
    assert abs(len(found["test"]) - 199.4) < 3


@pytest.mark.parametrize("kind", ["labelled", "tagged"])
def test_the_seed_draws_and_draws_again(kind: Kind) -> None:
    first, again, other = (
        everything(with_all_splits(ListCorpus(kind, train=reviews(200)), RATIOS, seed))
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first["test"] != other["test"]


def test_the_drawing_is_the_same_on_every_machine() -> None:
    # Recorded: a change here gives all users of a ratio another test set.
    assert draw(np.array([0, 1] * 6), 0.25, 0.25, seed=1).tolist() == [
        1, 2, 0, 0, 0, 0, 1, 0, 2, 0, 2, 1,
    ]  # fmt: skip


def test_text_is_cut_in_order_and_the_test_set_is_its_end() -> None:
    lines = [Example(text="x" * (number % 40)) for number in range(5000)]
    found = everything(with_all_splits(ListCorpus("text", train=lines), RATIOS, seed=1))
    assert found["train"] + found["validation"] + found["test"] == lines
    total = sum(len(each.text) + 1 for each in lines)
    for split, share in (("train", 0.7), ("validation", 0.1), ("test", 0.2)):
        characters = sum(len(each.text) + 1 for each in found[split])
        assert abs(characters - share * total) <= 40


def test_only_what_is_missing_is_taken() -> None:
    train, test = reviews(100), [Example(text="own", label="pos")]
    source = ListCorpus("labelled", train=train, test=test)
    found = everything(with_all_splits(source, RATIOS, seed=1))
    assert found["test"] == test
    assert (len(found["train"]), len(found["validation"])) == (90, 10)
    validation = [Example(text="own", label="neg")]
    source = ListCorpus("text", train=train, validation=validation)
    found = everything(with_all_splits(source, RATIOS, seed=1))
    assert found["validation"] == validation
    assert found["train"] + found["test"] == train


def test_a_corpus_with_all_splits_is_left_alone() -> None:
    corpus = ListCorpus("text", train=reviews(3), validation=reviews(2), test=reviews(1))
    assert with_all_splits(corpus, RATIOS, seed=1) is corpus


def test_reading_starts_again_and_plans_once() -> None:
    source = ListCorpus("labelled", train=reviews(50))
    corpus = with_all_splits(source, RATIOS, seed=1)
    assert list(corpus.read("test")) == list(corpus.read("test"))
    assert source.readings == 3


def test_every_label_is_kept_to_train_on() -> None:
    rare = [Example(text=str(number), label=f"label {number}") for number in range(5)]
    source = ListCorpus("labelled", train=reviews(100) + rare)
    found = everything(with_all_splits(source, RATIOS, seed=1))
    assert {each.label for each in found["train"]} == {"pos", "neg", *(each.label for each in rare)}
    assert len(found["test"]) == 21


def test_apportion_gives_the_rest_to_the_largest_remainders() -> None:
    counts = np.array([29, 28, 27])
    taken = apportion(counts, 0.1, counts - 1)
    assert taken.tolist() == [3, 3, 2]
    assert apportion(np.array([100]), 0.29, np.array([99])).tolist() == [29]
    assert apportion(np.array([1, 1]), 0.5, np.array([0, 0])).tolist() == [0, 0]


def test_cut_falls_on_the_nearest_line_end() -> None:
    assert cut_in_order(np.array([10, 10, 10, 10]), 0.0, 0.3).tolist() == [0, 0, 0, 2]
    assert cut_in_order(np.array([60, 1, 1, 38]), 0.0, 0.4).tolist() == [0, 2, 2, 2]


@pytest.mark.parametrize("kind", ["labelled", "tagged"])
def test_too_few_examples_name_data_set_split_and_file(kind: Kind) -> None:
    corpus = with_all_splits(ListCorpus(kind, train=reviews(2)), RATIOS, seed=1)
    with pytest.raises(UserError) as caught:
        list(corpus.read("train"))
    message = str(caught.value)
    assert "train.txt" in message and "'mine'" in message and "2 examples are too few" in message
    assert "a file of its own" in message


@pytest.mark.parametrize("lines", [["one two six ten abc def ghi jkl mno pqr"], ["a b", "c"]])
def test_text_of_too_few_lines_is_cut_between_words(lines: list[str]) -> None:
    source = ListCorpus("text", train=[Example(text=line) for line in lines])
    corpus = with_all_splits(source, RATIOS, seed=1)
    parts = {split: [each.text for each in corpus.read(split)] for split in SPLITS}
    words = [" ".join(part).split() for part in parts.values()]
    assert all(words)
    assert list(chain.from_iterable(words)) == " ".join(lines).split()
    assert "at white space" in corpus.provenance()["taken_from_train"]["test"]
    if len(lines) == 1:
        assert [len(part) for part in words] == [7, 1, 2]


def test_text_without_white_space_is_cut_between_characters() -> None:
    corpus = with_all_splits(ListCorpus("text", train=[Example(text="x" * 99)]), RATIOS, seed=1)
    assert [len(next(corpus.read(split)).text) for split in SPLITS] == [70, 10, 19]


def test_only_the_missing_split_is_cut_out_of_one_line() -> None:
    own = [Example(text="own")]
    for given, cut in (("test", "validation"), ("validation", "test")):
        line = [Example(text="one two three four")]
        source = ListCorpus("text", train=line, **{given: own})
        corpus = with_all_splits(source, RATIOS, seed=1)
        assert list(corpus.read(given)) == own
        cuts = [next(corpus.read(split)).text for split in ("train", cut)]
        assert cuts == ["one two three ", "four"]


def test_a_text_of_one_character_has_no_parts() -> None:
    corpus = with_all_splits(ListCorpus("text", train=[Example(text="x")]), RATIOS, seed=1)
    with pytest.raises(UserError, match=r"too few .* a file of its own"):
        list(corpus.read("train"))


def test_shares_that_leave_no_training_data() -> None:
    corpus = ListCorpus("labelled", train=reviews(10))
    with pytest.raises(UserError, match=r"'mine': split\.validation \+ split\.test = 1 leaves"):
        with_all_splits(corpus, SplitParameters(validation=0.5, test=0.5), seed=1)


def test_a_file_that_changes_while_it_is_read() -> None:
    source = ListCorpus("labelled", train=reviews(100))
    corpus = with_all_splits(source, RATIOS, seed=1)
    list(corpus.read("train"))
    for changed in (reviews(101), reviews(99)):
        source.data["train"] = changed
        with pytest.raises(UserError, match=rf"train\.txt: had 100 .* now has {len(changed)}"):
            list(corpus.read("test"))


def test_an_empty_source_is_named() -> None:
    corpus = with_all_splits(ListCorpus("text", train=[]), RATIOS, seed=1)
    with pytest.raises(UserError, match=r"train\.txt: has no examples; split train"):
        list(corpus.read("validation"))


def test_provenance_says_what_was_taken() -> None:
    corpus = with_all_splits(ListCorpus("labelled", train=reviews(10)), RATIOS, seed=9)
    taken = corpus.provenance()["taken_from_train"]
    assert set(taken) == {"validation", "test"}
    assert "0.1 of train" in taken["validation"] and "seed 9" in taken["validation"]
    assert corpus.provenance()["licence"] == "CC0"


def repeated(copies: int, texts: int) -> list[Example]:
    """Each text several times, spaced in different ways, its label always the same."""
    return [
        Example(text=f"review{' ' * (1 + copy % 2)}{number}", label="ab"[number % 2])
        for copy in range(copies)
        for number in range(texts)
    ]


@pytest.mark.parametrize("kind", ["labelled", "tagged"])
def test_duplicates_stay_together_if_asked_for(kind: Kind) -> None:
    examples = repeated(copies=4, texts=200)
    if kind == "tagged":
        examples = [Example(tokens=tuple(e.text.split()), tags=("O", "O")) for e in examples]
    ratios = RATIOS.model_copy(update={"duplicates": "together"})
    corpus = with_all_splits(ListCorpus(kind, train=examples), ratios, seed=1)
    found = everything(corpus)
    texts = {
        split: {" ".join(e.tokens or e.text.split()) for e in each} for split, each in found.items()
    }
    assert {split: len(each) for split, each in texts.items()} == {
        "train": 140,
        "validation": 20,
        "test": 40,
    }
    assert sum(map(len, found.values())) == len(examples)
    assert len(set().union(*texts.values())) == 200  # so no text is in two of them
    if kind == "labelled":
        for each in found.values():
            assert Counter(e.label for e in each)["a"] * 2 == len(each)
    assert "duplicates together" in corpus.provenance()["taken_from_train"]["test"]
    again = with_all_splits(ListCorpus(kind, train=examples), ratios, seed=1)
    assert everything(again) == found


def test_duplicates_of_running_text_cannot_be_kept_together() -> None:
    ratios = RATIOS.model_copy(update={"duplicates": "together"})
    with pytest.raises(UserError, match=r"split\.duplicates: running text is cut in order"):
        with_all_splits(ListCorpus("text", train=reviews(100)), ratios, seed=1)
