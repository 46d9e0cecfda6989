"""A metric as a function of sums over examples, so that it can be computed for any resample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nlp_rnn.arrays import Floats


@dataclass(frozen=True)
class Figure:
    """A metric of a test split that is a function of sums over its examples.

    Attributes:
        terms: the terms that each example adds ``(examples, terms)``.
        of_sums: maps the sums ``(..., terms)`` to the metric ``(...)``.
    """

    terms: Floats
    of_sums: Callable[[Floats], Floats]

    @property
    def value(self) -> float:
        return float(self.of_sums(self.terms.sum(axis=0)))


def quotient(sums: Floats) -> Floats:
    """The first sum divided by the second; 0 divided by 0 gives 0."""
    return sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], 1)
