"""Zipf's law, for layers that know only the number of types, the frequent ones first."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray


def probabilities(vocabulary: int) -> NDArray[np.float64]:
    """``q(w) = ln((w + 2) / (w + 1)) / ln(vocabulary + 1)`` of each index: close to ``1 / rank``,
    and summing to one without a table."""
    edges = np.log(np.arange(1, vocabulary + 2))
    return np.diff(edges) / edges[-1]


def share(first: int, end: int, vocabulary: int) -> float:
    """The probability of all indices from ``first`` to before ``end``."""
    return log((end + 1) / (first + 1)) / log(vocabulary + 1)


def draws(uniform: Any, vocabulary: int) -> Any:
    """Indices drawn from :func:`probabilities`, int32, given numbers uniform in [0, 1)."""
    drawn = ops.exp(uniform * log(vocabulary + 1)) - 1
    return ops.minimum(ops.cast(drawn, "int32"), vocabulary - 1)
