"""Vocabularies: ranked by frequency, saved as JSON, safe against special strings in text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from nlp_rnn.config import VocabularyParameters
from nlp_rnn.errors import UserError
from nlp_rnn.text.vocabulary import EOS, PAD, UNK, Vocabulary, add


def test_types_are_ranked_and_rare_ones_counted_as_unknown() -> None:
    counts = Counter({"b": 3, "a": 3, "c": 5, "rare": 1})
    vocabulary = Vocabulary.build(counts, VocabularyParameters(min_count=2))
    assert vocabulary.types == [PAD, UNK, "c", "a", "b"]
    assert vocabulary.counts == [0, 1, 5, 3, 3]
    assert vocabulary.encode(["a", "rare", "new", "c"]) == [3, 1, 1, 2]


def test_size_counts_special_tokens() -> None:
    counts = Counter({chr(97 + i): 26 - i for i in range(26)}) + Counter({EOS: 4})
    vocabulary = Vocabulary.build(counts, VocabularyParameters(size=10), end=EOS)
    assert len(vocabulary) == 10
    assert vocabulary.end_index == 2
    assert sum(vocabulary.counts) == counts.total()


def test_padding_in_the_text_is_unknown_and_unk_in_the_text_is_unk() -> None:
    vocabulary = Vocabulary.build(Counter({PAD: 9, UNK: 7, "a": 1}), VocabularyParameters())
    assert vocabulary.encode([PAD, UNK, "a"]) == [1, 1, 2]
    assert vocabulary.counts == [0, 16, 1]


def test_round_trip(tmp_path: Path) -> None:
    vocabulary = Vocabulary.build(Counter({"é": 2, "\n": 1}), VocabularyParameters(), end="\n")
    vocabulary.save(tmp_path / "v.json")
    again = Vocabulary.load(tmp_path / "v.json")
    assert again.to_json() == vocabulary.to_json()
    assert again.encode(["é", "\n", "x"]) == vocabulary.encode(["é", "\n", "x"])


@pytest.mark.parametrize("content", ["{", "{}", '{"types": ["a"], "counts": [1], "end": null}'])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "vocabulary.json"
    file.write_text(content)
    with pytest.raises(UserError, match=r"vocabulary\.json"):
        Vocabulary.load(file)


def test_counting_forgets_the_rarest_types_when_there_are_too_many() -> None:
    frequent = [["a", "b"] * 10]
    rare = [[f"x{i}"] for i in range(1000)]
    counts: Counter[str] = Counter()
    for tokens in frequent + rare:
        add(counts, tokens, most=100)
    assert len(counts) <= 100
    assert counts["a"] == counts["b"] == 10
