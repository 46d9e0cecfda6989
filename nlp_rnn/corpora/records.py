"""What the libraries of data sets have in common: each example is a record of named values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.corpora.schemes import TagSurvey, kept_tags, words_of
from nlp_rnn.errors import UserError
from nlp_rnn.example import SPLITS, Example, Scheme

if TYPE_CHECKING:
    from nlp_rnn.config import HuggingFaceDataset, TfdsDataset


class RecordCorpus(Corpus):
    """A corpus whose splits a library knows by names of its own.

    Args:
        name: what the data set is called in ``params.yaml``.
        dataset: its parameters.
        known_as: the library and its name of the data set, for messages.

    Raises:
        UserError: two splits have the same name there, or its kind is not read from there.
    """

    def __init__(self, name: str, dataset: TfdsDataset | HuggingFaceDataset, known_as: str) -> None:
        self.name = name
        self.kind = dataset.kind
        if self.kind in ("pairs", "roles", "joint"):
            raise UserError(
                f"data set '{name}': kind: {self.kind} is read from source: files, not from "
                f"{known_as}; set kind to labelled, tagged or text"
            )
        self._scheme_given = dataset.scheme
        self._known_as = known_as
        self._names_there: dict[str, str] = {
            split: there for split in SPLITS if (there := getattr(dataset, split)) is not None
        }
        for first, second in combinations(self._names_there, 2):
            if self._names_there[first] == self._names_there[second]:
                raise self._shared(first, second)

    def splits(self) -> tuple[str, ...]:
        return tuple(self._names_there)

    def read(self, split: str) -> Iterator[Example]:
        examples = (
            example
            for record, where in self._located(split)
            for example in self._examples(record, where)
        )
        return self._not_empty(examples, split)

    def findings(self) -> dict[str, Any]:
        if self.kind != "tagged":
            return {}
        return {
            "entities": self._scheme is not None,
            "scheme": self._scheme,
            "scheme_recognised": self._scheme_given == "auto",
        }

    @abstractmethod
    def _records(self, split: str) -> Iterable[Mapping[str, Any]]:
        """The records of a split, in an order that never changes."""

    @abstractmethod
    def _labelled(self, record: Mapping[str, Any], where: str) -> Example:
        """The text and label of a record."""

    @abstractmethod
    def _words_and_tags(self, record: Mapping[str, Any], where: str) -> tuple[list[str], list[str]]:
        """The words of a record and their tags as it has them, equally many."""

    @abstractmethod
    def _text(self, record: Mapping[str, Any], where: str) -> str:
        """The running text of a record."""

    def _located(self, split: str) -> Iterator[tuple[Mapping[str, Any], str]]:
        """The records of a split, each with its place, for messages."""
        origin = self.origin(split)
        for number, record in enumerate(self._records(split), 1):
            yield record, f"{origin}, example {number}"

    def _examples(self, record: Mapping[str, Any], where: str) -> Iterator[Example]:
        if self.kind == "labelled":
            yield self._labelled(record, where)
        elif self.kind == "tagged":
            yield from self._tagged(record, where)
        else:
            # A record may hold a whole split, as that of tiny_shakespeare does, or one line.
            for line in self._text(record, where).removesuffix("\n").split("\n"):
                yield Example(text=line.removesuffix("\r"))

    def _tagged(self, record: Mapping[str, Any], where: str) -> Iterator[Example]:
        """One sentence, or none where the library has an empty one, as builders of CoNLL do."""
        words, tags = self._words_and_tags(record, where)
        if words:
            kept = kept_tags(tags, self._scheme, words_of(where))
            yield Example(tokens=tuple(words), tags=kept)

    @cached_property
    def _scheme(self) -> Scheme | None:
        """How tags mark entities; unless the parameters say it, all splits are read for it."""
        if self._scheme_given != "auto":
            return self._scheme_given
        survey = TagSurvey()
        for split in self.splits():
            for record, where in self._located(split):
                _, tags = self._words_and_tags(record, where)
                survey.add(tags, words_of(where))
        return survey.scheme()

    def _shared(self, first: str, second: str) -> UserError:
        return UserError(
            f"data set '{self.name}': {first} '{self._names_there[first]}' and {second} "
            f"'{self._names_there[second]}' of {self._known_as} share examples; give "
            f"{second} examples of its own, or leave {second} out to take a share of train"
        )


def given(written: str, known: str) -> str:
    """What the user wrote about a data set, else what is known of it."""
    return known if written == "not stated" else written
