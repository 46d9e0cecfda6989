"""What the page and the picture show alike: a text in colours, of numbers above and below 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nlp_rnn.text.rules import Span

POSITIVE = (230, 97, 1)
"""Orange, in RGB to 255."""

NEGATIVE = (33, 102, 172)
"""Blue: with orange the pair that every kind of colour-blindness keeps apart."""

STRONGEST = 0.75
"""The opacity of the strongest colour, behind which black and white text stay legible."""


@dataclass(frozen=True)
class Piece:
    """A part of the text: a token with its value, or what lies between tokens.

    Attributes:
        text: as in the text.
        value: colours it; None leaves it plain.
        title: what a pointer on it tells.
        on: whether the feature that is tracked is on, where it is 0 or 1.
        target: whether it is the token whose prediction is explained.
    """

    text: str
    value: float | None = None
    title: str = ""
    on: bool = False
    target: bool = False


@dataclass(frozen=True)
class Panel:
    """One colouring of a text.

    Attributes:
        title: what is shown, a line.
        note: more about it, a sentence.
        pieces: the text.
        name: of the panel, for a link to it.
    """

    title: str
    note: str
    pieces: Sequence[Piece]
    name: str

    @property
    def scale(self) -> float:
        """The largest absolute value; has the strongest colour."""
        values = [abs(piece.value) for piece in self.pieces if piece.value is not None]
        return max(values, default=0.0) or 1.0

    @property
    def lowest(self) -> float:
        """The other end of the scale: 0 where no value is below."""
        below = any(piece.value is not None and piece.value < 0 for piece in self.pieces)
        return -self.scale if below else 0.0


def pieces(
    text: str,
    spans: Sequence[Span],
    values: ArrayLike,
    on: ArrayLike | None = None,
    number: int = 1,
) -> list[Piece]:
    """A text in pieces.

    Args:
        text: raw.
        spans: the tokens to show, one after another, with offsets in ``text``.
        values: of each token.
        on: of each token, whether the feature is on; None where there is none.
        number: of the first token, for the titles.
    """
    found = []
    done = spans[0][1] if spans else 0
    tokens = zip(spans, np.asarray(values).tolist(), strict=True)
    marks = [False] * len(spans) if on is None else np.asarray(on).astype(bool).tolist()
    for i, ((token, start, end), value) in enumerate(tokens):
        if start > done:
            found.append(Piece(text[done:start]))
        # Some characters are two tokens, such as a ligature: the first one shows it.
        shown = text[max(start, done) : end]
        title = f"{number + i} ‘{token}’ {value:+.3g}"
        found.append(Piece(shown, value, title, marks[i]))
        done = max(done, end)
    return found
