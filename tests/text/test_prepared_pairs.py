"""Prepared pairs: both sides as numbers, one vocabulary or two, what is left out, and vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.corpora import ListCorpus, same_everywhere
from nlp_rnn.config import KeptPairs, TargetParameters, TokenizerParameters, VocabularyParameters
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.text.prepared import PreparedDataset, prepare

PAIRS = [
    Example(text="where is Ann", context=("Ann went home", "Bob sleeps"), target="home"),
    Example(text="who sleeps", context=("Bob sleeps",), target="it is Bob"),
]


def pairs(folder: Path, corpus: ListCorpus, unit: str = "whitespace", **more: Any) -> Any:
    tokenizer = TokenizerParameters(unit=unit, lowercase=False)  # type: ignore[arg-type]
    prepare("list", corpus, tokenizer, VocabularyParameters(), folder, **more)
    return PreparedDataset(folder)


def test_texts_of_a_source_are_joined_and_targets_end(tmp_path: Path) -> None:
    data = pairs(tmp_path / "d", same_everywhere("pairs", PAIRS))
    split = data.split("train")
    source = data.vocabulary.decode(split.sequence(split.ids, 0))
    assert " ".join(source) == "Ann went home <sep> Bob sleeps <sep> where is Ann"
    targets = [data.target_vocabulary.decode(split.target(i)) for i in range(2)]
    assert targets == [["home", "<eos>"], ["it", "is", "Bob", "<eos>"]]
    assert split.target_lengths.tolist() == [2, 4]
    assert data.labels == []
    assert not data.pair_sizes.shared
    assert data.card["splits"]["test"]["target_tokens"] == 6
    assert next(split.records()) == {
        "text": "where is Ann",
        "target": "home",
        "context": ["Ann went home", "Bob sleeps"],
    }


def test_a_shared_vocabulary_has_the_types_of_both_sides(tmp_path: Path) -> None:
    corpus = same_everywhere("pairs", [Example(text="a b", target="b c")])
    data = pairs(tmp_path / "d", corpus, of_target=TargetParameters(shared=True))
    assert data.pair_sizes.shared
    assert data.vocabulary.types == data.target_vocabulary.types
    assert set(data.vocabulary.types) == {"<pad>", "<unk>", "<eos>", "a", "b", "c"}
    assert data.vocabulary.counts[data.vocabulary.types.index("b")] == 2


def test_targets_have_a_tokenizer_of_their_own(tmp_path: Path) -> None:
    corpus = same_everywhere("pairs", [Example(text="a b", target="ab")])
    of_target = TargetParameters(tokenizer=TokenizerParameters(unit="character"))
    data = pairs(tmp_path / "d", corpus, of_target=of_target)
    assert data.target_vocabulary.decode(data.split("test").target(0)) == ["a", "b", "<eos>"]
    assert data.target_tokenizer_parameters.unit == "character"


@pytest.mark.parametrize("shared", [True, False])
def test_subwords_are_learned_from_the_side_they_are_for(shared: bool, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    from nlp_rnn.text.tokenizers import TARGET, make_tokenizer

    examples = [Example(text="aaaa aaaa", target="bbbb bbbb")] * 3
    of_target = TargetParameters(shared=shared)
    data = pairs(tmp_path / "d", same_everywhere("pairs", examples), "subword", of_target=of_target)
    tokenizer = make_tokenizer(data.target_tokenizer_parameters)
    tokenizer.load(data.folder, TARGET)
    assert len(tokenizer.tokens("bbbb")) == 1
    assert (len(tokenizer.tokens("aaaa")) == 1) == shared


def test_pairs_too_long_or_unequal_are_left_out_of_training_alone(tmp_path: Path) -> None:
    examples = [
        Example(text="a b", target="c"),
        Example(text="a b c d", target="x"),
        Example(text="a b c d e f", target="a b c d e f"),
    ]
    corpus = same_everywhere("pairs", examples)
    data = pairs(tmp_path / "d", corpus, keep=KeptPairs(longest=5, ratio=2.0))
    assert [len(data.split(name)) for name in ("train", "test")] == [1, 3]
    assert data.card["splits"]["train"]["left_out"] == 2


def test_vectors_are_kept_and_checked(tmp_path: Path) -> None:
    examples = [
        Example(text="x", target="a", features=(0.5, 1.0)),
        Example(text="x", target="b", features=(2.0, -1.0)),
    ]
    data = pairs(tmp_path / "d", same_everywhere("pairs", examples))
    features = data.split("train").features
    assert features is not None and features.dtype == np.float32
    np.testing.assert_array_equal(features, [[0.5, 1.0], [2.0, -1.0]])
    for wrong, fault in (((1.0,), "1 features, but"), ((1.0, float("nan")), "not a finite")):
        faulty = [*examples, Example(text="x", target="c", features=wrong)]
        with pytest.raises(UserError, match=f"train, example 3: .*{fault}"):
            pairs(tmp_path / "e", same_everywhere("pairs", faulty))
        assert not (tmp_path / "e").exists()
