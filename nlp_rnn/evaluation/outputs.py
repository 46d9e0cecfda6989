"""The metrics of the outputs of pairs, from the rows of their predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nlp_rnn.evaluation.metrics import Metrics
from nlp_rnn.evaluation.predictions import Row, figures
from nlp_rnn.evaluation.sequences import SIGNED, signature


def output_metrics(rows: Sequence[Row], names: Iterable[str] | None = None) -> Metrics:
    """The metrics of rows of outputs, and the signatures of those that sacrebleu defines.

    Args:
        names: the metrics that are wanted; all by default.
    """
    found = figures(rows, [], names=names)
    metrics: Metrics = {name: figure.value for name, figure in found.items()}
    signed = {
        name: signature(name, rows[0].get("lowercase", False), 1)
        for name in SIGNED
        if name in found
    }
    return metrics | ({"signature": signed} if signed else {})
