"""A model of a size that suits the data: where a user of the package would begin."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nlp_rnn.config.evaluation import DecodingParameters
from nlp_rnn.example import Kind
from nlp_rnn.projects.look import OWN_SHARES, Sight, quantile

SMALL, LARGE = 2_000, 20_000
"""Examples below which a network is small, and from which it is large."""

MOST_CHARACTERS = 1_000_000
"""Characters of text below which a language model reads characters: words would be too rare."""

MOST_TYPES = 20_000
"""Words that get a vector of their own."""

LONGEST = 400
"""Tokens of a text that a classifier reads at most."""

SUBWORDS_FROM = 5_000
"""Words of a side of pairs from which they are cut into subwords, if the library is installed."""

MOST_SUBWORDS = 6_000

LONGEST_PAIR = 60
"""Words of a pair's longer side, above which pairs are left out of training if they are few."""

PHRASE = 4
"""Words of most targets from which these are judged by BLEU, not by whether all of them match."""


@dataclass(frozen=True)
class Defaults:
    """The parameters of a data set and an experiment, and why they are as they are.

    Attributes:
        dataset: keys of the data set beside those of its files.
        experiment: all keys but the data set's name.
        suffix: what the experiment's name ends in.
        why: the size of the model, in words.
        sample: a text to try the model with.
    """

    dataset: dict[str, Any]
    experiment: dict[str, Any]
    suffix: str
    why: str
    sample: str = "some text"


def defaults(sight: Sight) -> Defaults:
    """Parameters to begin with.

    Few examples get a small network, much dropout and many epochs that end when validation gets no
    better (``patience``); many get a wide one and few epochs. Taggers read characters and casing,
    since most words are rare; entities get a CRF, which knows what may follow what. A rare label
    makes accuracy a poor guide, and few examples a coarse one: then the loss selects the best
    epoch.
    """
    return BY_KIND[sight.kind](sight)


def _size(sight: Sight) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Of a network on examples: units and dimension, training, and the size in words."""
    total = sight.counts.total
    if total < SMALL:
        sizes = {"units": 32, "dimension": 50}
        training = {"learning_rate": 0.003, "epochs": 30, "patience": 5, "batch_size": 16}
        return sizes, training, f"{total:,} examples are few: a small network, stopped early"
    if total < LARGE:
        sizes = {"units": 64, "dimension": 100}
        training = {"learning_rate": 0.002, "epochs": 12, "patience": 3, "batch_size": 32}
        return sizes, training, f"{total:,} examples: a network of medium size"
    sizes = {"units": 128, "dimension": 100}
    training = {"learning_rate": 0.002, "epochs": 6, "patience": 2, "batch_size": 64}
    return sizes, training, f"{total:,} examples are many: a wide network, few epochs"


def _data(sight: Sight, min_count: int) -> dict[str, Any]:
    """Splits, tokenizer and vocabulary."""
    found: dict[str, Any] = {}
    if sight.lacking:
        found["split"] = {split: OWN_SHARES[split] for split in sight.lacking}
        if sight.counts.duplicates and not sight.documents:
            found["split"]["duplicates"] = "together"
    if sight.counts.unseen_tags:
        found["unseen_labels"] = "keep"
    if sight.tokenizer:
        found["tokenizer"] = dict(sight.tokenizer)
    vocabulary = {"size": MOST_TYPES} if sight.counts.types > MOST_TYPES else {}
    found["vocabulary"] = {**vocabulary, "min_count": min_count}
    return found


def _classifier(sight: Sight) -> Defaults:
    sizes, training, why = _size(sight)
    model = {"cell": "lstm", "units": sizes["units"], "bidirectional": True, "pooling": "max"}
    counts = sight.counts
    select = "f1" if counts.multi_label else "accuracy"
    cut: dict[str, Any] = {}
    if counts.longest(1) > LONGEST:
        cut = {"max_length": min(LONGEST, -(-counts.longest(0.99) // 50) * 50)}
        if counts.longest(0.95) > LONGEST:
            cut["long_texts"] = "both"
    return Defaults(
        # A word seen once teaches nothing, unless there are few words at all.
        dataset=_data(sight, 2 if counts.tokens > 10 * SMALL else 1),
        experiment={
            "task": "classification",
            "embeddings": {"kind": "learned", "dimension": sizes["dimension"]},
            "model": {**model, "dropout": 0.5},
            "training": {
                "select": "loss" if counts.imbalanced or counts.total < SMALL else select,
                **({"thresholds": "micro_f1"} if counts.multi_label else {}),
                **training,
                "clip_norm": 1.0,
                **cut,
            },
        },
        suffix="bilstm",
        why=why,
    )


def _tagger(sight: Sight) -> Defaults:
    sizes, training, why = _size(sight)
    entities = sight.scheme is not None
    joint = sight.kind == "joint"
    # A few singletons may all lie outside the training split.
    rare_words = sight.counts.singletons > sight.counts.types / 100
    select = "f1" if entities else "accuracy"
    return Defaults(
        dataset=_data(sight, 1),
        experiment={
            "task": "intents_and_slots" if joint else "tagging",
            "embeddings": {"kind": "learned", "dimension": sizes["dimension"]},
            "model": {
                "cell": "lstm",
                "units": sizes["units"],
                "bidirectional": True,
                "dropout": 0.5,
                "casing": 10,
                "characters": {"kind": "cnn", "dropout": 0.3},
                **({"pooling": "max"} if joint else {}),
                **({"output": "crf"} if entities else {}),
            },
            "training": {
                "select": "exact_match" if joint else select,
                **training,
                "clip_norm": 1.0,
                **({"singleton_dropout": 0.5} if rare_words else {}),
            },
        },
        suffix="bilstm-crf" if entities else "bilstm",
        why=why,
    )


def _roles(sight: Sight) -> Defaults:
    """Layers upon each other, since an argument's place depends on the rest (He et al. 2017)."""
    sizes, training, why = _size(sight)
    return Defaults(
        dataset=_data(sight, 1),
        experiment={
            "task": "semantic_roles",
            "embeddings": {"kind": "learned", "dimension": sizes["dimension"]},
            "model": {
                "cell": "lstm",
                "units": 2 * sizes["units"],
                "layers": 2,
                "connection": "highway",
                "bidirectional": True,
                "dropout": 0.2,
                "casing": 10,
                "characters": {"kind": "cnn"},
            },
            "training": {"select": "f1", **training, "clip_norm": 1.0},
        },
        suffix="bilstm",
        why=why,
    )


