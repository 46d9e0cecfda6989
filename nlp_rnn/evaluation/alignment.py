"""How far the links of words between a source and a target differ from others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.evaluation.figure import Figure, quotient


def alignment_error(found: Sequence[Ints], reference: Sequence[Ints]) -> Figure:
    """The alignment error rate of Och & Ney (2003), with all links of the reference sure::

        AER = 1 - 2 |A and R| / (|A| + |R|)

    Args:
        found: for each example, the source position of each target word, such as that of the
            largest weight of attention ``(target words,)``; negative for a word without a link.
        reference: the same by the reference.
    """
    terms = []
    for a, r in zip(found, reference, strict=True):
        linked, wanted = a >= 0, r >= 0
        links = int(linked.sum() + wanted.sum())
        terms.append([links - 2 * int((linked & wanted & (a == r)).sum()), links])
    return Figure(np.array(terms, np.float64), quotient)
