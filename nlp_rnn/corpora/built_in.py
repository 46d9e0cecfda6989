"""The corpora that the built-in grammar and the generators of pairs write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nlp_rnn.config import GrammarDataset, PairsDataset
from nlp_rnn.corpora.corpus import Corpus
from nlp_rnn.example import SPLITS, Example


class GrammarCorpus(Corpus):
    """The splits of a data set of ``source: grammar``, generated anew each time they are read."""

    def __init__(self, name: str, dataset: GrammarDataset) -> None:
        self.name = name
        self.kind = dataset.kind
        self._dataset = dataset

    def splits(self) -> tuple[str, ...]:
        return SPLITS

    def origin(self, split: str) -> str:
        return f"grammar '{self._dataset.corpus}', seed {self._dataset.seed}"

    def read(self, split: str) -> Iterator[Example]:
        # Imported here because the grammar builds its lexicon, for which other sources need not
        # wait.
        from nlp_rnn.corpora.grammar import generate

        size: int = getattr(self._dataset.sizes, split)
        return generate(self._dataset.corpus, size, self._dataset.seed, split)

    def provenance(self) -> dict[str, Any]:
        return {
            "source": f"grammar ({self._dataset.corpus})",
            "seed": self._dataset.seed,
            "sizes": self._dataset.sizes.model_dump(),
            "files": {},
            "licence": self._dataset.licence,
            "citation": self._dataset.citation,
        }

    def findings(self) -> dict[str, Any]:
        if self.kind != "tagged":
            return {}
        entities = self._dataset.corpus == "entities"
        return {"entities": entities, "scheme": "BIO" if entities else None}


BLOCK = 1024
"""The number of pairs drawn at a time."""


class PairsCorpus(Corpus):
    """The splits of a data set of ``source: pairs``, generated anew each time they are read."""

    def __init__(self, name: str, dataset: PairsDataset) -> None:
        from nlp_rnn.corpora.paired import make_problem

        self.name = name
        self.kind = dataset.kind
        self._dataset = dataset
        self._problem = make_problem(dataset)

    def splits(self) -> tuple[str, ...]:
        return SPLITS

    def origin(self, split: str) -> str:
        return f"pairs '{self._dataset.corpus}', seed {self._dataset.seed}"

    def read(self, split: str) -> Iterator[Example]:
        rng = np.random.default_rng([self._dataset.seed, SPLITS.index(split)])
        size: int = getattr(self._dataset.sizes, split)
        for start in range(0, size, BLOCK):
            yield from self._problem.draw(rng, min(BLOCK, size - start), split)

    def provenance(self) -> dict[str, Any]:
        keys = {"addition": ("digits",), "arithmetic": ("digits", "letters")}
        used = keys.get(self._dataset.corpus, ("noise",) if self._has_pictures else ())
        return {
            "source": f"pairs ({self._dataset.corpus})",
            **{name: getattr(self._dataset, name) for name in used},
            "seed": self._dataset.seed,
            "sizes": self._dataset.sizes.model_dump(),
            "files": {},
            "licence": self._dataset.licence,
            "citation": self._dataset.citation,
        }

    @property
    def _has_pictures(self) -> bool:
        return self._dataset.corpus in ("captions", "questions")