def _pairs(sight: Sight) -> Defaults:
    """An encoder-decoder with attention, judged by BLEU where targets are phrases."""
    sizes, training, why = _size(sight)
    counts, units = sight.counts, 2 * sizes["units"]
    dataset = _data(sight, 1)
    by_words = sight.tokenizer.get("unit") == "word"
    rare = by_words and counts.types > SUBWORDS_FROM
    if rare and importlib.util.find_spec("tokenizers"):
        dataset["tokenizer"]["unit"] = "subword"
        dataset["vocabulary"] = {"size": MOST_SUBWORDS}
    if sight.target:
        dataset["target"] = {"tokenizer": dict(sight.target)}
    phrases = by_words and quantile(counts.target_lengths, 0.5) >= PHRASE
    most, longest = (
        max(counts.longest(share), quantile(counts.target_lengths, share)) for share in (0.95, 1)
    )
    if phrases and most <= LONGEST_PAIR < longest:
        dataset["keep"] = {"longest": LONGEST_PAIR}
    select = "bleu" if phrases else "loss" if sight.format == "trees" else "exact_match"
    return Defaults(
        dataset=dataset,
        experiment={
            "task": "sequence_to_sequence",
            "embeddings": {"kind": "learned", "dimension": sizes["dimension"]},
            "model": {
                "cell": "gru",
                "units": units,
                "decoder_units": units,
                "attention": "general",
                "dropout": 0.3,
            },
            "training": {
                "select": select,
                **training,
                "clip_norm": 1.0,
                **({"label_smoothing": 0.1} if phrases else {}),
            },
            **_decoding(sight),
        },
        suffix="gru-attention",
        why=why,
    )


def _decoding(sight: Sight) -> dict[str, Any]:
    """A bound on the length of targets, where the usual one is too short for those at hand, and
    the form of trees."""
    sources, targets = sight.counts.lengths, sight.counts.target_lengths
    ratios = (target / max(source, 1) for source, target in zip(sources, targets, strict=True))
    usual = DecodingParameters()
    within = all(t < usual.limit(s) for s, t in zip(sources, targets, strict=True))
    found: dict[str, Any] = {} if within else {"longest_ratio": float(math.ceil(max(ratios)))}
    if sight.format == "trees":
        found["well_formed"] = True
    return {"decoding": found} if found else {}


def _language_model(sight: Sight) -> Defaults:
    characters = sight.counts.characters
    by_character = characters < MOST_CHARACTERS or sight.tokenizer.get("unit") == "character"
    long = characters >= MOST_CHARACTERS
    if by_character:
        dataset = {"tokenizer": {**sight.tokenizer, "unit": "character", "lowercase": False}}
        why = f"{characters:,} characters: read one by one, as words would be too rare"
        sizes = {"units": 512 if long else 256, "dimension": 64}
        training = {"window": 100, "epochs": 10 if long else 20}
    else:
        dataset = _data(sight, 2)
        why = f"{sight.counts.tokens:,} words"
        sizes = {"units": 256, "dimension": 256}
        training = {"window": 35, "epochs": 10}
    # Each batch reads so many places of the text at once: few, where it is short.
    streams = 32 if characters > 300_000 else 8
    shares = {split: OWN_SHARES[split] for split in sight.lacking}
    return Defaults(
        dataset={**({"split": shares} if shares else {}), **dataset},
        experiment={
            "task": "language_modelling",
            "embeddings": {"kind": "learned", "dimension": sizes["dimension"]},
            "model": {
                "cell": "lstm",
                "units": sizes["units"],
                "dropout": 0.3,
                **({} if by_character else {"tied": True}),
            },
            "training": {
                "learning_rate": 0.002,
                **training,
                "patience": 2,
                "batch_size": streams,
                "clip_norm": 1.0,
            },
        },
        suffix="lstm",
        why=why,
    )


BY_KIND: dict[Kind, Callable[[Sight], Defaults]] = {
    "labelled": _classifier,
    "tagged": _tagger,
    "joint": _tagger,
    "roles": _roles,
    "pairs": _pairs,
    "text": _language_model,
}
"""What makes the parameters for each kind of examples."""
