"""Metrics of output sequences against references, each a function of sums over examples.

=====================  =======================================================================
``exact_match``        the share of outputs that equal a reference
``edit_distance``      the mean of the Levenshtein distance in characters, divided by the length
                       of the longer of output and reference: 0 if equal, 1 if nothing is shared
``token_error_rate``   the Levenshtein distance in tokens, divided by the tokens of the references.
                       This is the word error rate of sentences and the phoneme error rate of
                       pronunciations, whose word error rate is ``1 - exact_match``
``bleu``               corpus BLEU, 0 to 100 (Papineni et al. 2002), as sacrebleu has it (Post 2018)
``chrf``               corpus chrF, 0 to 100 (Popović 2015), as sacrebleu has it
``bracket_f1``         labelled F1 of constituents (see :mod:`nlp_rnn.evaluation.brackets`)
``malformed``          the share of outputs that are no tree over the words of their source
=====================  =======================================================================

An example may have several references. Distances are then to the nearest one; BLEU and chrF treat
them as sacrebleu does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.evaluation.brackets import bracket_figure, malformed_figure
from nlp_rnn.evaluation.figure import Figure, quotient
from nlp_rnn.evaluation.metrics import Metrics

References = Sequence[Sequence[str]]
"""One reference or more for each example."""

Measure = Callable[[Sequence[str], References], Figure]

BLEU_ORDER = 4
CHRF_ORDER = 6
CHRF_BETA = 2
"""sacrebleu's defaults, which its signature states."""


def sequence_metrics(
    outputs: Sequence[str],
    references: References,
    names: Iterable[str] | None = None,
    *,
    lowercase: bool = False,
) -> Metrics:
    """The metrics called ``names``, and the ``signature`` of each that sacrebleu defines.

    Args:
        outputs: one for each example.
        references: what would have been right, one or more for each example.
        names: keys of :data:`MEASURES`; None means those of plain text, :data:`TEXT`.
        lowercase: whether everything is compared in lower case.
    """
    found = sequence_figures(outputs, references, names, lowercase=lowercase)
    metrics: Metrics = {name: figure.value for name, figure in found.items()}
    most = max(map(len, references))
    signed = {name: signature(name, lowercase, most) for name in found if name in SIGNED}
    return metrics | ({"signature": signed} if signed else {})


def sequence_figures(
    outputs: Sequence[str],
    references: References,
    names: Iterable[str] | None = None,
    *,
    lowercase: bool = False,
) -> dict[str, Figure]:
    """The terms of each metric by example, for intervals and paired tests.

    The arguments are those of :func:`sequence_metrics`.
    """
    if lowercase:
        outputs = [output.lower() for output in outputs]
        references = [[reference.lower() for reference in each] for each in references]
    return {name: MEASURES[name](outputs, references) for name in (names or TEXT)}


def alternatives(sources: Sequence[str], targets: Sequence[str]) -> list[list[str]]:
    """For each example, the distinct targets of all examples with the same source.

    A word with two pronunciations, for example, is two examples, and either is right for both.
    """
    known: dict[str, list[str]] = {}
    for source, target in zip(sources, targets, strict=True):
        of_source = known.setdefault(source, [])
        if target not in of_source:
            of_source.append(target)
    return [known[source] for source in sources]


def exact_match(outputs: Sequence[str], references: References) -> Figure:
    """The share of outputs that equal one of their references."""
    right = [output in each for output, each in zip(outputs, references, strict=True)]
    return Figure(np.stack([right, np.ones(len(right))], axis=1).astype(np.float64), quotient)


def edit_distance(outputs: Sequence[str], references: References) -> Figure:
    """The mean normalised distance in characters."""

    def normalised(output: str, reference: str) -> float:
        return levenshtein(output, reference) / max(len(output), len(reference), 1)

    nearest = [
        min(normalised(output, reference) for reference in each)
        for output, each in zip(outputs, references, strict=True)
    ]
    return Figure(np.stack([nearest, np.ones(len(nearest))], axis=1), quotient)


def token_error_rate(outputs: Sequence[str], references: References) -> Figure:
    """Insertions, deletions and replacements of tokens over the tokens of the references."""

    def errors(output: str, reference: str) -> tuple[int, int]:
        tokens = reference.split()
        return levenshtein(output.split(), tokens), len(tokens)

    nearest = [
        min(errors(output, reference) for reference in each)
        for output, each in zip(outputs, references, strict=True)
    ]
    return Figure(np.array(nearest, np.float64), quotient)


