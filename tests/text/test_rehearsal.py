"""Data read with what a model knows: its words and labels first, and old examples beside new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.corpora import ListCorpus, prepared, same_everywhere
from nlp_rnn.config import RehearsalParameters
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.text.prepared import PreparedDataset
from nlp_rnn.text.rehearsal import RehearsedDataset, joined
from nlp_rnn.text.vocabulary import Vocabulary

RNG = np.random.default_rng(1)


def tagged(words: str, tags: str) -> Example:
    return Example(tokens=tuple(words.split()), tags=tuple(tags.split()))


OLD = [tagged("Ann sleeps", "B-PER O"), tagged("Rome", "B-LOC"), tagged("Ann in Rome", "B-PER O O")]
NEW = [tagged("Zoë buys Ajax", "B-PER O B-ORG"), tagged("Ann runs", "B-PER O")]


@pytest.fixture
def both(tmp_path: Path) -> tuple[PreparedDataset, PreparedDataset]:
    """New and old sentences, with the words, tags and characters of both."""
    old = prepared(tmp_path / "old", same_everywhere("tagged", OLD))
    new = prepared(tmp_path / "new", same_everywhere("tagged", NEW))
    known = joined((old.vocabulary, old.labels, old.characters), new)
    return PreparedDataset(new.folder, *known), PreparedDataset(old.folder, *known)


def words_and_tags(dataset: PreparedDataset, split: str) -> list[tuple[str, str, str]]:
    """Each sentence from its word indices, from its forms, and its tags."""
    found, of_split = [], dataset.split(split)
    assert of_split.labels is not None and of_split.forms is not None
    for i in range(len(of_split)):
        ids, forms, labels = (
            of_split.sequence(values, i)
            for values in (of_split.ids, of_split.forms, of_split.labels)
        )
        words = dataset.vocabulary.decode(ids.tolist())
        written = [dataset.forms[form] for form in forms]
        tags = [dataset.labels[label] for label in labels]
        found.append((" ".join(words), " ".join(written), " ".join(tags)))
    return found


def test_old_words_and_labels_keep_their_places(
    both: tuple[PreparedDataset, PreparedDataset], tmp_path: Path
) -> None:
    new, _ = both
    old = PreparedDataset(tmp_path / "old")
    assert new.vocabulary.types[: len(old.vocabulary)] == old.vocabulary.types
    assert set(new.vocabulary.types[len(old.vocabulary) :]) == {"Zoë", "buys", "Ajax", "runs"}
    assert new.labels == [*old.labels, "B-ORG"]
    assert new.characters.types[: len(old.characters)] == old.characters.types
    assert "j" in new.characters.types


def test_old_sentences_follow_the_new_ones_in_training_alone(
    both: tuple[PreparedDataset, PreparedDataset],
) -> None:
    new, old = both
    rehearsed = RehearsedDataset(new, old, RehearsalParameters(examples=2), RNG)
    mine = [(" ".join(e.tokens), " ".join(e.tokens), " ".join(e.tags)) for e in NEW]
    others = [(" ".join(e.tokens), " ".join(e.tokens), " ".join(e.tags)) for e in OLD]
    found = words_and_tags(rehearsed, "train")
    assert found == [*mine, *(others[i] for i in rehearsed.numbers)]
    assert len(found) == 4
    assert words_and_tags(rehearsed, "validation") == mine
    texts = [" ".join(record["tokens"]) for record in rehearsed.split("train").records()]
    assert texts == [words for words, _, _ in found]


@pytest.mark.parametrize(("share", "count"), [(0.5, 20), (0.2, 5), (0.9, 40), (0.001, 1)])
def test_a_share_is_one_of_all_examples(tmp_path: Path, share: float, count: int) -> None:
    def reviews(times: int) -> ListCorpus:
        few = [Example(text="good", label="p"), Example(text="bad", label="n")]
        return same_everywhere("labelled", few * times)

    new, old = prepared(tmp_path / "new", reviews(10)), prepared(tmp_path / "old", reviews(20))
    rehearsed = RehearsedDataset(new, old, RehearsalParameters(share=share), RNG)
    assert len(rehearsed.split("train")) == 20 + count
    assert len(set(rehearsed.numbers.tolist())) == count


def test_running_text_is_rehearsed_line_after_line(tmp_path: Path) -> None:
    lines = [Example(text=f"w{i} x") for i in range(12)]
    new = prepared(tmp_path / "new", same_everywhere("text", [Example(text="a b c d e")] * 3))
    old = prepared(tmp_path / "old", same_everywhere("text", lines))
    new = PreparedDataset(new.folder, old.vocabulary.joined(new.vocabulary))
    old = PreparedDataset(old.folder, new.vocabulary)
    rehearsed = RehearsedDataset(new, old, RehearsalParameters(share=1 / 3), RNG)
    # 18 tokens are new, so that 9 are wanted: 3 lines of 3, and their ends.
    assert len(rehearsed.numbers) == 3
    steps = np.diff(rehearsed.numbers)
    assert ((steps == 1) | (steps > 8)).all()  # the text may go on from its last line to its first
    text = " ".join(new.vocabulary.decode(rehearsed.split("train").ids[18:].tolist()))
    assert text == " ".join(f"w{i} x <eos>" for i in rehearsed.numbers)


def test_any_number_of_labels_find_their_columns(tmp_path: Path) -> None:
    examples = [Example(text="a", labels=("x", "y")), Example(text="b", labels=("y",))]
    own = prepared(tmp_path / "own", same_everywhere("labelled", examples))
    dataset = PreparedDataset(own.folder, labels=["z", "x", "y"])
    found = np.asarray(dataset.split("train").labels)
    np.testing.assert_array_equal(found, [[0, 1, 1], [0, 0, 1]])


def test_a_label_that_the_model_does_not_know_is_named(tmp_path: Path) -> None:
    examples = [Example(text="a", label="x"), Example(text="b", label="y")]
    own = prepared(tmp_path / "own", same_everywhere("labelled", examples))
    with pytest.raises(UserError, match=r"own: has the label 'y', which the model does not know"):
        PreparedDataset(own.folder, labels=["x", "z"]).split("train")


def test_counts_of_words_of_both_are_added() -> None:
    one = Vocabulary(["<pad>", "<unk>", "a", "b"], [0, 2, 5, 1])
    other = Vocabulary(["<pad>", "<unk>", "c", "b"], [0, 1, 4, 3])
    both = one.joined(other)
    assert dict(zip(both.types, both.counts, strict=True)) == {
        "<pad>": 0,
        "<unk>": 3,
        "a": 5,
        "b": 4,
        "c": 4,
    }
