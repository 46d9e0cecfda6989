"""The baselines of pairs: outputs that a network must beat."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_rnn.baselines.answers import most_frequent, nearest_neighbours
from nlp_rnn.baselines.ibm_model_1 import IBMModel1
from nlp_rnn.text.gold import gold_targets, target_tokenizer
from nlp_rnn.text.prepared import PreparedDataset, Split
from nlp_rnn.text.writing import joined, rewritten

Outputs = list[str]

MOST_LINKS = 40_000_000
"""The most pairs of a source and a target word of one example, in all, of which IBM Model 1 is
learned; it keeps 32 bytes of each in memory."""


def simple_outputs(dataset: PreparedDataset) -> dict[str, Outputs]:
    """What needs no learning: the source as it is, and the most frequent target of training."""
    tokenizer = target_tokenizer(dataset)
    test = dataset.split("test")
    frequent = most_frequent(gold_targets(dataset, "train"))
    return {
        "copy": [rewritten(record["text"], tokenizer) for record in test.records()],
        "most_frequent": [frequent] * len(test),
    }


def pair_outputs(dataset: PreparedDataset) -> Iterator[tuple[str, Outputs]]:
    """The name of each baseline, and its outputs for the test split, the simplest first."""
    yield from simple_outputs(dataset).items()
    yield "nearest_neighbour", _of_neighbours(dataset)
    train = dataset.split("train")
    if int((train.lengths * train.target_lengths).sum()) <= MOST_LINKS:
        yield "ibm_model_1", _word_by_word(dataset)


def _sources(dataset: PreparedDataset, split: Split) -> list[list[str]]:
    decode = dataset.vocabulary.decode
    return [decode(split.sequence(split.ids, i)) for i in range(len(split))]


def _of_neighbours(dataset: PreparedDataset) -> Outputs:
    """The target of the training source that is nearest."""
    train, test = (_sources(dataset, dataset.split(name)) for name in ("train", "test"))
    targets = gold_targets(dataset, "train")
    return [targets[i] for i in nearest_neighbours(train, test)]


def _word_by_word(dataset: PreparedDataset) -> Outputs:
    """Each token of the source replaced by its most probable translation, by IBM Model 1."""
    train, test = dataset.split("train"), dataset.split("test")
    numbers = range(len(train))
    model = IBMModel1.fit(
        [train.sequence(train.ids, i) for i in numbers],
        [train.target(i)[:-1] for i in numbers],
    )
    best = model.best_translations(len(dataset.vocabulary))
    types, unit = dataset.target_vocabulary.types, dataset.target_tokenizer_parameters.unit

    def output(i: int) -> str:
        found = best[test.sequence(test.ids, i)]
        return joined((types[j] for j in found[found >= 0]), unit)

    return [output(i) for i in range(len(test))]
