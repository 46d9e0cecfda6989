"""Folds of a cross-validation: every example is tested once, and nothing that belongs together is
divided."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.corpora import ListCorpus
from nlp_rnn.config import SplitParameters, parse
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.splits import deal, folds_of
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example


def texts(number: int, positive: int = 4) -> list[Example]:
    """Different texts, of which one in ``positive`` is positive."""
    return [
        Example(text=f"text {i}", label="neg" if i % positive else "pos") for i in range(number)
    ]


def all_splits(
    examples: list[Example], folds: int = 5, seed: int = 1, **split: object
) -> list[dict[str, list[Example]]]:
    """The splits of every fold."""
    ratios = SplitParameters(folds=folds, **split)  # type: ignore[arg-type]
    corpora = folds_of(ListCorpus("labelled", train=examples), ratios, seed)
    return [{name: list(corpus.read(name)) for name in SPLITS} for corpus in corpora]


def test_every_example_is_tested_once_and_labels_stay_in_proportion() -> None:
    examples = texts(1003)
    folds = all_splits(examples, validation=0.2)
    tested = [example for fold in folds for example in fold["test"]]
    assert Counter(tested) == Counter(examples)
    for fold in folds:
        assert Counter(example for part in fold.values() for example in part) == Counter(examples)
        counts = Counter(example.label for example in fold["test"])
        assert counts["pos"] in (50, 51) and counts["neg"] in (150, 151)
        assert len(fold["test"]) in (200, 201)
        assert len(fold["validation"]) == pytest.approx(0.2 * 1003, abs=1)


def test_the_seed_decides_on_the_folds() -> None:
    first, again, other = (all_splits(texts(40), seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("together", [{"duplicates": "together"}, {"groups": "author"}])
def test_what_belongs_together_is_in_one_split(together: dict[str, str]) -> None:
    examples = [
        Example(text=f"text {i % 60}", label="ab"[i % 2], group=f"author {i % 60}")
        for i in range(240)
    ]
    for fold in all_splits(examples, **together):
        parts = [{example.text for example in part} for part in fold.values()]
        assert sum(map(len, parts)) == 60
        assert len(fold["test"]) == 48


def test_tagged_sentences_are_divided_too() -> None:
    sentences = [Example(tokens=(f"w{i}",), tags=("X",)) for i in range(10)]
    corpora = folds_of(ListCorpus("tagged", train=sentences), SplitParameters(folds=5), 1)
    assert sorted(len(list(corpus.read("test"))) for corpus in corpora) == [2] * 5


def test_validation_data_of_its_own_stay_as_they_are() -> None:
    own = texts(6)
    corpus = ListCorpus("labelled", train=texts(40), validation=own)
    for fold in folds_of(corpus, SplitParameters(folds=4), 1):
        assert list(fold.read("validation")) == own
        assert len(list(fold.read("train"))) == 30
        assert fold.provenance()["folds"] == 4


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=8, max_size=40),
    folds=st.integers(2, 8),
    data=st.data(),
)
def test_units_are_dealt_whole_and_folds_are_alike(
    sizes: list[int], folds: int, data: st.DataObject
) -> None:
    units = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    labels = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=len(units), max_size=len(units)))
    )
    _, labels = np.unique(labels, return_inverse=True)
    found = deal(labels, units, folds, seed=1)
    for unit in np.unique(units):
        assert len(set(found[units == unit].tolist())) == 1
    assert set(found.tolist()) == set(range(folds))


def test_single_examples_of_a_label_are_spread_evenly() -> None:
    labels = np.array([0] * 31 + [1] * 7 + [2] * 10)
    found = deal(labels, np.arange(len(labels), dtype=np.uint64), 4, seed=3)
    for label in range(3):
        counts = np.bincount(found[labels == label], minlength=4)
        assert counts.max() - counts.min() <= 1
    sizes = np.bincount(found, minlength=4)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(
    ("corpus", "split", "message"),
    [
        (ListCorpus("text", train=texts(9)), {}, "split.folds is for labelled texts"),
        (ListCorpus("labelled", train=texts(9), test=texts(9)), {}, "list its file under train"),
        (ListCorpus("labelled", train=texts(4)), {}, "4 examples are too few for 5 folds"),
        (
            ListCorpus("labelled", train=texts(20)),
            {"validation": 0.01},
            "16 examples are too few to take a validation split",
        ),
        (ListCorpus("labelled", train=texts(9)), {"validation": 0.8}, "leave nothing of train"),
        (
            ListCorpus("labelled", train=[*texts(20), Example(text="x", label="rare")]),
            {},
            "examples of the label 'rare' are too few",
        ),
    ],
)
def test_what_cannot_be_divided_is_refused(
    corpus: ListCorpus, split: dict[str, float], message: str
) -> None:
    ratios = SplitParameters(folds=5, **split)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        [list(fold.read("train")) for fold in folds_of(corpus, ratios, 1)]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_groups_are_read_from_a_column(kind: str, tmp_path: Path) -> None:
    rows = {
        "csv": 'text,label,author\ngood,pos,Ann\nbad,neg,7\n"so, so",neg,\n',
        "jsonl": '{"text": "good", "label": "pos", "author": "Ann"}\n'
        '{"text": "bad", "label": "neg", "author": 7}\n'
        '{"text": "so, so", "label": "neg", "author": null}\n',
    }[kind]
    file = tmp_path / f"x.{kind}"
    file.write_text(rows, encoding="utf-8")
    section = {"source": "files", "format": kind, "train": str(file), "split": {"groups": "author"}}
    dataset = parse({"datasets": {"x": section}}, Path("params.yaml")).dataset("x")
    examples = open_corpus("x", dataset).read("train")
    assert [next(examples).group, next(examples).group] == ["Ann", "7"]
    with pytest.raises(UserError, match=f"x.{kind}, line [34]: column 'author' .* is empty"):
        next(examples)
    file.write_text(rows.replace("author", "writer"), encoding="utf-8")
    with pytest.raises(UserError, match=r"author.*split\.groups"):
        next(open_corpus("x", dataset).read("train"))
