"""Corpora and prepared data sets that a test holds in its hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_rnn.config import TokenizerParameters, VocabularyParameters
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.example import SPLITS, Example, Kind
from nlp_rnn.text.prepared import PreparedDataset, prepare


class ListCorpus(Corpus):
    """A corpus held in memory: the same examples in every split, or its own for each."""

    def __init__(self, kind: Kind, **splits: list[Example]) -> None:
        self.name = "list"
        self.kind = kind
        self.examples = splits

    def splits(self) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if split in self.examples)

    def read(self, split: str) -> Iterator[Example]:
        return iter(self.examples[split])

    def origin(self, split: str) -> str:
        return f"memory:{split}"

    def provenance(self) -> dict[str, Any]:
        return {"source": "memory", "files": {}, "licence": "none", "citation": "none"}


def prepared(
    folder: Path, corpus: Corpus, unit: str = "whitespace", **vocabulary: Any
) -> PreparedDataset:
    """Prepare ``corpus`` in ``folder`` and open it."""
    tokenizer = TokenizerParameters(unit=unit, lowercase=False)  # type: ignore[arg-type]
    prepare("list", corpus, tokenizer, VocabularyParameters(**vocabulary), folder)
    return PreparedDataset(folder)


def same_everywhere(kind: Kind, examples: list[Example]) -> ListCorpus:
    """A corpus whose splits are all ``examples``: enough where nothing is judged."""
    return ListCorpus(kind, train=examples, validation=examples, test=examples)
