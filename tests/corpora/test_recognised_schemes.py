"""Schemes of entity tags: spans to tags to spans, recognition, and scores against references."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval import scheme as seqeval_schemes
from seqeval.metrics import f1_score

from nlp_rnn.config import FilesDataset
from nlp_rnn.corpora import open_corpus
from nlp_rnn.corpora.schemes import ROLES, SCHEMES, Scheme, TagSurvey, obeys, to_bio
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.metrics import entity_metrics
from nlp_rnn.text.entities import entity_spans

Span = tuple[str, int, int]

steady = settings(deadline=None, max_examples=60, derandomize=True)

TYPES = ("PER", "a-b")


@st.composite
def spans_of_a_sentence(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Entities that do not overlap, in order, and the number of words."""
    found, words = [], 0
    for _ in range(draw(st.integers(0, 4))):
        start = words + draw(st.integers(0, 2))
        words = start + draw(st.integers(1, 3))
        found.append((draw(st.sampled_from(TYPES)), start, words))
    return found, words + draw(st.integers(0, 2))


def written(spans: Sequence[Span], words: int, scheme: Scheme) -> list[str]:
    """The tags that write entities in a scheme, by its definition."""
    letter = {role: prefix for prefix, role in ROLES[scheme].items()}
    tags = ["O"] * words
    for kind, start, end in spans:
        for i in range(start, end):
            role = "I"
            if "S" in letter and end - start == 1:
                role = "S"
            elif i == start:
                role = "B"
            elif "E" in letter and i == end - 1:
                role = "E"
            tags[i] = f"{letter[role]}-{kind}"
        touches = start > 0 and tags[start - 1][1:] == tags[start][1:]
        if scheme == "IOB1" and not touches:
            tags[start] = f"I-{kind}"
    return tags


def survey(sentences: Iterable[Sequence[str]]) -> Scheme | None:
    found = TagSurvey()
    for number, tags in enumerate(sentences, 1):
        found.add(tags, lambda i, number=number: f"file, {number}.{i}")
    return found.scheme()


@steady
@given(spans_of_a_sentence(), st.sampled_from(SCHEMES))
def test_spans_to_tags_to_spans(sentence: tuple[list[Span], int], scheme: Scheme) -> None:
    spans, words = sentence
    tags = written(spans, words, scheme)
    assert list(entity_spans(to_bio(tags, scheme))) == spans
    assert to_bio(tags, scheme) == tuple(written(spans, words, "BIO"))
    if scheme in ("BIO", "IOB1", "BIOES"):  # that it reads without a scheme
        assert list(entity_spans(tags)) == spans


@steady
@given(st.lists(spans_of_a_sentence(), min_size=1), st.sampled_from(SCHEMES))
def test_a_scheme_is_recognised_in_what_it_writes(
    sentences: list[tuple[list[Span], int]], scheme: Scheme
) -> None:
    long = ([("PER", 0, 3), ("PER", 3, 4)], 5)  # has every prefix of every scheme
    tags = [written(spans, words, scheme) for spans, words in [*sentences, long]]
    assert survey(tags) == scheme
    assert all(
        obeys(*pair, scheme)
        for each in tags
        for pair in zip(["O", *each], [*each, "O"], strict=True)
    )


@steady
@given(st.lists(spans_of_a_sentence(), min_size=1), st.sampled_from(SCHEMES))
def test_what_is_recognised_is_read_as_what_was_written(
    sentences: list[tuple[list[Span], int]], scheme: Scheme
) -> None:
    """Where a few sentences fit several schemes, all of them read the same entities."""
    tags = [[*written(spans, words, scheme), "O"] for spans, words in sentences]
    if not any(spans for spans, _ in sentences):
        assert survey(tags) is None
        return
    found = survey(tags)
    assert found is not None
    for each, (spans, _) in zip(tags, sentences, strict=True):
        assert list(entity_spans(to_bio(each, found))) == spans


# --- what is no scheme --------------------------------------------------------------------


