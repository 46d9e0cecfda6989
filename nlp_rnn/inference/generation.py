"""Sampling text from a language model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nlp_rnn.inference.forward import softmax
from nlp_rnn.inference.network import Floats
from nlp_rnn.inference.predictor import LanguageModelPredictor, language_model
from nlp_rnn.text.tokenizers import SUBWORD_SPACE
from nlp_rnn.text.vocabulary import EOS, PAD_INDEX, UNK_INDEX


def next_distribution(logits: Floats, temperature: float) -> Floats:
    """The distribution to sample from, ``(samples, vocabulary)``.

    ``softmax(logits / temperature)`` without ``<pad>`` and ``<unk>``, which are no text;
    temperature 0 puts all probability on the likeliest token.
    """
    logits = logits.astype(np.float64)
    logits[:, [PAD_INDEX, UNK_INDEX]] = -np.inf
    below_best = logits - logits.max(axis=1, keepdims=True)
    if temperature == 0:
        return (below_best == 0).astype(np.float64)
    with np.errstate(over="ignore"):  # a tiny temperature takes what is below the best to -inf
        return softmax(below_best / temperature)


def sample(
    predictor: LanguageModelPredictor,
    prompt: str,
    length: int,
    temperature: float,
    samples: int,
    seed: int | None,
) -> Iterator[list[str]]:
    """Sample token by token, all samples at once.

    Args:
        prompt: what every sample continues, after the start of a text.
        length: tokens to sample.

    Yields:
        For each step, the next token of every sample.
    """
    vocabulary = predictor.bundle.vocabulary
    rng = np.random.default_rng(seed)
    start = [vocabulary.end_index, *vocabulary.encode(predictor.bundle.tokenizer.tokens(prompt))]
    ids: Any = np.tile(np.array(start, np.int32), (samples, 1))
    states: Any = predictor.network.zero_states(samples)
    for _ in range(length):
        found, states = predictor.network.log_probabilities(ids, states)
        cumulative = next_distribution(found[:, -1], temperature).cumsum(axis=1)
        drawn = (cumulative < rng.random((samples, 1)) * cumulative[:, -1:]).sum(axis=1)
        ids = drawn.astype(np.int32)[:, None]
        yield vocabulary.decode(drawn)


def generate(
    folder: Path,
    prompt: str,
    length: int,
    temperature: float,
    samples: int,
    seed: int | None,
) -> None:
    """Print samples from the bundle in ``folder``; a single one streams token by token."""
    predictor = language_model(folder)
    unit = predictor.bundle.tokenizer.parameters.unit
    space = " " if unit in ("word", "whitespace") else ""
    texts = [prompt] * samples
    for tokens in sample(predictor, prompt, length, temperature, samples, seed):
        for i, token in enumerate(tokens):
            before = "" if not texts[i] or texts[i].endswith("\n") else space
            piece = "\n" if token == EOS else before + token.replace(SUBWORD_SPACE, " ")
            if samples == 1:
                sys.stdout.write(prompt + piece if texts[i] == prompt else piece)
                sys.stdout.flush()
            texts[i] += piece
    print("" if samples == 1 else "\n\n".join(texts))
