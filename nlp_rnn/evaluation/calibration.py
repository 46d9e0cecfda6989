"""Calibration: how far a model's confidence matches its accuracy, and temperature scaling.

A confidence is the probability of the predicted label; for a CRF it is a marginal. A model is
calibrated if 80% of its predictions with confidence 0.8 are right (Guo et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nlp_rnn import linear_chain
from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.linear_chain import Lattice, Transitions
from nlp_rnn.runtime.entities import WordSpan, entity_probabilities, independent
from nlp_rnn.runtime.forward import log, softmax
from nlp_rnn.text.batches import by_length, restore_order
from nlp_rnn.text.entities import LearnedTags

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bools = NDArray[np.bool_]
Table = list[dict[str, Any]]

BINS = 15
"""The number of bins, as in Guo et al. 2017."""

HIGHEST_TEMPERATURE = 10.0
"""The temperature lies between this and its reciprocal, even without errors, when no probability
would be too high."""

TEMPERATURES = np.geomspace(1 / HIGHEST_TEMPERATURE, HIGHEST_TEMPERATURE, 21)
"""The temperatures tried to decide whether one helps; 1 is in the middle."""

STANDARD_ERRORS = 2.0
"""The number of standard errors by which a temperature must lower the loss of held-out texts."""

SENTENCES_AT_ONCE = 64

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


# --- temperature ------------------------------------------------------------------------


class Calibration(NamedTuple):
    """The temperature of a model's probabilities, and why it is this one.

    Attributes:
        temperature: 1 changes nothing.
        reason: a full sentence.
        thresholds: the probability from which each label is given, where a text may have any number
            of them.
        intent_temperature: that of the labels of texts whose words have tags.
    """

    temperature: float
    reason: str
    thresholds: dict[str, float] | None = None
    intent_temperature: float | None = None

    @property
    def figures(self) -> dict[str, Any]:
        """The entries that a bundle records."""
        found = {
            "temperature": self.temperature,
            "calibration": self.reason,
            "thresholds": self.thresholds,
            "intent_temperature": self.intent_temperature,
        }
        return {name: value for name, value in found.items() if value is not None}


def calibrate(
    logits: Sequence[Floats],
    gold: Sequence[Ints],
    transitions: Transitions | None = None,
    learned: LearnedTags | None = None,
) -> Calibration:
    """The most likely temperature if there is evidence that it helps, otherwise 1.

    Evidence requires errors: without any, the lowest temperature is the most likely, which makes
    unseen texts worse. With errors, the temperature is cross-validated by leaving one sequence out:
    it must lower the mean loss of the sequences, each under the temperature that is best for all
    others, by more than :data:`STANDARD_ERRORS` standard errors.

    Args:
        logits: the logits of each sequence ``(words, tags)``; for a classifier each text is a
            sequence.
        gold: class indices of each sequence ``(words,)``.
        transitions: the transitions of a CRF.
        learned: see :func:`fit_temperature`.
    """
    plain = probabilities_at(1.0, logits, transitions, learned)
    errors = sum(int((p.argmax(axis=1) != tags).sum()) for p, tags in zip(plain, gold, strict=True))
    if not errors:
        return Calibration(
            1.0, "No temperature was fitted, because the validation split has no errors."
        )

    def losses_at(temperature: float) -> Floats:
        found = probabilities_at(temperature, logits, transitions, learned)
        return np.array([_of_gold(p, tags).sum() for p, tags in zip(found, gold, strict=True)])

    losses = np.stack([losses_at(temperature) for temperature in TEMPERATURES.tolist()])
    sequences = np.arange(len(gold))
    best_for_others = (losses.sum(axis=1, keepdims=True) - losses).argmin(axis=0)
    gains = losses[len(TEMPERATURES) // 2] - losses[best_for_others, sequences]
    error = gains.std(ddof=1) * math.sqrt(len(gains)) if len(gains) > 1 else math.inf
    words = sum(map(len, gold))
    evidence = (
        f"{gains.sum() / words:.2g} nats (standard error {error / words:.2g}) in cross-validation "
        f"on the validation split, which has {errors:,} error{'' if errors == 1 else 's'}"
    )
    if gains.sum() <= STANDARD_ERRORS * error:
        return Calibration(
            1.0, f"No temperature is used, because one would lower the loss by only {evidence}."
        )
    best = int(losses.sum(axis=1).argmin())
    around = TEMPERATURES[max(best - 1, 0)], TEMPERATURES[min(best + 1, len(TEMPERATURES) - 1)]
    temperature = fit_temperature(logits, gold, transitions, learned, around)
    return Calibration(
        temperature, f"The temperature {temperature:.3f} lowers the loss by {evidence}."
    )


def _of_gold(probabilities: Floats, gold: Ints) -> Floats:
    """``-ln P`` of each gold label of a sequence."""
    return -log(probabilities[np.arange(len(gold)), gold])


def log_loss(probabilities: Sequence[Floats], gold: Sequence[Ints]) -> float:
    """``-ln P`` of the gold labels, the mean over all words in nats."""
    return float(_of_gold(np.concatenate(probabilities), np.concatenate(gold)).mean())


def fit_temperature(
    logits: Sequence[Floats],
    gold: Sequence[Ints],
    transitions: Transitions | None = None,
    learned: LearnedTags | None = None,
    between: tuple[float, float] = (1 / HIGHEST_TEMPERATURE, HIGHEST_TEMPERATURE),
) -> float:
    """The temperature that maximises the likelihood of the gold labels (Guo et al. 2017).

    It minimises ``-sum ln P_T(gold)`` over words; for a CRF, the probabilities are marginals. Fit
    it on texts on which the network was not trained. For whether it helps, see :func:`calibrate`.

    Args:
        logits: the logits of each sequence ``(words, tags)``; a classifier's texts may form one
            sequence.
        gold: class indices of each sequence ``(words,)``.
        transitions: the transitions of a CRF.
        learned: the tags that the CRF's network learned, if they are not those of the data.
        between: the lowest and the highest temperature.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        return log_loss(probabilities_at(temperature, logits, transitions, learned), gold)

    bounds = [math.log(temperature) for temperature in between]
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return math.exp(found.x)


