"""How much a text would teach: the uncertainty of models about it, and their disagreement.

Settles (2010) surveys these scores. A text without anything to decide scores 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr, xlogy

from nlp_rnn.arrays import Floats


@dataclass(frozen=True)
class Belief:
    """What a model believes of the labels of a text.

    Attributes:
        decisions: the distribution of each single decision ``(decisions, options)``: one decision
            for a classifier, one for each label where a text may have any number of them, and one
            for each word, the marginal probabilities of its tags, for a tagger.
        best: the probability of the best answer as a whole: a label, a set of labels, the tags of
            a sentence.
        second: that of the second best.
        entropy: the entropy of the distribution over all answers, in nats.
    """

    decisions: Floats
    best: float
    second: float
    entropy: float

    @classmethod
    def independent(cls, decisions: Floats) -> Belief:
        """The belief of a model whose decisions are independent of one another.

        The second best answer differs from the best in the decision whose two best options are
        nearest to each other.
        """
        if not len(decisions):
            return cls(decisions, 1.0, 0.0, 0.0)
        ranked = np.sort(decisions, axis=1)[:, ::-1]
        best = float(ranked[:, 0].prod())
        nearest = float((ranked[:, 1] / ranked[:, 0]).max()) if ranked.shape[1] > 1 else 0.0
        return cls(decisions, best, best * nearest, float(-xlogy(decisions, decisions).sum()))

    @property
    def votes(self) -> Floats:
        """1 for the best option of each decision ``(decisions, options)``."""
        found: Floats = np.eye(self.decisions.shape[1])[self.decisions.argmax(axis=1)]
        return found


def least_confidence(belief: Belief) -> float:
    """One minus the probability of the best answer (Culotta & McCallum 2005)."""
    return 1 - belief.best


def margin(belief: Belief) -> float:
    """One minus the difference between the two best answers (Scheffer et al. 2001)."""
    return 1 - (belief.best - belief.second)


def entropy(belief: Belief) -> float:
    """The entropy of the distribution over all answers; of tag sequences for a CRF."""
    return belief.entropy


def vote_entropy(beliefs: Sequence[Belief]) -> float:
    """The entropy of the models' votes, the mean over decisions (Dagan & Engelson 1995)."""
    shares = np.mean([belief.votes for belief in beliefs], axis=0)
    return float(-xlogy(shares, shares).sum() / max(len(shares), 1))


def kl_to_mean(beliefs: Sequence[Belief]) -> float:
    """The mean divergence of the models from their mean, the mean over decisions, in nats.

    ``KL(P || mean)`` of each model (McCallum & Nigam 1998).
    """
    each = np.stack([belief.decisions for belief in beliefs])
    divergences = rel_entr(each, each.mean(axis=0)).sum(axis=-1)
    return float(divergences.mean()) if divergences.size else 0.0


UNCERTAINTY: dict[str, Callable[[Belief], float]] = {
    "least-confidence": least_confidence,
    "margin": margin,
    "entropy": entropy,
}
"""Scores of one model; of several, their mean counts."""

DISAGREEMENT: dict[str, Callable[[Sequence[Belief]], float]] = {
    "vote-entropy": vote_entropy,
    "kl": kl_to_mean,
}
"""Scores of several models."""


def score(by: str, beliefs: Sequence[Belief], per_word: bool = False) -> float:
    """The score of a text.

    Args:
        by: a key of :data:`UNCERTAINTY` or :data:`DISAGREEMENT`.
        beliefs: what each model believes of it.
        per_word: divide it by the number of decisions, so that long sentences do not win by their
            length alone.
    """
    if by in DISAGREEMENT:
        return DISAGREEMENT[by](beliefs)
    found = float(np.mean([UNCERTAINTY[by](belief) for belief in beliefs]))
    return found / max(len(beliefs[0].decisions), 1) if per_word else found
