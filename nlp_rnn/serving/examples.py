"""The examples of ``/openapi.json`` (digits shortened)."""

from __future__ import annotations

from typing import Any

TEXTS: list[Any] = [
    {"texts": ["good , not bad at all"]},
    {"texts": ["Ann lives in Rome .", ["New", "York", "sleeps"]]},
]

PROMPT: list[Any] = [
    {"prompt": "the old", "length": 20, "temperature": 0.8, "top_p": 0.9, "seed": 1},
    {"prompt": "the old", "stream": True},
]

_PREDICTIONS: dict[str, dict[str, Any]] = {
    "classification": {
        "label": "positive",
        "probability": 0.94,
        "probabilities": {"negative": 0.06, "positive": 0.94},
    },
    "tagging": {
        "tokens": ["Ann", "lives", "in", "Rome", "."],
        "tags": ["B-PER", "O", "O", "B-LOC", "O"],
        "probabilities": [0.98, 0.99, 0.99, 0.97, 0.99],
        "entities": [
            {"type": "PER", "start": 0, "end": 3, "text": "Ann", "probability": 0.97},
            {"type": "LOC", "start": 13, "end": 17, "text": "Rome", "probability": 0.96},
        ],
    },
    "intents_and_slots": {
        "label": "flight",
        "probability": 0.98,
        "probabilities": {"flight": 0.98, "airfare": 0.02},
        "tokens": ["flights", "to", "Rome"],
        "tags": ["O", "O", "B-city"],
        "tag_probabilities": [0.99, 0.99, 0.97],
        "entities": [{"type": "city", "start": 11, "end": 15, "text": "Rome", "probability": 0.97}],
    },
    "semantic_roles": {
        "tokens": ["Ann", "sleeps"],
        "predicates": [
            {
                "text": "sleeps",
                "start": 4,
                "end": 10,
                "frame": "sleep.01",
                "probability": 0.99,
                "arguments": [{"role": "ARG0", "start": 0, "end": 3, "text": "Ann"}],
            }
        ],
    },
    "language_modelling": {"log_probability": -11.2, "tokens": 4, "perplexity": 16.4},
    "sequence_to_sequence": {"output": "die Katze schläft", "log_probability": -0.4, "score": -0.3},
}

PREDICTED: dict[str, Any] = {
    task: {"value": {"model": f"my-{task}", "version": "3", "predictions": [prediction]}}
    for task, prediction in _PREDICTIONS.items()
}

GENERATED: dict[str, Any] = {
    "model": "lm-lstm",
    "version": "3",
    "text": "the old dog sleeps",
}

STREAM = (
    'data: {"text": " dog"}\n\n'
    'data: {"text": " sleeps"}\n\n'
    'event: end\ndata: {"model": "lm-lstm", "version": "3", "text": "the old dog sleeps"}\n\n'
)
"""What a stream of server-sent events looks like."""
