"""Semantic roles: the predicates of a sentence, and the arguments of each.

One network does both: a tagger that reads which word is the predicate tags its arguments, and the
predicates of the sentence where no word is flagged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.baselines.roles import MajorityRoles
from nlp_rnn.evaluation.result import Evaluation
from nlp_rnn.evaluation.role_page import SENTENCES_SHOWN
from nlp_rnn.evaluation.roles import Row, by_sentence, role_metrics, role_rows
from nlp_rnn.runtime.network import Network
from nlp_rnn.tasks.tagging import Compared, Judged, Tagging
from nlp_rnn.text.batches import flagged

if TYPE_CHECKING:
    from nlp_rnn.training.fit import Row as Epoch

DIGITS = 6
"""The number of decimals of a confidence in a file."""


class SemanticRoles(Tagging):
    """Trains and evaluates a tagger of semantic roles."""

    def validated(self, network: Network) -> Epoch:
        result = self._judge(network, "validation")
        metrics = role_metrics(self._propositions(network, "validation", result))
        gold, best = np.concatenate(result.gold), np.concatenate(result.best)
        return {
            "validation/loss": result.loss,
            "validation/accuracy": float(np.mean(gold == best)),
            **{f"validation/{name}": metrics[name] for name in ("f1", "predicate_f1")},
        }

    def _propositions(self, network: Network, name: str, result: Judged) -> list[Row]:
        """The propositions of a split: those of gold predicates, and from the words alone."""

        def others(wanted: list[tuple[int, int]]) -> list[Ints]:
            sentences = [
                replace(sentence, predicates=flagged(len(sentence), predicate))
                for sentence, (_, predicate) in zip(
                    self.encoded(name, [number for number, _ in wanted], None), wanted, strict=True
                )
            ]
            return [each.best for each in self.tagged(network, sentences)]

        predicates = self.dataset.split(name).predicates
        assert predicates is not None
        return role_rows(self.dataset.labels, predicates, result.gold, result.best, others)

    def _compared(
        self,
        network: Network,
        result: Judged,
        confidence: Sequence[Floats],
        entity_confidence: Sequence[Floats] | None,
        forms: Sequence[Sequence[str]],
        seen: Sequence[Ints],
        known: Collection[str],
    ) -> Compared:
        rows = self._propositions(network, "test", result)
        split = self.dataset.split("test")
        assert split.predicates is not None
        for row, sentence in zip(rows, by_sentence(split.predicates), strict=True):
            lowest = (confidence[i].min() for i in sentence.of.values())
            row["confidence"] = [round(float(value), DIGITS) for value in lowest]
        gold, best = np.concatenate(result.gold), np.concatenate(result.best)
        test = role_metrics(rows) | {
            "accuracy": float(np.mean(gold == best)),
            "frame_accuracy": self._frame_accuracy(),
        }
        majority = MajorityRoles.fit(self.dataset)
        return Compared(test, {"majority": role_metrics(majority.rows(split))}, rows)

    def _entity_confidence(
        self, result: Judged, network: Network, temperature: float
    ) -> list[Floats] | None:
        """None: roles are no entities of a sentence."""
        return None

    def evaluate(
        self,
        network: Network,
        temperature: float = 1.0,
        thresholds: Mapping[str, float] | None = None,
    ) -> Evaluation:
        result = super().evaluate(network, temperature, thresholds)
        words = (
            record["tokens"]
            for record in self.dataset.split("test").records()
            if record["predicate"] is None
        )
        shown = (
            row | {"words": tokens}
            for row, tokens in zip(result.predictions, words, strict=True)
            if row["gold"]
        )
        return replace(result, roles=list(islice(shown, SENTENCES_SHOWN)))

    def _frame_accuracy(self) -> float:
        """How often a gold predicate has the most frequent frame of its form in training."""
        known = self.dataset.frames
        right = [
            known.get(record["tokens"][record["predicate"]].lower()) == record["frame"]
            for record in self.dataset.split("test").records()
            if record["predicate"] is not None
        ]
        return float(np.mean(right)) if right else 0.0
