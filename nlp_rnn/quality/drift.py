"""How far labels and lengths of other texts are from those of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nlp_rnn.arrays import Ints


def label_drift(
    training: Mapping[str, int], other: Mapping[str, int], independent: bool
) -> dict[str, Any]:
    """How far the distribution of labels is from that of training.

    Args:
        independent: whether each count is an example of its own, as the chi-square test assumes;
            the tags of a sentence and several labels of a text are not.

    Returns:
        ``total_variation``, the share of labels that would have to change, in [0, 1], and for
        independent counts ``p`` of the chi-square test of equal distributions.
    """
    from scipy.stats import chi2_contingency

    labels = [label for label in training if training[label] + other.get(label, 0)]
    counts = np.array([[of.get(label, 0) for label in labels] for of in (training, other)])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    found: dict[str, Any] = {"total_variation": float(np.abs(shares[0] - shares[1]).sum() / 2)}
    if independent and len(labels) > 1 and counts.sum(axis=1).all():
        found["p"] = float(chi2_contingency(counts, correction=False).pvalue)
    return found


def length_drift(training: Ints, other: Ints) -> dict[str, Any]:
    """How far lengths in tokens ``(examples,)`` are from those of training.

    Returns:
        The medians, and Kolmogorov and Smirnov's ``distance``, the largest difference of the
        cumulative distributions in [0, 1], with its ``p``.
    """
    from scipy.stats import ks_2samp

    found = ks_2samp(training, other)
    return {
        "median_in_training": float(np.median(training)),
        "median": float(np.median(other)),
        "distance": float(found.statistic),
        "p": float(found.pvalue),
    }
