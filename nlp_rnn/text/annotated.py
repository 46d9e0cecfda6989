"""Texts with entities as spans of characters, as tagged sentences of the tokenizer's words.

A span is of whole words if it cuts none; white space at its ends does not matter. Others, those in
several parts and those that overlap cannot be written as tags: a policy says what happens to them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from nlp_rnn.config import AnyDataset, FilesDataset
from nlp_rnn.corpora.annotations import AnnotatedText, Span
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.files import FilesCorpus
from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.example import Example
from nlp_rnn.text.tokenizers import make_tokenizer

Policy = Literal["error", "widen", "drop"]

WordSpan = tuple[int, int, str]
"""The first word of an entity, one past its last word, its type."""

COUNTED = ("spans", "discontinuous", "misaligned", "overlapping", "repeated", "dropped")
"""What is counted: all spans; those in several parts; those that cut a word or have none; those
that overlap a longer one; those that stand there twice; and those of all these that are left
out."""


def said_of_spans(counts: Mapping[str, int]) -> str:
    """How many spans there are, and which of them tags cannot express.

    >>> said_of_spans({"spans": 9, "misaligned": 2, "overlapping": 0, "dropped": 1})
    '9 spans of characters (2 misaligned; 1 left out)'
    """
    kinds = [kind for kind in COUNTED[1:-1] if counts.get(kind)]
    special = ", ".join(f"{counts[kind]:,} {kind}" for kind in kinds)
    found = f"{counts['spans']:,} spans of characters"
    return found + (f" ({special}; {counts['dropped']:,} left out)" if special else "")


class SpanTagger:
    """Writes the spans of texts as BIO tags of their words.

    Args:
        cut: maps a text to its words with their places, as a tokenizer does.
        policy: what happens to a span that tags cannot express (see ``spans`` of
            :class:`~nlp_rnn.config.FilesDataset`).

    Attributes:
        counts: how many spans of the texts so far were of each kind of :data:`COUNTED`.
    """

    def __init__(
        self, cut: Callable[[str], Sequence[tuple[str, int, int]]], policy: Policy
    ) -> None:
        self._cut = cut
        self._policy = policy
        self.counts: Counter[str] = Counter()

    def example(self, annotated: AnnotatedText) -> Example:
        """A text as a tagged sentence.

        Raises:
            UserError: the policy is ``error``, and tags cannot express a span.
        """
        text = annotated.text
        words = [(start, end) for _, start, end in self._cut(text)]
        tags = ["O"] * len(words)
        for first, last, type_ in self._kept(annotated, words):
            tags[first:last] = [f"B-{type_}", *[f"I-{type_}"] * (last - first - 1)]
        return Example(
            tokens=tuple(text[start:end] for start, end in words),
            tags=tuple(tags),
            space_after=tuple(text[end : end + 1].isspace() for _, end in words),
        )

    def _kept(
        self, annotated: AnnotatedText, words: Sequence[tuple[int, int]]
    ) -> Iterator[WordSpan]:
        """The words of the spans that are kept, the longest first."""
        found = [
            (place, span)
            for span in annotated.spans
            if (place := self._words_of(annotated, span, words)) is not None
        ]
        found.sort(key=lambda each: (each[0][0] - each[0][1], each[0][0]))
        taken: list[WordSpan] = []
        for place, span in found:
            if place in taken:
                self.counts["repeated"] += 1
                self.counts["dropped"] += 1
            elif any(place[0] < end and start < place[1] for start, end, _ in taken):
                self._refuse(annotated, span, "overlapping", "overlaps a longer one")
                self.counts["dropped"] += 1
            else:
                taken.append(place)
        return iter(taken)

    def _words_of(
        self, annotated: AnnotatedText, span: Span, words: Sequence[tuple[int, int]]
    ) -> WordSpan | None:
        """The words that a span touches; None if it is left out."""
        self.counts["spans"] += 1
        first = bisect_right(words, span.start, key=lambda word: word[1])
        last = bisect_left(words, span.end, key=lambda word: word[0])
        if span.pieces:
            self._refuse(annotated, span, "discontinuous", "is in several parts")
        elif last <= first:
            self._refuse(annotated, span, "misaligned", "has no word")
        elif words[first][0] < span.start or words[last - 1][1] > span.end:
            self._refuse(annotated, span, "misaligned", "cuts a word")
        else:
            return first, last, span.type
        if self._policy == "widen" and first < last:
            return first, last, span.type
        self.counts["dropped"] += 1
        return None

    def _refuse(self, annotated: AnnotatedText, span: Span, kind: str, fault: str) -> None:
        """Count a span that tags cannot express; raise UserError if the policy is ``error``."""
        self.counts[kind] += 1
        if self._policy != "error":
            return
        covered = annotated.text[span.start : span.end]
        raise SettingError(
            f"{annotated.where}: the span {covered[:40]!r} from {span.start} to {span.end} "
            f"({span.type}) {fault}; correct it, or set ",
            Setting("spans", "widen"),
            " (to whole words, the longest of those that overlap) or ",
            Setting("spans", "drop"),
        )


class AnnotatedCorpus(Corpus):
    """The tagged sentences of files with spans of characters.

    Args:
        corpus: the files.
        dataset: their parameters.
    """

    cut_by_tokenizer = True

    def __init__(self, corpus: FilesCorpus, dataset: FilesDataset) -> None:
        self.name = corpus.name
        self.kind = corpus.kind
        self._corpus = corpus
        self._cut = make_tokenizer(dataset.tokenizer).spans
        self._policy: Policy = dataset.spans

    def splits(self) -> tuple[str, ...]:
        return self._corpus.splits()

    def origin(self, split: str) -> str:
        return self._corpus.origin(split)

    def read(self, split: str) -> Iterator[Example]:
        tagger = SpanTagger(self._cut, self._policy)
        return self._not_empty(map(tagger.example, self._corpus.annotated(split)), split)

    def provenance(self) -> dict[str, Any]:
        return self._corpus.provenance()

    def findings(self) -> dict[str, Any]:
        spans = {split: self._counted(split) for split in self.splits()}
        return {"entities": True, "scheme": "BIO", "spans": spans}

    def _counted(self, split: str) -> dict[str, int]:
        tagger = SpanTagger(self._cut, self._policy)
        for annotated in self._corpus.annotated(split):
            tagger.example(annotated)
        return {name: tagger.counts[name] for name in COUNTED}


def with_tags(corpus: Corpus, dataset: AnyDataset) -> Corpus:
    """The corpus of a data set, with tags where its files have spans of characters."""
    if isinstance(dataset, FilesDataset) and dataset.cut_by_tokenizer:
        assert isinstance(corpus, FilesCorpus)
        return AnnotatedCorpus(corpus, dataset)
    return corpus
