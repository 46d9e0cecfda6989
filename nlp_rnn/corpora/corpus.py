"""What every source of examples can do: name its splits, stream one, say where it is from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from nlp_rnn.errors import UserError
from nlp_rnn.example import Example, Kind


class Corpus(ABC):
    """A source of examples in up to three splits.

    Attributes:
        name: what the data set is called in ``params.yaml``, for messages.
        kind: which fields its examples have.
        continuous: whether each example continues the one before, as lines of one text do.
    """

    name: str
    kind: Kind

    @property
    def continuous(self) -> bool:
        return self.kind == "text"

    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Which of ``train``, ``validation`` and ``test`` the source itself has, in that order."""

    @abstractmethod
    def read(self, split: str) -> Iterator[Example]:
        """Stream the examples of one split, in an order that never changes.

        Each call starts at the first example again. Memory holds one example (of Parquet: one
        batch of rows) at a time, however long the source.

        Raises:
            UserError: while iterating, at the first fault of the source, or at its end where
                it held no example at all.
        """

    @abstractmethod
    def origin(self, split: str) -> str:
        """Where the examples of ``split`` come from, as a message names it: a file, mostly."""

    @abstractmethod
    def provenance(self) -> dict[str, Any]:
        """For the data card: ``source``, ``files``, ``licence`` and ``citation``.

        ``files`` maps each path to its ``sha256`` and ``bytes``. Of a small file that is streamed
        from the Hugging Face hub, Git's hash (``git_blob``) stands for the first.
        """

    def findings(self) -> dict[str, Any]:
        """For the data card: what its readers must know and only the source can tell.

        A tagged source says ``entities``, whether its tags mark entities (as BIO, once read) or
        are classes of words, and ``scheme``, how its files mark them (None for classes). This may
        read all of the source.
        """
        return {}

    def _not_empty(self, examples: Iterable[Example], split: str) -> Iterator[Example]:
        """``examples``, and an error at their end where there were none."""
        empty = True
        for example in examples:
            empty = False
            yield example
        if empty:
            raise UserError(self._no_example(split))

    def _no_example(self, split: str) -> str:
        return (
            f"{self.origin(split)}: no example in it; split {split} of data set "
            f"'{self.name}' needs at least one"
        )
