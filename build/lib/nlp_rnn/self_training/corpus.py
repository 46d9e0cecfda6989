"""Labelled examples, followed by texts that classifiers labelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.example import SPLITS, Example

if TYPE_CHECKING:
    from nlp_rnn.text.prepared import PreparedDataset


class PseudoLabelledCorpus(Corpus):
    """The splits of a labelled data set, with pseudo-labelled texts added to the training split.

    Args:
        name: the name of the data set.
        labelled: the prepared labelled data set.
        unlabelled: a prepared data set of running text.
        labels: one label for each example of its training split; None skips the text.
        origin: where the labels come from, for the data card.
    """

    kind = "labelled"

    def __init__(
        self,
        name: str,
        labelled: PreparedDataset,
        unlabelled: PreparedDataset,
        labels: Sequence[str | None],
        origin: Mapping[str, Any],
    ) -> None:
        self.name = name
        self._labelled = labelled
        self._unlabelled = unlabelled
        self._labels = labels
        self._origin = origin

    def splits(self) -> tuple[str, ...]:
        return SPLITS

    def origin(self, split: str) -> str:
        return str(self._labelled.folder)

    def read(self, split: str) -> Iterator[Example]:
        for record in self._labelled.split(split).records():
            yield Example(text=record["text"], label=record["label"])
        if split == "train":
            texts = self._unlabelled.split("train").records()
            for record, label in zip(texts, self._labels, strict=True):
                if label is not None:
                    yield Example(text=record["text"], label=label)

    def provenance(self) -> dict[str, Any]:
        card = self._labelled.card
        return {
            "source": "pseudo-labels",
            **self._origin,
            **{key: card[key] for key in ("reading",) if key in card},
            "files": card["files"] | self._unlabelled.card["files"],
            "licence": card["licence"],
            "citation": card["citation"],
        }
