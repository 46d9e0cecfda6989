"""Texts with entities as spans of characters, as tagged sentences of the tokenizer's words.

A span is of whole words if it cuts none; white space at its ends does not matter. Others, those in
several parts and those that overlap cannot be written as tags: a policy says what happens to them.

A text may be a document, which is cut into sentences. No entity is cut with it: sentences that an
entity crosses are joined.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

from nlp_rnn.config import AnyDataset, FilesDataset
from nlp_rnn.corpora.annotations import AnnotatedText, Span, touched
from nlp_rnn.corpora.corpus import Corpus, DerivedCorpus
from nlp_rnn.corpora.duplicates import hash_of
from nlp_rnn.corpora.files import FilesCorpus
from nlp_rnn.corpora.settings import Setting, SettingError
from nlp_rnn.example import Example
from nlp_rnn.text.documents import Place, Splitter, sentence_splitter
from nlp_rnn.text.tokenizers import make_tokenizer

Policy = Literal["error", "widen", "drop"]

WordSpan = tuple[int, int, str]
"""The first word of an entity, one past its last word, its type."""

COUNTED = ("spans", "discontinuous", "misaligned", "overlapping", "repeated", "dropped")
"""What is counted: all spans; those in several parts; those that cut a word or have none; those
that overlap a longer one; those that stand there twice; and those of all these that are left
out."""

OF_DOCUMENTS = ("documents", "sentences", "joined")
"""What is counted of documents: all of them; their sentences; and how often two sentences were
joined, because an entity crosses their border."""


def said_of_spans(counts: Mapping[str, int]) -> str:
    """How many spans there are, and which of them tags cannot express.

    >>> said_of_spans({"spans": 9, "misaligned": 2, "overlapping": 0, "dropped": 1})
    '9 spans of characters (2 misaligned; 1 left out)'
    """
    kinds = [kind for kind in COUNTED[1:-1] if counts.get(kind)]
    special = ", ".join(f"{counts[kind]:,} {kind}" for kind in kinds)
    found = f"{counts['spans']:,} spans of characters"
    return found + (f" ({special}; {counts['dropped']:,} left out)" if special else "")


def said_of_documents(counts: Mapping[str, int]) -> str:
    """How many sentences documents have, and how many of them were joined.

    >>> said_of_documents({"documents": 2, "sentences": 31, "joined": 1})
    '2 documents cut into 31 sentences (1 border removed, which an entity crosses)'
    """
    found = f"{counts['documents']:,} documents cut into {counts['sentences']:,} sentences"
    joined = counts["joined"]
    borders = f"{joined:,} border{'s' * (joined != 1)} removed, which an entity crosses"
    return found + (f" ({borders})" if joined else "")


def summed(of_splits: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> dict[str, int]:
    """The counts of all splits together; empty if nothing was counted.

    >>> summed({"train": {"spans": 2}, "test": {"spans": 1}}, ["spans"])
    {'spans': 3}
    """
    return {name: sum(of[name] for of in of_splits.values()) for name in names if of_splits}


class SpanTagger:
    """Writes the spans of texts as BIO tags of their words.

    Args:
        cut: maps a text to its words with their places, as a tokenizer does.
        policy: what happens to a span that tags cannot express (see ``spans`` of
            :class:`~nlp_rnn.config.FilesDataset`).
        split: what cuts documents into sentences; None takes each text as one sentence.

    Attributes:
        counts: how many spans of the texts so far were of each kind of :data:`COUNTED`, and what
            :data:`OF_DOCUMENTS` counts.
    """

    def __init__(
        self,
        cut: Callable[[str], Sequence[tuple[str, int, int]]],
        policy: Policy,
        split: Splitter | None = None,
    ) -> None:
        self._cut = cut
        self._policy = policy
        self._split = split
        self.counts: Counter[str] = Counter()

    def examples(self, annotated: AnnotatedText) -> Iterator[Example]:
        """The tagged sentences of a text: itself, or those of a document; see :meth:`example`."""
        if self._split is None:
            yield self.example(annotated)
        else:
            yield from self._sentences(annotated, self._split(annotated.text))

    def _sentences(self, annotated: AnnotatedText, places: Sequence[Place]) -> Iterator[Example]:
        """The sentences of a document that have words, joined where an entity crosses a border."""
        text = annotated.text
        of_places = [self._words(text, *place) for place in places]
        words = [*chain.from_iterable(of_places)]
        tags = self._tags(annotated, words)
        document = hash_of(text)
        self.counts["documents"] += 1
        first = last = 0
        for of_place in filter(None, of_places):
            last += len(of_place)
            if tags[last : last + 1] and tags[last].startswith("I-"):
                self.counts["joined"] += 1
                continue
            yield _example(text, words[first:last], tags[first:last], document)
            self.counts["sentences"] += 1
            first = last

    def _words(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        """The places of the words of a sentence in its text."""
        return [(start + first, start + last) for _, first, last in self._cut(text[start:end])]

    def example(self, annotated: AnnotatedText) -> Example:
        """A text as a tagged sentence.

        Raises:
            UserError: the policy is ``error``, and tags cannot express a span.
        """
        words = self._words(annotated.text, 0, len(annotated.text))
        return _example(annotated.text, words, self._tags(annotated, words))

    def _tags(self, annotated: AnnotatedText, words: Sequence[tuple[int, int]]) -> list[str]:
        """The tag of each word."""
        tags = ["O"] * len(words)
        for first, last, type_ in self._kept(annotated, words):
            tags[first:last] = [f"B-{type_}", *[f"I-{type_}"] * (last - first - 1)]
        return tags

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
        first, last = touched(words, span.start, span.end)
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


def _example(
    text: str, words: Sequence[tuple[int, int]], tags: Sequence[str], document: int | None = None
) -> Example:
    return Example(
        tokens=tuple(text[start:end] for start, end in words),
        tags=tuple(tags),
        space_after=tuple(text[end : end + 1].isspace() for _, end in words),
        document=document,
    )


class AnnotatedCorpus(DerivedCorpus):
    """The tagged sentences of files with spans of characters.

    Args:
        corpus: the files.
        dataset: their parameters.
    """

    def __init__(self, corpus: FilesCorpus, dataset: FilesDataset) -> None:
        super().__init__(corpus)
        self.cut_by_tokenizer = True
        self._files = corpus
        self.documents = dataset.unit == "document"
        self._language = dataset.language
        self._cut = make_tokenizer(dataset.tokenizer).spans
        self._policy: Policy = dataset.spans
        self._split = sentence_splitter(dataset.language) if self.documents else None

    def read(self, split: str) -> Iterator[Example]:
        of_texts = map(self._tagger().examples, self._files.annotated(split))
        return self._not_empty(chain.from_iterable(of_texts), split)

    def _tagger(self) -> SpanTagger:
        return SpanTagger(self._cut, self._policy, self._split)

    def findings(self) -> dict[str, Any]:
        counts = {split: self._counted(split) for split in self.splits()}
        found = {"entities": True, "scheme": "BIO", "spans": _chosen(counts, COUNTED)}
        if self.documents:
            found["documents"] = {
                "language": self._language,
                "splits": _chosen(counts, OF_DOCUMENTS),
            }
        return found

    def _counted(self, split: str) -> Counter[str]:
        tagger = self._tagger()
        for annotated in self._files.annotated(split):
            deque(tagger.examples(annotated), maxlen=0)
        return tagger.counts


def _chosen(
    counts: Mapping[str, Mapping[str, int]], names: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Some of the counts of each split."""
    return {split: {name: of[name] for name in names} for split, of in counts.items()}


def with_tags(corpus: Corpus, dataset: AnyDataset) -> Corpus:
    """The corpus of a data set, with tags where its files have spans of characters."""
    if isinstance(dataset, FilesDataset) and dataset.cut_by_tokenizer:
        assert isinstance(corpus, FilesCorpus)
        return AnnotatedCorpus(corpus, dataset)
    return corpus
