"""Tags recoded: BIOES learned instead of BIO, and what it says of BIO."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities

from nlp_rnn.corpora.schemes import to_bio
from nlp_rnn.text.entities import LearnedTags, allowed_transitions, entity_spans

BIO = ["O", "B-PER", "I-PER", "I-LOC", "B-LOC"]
BIOES = [*BIO, "E-PER", "S-PER", "E-LOC", "S-LOC"]
LEARNED = LearnedTags(BIO, "BIOES")


def encoded(path: tuple[str, ...], learned: LearnedTags = LEARNED) -> tuple[str, ...]:
    indices = np.array([BIO.index(tag) for tag in path], np.int32)
    return tuple(learned.tags[i] for i in learned.encode(indices))


def is_allowed(path: tuple[str, ...], tags: list[str]) -> bool:
    start, between, end = allowed_transitions(tags)
    i = np.array([tags.index(tag) for tag in path])
    return bool(start[i[0]] and end[i[-1]] and between[i[:-1], i[1:]].all())


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_bio_becomes_the_bioes_of_the_same_entities_and_there_is_no_other(length: int) -> None:
    valid = [path for path in product(BIO, repeat=length) if is_allowed(path, BIO)]
    for path in valid:
        assert to_bio(encoded(path), "BIOES") == path
    written = {path for path in product(BIOES, repeat=length) if is_allowed(path, BIOES)}
    assert set(map(encoded, valid)) == written


@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_sequence_even_a_broken_one_comes_back_as_it_was(length: int) -> None:
    for path in product(BIO, repeat=length):
        indices = np.array([BIO.index(tag) for tag in path])
        assert (LEARNED.meaning[LEARNED.encode(indices)] == indices).all()


def test_sentences_one_after_the_other_are_encoded_each_by_itself() -> None:
    paths = [path for n in (1, 2, 3) for path in product(BIO, repeat=n)]
    sentences = [np.array([BIO.index(tag) for tag in path], np.int32) for path in paths]
    empty = sentences[0][:0]
    sentences = [empty, *sentences[:60], empty, *sentences[60:], empty]
    expected = [LEARNED.encode(s) for s in sentences if len(s)]
    ends = np.cumsum([len(s) for s in sentences])
    together = LEARNED.encode(np.concatenate(sentences), ends)
    np.testing.assert_array_equal(together, np.concatenate(expected))


def test_the_probability_of_a_tag_is_that_of_all_that_stands_for_it() -> None:
    learned = np.random.default_rng(0).dirichlet(np.ones(len(LEARNED.tags)), (2, 3))
    found = LEARNED.of_labels(learned)
    of = {"B": "BS", "I": "IE", "O": "O"}
    for i, label in enumerate(BIO):
        tags = [prefix + label[1:] for prefix in of[label[0]]]
        expected = sum(learned[..., LEARNED.tags.index(tag)] for tag in tags)
        np.testing.assert_allclose(found[..., i], expected)


@pytest.mark.parametrize(
    ("labels", "scheme"), [(BIO, None), (BIOES, "BIOES"), (["NOUN", "VERB"], "BIOES")]
)
def test_what_needs_no_recoding_stays(labels: list[str], scheme: str | None) -> None:
    plain = LearnedTags(labels, scheme)  # type: ignore[arg-type]
    assert plain.tags == labels
    rng = np.random.default_rng(0)
    sentence = rng.integers(0, len(labels), 50)
    np.testing.assert_array_equal(plain.encode(sentence), sentence)
    probabilities = rng.dirichlet(np.ones(len(labels)), 50)
    np.testing.assert_array_equal(plain.of_labels(probabilities), probabilities)


@pytest.mark.parametrize(("tags", "length"), [(BIO, 4), (BIOES, 3)])
def test_spans_are_those_that_seqeval_counts(tags: list[str], length: int) -> None:
    for path in product(tags, repeat=length):
        expected = [(kind, first, last + 1) for kind, first, last in get_entities(list(path))]
        assert list(entity_spans(path)) == expected, path
