"""A text as a language model reads it, with the place of every token in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.text.rules import Span, Tokenizer
from nlp_rnn.text.vocabulary import Vocabulary

LONGEST_TOKEN = 100
"""Characters that a token has at most on average, so that a file that is one long line is not
split into tokens as a whole."""


@dataclass(frozen=True)
class Reading:
    """The beginning of a text, or all of it.

    Attributes:
        text: the lines, each with its line end.
        spans: the tokens as the vocabulary has them, with their characters' offsets in
            ``text``; a line end is the end symbol.
        inputs: int32 ``(tokens + 1,)``, what the model reads: the end symbol, as if a line had
            ended before, then every token.
        starts: bool ``(tokens + 1,)``: the state is zero before this input.
        complete: whether it is all of the text.
    """

    text: str
    spans: list[Span]
    inputs: NDArray[np.int32]
    starts: NDArray[np.bool_]
    complete: bool

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.spans)

    def of_tokens(self, values: Sequence[float]) -> NDArray[np.float64]:
        """For each token the largest value of its characters, from one a character of ``text``.

        A token without characters, such as the space that subwords put before a text, has the
        value of the character where it stands.
        """
        return np.array([max(values[start : max(end, start + 1)]) for _, start, end in self.spans])


def read(
    lines: Iterable[str],
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    of_lines: bool,
    most: int,
) -> Reading:
    """Tokenize lines, as many as have ``most`` tokens together.

    Args:
        lines: without their line ends.
        of_lines: each line is a text of its own, read from a zero state, as the model may have
            been trained; else the state is carried from line to line.
        most: tokens, line ends included; the line that goes beyond is cut.
    """
    end = vocabulary.end
    assert end is not None
    texts: list[str] = []
    spans: list[Span] = []
    starts = [True]
    done = 0
    for line in lines:
        if len(spans) > most:
            break
        line = line[: most * LONGEST_TOKEN]
        texts.append(line + "\n")
        found = [*tokenizer.spans(line), (end, len(line), len(line) + 1)]
        spans += [(token, done + first, done + last) for token, first, last in found]
        starts += [False] * (len(found) - 1) + [of_lines]
        done += len(line) + 1
    ids = vocabulary.encode(token for token, _, _ in spans[:most])
    types = vocabulary.decode(ids)
    return Reading(
        "".join(texts),
        [(token, first, last) for token, (_, first, last) in zip(types, spans, strict=False)],
        np.array([vocabulary.end_index, *ids], np.int32),
        np.array(starts[: most + 1]),
        complete=len(spans) <= most,
    )
