"""From examples to tokens, as a network reads or learns them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from nlp_rnn.arrays import Ints
from nlp_rnn.config import KeptPairs
from nlp_rnn.example import TAGGED_KINDS, Example, Kind
from nlp_rnn.text.rules import Tokenizer
from nlp_rnn.text.vocabulary import EOS, SEPARATOR, UNK, Vocabulary


def end_symbol(kind: Kind, unit: str) -> str | None:
    """The end symbol of a line of running text: ``<eos>``, or the newline for characters."""
    if kind != "text":
        return None
    return "\n" if unit == "character" else EOS


def source_tokens(tokenizer: Tokenizer, text: str, context: Iterable[str] = ()) -> list[str]:
    """The tokens of the source of a pair: its context and its text, with separators between."""
    tokens: list[str] = []
    for part in context:
        tokens += [*tokenizer.tokens(part), SEPARATOR]
    return [*tokens, *tokenizer.tokens(text)] or [UNK]


class Encoder:
    """The tokens and labels of examples of one kind; of pairs, the tokens of their sources.

    Attributes:
        end: the end symbol of each line of running text.
    """

    def __init__(self, kind: Kind, tokenizer: Tokenizer) -> None:
        self.kind = kind
        self.tokenizer = tokenizer
        self.end = end_symbol(kind, tokenizer.parameters.unit)

    def tokens(self, example: Example) -> list[str]:
        if self.kind in TAGGED_KINDS:
            return self.tokenizer.words(example.tokens)
        if self.kind == "pairs":
            return source_tokens(self.tokenizer, example.text, example.context)
        tokens = self.tokenizer.tokens(example.text)
        if self.end is not None:
            return [*tokens, self.end]
        return tokens or [UNK]  # a text without tokens still has a label

    def texts(self, example: Example) -> list[str]:
        """The raw texts that :meth:`tokens` reads."""
        return [*example.context, example.text]

    def labels(self, example: Example) -> tuple[str, ...]:
        if self.kind == "labelled":
            return example.label_set
        return example.tags if self.kind in TAGGED_KINDS else ()


class TargetEncoder(Encoder):
    """The tokens of the targets of pairs, which all end with the end symbol."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__("pairs", tokenizer)
        self.end = EOS

    def tokens(self, example: Example) -> list[str]:
        return [*self.tokenizer.tokens(example.target), EOS]

    def texts(self, example: Example) -> list[str]:
        return [example.target]


@dataclass(frozen=True)
class Counting:
    """Counts the types of some examples, for each side; those of a sentence with roles once."""

    encoders: Sequence[Encoder]

    def __call__(self, examples: Sequence[Example]) -> list[Counter[str]]:
        once = [example for example in examples if example.predicate is None]
        return [
            Counter(token for example in once for token in encoder.tokens(example))
            for encoder in self.encoders
        ]


class EncodedChunk(NamedTuple):
    """Some examples as they are written.

    Attributes:
        sides: the indices of all tokens and the number of tokens of each example, for each side.
        records: a line of JSON for each example.
    """

    sides: list[tuple[Ints, Ints]]
    records: str


@dataclass(frozen=True)
class Encoding:
    """Writes some examples as indices of a vocabulary, for each side, and as records."""

    kind: Kind
    sides: Sequence[tuple[Encoder, Vocabulary]]

    def __call__(self, examples: Sequence[Example]) -> EncodedChunk:
        sides: list[tuple[Ints, Ints]] = []
        for encoder, vocabulary in self.sides:
            ids = [vocabulary.encode(encoder.tokens(example)) for example in examples]
            lengths = np.fromiter(map(len, ids), np.int64, len(ids))
            sides.append((np.fromiter(chain.from_iterable(ids), np.int32, lengths.sum()), lengths))
        lines = (json.dumps(each.record(self.kind), ensure_ascii=False) for each in examples)
        return EncodedChunk(sides, "".join(f"{line}\n" for line in lines))


@dataclass
class Selection:
    """Leaves out pairs of the training split that are too long or too unequal, and counts them.

    Attributes:
        left_out: the pairs that the last pass left out.
    """

    keep: KeptPairs
    source: Encoder
    target: Encoder
    left_out: int = 0

    def of(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Pass the pairs on that are kept."""
        self.left_out = 0
        for example in examples:
            if self._is_kept(example):
                yield example
            else:
                self.left_out += 1

    def _is_kept(self, example: Example) -> bool:
        lengths = len(self.source.tokens(example)), len(self.target.tokens(example)) - 1
        shorter, longer = sorted(lengths)
        longest, ratio = self.keep.longest, self.keep.ratio
        return (longest is None or longer <= longest) and (
            ratio is None or longer <= ratio * max(shorter, 1)
        )