def levenshtein(first: Sequence[Any], second: Sequence[Any]) -> int:
    """The least number of insertions, deletions and replacements from one sequence to the other.

    A row of the table of distances is one step in NumPy. With ``c`` the least cost of a cell
    reached from the row above, a cell reached along its row costs ``min_{k <= j} c_k + (j - k)``.
    """
    known: dict[Any, int] = {}
    a, b = ([known.setdefault(item, len(known)) for item in side] for side in (first, second))
    columns = np.arange(len(b) + 1)
    row, symbols = columns, np.array(b, np.int64)
    for symbol in a:
        from_above = row + 1
        from_above[1:] = np.minimum(from_above[1:], row[:-1] + (symbols != symbol))
        row = np.minimum.accumulate(from_above - columns) + columns
    return int(row[-1])


# --- BLEU and chrF ----------------------------------------------------------------------


def signature(name: str, lowercase: bool, references: int) -> str:
    """sacrebleu's description of how a metric was computed, to state beside its value.

    Args:
        name: ``bleu`` or ``chrf``.
        references: the largest number of references of an example.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    metric = BLEU(lowercase=lowercase) if name == "bleu" else CHRF(lowercase=lowercase)
    metric.corpus_score(["a"], [["a"]] * references)
    return str(metric.get_signature())


def bleu(outputs: Sequence[str], references: References) -> Figure:
    """BLEU from its sufficient statistics: for each order the matches and the n-grams of the
    output, then the lengths of output and nearest reference, ``(examples, 2 * 4 + 2)``."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(effective_order=True)  # does not change the counts, which are all that is used
    scores = (metric.sentence_score(o, each) for o, each in zip(outputs, references, strict=True))
    terms = [[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores]
    return Figure(np.array(terms, np.float64), bleu_of_sums)


def bleu_of_sums(sums: Floats) -> Floats:
    """BLEU with exponential smoothing: the k-th order without a match counts ``2^-k`` matches."""
    matches, totals = sums[..., :BLEU_ORDER], sums[..., BLEU_ORDER : 2 * BLEU_ORDER]
    output, reference = sums[..., -2], sums[..., -1]
    smoothed = np.where(matches > 0, matches, 0.5 ** np.cumsum(matches == 0, axis=-1))
    precisions = np.log(smoothed) - np.log(np.maximum(totals, 1))
    brevity = np.minimum(0.0, 1 - reference / np.maximum(output, 1))
    possible = matches.any(axis=-1) & totals.all(axis=-1)
    return np.where(possible, 100 * np.exp(brevity + precisions.mean(axis=-1)), 0.0)


def chrf(outputs: Sequence[str], references: References) -> Figure:
    """chrF from its sufficient statistics: for each order the n-grams of the output, those of the
    reference and the matches, ``(examples, 6 * 3)``. Of several references the best counts."""

    def best(output: str, each: Sequence[str]) -> Floats:
        statistics = np.array([_character_matches(output, reference) for reference in each])
        return statistics[int(np.argmax(chrf_of_sums(statistics)))]

    terms = [best(output, each) for output, each in zip(outputs, references, strict=True)]
    return Figure(np.array(terms, np.float64), chrf_of_sums)


def _character_matches(output: str, reference: str) -> list[int]:
    """For each order, the n-grams of characters without white space: output, reference, both."""
    sides = ["".join(side.split()) for side in (output, reference)]
    found = []
    for order in range(1, CHRF_ORDER + 1):
        a, b = (
            Counter(side[start : start + order] for start in range(len(side) - order + 1))
            for side in sides
        )
        # sacrebleu counts no n-grams of an output where the reference has none of that order.
        found += [a.total() if b else 0, b.total(), (a & b).total()]
    return found


def chrf_of_sums(sums: Floats) -> Floats:
    """F_2 of the mean precision and the mean recall over the orders that both sides have."""
    output, reference, matches = np.moveaxis(sums.reshape(*sums.shape[:-1], CHRF_ORDER, 3), -1, 0)
    counts = (output > 0) & (reference > 0)
    orders = np.maximum(counts.sum(axis=-1), 1)
    precision = (matches / np.maximum(output, 1) * counts).sum(axis=-1) / orders
    recall = (matches / np.maximum(reference, 1) * counts).sum(axis=-1) / orders
    weight = CHRF_BETA**2
    below = weight * precision + recall
    return 100 * (1 + weight) * precision * recall / np.where(below > 0, below, 1)


def _single(measure: Callable[[Sequence[str], Sequence[str]], Figure]) -> Measure:
    """A measure of outputs against the first reference of each."""
    return lambda outputs, references: measure(outputs, [each[0] for each in references])


MEASURES: dict[str, Measure] = {
    "exact_match": exact_match,
    "edit_distance": edit_distance,
    "token_error_rate": token_error_rate,
    "bleu": bleu,
    "chrf": chrf,
    "bracket_f1": _single(bracket_figure),
    "malformed": _single(malformed_figure),
}

TEXT = ("exact_match", "edit_distance", "token_error_rate", "bleu", "chrf")
TREES = ("exact_match", "token_error_rate", "bracket_f1", "malformed")

SIGNED = ("bleu", "chrf")
"""Metrics that sacrebleu defines, and describes by a signature."""
