"""Which tags may follow which."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from nlp_rnn.corpora.schemes import to_bio
from nlp_rnn.text.entities import allowed_transitions, entity_spans, is_entity_scheme

BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
BIOES = [*BIO, "E-PER", "S-PER", "E-LOC", "S-LOC"]


def is_allowed(path: tuple[str, ...], tags: list[str]) -> bool:
    start, between, end = allowed_transitions(tags)
    i = [tags.index(tag) for tag in path]
    return bool(start[i[0]] and end[i[-1]] and all(between[step] for step in pairwise(i)))


def bioes(spans: list[tuple[str, int, int]], length: int) -> tuple[str, ...]:
    """The tags that write the spans, by the scheme's definition."""
    path = ["O"] * length
    for kind, first, last in spans:
        path[first:last] = [f"I-{kind}"] * (last - first)
        path[first], path[last - 1] = f"B-{kind}", f"E-{kind}"
        if last - first == 1:
            path[first] = f"S-{kind}"
    return tuple(path)


def bio(spans: list[tuple[str, int, int]], length: int) -> tuple[str, ...]:
    path = ["O"] * length
    for kind, first, last in spans:
        path[first:last] = [f"B-{kind}"] + [f"I-{kind}"] * (last - first - 1)
    return tuple(path)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_bio_allows_just_the_sequences_that_write_entities(length: int) -> None:
    paths = set(product(BIO, repeat=length))
    written = {bio(list(entity_spans(path)), length) for path in paths}
    assert {path for path in paths if is_allowed(path, BIO)} == written


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_bioes_allows_just_the_sequences_that_write_entities(length: int) -> None:
    paths = set(product(BIOES, repeat=length))
    written = {bioes(list(entity_spans(to_bio(path, "BIOES"))), length) for path in paths}
    assert {path for path in paths if is_allowed(path, BIOES)} == written


def test_tags_that_mark_no_entities_may_follow_each_other_freely() -> None:
    tags = ["NOUN", "VERB", "I-", "E-"]
    assert not is_entity_scheme(tags)
    assert all(array.all() for array in allowed_transitions(tags))
