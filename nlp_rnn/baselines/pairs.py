"""The baselines of pairs: outputs that a network must beat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.baselines.affixes import AffixRules
from nlp_rnn.baselines.answers import most_frequent, nearest_neighbours, nearest_vectors
from nlp_rnn.baselines.ibm_model_1 import NO_WORD, IBMModel1
from nlp_rnn.baselines.pcfg import PCFG
from nlp_rnn.corpora.strings import lemma_and_features, spaced, unspaced
from nlp_rnn.corpora.trees import linearised, with_words
from nlp_rnn.text.gold import gold_targets, holds_trees
from nlp_rnn.text.prepared import PreparedDataset, Split
from nlp_rnn.text.vocabulary import UNK, UNK_INDEX
from nlp_rnn.text.writing import joined, rewritten

Outputs = list[str]

MOST_LINKS = 30_000_000
"""The most pairs of a source and a target word of one example, in all, of which IBM Model 1 is
learned; it takes about 70 bytes of memory for each."""

LONGEST_PARSED = 60
"""Longer sentences get a flat tree, because the time of CKY grows with the third power."""


def simple_outputs(dataset: PreparedDataset) -> dict[str, Outputs]:
    """What needs no learning: the most frequent target of training, and the source as it is, where
    it is a text."""
    return _simple(dataset, gold_targets(dataset, "train"))


def _simple(dataset: PreparedDataset, targets: Outputs) -> dict[str, Outputs]:
    """:func:`simple_outputs`, given the targets of the training split."""
    tokenizer, records = dataset.target_tokenizer, _records(dataset, "test")
    frequent = most_frequent(targets)
    outputs = {"most_frequent": [frequent] * len(records)}
    if _are_inflections(dataset):
        outputs["copy"] = [spaced(lemma_and_features(record["text"])[0]) for record in records]
    elif all(record["text"] for record in records):
        outputs["copy"] = [rewritten(record["text"], tokenizer) for record in records]
    return outputs


def pair_outputs(dataset: PreparedDataset) -> Iterator[tuple[str, Outputs]]:
    """The name of each baseline that fits, and its outputs for the test split, the simplest
    first."""
    targets = gold_targets(dataset, "train")
    yield from _simple(dataset, targets).items()
    yield "nearest_neighbour", [targets[i] for i in _neighbours(dataset)]
    if _are_inflections(dataset):
        yield "affix_rules", _inflected(dataset)
    elif holds_trees(dataset):
        yield "pcfg", _parsed(dataset)
    elif _might_be_translated(dataset):
        yield "ibm_model_1", _word_by_word(dataset)


def word_alignments(dataset: PreparedDataset) -> list[Ints] | None:
    """The source position of each token of each test target without the end symbol, by IBM Model 1;
    None for data whose tokens do not translate one another."""
    if not _might_be_translated(dataset):
        return None
    model, test = _translations(dataset), dataset.split("test")
    return [model.align(test.sequence(test.ids, i), test.target(i)[:-1]) for i in range(len(test))]


def _are_inflections(dataset: PreparedDataset) -> bool:
    return dataset.card["source"] == "files (sigmorphon)"


def _might_be_translated(dataset: PreparedDataset) -> bool:
    """Whether targets are neither inflections nor trees, and sources single texts without vectors
    and of not too many words."""
    if _are_inflections(dataset) or holds_trees(dataset):
        return False
    train = dataset.split("train")
    links = int(((train.lengths + 1) * train.target_lengths).sum())
    plain = train.features is None and not any("context" in r for r in train.records())
    return plain and links <= MOST_LINKS


def _neighbours(dataset: PreparedDataset) -> Ints:
    """The index of the training pair with the nearest source for each test pair."""
    train, test = dataset.split("train"), dataset.split("test")
    if train.features is None or test.features is None:
        return nearest_neighbours(_sources(dataset, train), _sources(dataset, test))
    known, wanted = ([record["text"] for record in side.records()] for side in (train, test))
    return nearest_vectors(known, np.asarray(train.features), wanted, np.asarray(test.features))


def _sources(dataset: PreparedDataset, split: Split) -> list[list[str]]:
    decode = dataset.vocabulary.decode
    return [decode(split.sequence(split.ids, i)) for i in range(len(split))]


def _records(dataset: PreparedDataset, split: str) -> list[dict[str, Any]]:
    return list(dataset.split(split).records())


def _inflected(dataset: PreparedDataset) -> Outputs:
    rules = AffixRules(
        (*lemma_and_features(record["text"]), unspaced(record["target"]))
        for record in _records(dataset, "train")
    )
    sources = (lemma_and_features(record["text"]) for record in _records(dataset, "test"))
    return [spaced(rules.inflect(lemma, features)) for lemma, features in sources]


def _parsed(dataset: PreparedDataset) -> Outputs:
    """The best trees by a grammar; the flat tree of a long sentence."""
    grammar = PCFG(
        with_words(record["target"], record["text"].split(), record["tags"])
        for record in _records(dataset, "train")
    )

    def output(words: list[str]) -> str:
        long = len(words) > LONGEST_PARSED
        return linearised(grammar.flat(words) if long else grammar.parse(words)[0])

    return [output(record["text"].split()) for record in _records(dataset, "test")]


def _translations(dataset: PreparedDataset) -> IBMModel1:
    """IBM Model 1 of the training split."""
    train = dataset.split("train")
    numbers = range(len(train))
    return IBMModel1.fit(
        [train.sequence(train.ids, i) for i in numbers],
        [train.target(i)[:-1] for i in numbers],  # without the end symbol
    )


def _word_by_word(dataset: PreparedDataset) -> Outputs:
    """Each token of the source replaced by its most probable translation, by IBM Model 1; a token
    without one stays as it is."""
    test = dataset.split("test")
    best = _translations(dataset).best_translations(len(dataset.vocabulary))
    types, unit = dataset.target_vocabulary.types, dataset.target_tokenizer_parameters.unit

    def output(number: int, text: str) -> str:
        found = best[test.sequence(test.ids, number)].tolist()
        words = dataset.tokenizer.tokens(text) or [UNK]
        pairs = zip(words, found, strict=True)
        return joined((w if j in (NO_WORD, UNK_INDEX) else types[j] for w, j in pairs), unit)

    return [output(number, record["text"]) for number, record in enumerate(test.records())]
