"""A text as a language model reads it, with the position of every token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.text.rules import Span, Tokenizer
from nlp_rnn.text.vocabulary import Vocabulary

LONGEST_TOKEN = 100
"""The assumed maximum of the average token length in characters, which avoids tokenizing all of a
file that is one long line."""


@dataclass(frozen=True)
class Reading:
    """A text, or its beginning.

    Attributes:
        text: the lines, each with its line end.
        spans: the tokens as in the vocabulary, with their character offsets in ``text``; a line end
            is the end symbol.
        inputs: the model's inputs, int32 ``(tokens + 1,)``: the end symbol, as if a line had just
            ended, then every token.
        starts: bool ``(tokens + 1,)``: whether the state is zero before this input.
        complete: whether it is the whole text.
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
        """For each token, the largest value of its characters, given one per character of ``text``.

        A token without characters, such as the space that subword units put before a text, gets the
        value of the character at its position.
        """
        return np.array([max(values[start : max(end, start + 1)]) for _, start, end in self.spans])


def read(
    lines: Iterable[str],
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    of_lines: bool,
    most: int,
) -> Reading:
    """Tokenize lines until they have ``most`` tokens in total.

    Args:
        lines: the lines, without their line ends.
        of_lines: whether each line is a text of its own, read from a zero state, if the model was
            trained so; otherwise the state is carried from line to line.
        most: the maximum number of tokens, including line ends; the line that exceeds it is cut.
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
