"""Prepared data sets: what is written is what was read."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.corpora import ListCorpus, prepared, same_everywhere
from nlp_rnn.config import TokenizerParameters, VocabularyParameters
from nlp_rnn.corpora import duplicates
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.text.prepared import PreparedDataset, prepare


def test_tagged_round_trip(tmp_path: Path, sentences: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", sentences))
    split = dataset.split("train")
    assert len(split) == len(sentences)
    for i, (example, record) in enumerate(zip(sentences, split.records(), strict=True)):
        assert dataset.vocabulary.decode(split.sequence(split.ids, i)) == list(example.tokens)
        assert [dataset.labels[j] for j in split.sequence(split.labels, i)] == list(example.tags)
        assert record == {"tokens": list(example.tokens), "tags": list(example.tags)}


def test_labelled_round_trip(tmp_path: Path, reviews: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("labelled", reviews))
    split = dataset.split("test")
    assert [dataset.labels[i] for i in split.labels] == [example.label for example in reviews]
    assert dataset.card["splits"]["test"]["labels"] == {"negative": 8, "positive": 8}
    assert dataset.card["splits"]["test"]["sentences"] == len(reviews)


@pytest.mark.parametrize("unit", ["whitespace", "character"])
def test_running_text_holds_every_character_or_word_and_line_end(
    tmp_path: Path, lines: list[Example], unit: str
) -> None:
    with_blank = [*lines, Example(text="")]
    dataset = prepared(tmp_path / "d", same_everywhere("text", with_blank), unit)
    split = dataset.split("train")
    decoded = dataset.vocabulary.decode(split.ids)
    if unit == "character":
        assert "".join(decoded) == "".join(example.text + "\n" for example in with_blank)
    else:
        assert " ".join(decoded) == " ".join(f"{e.text} <eos>".strip() for e in with_blank)
    assert dataset.card["splits"]["train"]["characters"] == sum(
        len(example.text) + 1 for example in with_blank
    )


def test_unknown_rate_counts_what_training_lacks(tmp_path: Path) -> None:
    corpus = ListCorpus(
        "text",
        train=[Example(text="a b")],
        validation=[Example(text="a")],
        test=[Example(text="a c c")],
    )
    dataset = prepared(tmp_path / "d", corpus)
    assert dataset.card["splits"]["test"]["unknown_tokens"] == 2
    assert dataset.card["splits"]["test"]["unknown_rate"] == 2 / 4


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_label_that_training_lacks_is_an_error_and_leaves_nothing(
    tmp_path: Path, reviews: list[Example], split: str
) -> None:
    corpus = same_everywhere("labelled", reviews)
    corpus.examples[split] = [*reviews, Example(text="odd", label="neutral")]
    with pytest.raises(UserError, match=rf"{split}, example 17: label 'neutral' never occurs"):
        prepared(tmp_path / "d", corpus)
    assert list(tmp_path.iterdir()) == []


def test_a_text_without_tokens_keeps_its_label(tmp_path: Path, reviews: list[Example]) -> None:
    corpus = same_everywhere("labelled", [*reviews, Example(text="  ", label="negative")])
    split = prepared(tmp_path / "d", corpus).split("train")
    assert split.lengths.min() == 1


def test_a_missing_or_broken_file_says_how_to_mend(tmp_path: Path, lines: list[Example]) -> None:
    dataset = prepared(tmp_path / "d", same_everywhere("text", lines))
    (dataset.folder / "train.ids.npy").write_bytes(b"not numpy")
    with pytest.raises(UserError, match=r"train\.ids\.npy.*dvc repro -f prepare@d"):
        dataset.split("train")
    with pytest.raises(UserError, match="dvc repro prepare@elsewhere"):
        PreparedDataset(tmp_path / "elsewhere")


def test_a_full_disk_is_one_clear_error(
    tmp_path: Path, lines: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nlp_rnn.text.prepared.ArrayWriter.extend", full)
    with pytest.raises(UserError, match="No space left on device"):
        prepared(tmp_path / "d", same_everywhere("text", lines))
    assert list(tmp_path.iterdir()) == []


class EndlessCorpus(ListCorpus):
    """``size`` lines of training text, made on the way."""

    def __init__(self, size: int) -> None:
        super().__init__("text")
        self.size = size

    def splits(self) -> tuple[str, ...]:
        return ("train", "validation", "test")

    def read(self, split: str) -> Iterator[Example]:
        rng = np.random.default_rng(0)
        for _ in range(self.size if split == "train" else 10):
            yield Example(text=" ".join(map(str, rng.integers(0, 1000, 20))))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    def peak(size: int) -> int:
        tracemalloc.start()
        prepare(
            "endless",
            EndlessCorpus(size),
            TokenizerParameters(unit="whitespace"),
            VocabularyParameters(),
            tmp_path / "d",
        )
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1_000)  # what is imported or cached once
    assert peak(20_000) < 1.2 * peak(10_000)


def _tagged(*sentences: str) -> list[Example]:
    """Sentences of ``word/tag`` pairs."""
    pairs = [[word.split("/") for word in sentence.split()] for sentence in sentences]
    return [
        Example(tokens=tuple(w for w, _ in each), tags=tuple(t for _, t in each)) for each in pairs
    ]


TAGGED = {
    "train": _tagged("ann/B-PER sleeps/O", "rome/B-LOC sleeps/O"),
    "validation": _tagged("ann/B-PER"),
    "test": _tagged("rome/B-LOC"),
}


@pytest.mark.parametrize(
    "changed",
    [
        {
            "train": _tagged("ANN/B-PER SLEEPS/O", "ROME/B-LOC SLEEPS/O"),
            "validation": _tagged("ANN/B-PER"),
            "test": _tagged("ROME/B-LOC"),
        },
        {"train": _tagged("Ann/B-PER sleeps/O", "rome/B-LOC sleeps/O")},
        {"train": _tagged("ann/O sleeps/O", "rome/B-LOC sleeps/B-PER")},
        {"train": [*TAGGED["train"], *TAGGED["train"]]},
        {"validation": _tagged("ANN/B-PER")},
        {"test": _tagged("Rome/B-LOC")},
        {"validation": TAGGED["test"], "test": TAGGED["validation"]},
        {"test": _tagged("unseen/B-LOC")},
    ],
)
def test_the_identity_of_tagged_data_covers_how_words_are_written(
    tmp_path: Path, changed: dict[str, list[Example]]
) -> None:
    def identity(name: str, splits: dict[str, list[Example]]) -> str:
        corpus = ListCorpus("tagged", **splits)
        parameters = TokenizerParameters(unit="whitespace", lowercase=True)
        return str(
            prepare("list", corpus, parameters, VocabularyParameters(), tmp_path / name)[
                "data_sha256"
            ]
        )

    assert identity("one", TAGGED) == identity("same", TAGGED)
    assert identity("one", TAGGED) != identity("other", TAGGED | changed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"lowercase": True}, {"lowercase": False}),
        ({"unit": "word"}, {"unit": "whitespace"}),
    ],
)
def test_the_identity_covers_the_tokenizer_even_where_tokens_are_the_same(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    corpus = same_everywhere("labelled", [Example(text="a b", label=label) for label in "xy"])
    base = {"unit": "whitespace", "lowercase": False}
    identities = {
        prepare(
            "list", corpus, TokenizerParameters(**(base | o)), VocabularyParameters(), tmp_path / n
        )["data_sha256"]
        for n, o in (("one", one), ("other", other))
    }
    assert len(identities) == 2


def test_the_identity_covers_the_text_behind_the_tokens_but_not_where_it_comes_from(
    tmp_path: Path,
) -> None:
    class Moved(ListCorpus):
        def provenance(self) -> dict[str, Any]:
            return super().provenance() | {"source": "elsewhere"}

    def identity(name: str, corpus: ListCorpus) -> str:
        return str(prepared(tmp_path / name, corpus).card["data_sha256"])

    examples = [Example(text="a b", label=label) for label in "xy"]
    splits = {"validation": examples, "test": examples}
    here = identity("here", ListCorpus("labelled", train=examples, **splits))
    assert identity("moved", Moved("labelled", train=examples, **splits)) == here
    spaced = [Example(text="a  b", label=label) for label in "xy"]
    assert identity("spaced", ListCorpus("labelled", train=spaced, **splits)) != here


def test_the_card_counts_the_texts_that_training_has_too(tmp_path: Path) -> None:
    def labelled(*texts: str) -> list[Example]:
        return [Example(text=text, label="xy"[number % 2]) for number, text in enumerate(texts)]

    corpus = ListCorpus(
        "labelled",
        train=labelled("a b", "c", "d"),
        validation=labelled("e"),
        test=labelled("c", "a   b", "B", "c"),
    )
    splits = prepared(tmp_path / "d", corpus).card["splits"]
    assert "also_in_training" not in splits["train"]
    assert splits["validation"]["also_in_training"] == 0
    assert splits["test"]["also_in_training"] == 3
    assert splits["test"]["also_in_training_rate"] == 0.75
    running = same_everywhere("text", [Example(text="a b")])
    assert "also_in_training" not in prepared(tmp_path / "t", running).card["splits"]["test"]


def test_the_hashes_of_many_texts_are_looked_up_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_BLOCK", 3)
    texts = duplicates.TextsOfTraining()
    list(texts.gather(Example(text=str(n)) for n in range(50)))
    assert len(list(texts.count(Example(text=str(n)) for n in range(40, 70)))) == 30
    assert texts.found == 10
    list(texts.count(Example(text=str(n)) for n in range(100, 120)))
    assert texts.found == 0


@pytest.mark.parametrize("label", ["a\x1b[2J", "a\nb", "a\tb", "a\x9b"])
def test_labels_are_one_line_of_text(tmp_path: Path, label: str) -> None:
    examples = [Example(text="good", label=label), Example(text="bad", label="b")]
    with pytest.raises(UserError, match="has a control character or line break") as error:
        prepared(tmp_path / "d", same_everywhere("labelled", examples))
    assert len(str(error.value).splitlines()) == 1
