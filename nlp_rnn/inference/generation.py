"""Generating text with a language model: sampling and beam search."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.inference.checks import check_number, check_penalty, check_share, check_whole
from nlp_rnn.inference.decoding import (
    Hypothesis,
    beam_search,
    nucleus,
    sample,
    tempered,
    top_k,
)
from nlp_rnn.inference.predictor import LanguageModelPredictor, language_model
from nlp_rnn.process import log
from nlp_rnn.runtime.forward import LOGITS_AT_ONCE
from nlp_rnn.runtime.network import States, Tokens
from nlp_rnn.text.vocabulary import PAD_INDEX, UNK, UNK_INDEX
from nlp_rnn.text.writing import piece


@dataclass(frozen=True)
class Sampling:
    """Draw each token from the distribution of the next one.

    Attributes:
        temperature: the divisor of the logits; 0 is greedy.
        top_k: draw from this many most likely tokens.
        top_p: draw from the most likely tokens with this total probability.
        samples: the number of texts.
        seed: the seed of all samples.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    samples: int = 1
    seed: int | None = None

    def __post_init__(self) -> None:
        """Raise UserError unless the numbers make sense."""
        finite = float("inf")
        check_number("temperature", self.temperature, lambda x: 0 <= x < finite, "0 or more")
        if self.top_p is not None:
            check_share("top_p", self.top_p)
        for name, least in (("top_k", 1), ("samples", 1), ("seed", 0)):
            if (value := getattr(self, name)) is not None:
                check_whole(name, value, least)

    def generators(self) -> list[np.random.Generator]:
        """One generator for each sample, so that samples do not depend on their number."""
        return np.random.default_rng(self.seed).spawn(self.samples)


@dataclass(frozen=True)
class BeamSearch:
    """Search for the most likely text.

    Attributes:
        width: the number of hypotheses kept at each step.
        n_best: the number of texts to list with their scores; None for only the best.
        length_penalty: the exponent ``alpha`` of Wu et al. (2016).
    """

    width: int
    n_best: int | None = None
    length_penalty: float = 0.6

    def __post_init__(self) -> None:
        """Raise UserError unless the numbers make sense."""
        check_whole("beam", self.width)
        check_whole("n_best", self.n_best or 1)
        check_penalty("length_penalty", self.length_penalty)


def text_only(logits: Floats) -> Floats:
    """Set the logits of ``<pad>`` and ``<unk>``, which are not text, to ``-inf``."""
    logits = logits.astype(np.float64)
    logits[:, [PAD_INDEX, UNK_INDEX]] = -np.inf
    return logits


def next_distribution(
    logits: Floats, temperature: float, k: int | None = None, p: float | None = None
) -> Floats:
    """The distribution from which to sample text, ``(samples, vocabulary)``."""
    probabilities = tempered(text_only(logits), temperature)
    if k is not None:
        probabilities = top_k(probabilities, k)
    if p is not None:
        probabilities = nucleus(probabilities, p)
    return probabilities


