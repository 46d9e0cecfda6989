"""Baselines against counting by hand."""

from __future__ import annotations

from pathlib import Path

from helpers.corpora import prepared, same_everywhere
from nlp_rnn.baselines.counts import majority_class, most_frequent_tags
from nlp_rnn.example import Example


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
