"""Projects on the built-in corpora, each of which runs in a minute or two."""

from __future__ import annotations

from typing import Any

from nlp_rnn.projects.defaults import Defaults


def _labels(corpus: str, task: str, suffix: str, sample: str, **model: Any) -> Defaults:
    sentences = {"train": 3000, "validation": 500, "test": 1000}
    return Defaults(
        dataset={
            "source": "grammar",
            "corpus": corpus,
            "sizes": sentences,
            "tokenizer": {"unit": "whitespace", "lowercase": False},
            "vocabulary": {"min_count": 2},
        },
        experiment={
            "task": task,
            "embeddings": {"kind": "learned", "dimension": 64},
            "model": {"cell": "lstm", "units": 64, "bidirectional": True, "dropout": 0.2, **model},
            "training": {
                "learning_rate": 0.005,
                "epochs": 5,
                "batch_size": 32,
                "clip_norm": 1.0,
                "schedule": {"kind": "cosine"},
            },
        },
        suffix=suffix,
        why="small enough to train within a minute",
        sample=sample,
    )


def _text(unit: str, lines: int, dimension: int, **model: Any) -> Defaults:
    return Defaults(
        dataset={
            "source": "grammar",
            "corpus": "text",
            "sizes": {"train": lines, "validation": 500, "test": 500},
            "tokenizer": {"unit": unit, "lowercase": False},
            "vocabulary": {"min_count": 2},
        },
        experiment={
            "task": "language_modelling",
            "embeddings": {"kind": "learned", "dimension": dimension},
            "model": model,
            "training": {
                "learning_rate": 0.005,
                "epochs": 3,
                "batch_size": 8,
                "window": 35,
                "clip_norm": 5.0,
                "schedule": {"kind": "cosine"},
            },
        },
        suffix=model["cell"],
        why="small enough to train within a minute",
    )


def _translation() -> Defaults:
    return Defaults(
        dataset={
            "source": "pairs",
            "corpus": "translation",
            "sizes": {"train": 16_000, "validation": 500, "test": 1000},
        },
        experiment={
            "task": "sequence_to_sequence",
            "embeddings": {"kind": "learned", "dimension": 64},
            "model": {"cell": "gru", "units": 64, "decoder_units": 128, "attention": "general"},
            "training": {
                "learning_rate": 0.01,
                "epochs": 5,
                "batch_size": 64,
                "clip_norm": 1.0,
                "schedule": {"kind": "cosine"},
            },
        },
        suffix="gru-attention",
        why="small enough to train within two minutes",
        sample="the clerk likes this mole .",
    )


REVIEW, SENTENCE = "good , not bad at all", "Clara Jensen travelled to Cardona ."

BUILT_IN = {
    "sentiment": _labels("reviews", "classification", "bilstm", REVIEW, pooling="max"),
    "pos": _labels("parts_of_speech", "tagging", "bilstm", SENTENCE),
    "ner": _labels("entities", "tagging", "bilstm-crf", SENTENCE, output="crf"),
    "lm": _text("whitespace", 15_000, 64, cell="lstm", units=100, dropout=0.1),
    "characters": _text("character", 8_000, 32, cell="gru", units=128),
    "translation": _translation(),
}
"""A built-in data set and an experiment on it, by the name of the example."""
