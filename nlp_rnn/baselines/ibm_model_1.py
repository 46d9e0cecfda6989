"""IBM Model 1: which word translates which, learned from pairs of sentences (Brown et al. 1993).

A target sentence ``f_1 ... f_m`` of given length arises from a source ``e_1 ... e_l`` in which
``e_0`` is the empty word: each target word picks a source position uniformly and translates it::

    P(f | e) = (l + 1)^-m  prod_j  sum_i  t(f_j | e_i)

The translation probabilities ``t`` are found by expectation maximisation. The likelihood is concave
(section 4.2 of the paper), so the uniform start finds the best ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp_rnn.arrays import Floats, Ints

ITERATIONS = 10

NULL = 0
"""The empty source word. The types of a source are counted from 1 inside the model."""

NO_WORD = -1
"""Stands for the position of the empty word in an alignment, and for a missing translation."""


@dataclass(frozen=True)
class IBMModel1:
    """Translation probabilities of all pairs of types that stand in one pair of sentences.

    Attributes:
        keys: ``source * targets + target`` of each pair, ascending ``(pairs,)``.
        probabilities: ``t(target | source)`` ``(pairs,)``.
        targets: the number of target types.
        log_likelihoods: ``ln P(f | e)`` of all pairs before each iteration and after the last, in
            nats, without the constant ``(l + 1)^-m`` ``(iterations + 1,)``.
    """

    keys: Ints
    probabilities: Floats
    targets: int
    log_likelihoods: Floats

    @classmethod
    def fit(
        cls, sources: Sequence[Ints], targets: Sequence[Ints], iterations: int = ITERATIONS
    ) -> IBMModel1:
        """Estimate the probabilities from pairs of sentences.

        Memory grows with the sum of the products of their lengths: 29,000 pairs of 12 words take
        about 350 MB.

        Args:
            sources: type indices of each source, 0 or above.
            targets: those of each target, in the same order.
            iterations: how often expectation and maximisation alternate.
        """
        types = 1 + max((int(target.max()) for target in targets if len(target)), default=0)
        links, starts = _links(sources, targets, types)
        keys, pairs = np.unique(links, return_inverse=True)
        of_source = keys // types
        probabilities = np.full(len(keys), 1 / types)
        log_likelihoods = []
        for _ in range(iterations):
            found = probabilities[pairs]
            sums = np.add.reduceat(found, starts)
            log_likelihoods.append(np.log(sums).sum())
            found /= np.repeat(sums, np.diff(starts, append=len(pairs)))
            counts = np.bincount(pairs, found, len(keys))
            probabilities = counts / np.bincount(of_source, counts)[of_source]
        log_likelihoods.append(np.log(np.add.reduceat(probabilities[pairs], starts)).sum())
        return cls(keys, probabilities, types, np.array(log_likelihoods))

    def probability(self, sources: Ints, targets: Ints) -> Floats:
        """``t(target | source)`` of type indices that NumPy can broadcast together; 0 for pairs
        that never stood together."""
        return self._of_keys((np.asarray(sources) + 1) * self.targets + np.asarray(targets))

    def _of_keys(self, wanted: Ints) -> Floats:
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[places] == wanted, self.probabilities[places], 0.0)

    def best_translations(self, types: int) -> Ints:
        """The most probable target of each of so many source types ``(types,)``; ``NO_WORD`` for
        one that training lacks. Of several, the one with the lowest index."""
        of_source, target = np.divmod(self.keys, self.targets)
        order = np.lexsort((target, -self.probabilities, of_source))
        known, first = np.unique(of_source[order], return_index=True)
        best = np.full(types + 1, NO_WORD)
        kept = known <= types
        best[known[kept]] = target[order][first[kept]]
        return best[NULL + 1 :]

    def align(self, source: Ints, target: Ints) -> Ints:
        """The source position that most probably produced each target word ``(target words,)``;
        ``NO_WORD`` for the empty word, and where nothing explains the word."""
        with_null = np.concatenate([[NULL], np.asarray(source) + 1])
        found = self._of_keys(with_null[None] * self.targets + np.asarray(target)[:, None])
        return np.where(found.any(axis=1), found.argmax(axis=1), NULL) - 1


def _links(sources: Sequence[Ints], targets: Sequence[Ints], types: int) -> tuple[Ints, Ints]:
    """Every pair of a target word with a source word of its sentence, or with the empty word.

    Returns:
        ``source * types + target`` of each link, the links of a target word side by side
        ``(links,)``, and where those of each target word begin ``(target words,)``.
    """
    with_null = [np.concatenate([[NULL], np.asarray(source) + 1]) for source in sources]
    lengths = np.array([len(source) for source in with_null])
    source, target = np.concatenate(with_null), np.concatenate(targets)
    sentence = np.repeat(np.arange(len(targets)), [len(words) for words in targets])
    many = lengths[sentence]  # links of each target word
    starts = np.cumsum(many) - many
    offset = np.arange(many.sum()) - np.repeat(starts, many)
    first_word = (np.cumsum(lengths) - lengths)[sentence]
    return source[np.repeat(first_word, many) + offset] * types + np.repeat(target, many), starts
