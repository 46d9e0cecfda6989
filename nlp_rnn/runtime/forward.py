"""Run a network over many sequences: sort them by length, batch them, restore their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn import linear_chain
from nlp_rnn.arrays import Floats, Ints
from nlp_rnn.config import RoleTaggerParameters, TaggerHeadParameters
from nlp_rnn.linear_chain import Lattice, Transitions
from nlp_rnn.runtime.abandoned import check_of_this_thread
from nlp_rnn.runtime.entities import PredictedEntity, independent, predicted_entities
from nlp_rnn.runtime.network import Network, States
from nlp_rnn.text.batches import (
    TOKENS_AT_ONCE,
    Batch,
    Encoded,
    by_length,
    pad,
    padded,
    restore_order,
)
from nlp_rnn.text.entities import LearnedTags, allowed_transitions
from nlp_rnn.text.vocabulary import PAD_INDEX

TAGS, LABELS = 0, 1
"""The logits of tags and of labels among those of a model of intents and slots."""

IMPOSSIBLE = -5e3
"""Tag sequences with a lower ``log P`` than this break a CRF's constraints."""


def softmax(logits: Floats) -> Floats:
    """The softmax along the last axis, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def sigmoid(logits: Floats) -> Floats:
    """``1 / (1 + exp(-logits))``, in float64."""
    from scipy.special import expit

    found: Floats = expit(logits.astype(np.float64))
    return found


def by_length_in_order(
    network: Network,
    lengths: Sequence[int],
    batch_size: int,
    run: Callable[[NDArray[np.intp]], Sequence[Any]],
) -> Iterator[Any]:
    """The results of ``run`` for each sequence, from batches of similar lengths, in order.

    If the network computes in threads, the work begins immediately. No batch begins that nobody
    waits for (see :mod:`nlp_rnn.runtime.abandoned`).
    """
    check = check_of_this_thread()

    def run_wanted(rows: NDArray[np.intp]) -> Sequence[Any]:
        check()
        return run(rows)

    # The longest first, so that no thread starts a long batch when the others have finished.
    batches = list(by_length(np.array(lengths, np.int64), batch_size))[::-1]
    results = network.map(run_wanted, batches)

    def ordered() -> Iterator[Any]:
        yield from restore_order(batches, list(results))

    return ordered()


def outputs_at_tokens(
    network: Network, sequences: Sequence[Encoded], batch_size: int
) -> Iterator[Floats]:
    """What a network computes for each token of each sequence ``(tokens, width)``, in order."""

    def run(found: Sequence[Floats], lengths: NDArray[np.int32]) -> Sequence[Floats]:
        return [row[:n] for row, n in zip(found[0], lengths.tolist(), strict=True)]

    return _logits(network, sequences, batch_size, run)


def _logits(
    network: Network,
    sequences: Sequence[Encoded],
    batch_size: int,
    run: Callable[[Sequence[Floats], NDArray[np.int32]], Sequence[Any]],
) -> Iterator[Any]:
    """The results of ``run``, called with all logits and lengths of a batch, for each sequence."""

    def run_rows(rows: NDArray[np.intp]) -> Sequence[Any]:
        batch = [sequences[i] for i in rows]
        length = network.padded_length(max(map(len, batch)))
        if not network.any_rows:
            batch += batch[:1] * (full_rows(length) - len(batch))
        lengths = np.array([len(sequence) for sequence in batch], np.int32)
        ids, characters, predicates = padded(batch, length)
        logits = network.all_logits(ids, lengths, characters, predicates)
        return run([each[: len(rows)] for each in logits], lengths[: len(rows)])

    def full_rows(length: int) -> int:
        """The rows of every batch of a length, where another number would be compiled anew."""
        rows = min(batch_size, len(sequences))
        while rows > 1 and rows * length > TOKENS_AT_ONCE:
            rows //= 2
        return rows

    return by_length_in_order(network, [len(s) for s in sequences], batch_size, run_rows)


def log(probabilities: Floats) -> Floats:
    """The natural logarithm, finite for 0."""
    return np.log(np.maximum(probabilities, 1e-300))


def probabilities(
    network: Network,
    sequences: Sequence[Encoded],
    batch_size: int,
    temperature: float = 1.0,
    learned: LearnedTags | None = None,
    head: int = 0,
) -> Iterator[Floats]:
    """The softmax output of a classifier or tagger for each sequence.

    Args:
        sequences: the sequences, each of length 1 or more.
        temperature: the divisor of the logits (see
            :func:`nlp_rnn.evaluation.calibration.fit_temperature`).
        learned: the tags that a tagger's network learned, if they are not those of the data.
        head: which logits are meant; :data:`LABELS` of a model of intents and slots.

    Returns:
        For each sequence, in order: ``(labels,)``, or ``(timesteps, tags)`` for taggers.
    """

    def run(logits: Sequence[Floats], lengths: NDArray[np.int32]) -> Sequence[Floats]:
        found = _distributions(temperature, logits[head], learned)
        if found.ndim == 2:
            return list(found)
        return [row[:length] for row, length in zip(found, lengths, strict=True)]

    return _logits(network, sequences, batch_size, run)


def _distributions(temperature: float, logits: Floats, learned: LearnedTags | None) -> Floats:
    """The probabilities of labels at a temperature; see :func:`probabilities`."""
    found = softmax(logits)
    if learned:
        found = learned.of_labels(found)
    return found if temperature == 1 else softmax(log(found) / temperature)


def label_logits(
    network: Network, sequences: Sequence[Encoded], batch_size: int
) -> Iterator[Floats]:
    """The logits of a classifier for each sequence, in order, ``(labels,)``.

    Where a text has any number of labels, :func:`sigmoid` makes them probabilities.
    """
    return _logits(network, sequences, batch_size, lambda logits, lengths: list(logits[0]))


@dataclass(frozen=True)
class Tagged:
    """The output of a tagger for a sentence.

    Attributes:
        best: the tag of each word ``(words,)``: for a softmax the most likely of each word, for a
            CRF the most likely sequence.
        probabilities: the probability of every tag ``(words, tags)``; for a CRF, the marginals.
        logits: the scores behind them: for a softmax ``ln P`` ``(words, tags)``, for a CRF the
            emissions over the tags that its network learned.
        paths: the most likely tag sequences with their ``log P``, best first (only for a CRF).
        log_likelihood: returns ``log P`` of a tag sequence ``(words,)``, in nats.
        entities: the entities that ``best`` marks, if they are wanted.
        entropy: returns the entropy of the distribution over tag sequences, in nats.
    """

    best: Ints
    probabilities: Floats
    logits: Floats
    log_likelihood: Callable[[Ints], float]
    paths: Sequence[tuple[Ints, float]] = ()
    entities: Sequence[PredictedEntity] = ()
    entropy: Callable[[], float] = lambda: 0.0


def constraints(model: TaggerHeadParameters, labels: Sequence[str]) -> Transitions | None:
    """What a tagger of roles without a CRF never predicts; see :func:`tag`."""
    if not (isinstance(model, RoleTaggerParameters) and model.constrained):
        return None
    if model.output == "crf":
        return None
    return Transitions(*(np.where(may, 0.0, -np.inf) for may in allowed_transitions(labels)))


def tag(
    network: Network,
    sentences: Sequence[Encoded],
    batch_size: int,
    learned: LearnedTags | None = None,
    n_best: int = 1,
    temperature: float = 1.0,
    entities: bool = False,
    allowed: Transitions | None = None,
) -> Iterator[Tagged]:
    """Tag sentences; for the arguments see :func:`probabilities`.

    A temperature changes the confidence of a tagger, not its predictions: for a CRF it divides all
    scores, so that ``P(y)`` is proportional to ``exp(s(y) / temperature)``.

    Args:
        n_best: the number of tag sequences of a CRF to find; fewer if its constraints allow no
            more.
        entities: whether the tags mark entities, whose probabilities are then computed. This needs
            ``learned``.
        allowed: for a tagger without a CRF, 0 for what the tagging scheme allows and minus infinity
            for what it forbids: the best allowed sequence is found (He et al. 2017, section 2.3).
    """
    read = partial(_read_tags, network.transitions, learned, n_best, temperature, entities, allowed)
    return _logits(network, sentences, batch_size, lambda logits, lengths: read(logits[0], lengths))


def label_and_tag(
    network: Network,
    sentences: Sequence[Encoded],
    batch_size: int,
    learned: LearnedTags,
    n_best: int = 1,
    temperature: float = 1.0,
    label_temperature: float = 1.0,
    entities: bool = False,
) -> Iterator[tuple[Floats, Tagged]]:
    """The probabilities of all labels ``(labels,)`` and the tags of each sentence, by a model of
    intents and slots; for the arguments see :func:`tag`."""
    read = partial(_read_tags, network.transitions, learned, n_best, temperature, entities, None)

    def run(logits: Sequence[Floats], lengths: NDArray[np.int32]) -> Sequence[Any]:
        labels = _distributions(label_temperature, logits[LABELS], None)
        return list(zip(labels, read(logits[0], lengths), strict=True))

    return _logits(network, sentences, batch_size, run)


def _read_tags(
    transitions: Transitions | None,
    learned: LearnedTags | None,
    n_best: int,
    temperature: float,
    entities: bool,
    allowed: Transitions | None,
    logits: Floats,
    lengths: NDArray[np.int32],
) -> Sequence[Tagged]:
    """The tags of a batch of sentences; see :func:`tag`."""
    if transitions is not None:
        return _decoded(logits, lengths, transitions, n_best, temperature, learned, entities)
    found = _distributions(temperature, logits, learned)
    if allowed is not None:
        return _allowed(found, lengths, allowed)
    return _each(found, lengths, learned, entities)


def _allowed(
    probabilities: Floats, lengths: NDArray[np.int32], allowed: Transitions
) -> list[Tagged]:
    """Sentences whose tags are independent but for what is forbidden."""
    paths, _ = linear_chain.viterbi(log(probabilities), lengths, allowed)
    rows = zip(probabilities, paths[:, 0], lengths.tolist(), strict=True)
    return [replace(_tagged(row[:words]), best=path[:words]) for row, path, words in rows]


def _each(
    probabilities: Floats,
    lengths: NDArray[np.int32],
    learned: LearnedTags | None,
    entities: bool,
) -> list[Tagged]:
    """Sentences whose tags are independent of one another."""
    found = [
        _tagged(row[:length]) for row, length in zip(probabilities, lengths.tolist(), strict=True)
    ]
    if learned is None or not entities:
        return found
    lattice = linear_chain.lattice(log(probabilities), lengths, independent(len(learned.labels)))
    return _with_entities(found, lattice, learned.labels, learned.labels)


def _with_entities(
    found: Sequence[Tagged], lattice: Lattice, labels: Sequence[str], tags: Sequence[str]
) -> list[Tagged]:
    """Tagged sentences with their entities; see :func:`predicted_entities`."""
    entities = predicted_entities(lattice, [tagged.best for tagged in found], labels, tags)
    return [replace(tagged, entities=of) for tagged, of in zip(found, entities, strict=True)]


def _tagged(probabilities: Floats) -> Tagged:
    """A sentence whose tags are independent of one another."""

    def log_likelihood(tags: Ints) -> float:
        return float(logits[np.arange(len(tags)), tags].sum())

    logits = log(probabilities)
    return Tagged(
        probabilities.argmax(axis=1),
        probabilities,
        logits,
        log_likelihood,
        entropy=lambda: float(-(probabilities * logits).sum()),
    )


def _in_labels(tagged: Tagged, learned: LearnedTags) -> Tagged:
    """The output of a CRF in terms of the tags of the data."""
    return Tagged(
        learned.meaning[tagged.best],
        learned.of_labels(tagged.probabilities),
        tagged.logits,
        lambda labels: tagged.log_likelihood(learned.encode(labels)),
        [(learned.meaning[path], log_p) for path, log_p in tagged.paths],
        entropy=tagged.entropy,
    )


def _decoded(
    logits: Floats,
    lengths: NDArray[np.int32],
    transitions: Transitions,
    n_best: int,
    temperature: float,
    learned: LearnedTags | None,
    entities: bool,
) -> list[Tagged]:
    """Sentences tagged jointly by a CRF."""
    emissions, transitions = linear_chain.tempered(logits, transitions, temperature)
    lattice = linear_chain.lattice(emissions, lengths, transitions)
    marginals = linear_chain.marginals(lattice.alphas, lattice.betas)
    log_z = linear_chain.log_partition(lattice.alphas, transitions)
    paths, scores = linear_chain.viterbi(emissions, lengths, transitions, n_best)
    entropies = cache(lambda: linear_chain.entropy(lattice))

    def tagged(i: int, words: int) -> Tagged:
        return Tagged(
            paths[i, 0, :words],
            marginals[i, :words],
            logits[i, :words],
            lambda tags: linear_chain.path_score(emissions[i], tags, transitions) - log_z[i],
            [
                (path[:words], log_p)
                for path, log_p in zip(paths[i], (scores[i] - log_z[i]).tolist(), strict=True)
                if log_p * temperature > IMPOSSIBLE
            ],
            entropy=lambda: float(entropies()[i]),
        )

    found = [tagged(i, words) for i, words in enumerate(lengths.tolist())]
    if learned is None:
        return found
    found = [_in_labels(of_sentence, learned) for of_sentence in found]
    return _with_entities(found, lattice, learned.labels, learned.meant) if entities else found


def over_windows(
    network: Network,
    batches: Iterable[Batch],
    run: Callable[[Batch, States], tuple[Floats, States]],
    start: Sequence[Floats] | None = None,
) -> Iterator[tuple[Batch, Floats]]:
    """Yield each window of a text, from its start, with the result of ``run``.

    Args:
        batches: the windows, all with the same number of rows.
        run: maps a window and the states before it to a result and the states after it, which are
            carried over to the next window.
        start: the states before the first window, each ``(width,)``; zeros by default.
    """
    states: States | None = None
    for batch in batches:
        before = network.first_states(len(batch.ids), start) if states is None else states
        found, states = run(batch, before)
        yield batch, found


def losses_of_windows(
    network: Network,
    batches: Iterable[Batch],
    visit: Callable[[Batch, Floats], None],
    start: Sequence[Floats] | None = None,
) -> None:
    """Run a language model over windows of a text, from its start.

    Args:
        batches: the windows, all with the same number of rows.
        visit: called with each window and its losses in nats, float64 ``(streams, window)``.
        start: see :func:`over_windows`.
    """

    def run(batch: Batch, states: States) -> tuple[Floats, States]:
        losses, after = network.losses(batch.ids, batch.targets, states)
        return losses.astype(np.float64), after

    for batch, losses in over_windows(network, batches, run, start):
        visit(batch, losses)


LOGITS_AT_ONCE = 1 << 22
"""The maximum number of a language model's logits held at once: 16 MiB in float32."""