@pytest.mark.parametrize(
    "sentences",
    [
        ["DET NOUN", "B-movie NOUN VERB"],
        ["A B B- C"],
        ["B M E S"],
        ["NN-TL FW-IN O"],
        ["O O O"],
        ["B- I- O"],
    ],
)
def test_classes_of_words_are_no_entities(sentences: list[str]) -> None:
    assert survey(each.split() for each in sentences) is None


@pytest.mark.parametrize(
    ("sentences", "parts"),
    [
        (["B-X O", "O I-X"], ["file, 2.1", "scheme: BIO", "scheme: IOB1", "scheme: null"]),
        (["B-X E-X O", "B-X O"], ["file, 2.1", "scheme: BIOES", "scheme: null"]),
        (["B-X I-X PERSON O"], ["file, 1.2", "'PERSON'", "scheme: null"]),
        (["B-X L-X O", "S-X"], ["file, 2.0", "B, L, S", "BILOU (B I L U)", "scheme: null"]),
        (["B-X B-Y"], ["file, 1.0", "scheme: BIO", "scheme: null"]),
        (["B_X I_X O"], ["file, 1.0", "'B_X'", "B-TYPE", "scheme: null"]),
        (["X-B X-I O"], ["file, 1.0", "'X-B'", "B-TYPE", "scheme: null"]),
    ],
)
def test_tags_that_fit_no_scheme_name_place_and_parameter(
    sentences: list[str], parts: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        survey(each.split() for each in sentences)
    assert all(part in str(caught.value) for part in parts), caught.value
    assert "\n" not in str(caught.value)


# --- what reading a file says ------------------------------------------------------------


def corpus(folder: Path, files: dict[str, str], **parameters: object):  # type: ignore[no-untyped-def]
    for name, content in files.items():
        (folder / name).write_text(content)
    section = {"source": "files", "format": "conll", **{name: name for name in files}}
    return open_corpus("mine", FilesDataset.model_validate(section | parameters), folder)


def test_all_splits_decide_not_a_sentence(tmp_path: Path) -> None:
    files = {"train": "a\tI-X\nb\tO\n", "test": "a\tI-X\nb\tB-X\nc\tO\n"}
    found = corpus(tmp_path, files)
    assert found.findings()["scheme"] == "IOB1"
    assert [example.tags for example in found.read("test")] == [("B-X", "B-X", "O")]
    ambiguous = files | {"validation": "x\tO\nb\tB-X\n"}
    with pytest.raises(UserError, match=r"validation, line 2.*scheme: IOB1"):
        corpus(tmp_path, ambiguous).findings()
    # The advice, followed literally.
    assert list(corpus(tmp_path, ambiguous, scheme="IOB1").read("train"))
    classes = corpus(tmp_path, ambiguous, scheme=None)
    assert classes.findings()["entities"] is False
    assert next(classes.read("train")).tags == ("I-X", "O")


def test_what_the_parameters_say_is_kept(tmp_path: Path) -> None:
    files = {"train": "a\tB-X\nb\tO\n"}
    said = corpus(tmp_path, files, scheme="BIOES").findings()
    assert (said["entities"], said["scheme"], said["scheme_recognised"]) == (True, "BIOES", False)
    recognised = corpus(tmp_path, files).findings()
    assert (recognised["scheme"], recognised["scheme_recognised"]) == ("BIO", True)


# --- scores ------------------------------------------------------------------------------


def begins(before: str, tag: str) -> bool:
    """Whether a chunk begins at ``tag``: at ``B``, at a change of type, or after ``O``."""
    return tag != "O" and (tag[0] == "B" or before == "O" or before[2:] != tag[2:])


def ends(tag: str, after: str) -> bool:
    """Whether a chunk ends with ``tag``: before ``O``, ``B`` or a change of type."""
    return tag != "O" and (after == "O" or after[0] == "B" or tag[2:] != after[2:])


def conlleval(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """F1 in the way of the script conlleval: chunks are counted tag by tag, never collected.

    Source: Tjong Kim Sang & Buchholz (2000), whose script marks the ends of sentences by ``O``.
    """
    right = found = wanted = 0
    for sides in zip(gold, predicted, strict=True):
        open_in_both, last = False, ("O", "O")
        for now in [*zip(*sides, strict=True), ("O", "O")]:
            ended = [ends(*step) for step in zip(last, now, strict=True)]
            begun = [begins(*step) for step in zip(last, now, strict=True)]
            right += open_in_both and all(ended)
            open_in_both = open_in_both and not any(ended)
            open_in_both = open_in_both or (all(begun) and now[0][2:] == now[1][2:])
            wanted, found, last = wanted + begun[0], found + begun[1], now
    return 2 * right / (wanted + found) if wanted + found else 0.0


@st.composite
def gold_and_predicted(draw: st.DrawFn) -> tuple[list[list[Span]], list[list[Span]], list[int]]:
    """Entities of sentences, others that begin with two of them, and the numbers of words."""
    gold, predicted, lengths = [], [], []
    for _ in range(draw(st.integers(1, 4))):
        spans, words = draw(spans_of_a_sentence())
        others, other_words = draw(spans_of_a_sentence())
        kept = spans[:2]
        end = kept[-1][2] if kept else 0
        gold.append(spans)
        predicted.append([*kept, *(span for span in others if span[1] >= end)])
        lengths.append(max(words, other_words))
    return gold, predicted, lengths


STRICT = {
    "BIO": seqeval_schemes.IOB2,
    "IOB1": seqeval_schemes.IOB1,
    "BIOES": seqeval_schemes.IOBES,
    "BILOU": seqeval_schemes.BILOU,
}


@pytest.mark.slow
@steady
@given(gold_and_predicted(), st.sampled_from(SCHEMES))
def test_scores_are_those_of_conlleval_and_seqeval(
    sides: tuple[list[list[Span]], list[list[Span]], list[int]], scheme: Scheme
) -> None:
    *of_spans, lengths = sides
    gold, predicted = (
        [written(spans, words, scheme) for spans, words in zip(side, lengths, strict=True)]
        for side in of_spans
    )
    read_gold, read_predicted = ([list(to_bio(t, scheme)) for t in s] for s in (gold, predicted))
    found = entity_metrics(read_gold, read_predicted)
    assert found["f1"] == pytest.approx(conlleval(read_gold, read_predicted))
    assert found["strict"]["f1"] == pytest.approx(found["f1"])
    right = sum(len(set(g) & set(p)) for g, p in zip(*of_spans, strict=True))
    total = sum(len(spans) for side in of_spans for spans in side)
    assert found["f1"] == pytest.approx(2 * right / total if total else 0)
    if scheme in STRICT and total:
        reference = f1_score(gold, predicted, mode="strict", scheme=STRICT[scheme], zero_division=0)
        assert found["f1"] == pytest.approx(reference)
    if scheme in ("BIO", "IOB1", "BIOES") and total:
        assert found["f1"] == pytest.approx(f1_score(gold, predicted, zero_division=0))


@steady
@given(st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), min_size=2, max_size=12))
def test_tags_that_break_the_scheme_are_scored_as_conlleval_does(tags: list[str]) -> None:
    gold, predicted = [tags[::2]], [tags[1::2][: len(tags[::2])]]
    gold = [gold[0][: len(predicted[0])]]
    assert entity_metrics(gold, predicted)["f1"] == pytest.approx(conlleval(gold, predicted))
    bio = [list(to_bio(side, "BIO")) for side in (gold[0], predicted[0])]
    assert conlleval([bio[0]], [bio[1]]) == pytest.approx(conlleval(gold, predicted))


@pytest.mark.parametrize(
    ("gold", "predicted"), [("O O", "O O"), ("O O", "B-X O"), ("B-X O", "O O")]
)
def test_no_entities_score_zero_without_a_warning(gold: str, predicted: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = entity_metrics([gold.split()], [predicted.split()])
    assert found["f1"] == found["precision"] == found["recall"] == found["strict"]["f1"] == 0