class PromptedModel:
    """A language model that has read a prompt, starting from the initial states of single texts.

    Args:
        predictor: the model.
        prompt: the text that every text continues; its lines end like those of the training text.

    Attributes:
        unknown: the tokens of the prompt that the model reads as ``<unk>``.
    """

    def __init__(self, predictor: LanguageModelPredictor, prompt: str) -> None:
        self._network = predictor.network
        self._start = predictor.start
        self._vocabulary = predictor.bundle.vocabulary
        self._unit = predictor.bundle.tokenizer.parameters.unit
        self._prompt = prompt
        self._at_once = max(1, LOGITS_AT_ONCE // len(self._vocabulary))
        end, tokens = self._vocabulary.end_index, predictor.bundle.tokenizer.tokens
        lines = [tokens(line) for line in prompt.split("\n")]
        ids = [i for line in lines for i in (end, *self._vocabulary.encode(line))]
        self._token, self._states = ids[-1], self._read(np.array([ids[:-1]], np.int32))
        words = dict.fromkeys(word for line in lines for word in line)
        words.pop(UNK, None)
        self.unknown = [word for word in words if self._vocabulary.encode([word]) == [UNK_INDEX]]

    def _read(self, ids: Tokens) -> States:
        """The states after ``ids (1, timesteps)``, read in pieces to bound memory."""
        states: States = self._network.first_states(1, self._start)
        for start in range(0, ids.shape[1], self._at_once):
            window = ids[:, start : start + self._at_once]
            _, states = self._network.log_probabilities(window, states)
        return states

    def _step(self, tokens: Tokens, states: States) -> tuple[Floats, States]:
        found, states = self._network.log_probabilities(tokens[:, None], states)
        return found[:, -1], states

    def _text_step(self, tokens: Tokens, states: States) -> tuple[Floats, States]:
        found, states = self._step(tokens, states)
        return text_only(found), states

    def _end(self, stop_at_end: bool) -> int | None:
        return self._vocabulary.end_index if stop_at_end else None

    def samples(self, length: int, sampling: Sampling, stop_at_end: bool = False) -> Iterator[str]:
        """The continuation of the prompt in every sample; memory bounds how many are drawn at
        once."""
        generators = sampling.generators()
        for start in range(0, len(generators), self._at_once):
            some = generators[start : start + self._at_once]
            for pieces in zip(*self.sample(length, sampling, some, stop_at_end), strict=True):
                yield "".join(pieces)

    def sample(
        self,
        length: int,
        sampling: Sampling,
        generators: Sequence[np.random.Generator],
        stop_at_end: bool = False,
    ) -> Iterator[list[str]]:
        """The text that each token adds to the sample of every generator; empty after its end."""
        end = self._end(stop_at_end)
        steps = sample(
            self._step,
            self._network.select,
            self._token,
            self._states,
            partial(
                next_distribution,
                temperature=sampling.temperature,
                k=sampling.top_k,
                p=sampling.top_p,
            ),
            generators,
            length,
            end,
        )
        pieces = [self._prompt] * len(generators)
        for tokens in steps:
            # An empty piece follows a space or nothing at all, so the next piece starts the same
            # way.
            pieces = [
                self._piece(token, before, end)
                for token, before in zip(tokens.tolist(), pieces, strict=True)
            ]
            yield pieces

    def search(
        self, length: int, beam: BeamSearch, stop_at_end: bool = False
    ) -> list[tuple[str, Hypothesis]]:
        """The best texts, including the prompt, best first."""
        end = self._end(stop_at_end)
        hypotheses = beam_search(
            self._text_step,
            self._network.select,
            self._token,
            self._states,
            beam.width,
            length,
            end,
            beam.length_penalty,
            beam.n_best or 1,
        )
        return [(self._text(hypothesis.tokens, end), hypothesis) for hypothesis in hypotheses]

    def _piece(self, token: int, before: str, end: int | None) -> str:
        return "" if token == end else piece(self._vocabulary.types[token], before, self._unit)

    def _text(self, tokens: Sequence[int], end: int | None) -> str:
        text = self._prompt
        for token in tokens:
            text += self._piece(token, text, end)
        return text


def generate(
    folder: Path,
    prompt: str,
    length: int,
    decoding: Sampling | BeamSearch,
    stop_at_end: bool = False,
) -> None:
    """Print texts by the language model in ``folder``; a single sample streams token by token.

    Args:
        prompt: the text that every text continues.
        length: the maximum number of tokens to generate.
        decoding: how to choose them. An n-best list is printed as JSON lines.
        stop_at_end: whether to end a text at the end of a line.

    Raises:
        UserError: the bundle is missing, broken or not a language model.
    """
    model = PromptedModel(language_model(folder), prompt)
    if model.unknown:
        log(f"not in the model's vocabulary, so read as {UNK}: {', '.join(model.unknown)}")
    if isinstance(decoding, BeamSearch):
        for text, hypothesis in model.search(length, decoding, stop_at_end):
            record = {
                "text": text,
                "log_probability": hypothesis.log_probability,
                "score": hypothesis.score,
            }
            print(text if decoding.n_best is None else json.dumps(record, ensure_ascii=False))
        return
    if decoding.samples > 1:
        for number, text in enumerate(model.samples(length, decoding, stop_at_end)):
            print("\n" * (number > 0) + prompt + text)
        return
    print(prompt, end="", flush=True)
    try:
        for (added,) in model.sample(length, decoding, decoding.generators(), stop_at_end):
            print(added, end="", flush=True)
    finally:
        print()  # so that even Ctrl-C leaves complete lines
