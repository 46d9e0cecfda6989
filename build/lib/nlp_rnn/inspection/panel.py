"""Panels, which the page and the plot share: a text coloured by positive and negative numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nlp_rnn.text.rules import Span

POSITIVE = (230, 97, 1)
"""Orange, in RGB from 0 to 255."""

NEGATIVE = (33, 102, 172)
"""Blue, which every kind of colour blindness can distinguish from orange."""

STRONGEST = 0.75
"""The opacity of the strongest colour, on which both black and white text are legible."""


@dataclass(frozen=True)
class Piece:
    """A piece of the text: a token with its value, or the text between tokens.

    Attributes:
        text: the characters of the piece.
        value: the value that determines its colour; None leaves it uncoloured.
        title: the tooltip.
        on: whether the tracked feature is on, if it is binary.
        target: whether it is the token whose prediction is explained.
    """

    text: str
    value: float | None = None
    title: str = ""
    on: bool = False
    target: bool = False


@dataclass(frozen=True)
class Panel:
    """A coloured text.

    Attributes:
        title: a line that says what is shown.
        note: a sentence with more information.
        pieces: the pieces of the text.
        name: the name of the panel for links.
    """

    title: str
    note: str
    pieces: Sequence[Piece]
    name: str

    @property
    def scale(self) -> float:
        """The largest absolute value, which has the strongest colour."""
        values = [abs(piece.value) for piece in self.pieces if piece.value is not None]
        return max(values, default=0.0) or 1.0

    @property
    def lowest(self) -> float:
        """The other end of the scale: 0 if no value is negative."""
        below = any(piece.value is not None and piece.value < 0 for piece in self.pieces)
        return -self.scale if below else 0.0


def pieces(
    text: str,
    spans: Sequence[Span],
    values: ArrayLike,
    on: ArrayLike | None = None,
    number: int = 1,
) -> list[Piece]:
    """Divide a text into pieces.

    Args:
        text: the raw text.
        spans: the tokens to show, in order, with offsets in ``text``.
        values: the value of each token.
        on: for each token, whether the feature is on; None if there is no binary feature.
        number: the number of the first token, for the titles.
    """
    found = []
    done = spans[0][1] if spans else 0
    tokens = zip(spans, np.asarray(values).tolist(), strict=True)
    marks = [False] * len(spans) if on is None else np.asarray(on).astype(bool).tolist()
    for i, ((token, start, end), value) in enumerate(tokens):
        if start > done:
            found.append(Piece(text[done:start]))
        # Some characters, such as ligatures, are two tokens: the first token shows the character.
        shown = text[max(start, done) : end]
        title = f"{number + i} ‘{token}’ {value:+.3g}"
        found.append(Piece(shown, value, title, marks[i]))
        done = max(done, end)
    return found