def losses_of_lines(
    network: Network,
    lines: Sequence[Ints],
    end_index: int,
    vocabulary_size: int,
    batch_size: int,
    start: Sequence[Floats] | None = None,
) -> Iterator[Floats]:
    """A language model's ``-ln P`` of each token of each line, in nats, ``(tokens,)`` per line.

    Args:
        lines: token indices with the end symbol, each of length 1 or more. Each line is a text of
            its own.
        start: the states before each line, each ``(width,)``; zeros by default.
    """

    def read(windows: Iterable[Batch]) -> list[Floats]:
        found: list[Floats] = []
        losses_of_windows(network, windows, lambda _, losses: found.append(losses), start)
        return found

    return of_lines(network, lines, end_index, vocabulary_size, batch_size, read)


def of_lines(
    network: Network,
    lines: Sequence[Ints],
    end_index: int,
    vocabulary_size: int,
    batch_size: int,
    read: Callable[[Iterable[Batch]], Sequence[Floats]],
) -> Iterator[Floats]:
    """The values that ``read`` gives for each token of each line; see :func:`losses_of_lines`.

    Args:
        read: maps the windows of a batch, the first of which starts its lines, to values of their
            targets, each ``(rows, width, ...)``.

    Returns:
        For each line, in order, ``(tokens, ...)``.
    """

    def run(rows: NDArray[np.intp]) -> Sequence[Floats]:
        batch = [lines[i] for i in rows]
        length = network.padded_length(max(map(len, batch)))
        targets = pad(batch, length)
        ids = np.concatenate([np.full((len(batch), 1), end_index), targets[:, :-1]], axis=1)
        steps = min(LOGITS_AT_ONCE // vocabulary_size, TOKENS_AT_ONCE) // len(batch)
        width = max(8, steps // 8 * 8)
        windows = (
            Batch(
                ids[:, start : start + width].astype(np.int32),
                targets[:, start : start + width],
                (targets[:, start : start + width] != PAD_INDEX).astype(np.float32),
            )
            for start in range(0, length, width)
        )
        values = np.concatenate(read(windows), axis=1)
        return [row[: len(line)] for row, line in zip(values, batch, strict=True)]

    return by_length_in_order(network, [len(line) for line in lines], batch_size, run)
