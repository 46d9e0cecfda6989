"""Baselines against counting by hand."""

from __future__ import annotations

import math
from pathlib import Path

from conftest import ListCorpus, prepared, same_everywhere

from nlp_rnn.baselines.counts import majority_class, most_frequent_tags, unigram_loss
from nlp_rnn.corpora.example import Example


def test_most_frequent_tags(tmp_path: Path) -> None:
    training = [
        Example(tokens=("walk", "the", "walk"), tags=("V", "D", "N")),
        Example(tokens=("walk", "rare1", "rare2"), tags=("N", "X", "X")),
        Example(tokens=("the", "the", "the"), tags=("D", "D", "D")),
    ]
    dataset = prepared(tmp_path / "d", same_everywhere("tagged", training), min_count=2)
    split = dataset.split("train")
    tags = most_frequent_tags(split, len(dataset.vocabulary), len(dataset.labels))
    named = {
        word: dataset.labels[tag] for word, tag in zip(dataset.vocabulary.types, tags, strict=True)
    }
    assert named == {"<pad>": "D", "<unk>": "X", "the": "D", "walk": "N"}
    assert dataset.labels[majority_class(split)] == "D"


def test_unigram_loss_is_add_one(tmp_path: Path) -> None:
    corpus = ListCorpus(
        "text",
        train=[Example(text="a a b")],
        validation=[Example(text="a")],
        test=[Example(text="a c")],
    )
    dataset = prepared(tmp_path / "d", corpus)
    # Types: <unk> 0, <eos> 1, a 2, b 1; four tokens of training, four types.
    expected = -math.log(3 / 8) - math.log(1 / 8) - math.log(2 / 8)
    loss = unigram_loss(dataset.split("test").ids, dataset.vocabulary)
    assert math.isclose(loss, expected)
