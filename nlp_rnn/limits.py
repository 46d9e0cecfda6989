"""How much of a file that somebody else made is taken into memory, and what allows more.

A few bytes can stand for gigabytes: compressed, repeated, or promised by a header. So readers ask
here before they take memory. Each limit is far above what texts need, and an environment variable
raises it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from nlp_rnn.errors import UserError


@dataclass(frozen=True)
class Limit:
    """The largest amount of something.

    Attributes:
        variable: the environment variable that sets another amount.
        default: the amount if it is not set.
        unit: what is counted, in the plural.
    """

    variable: str
    default: int
    unit: str

    @property
    def most(self) -> int:
        """The amount that is allowed; raises UserError if the variable is no whole number."""
        given = os.environ.get(self.variable, "")
        if not given:
            return self.default
        if not re.fullmatch("[1-9][0-9]{0,17}", given):
            raise UserError(f"{self.variable}: expected a whole number above 0, found {given}")
        return int(given)

    def check(self, found: int, what: str) -> None:
        """Raise UserError if ``what`` (a file and a place in it) has more than is allowed."""
        if found > self.most:
            raise self.exceeded(what)

    def exceeded(self, what: str) -> UserError:
        """The error for ``what`` (a file and a place in it) that has more than is allowed."""
        return UserError(
            f"{what}: has more than {self.most:,} {self.unit}; if that is right, set the "
            f"environment variable {self.variable} to a higher number"
        )


TEXT_BYTES = Limit("NLP_RNN_TEXT_BYTES", 1 << 24, "bytes")
"""Of a single text with what belongs to it: a line, a row, a sentence in columns, a file of a
folder or archive, a page of Parquet."""

TEXT_TOKENS = Limit("NLP_RNN_TEXT_TOKENS", 100_000, "tokens")
"""Of a text that a classifier or tagger reads as a whole: the network's memory grows with it."""

EXPANSION = Limit("NLP_RNN_EXPANSION", 200, "times the bytes of its file when it is unpacked")
"""Of an archive. Text shrinks to a third or a tenth, a bomb to a thousandth."""

NETWORK_BYTES = Limit("NLP_RNN_NETWORK_BYTES", 1 << 33, "bytes")
"""Of the values that ONNX graphs compute, all together: 8 GiB."""


def largest_unpacked(archive: Path) -> int:
    """How many bytes an archive may have when it is unpacked."""
    return EXPANSION.most * archive.stat().st_size + TEXT_BYTES.most
