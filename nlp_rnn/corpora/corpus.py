"""The interface of every source of examples: its splits, their examples and their origin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from nlp_rnn.errors import UserError
from nlp_rnn.example import Example, Kind


class Corpus(ABC):
    """A source of examples in up to three splits.

    Attributes:
        name: the name of the data set in ``params.yaml``, for messages.
        kind: the kind of its examples, which decides what fields they have.
        continuous: whether each example continues the one before, like the lines of one text.
        cut_by_tokenizer: whether the words of tagged sentences are those of the tokenizer.
        documents: whether its sentences were cut from documents, each of which stays in one split.
    """

    name: str
    kind: Kind
    cut_by_tokenizer: bool = False
    documents: bool = False

    @property
    def continuous(self) -> bool:
        return self.kind == "text"

    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Which of ``train``, ``validation`` and ``test`` the source itself has, in that order."""

    @abstractmethod
    def read(self, split: str) -> Iterator[Example]:
        """Stream the examples of one split, in an order that never changes.

        Each call starts at the first example again. However long the source, memory holds only one
        example (for Parquet, one batch of rows) at a time.

        Raises:
            UserError: while iterating, at the first fault of the source, or at its end if it has no
                examples.
        """

    @abstractmethod
    def origin(self, split: str) -> str:
        """Where the examples of ``split`` come from, for messages: usually a file."""

    @abstractmethod
    def provenance(self) -> dict[str, Any]:
        """For the data card: ``source``, ``files``, ``licence`` and ``citation``.

        ``files`` maps each path to its ``sha256`` and ``bytes``. Of a small file that is streamed
        from the Hugging Face hub, Git's hash (``git_blob``) stands for the first.
        """

    def findings(self) -> dict[str, Any]:
        """For the data card: facts that only the source knows.

        A tagged source gives ``entities``, whether its tags mark entities (as BIO, once read) or
        are classes of words, and ``scheme``, how its files mark them (None for classes). This may
        read the whole source.
        """
        return {}

    def _not_empty(self, examples: Iterable[Example], split: str) -> Iterator[Example]:
        """Pass ``examples`` on, and raise UserError at their end if there were none."""
        empty = True
        for example in examples:
            empty = False
            yield example
        if empty:
            raise UserError(self._no_example(split))

    def _no_example(self, split: str) -> str:
        return (
            f"{self.origin(split)}: has no examples; split {split} of data set "
            f"'{self.name}' needs at least one"
        )


class DerivedCorpus(Corpus):
    """A corpus made from another, and like it in all that a subclass does not change.

    Args:
        corpus: the other.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.name = corpus.name
        self.kind = corpus.kind
        self.cut_by_tokenizer = corpus.cut_by_tokenizer
        self.documents = corpus.documents
        self._corpus = corpus

    @property
    def continuous(self) -> bool:
        return self._corpus.continuous

    def splits(self) -> tuple[str, ...]:
        return self._corpus.splits()

    def read(self, split: str) -> Iterator[Example]:
        return self._corpus.read(split)

    def origin(self, split: str) -> str:
        return self._corpus.origin(split)

    def provenance(self) -> dict[str, Any]:
        return self._corpus.provenance()

    def findings(self) -> dict[str, Any]:
        return self._corpus.findings()
