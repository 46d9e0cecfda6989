"""Training examples that a data set's parameters leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from nlp_rnn.config import Reason
from nlp_rnn.corpora.corpus import Corpus, DerivedCorpus
from nlp_rnn.corpora.duplicates import answer_of, hash_of, text_hash
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

REASONS: tuple[Reason, ...] = ("contradictions", "leakage", "duplicates")
"""Why examples are removed. The first that applies to an example counts."""


def without_faults(corpus: Corpus, remove: Sequence[Reason]) -> Corpus:
    """The corpus with fewer training examples; validation and test stay as they are.

    Args:
        corpus: a corpus with all three splits.
        remove: of the training examples, ``duplicates`` are those whose text and answer stood
            before; ``contradictions`` those whose text has another answer elsewhere in training;
            ``leakage`` those whose text is also in validation or test.

    Raises:
        UserError: the corpus is running text, or has several examples for each sentence and not
            ``leakage`` alone is removed; or, while reading, no training example remains.
    """
    if not remove:
        return corpus
    if corpus.continuous:
        raise UserError(
            f"data set '{corpus.name}': remove: lines of running text naturally recur and stay "
            "where they are; omit remove"
        )
    if corpus.kind == "roles" and set(remove) != {"leakage"}:
        raise UserError(
            f"data set '{corpus.name}': remove: a sentence with semantic roles has an example for "
            "each of its predicates, which belong together; remove nothing but leakage"
        )
    return _WithoutFaults(corpus, frozenset(remove))


class _WithoutFaults(DerivedCorpus):
    """A corpus without some of its training examples; texts are compared by their hashes."""

    def __init__(self, corpus: Corpus, remove: frozenset[Reason]) -> None:
        super().__init__(corpus)
        self._remove = remove

    def findings(self) -> dict[str, Any]:
        counts = Counter(reason for _, reason in self._judged() if reason)
        removed = {reason: counts[reason] for reason in REASONS if reason in self._remove}
        return {**self._corpus.findings(), "removed_from_training": removed}

    def read(self, split: str) -> Iterator[Example]:
        if split != "train":
            yield from self._corpus.read(split)
            return
        left = False
        for example, reason in self._judged():
            if not reason:
                left = True
                yield example
        if not left:
            raise UserError(
                f"data set '{self.name}': remove: {', '.join(sorted(self._remove))} leaves no "
                "training example; remove less"
            )

    def _judged(self) -> Iterator[tuple[Example, Reason | None]]:
        """Each training example, and why it is removed."""
        seen: set[tuple[int, int]] = set()
        for example in self._corpus.read("train"):
            text = text_hash(example)
            both = (text, _answer_hash(example))
            applies: dict[Reason, bool] = {
                "contradictions": text in self._contradictory,
                "leakage": text in self._held_out,
                "duplicates": both in seen,
            }
            seen.add(both)
            yield example, next((r for r in REASONS if r in self._remove and applies[r]), None)

    @cached_property
    def _contradictory(self) -> set[int]:
        """Texts of training that have several answers."""
        if "contradictions" not in self._remove:
            return set()
        first: dict[int, int] = {}
        return {
            text
            for example in self._corpus.read("train")
            if first.setdefault(text := text_hash(example), answer := _answer_hash(example))
            != answer
        }

    @cached_property
    def _held_out(self) -> set[int]:
        """Texts of validation and test."""
        if "leakage" not in self._remove:
            return set()
        return {
            text_hash(example)
            for split in ("validation", "test")
            for example in self._corpus.read(split)
        }


def _answer_hash(example: Example) -> int:
    return hash_of(repr(answer_of(example)))
