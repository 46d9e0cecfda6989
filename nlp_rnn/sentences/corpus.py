"""Consecutive sentences of documents, as the words whose vectors an encoder reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.text.documents import Splitter
from nlp_rnn.text.markup import with_line_breaks

Tokens = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class SentenceCorpus:
    """Sentences in the order of the text.

    Attributes:
        ids: int32 ``(tokens,)``, rows of word vectors.
        offsets: int64 ``(sentences + 1,)``; sentence ``i`` is ``ids[offsets[i]:offsets[i + 1]]``.
        documents: int32 ``(sentences,)``, the number of the document of each, which never falls.
    """

    ids: Ints
    offsets: Ints
    documents: Ints

    def __len__(self) -> int:
        """The number of sentences."""
        return len(self.documents)

    def sentence(self, i: int) -> Ints:
        """The words of a sentence, as rows of word vectors."""
        return self.ids[self.offsets[i] : self.offsets[i + 1]]

    def neighbour(self, i: int, distance: int) -> int | None:
        """The sentence that many places after ``i`` in the same document, if there is one."""
        j = i + distance
        inside = 0 <= j < len(self) and self.documents[i] == self.documents[j]
        return j if inside else None

    def in_order(self, rng: np.random.Generator | None = None) -> Ints:
        """All sentences, those of a document together and in their order.

        Args:
            rng: draws the order of documents; None leaves it.
        """
        if rng is None:
            return np.arange(len(self))
        starts = np.flatnonzero(np.diff(self.documents, prepend=-1))
        ends = np.append(starts[1:], len(self))
        order = rng.permutation(len(starts))
        return np.concatenate([np.arange(starts[i], ends[i]) for i in order])

    def renumbered(self, place: Ints) -> SentenceCorpus:
        """The same sentences, word ``i`` as ``place[i]``."""
        return replace(self, ids=place[self.ids].astype(np.int32))


def corpus_of(
    documents: Iterable[Iterable[str]], tokens: Tokens, vectors: WordVectors
) -> SentenceCorpus:
    """The sentences of documents that have a word with a vector.

    Args:
        documents: the sentences of each.
        tokens: the words of a sentence; those without a vector are left out.
    """
    rows: dict[str, int] = {}
    ids: list[int] = []
    lengths: list[int] = []
    numbers: list[int] = []
    for number, sentences in enumerate(documents):
        for sentence in sentences:
            before = len(ids)
            for word in tokens(sentence):
                if word not in rows:
                    found = vectors.find(word)
                    rows[word] = -1 if found is None else found[0]
                if (row := rows[word]) >= 0:
                    ids.append(row)
            if len(ids) > before:
                lengths.append(len(ids) - before)
                numbers.append(number)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    return SentenceCorpus(np.array(ids, np.int32), offsets, np.array(numbers, np.int32))


def documents_of(
    texts: Iterable[str], splitter: Splitter | None, html_breaks: bool
) -> Iterator[Iterable[str]]:
    """The sentences of each document.

    Args:
        splitter: None if each text is a sentence; all texts are then one document.
        html_breaks: whether ``<br />`` breaks a line.
    """
    if splitter is None:
        yield texts
        return
    for text in texts:
        document = with_line_breaks(text) if html_breaks else text
        yield [document[start:end] for start, end in splitter(document)]


def check_size(name: str, split: str, corpus: SentenceCorpus) -> None:
    """Raise UserError unless some sentence of a split has a neighbour."""
    if not (np.diff(corpus.documents) == 0).any():
        raise UserError(
            f"{name}: no sentence of the split {split} has another one beside it in its document; "
            "are the documents single sentences? Then set examples: sentences"
        )