def probabilities_at(
    temperature: float,
    logits: Sequence[Floats],
    transitions: Transitions | None = None,
    learned: LearnedTags | None = None,
) -> list[Floats]:
    """The probabilities of all classes at a temperature, for each sequence ``(words, tags)``.

    Args:
        logits: the logits of each sequence ``(words, tags)``.
        transitions: the transitions of a CRF, whose probabilities are marginals.
        learned: see :func:`fit_temperature`.
    """
    lengths = np.array([len(sequence) for sequence in logits])
    if transitions is None:
        found = softmax(np.concatenate(logits) / temperature)
        return np.split(found, np.cumsum(lengths)[:-1])
    batches = list(by_length(lengths, SENTENCES_AT_ONCE))
    values = []
    for rows in batches:
        lattice = _lattice([logits[i] for i in rows], transitions, temperature)
        marginals = linear_chain.marginals(lattice.alphas, lattice.betas)
        if learned:
            marginals = learned.of_labels(marginals)
        values.append([row[: lengths[i]] for row, i in zip(marginals, rows, strict=True)])
    return restore_order(batches, values)


def _lattice(logits: Sequence[Floats], transitions: Transitions, temperature: float) -> Lattice:
    """The chains of a batch of sentences at a temperature."""
    lengths = np.array([len(sentence) for sentence in logits])
    widths = lengths.max() - lengths
    padded = np.stack(
        [np.pad(x, ((0, width), (0, 0))) for x, width in zip(logits, widths, strict=True)]
    )
    emissions, tempered = linear_chain.tempered(padded, transitions, temperature)
    return linear_chain.lattice(emissions, lengths, tempered)


def entity_probabilities_at(
    temperature: float,
    logits: Sequence[Floats],
    entities: Sequence[Sequence[WordSpan]],
    transitions: Transitions | None,
    learned: LearnedTags,
) -> list[Floats]:
    """The probabilities of entities at a temperature, for each sentence ``(entities,)``.

    Args:
        logits: the logits of each sentence ``(words, tags)``: of a softmax over the tags of the
            data, of a CRF over the learned tags.
        entities: the entities of each sentence.
        transitions: the transitions of a CRF.
        learned: the tags that the network learned.
    """
    tags = learned.meant
    if transitions is None:
        tags, transitions = learned.labels, independent(len(learned.labels))
        logits = [log(softmax(each / temperature)) for each in logits]
        temperature = 1.0
    batches = list(by_length(np.array([len(each) for each in logits]), SENTENCES_AT_ONCE))
    values = []
    for rows in batches:
        lattice = _lattice([logits[i] for i in rows], transitions, temperature)
        values.append(entity_probabilities(lattice, [entities[i] for i in rows], tags))
    return restore_order(batches, values)


# --- how well confidences are calibrated ------------------------------------------------


def reliability(
    confidence: Floats, right: Bools, equal_mass: bool = False, bins: int = BINS
) -> Table:
    """The confidence and accuracy of predictions binned by confidence; empty bins are left out.

    Args:
        confidence: the confidence of each prediction, 0 to 1.
        right: whether each prediction is right.
        equal_mass: whether bins hold equally many predictions, instead of being equally wide.
    """
    shares = np.linspace(0, 1, bins + 1)
    edges = np.quantile(confidence, shares) if equal_mass else shares
    place = np.searchsorted(edges[1:-1], confidence)
    counts, sure, correct = (
        np.bincount(place, weights, minlength=bins) for weights in (None, confidence, right)
    )
    return [
        {
            "from": float(edges[i]),
            "to": float(edges[i + 1]),
            "predictions": int(counts[i]),
            "confidence": float(sure[i] / counts[i]),
            "accuracy": float(correct[i] / counts[i]),
        }
        for i in np.flatnonzero(counts).tolist()
    ]


def expected_calibration_error(table: Table) -> float:
    """ECE: the mean gap between confidence and accuracy over bins, weighted by their
    predictions."""
    gaps = [abs(row["confidence"] - row["accuracy"]) * row["predictions"] for row in table]
    return sum(gaps) / sum(row["predictions"] for row in table)


def calibration_figures(confidence: Floats, right: Bools) -> dict[str, float]:
    """Both calibration errors, and the mean confidence, which should equal the accuracy."""
    return {
        "ece": expected_calibration_error(reliability(confidence, right)),
        "ece_equal_mass": expected_calibration_error(reliability(confidence, right, True)),
        "mean_confidence": float(confidence.mean()),
    }


def review_table(confidence: Floats, right: Bools) -> Table:
    """The effect of a manual review of all predictions below a confidence.

    Args:
        confidence: the confidence of each text; for a sentence, that of its least confident tag.
        right: whether each text has no error.
    """
    rows = []
    for threshold in THRESHOLDS:
        marked = confidence < threshold
        rows.append(
            {
                "review_below": threshold,
                "marked": float(marked.mean()),
                "errors_found": float(marked[~right].mean()) if not right.all() else None,
                "accuracy_of_the_rest": float(right[~marked].mean()) if not marked.all() else None,
            }
        )
    return rows


def reliability_picture(before: Table, after: Table, temperature: float, title: str) -> Figure:
    """Plot accuracy against confidence before and after temperature scaling, with bin counts."""
    from nlp_rnn.drawing import blank_figure

    figure = blank_figure(9, 5)
    upper, lower = figure.subplots(2, 2, sharex=True, height_ratios=(3, 1))
    sides = (("before", before), (f"after (temperature {temperature:.2f})", after))
    for diagram, counts, (when, table) in zip(upper, lower, sides, strict=True):
        starts = [row["from"] for row in table]
        widths = [row["to"] - row["from"] for row in table]
        accuracy = [row["accuracy"] for row in table]
        diagram.plot([0, 1], [0, 1], color="gray", linestyle=":", label="calibrated")
        diagram.bar(
            starts, accuracy, widths, align="edge", color="tab:blue", alpha=0.5, edgecolor="white"
        )
        diagram.plot(
            [row["confidence"] for row in table],
            accuracy,
            "o",
            color="tab:blue",
            label="accuracy",
            clip_on=False,  # so that points at 1 are not clipped
        )
        diagram.set(
            title=f"{when}: ECE {expected_calibration_error(table):.3f}",
            ylabel="accuracy",
            xlim=(0, 1),
            ylim=(0, 1),
        )
        diagram.legend(loc="upper left", fontsize=8)
        predictions = [row["predictions"] for row in table]
        bars = counts.bar(starts, predictions, widths, align="edge", color="tab:gray")
        counts.bar_label(bars, [f"{n:,}" for n in predictions], fontsize=6, rotation=90, padding=2)
        counts.set(xlabel="confidence", ylabel="predictions", yscale="log")
        counts.set_ylim(0.5, max(predictions) * 50)
    figure.suptitle(title)
    return figure
