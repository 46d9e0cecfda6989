"""Lines that begin with their label, as fastText and many collections of sentences have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nlp_rnn.corpora.lines import BadBytes, numbered_lines
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

PREFIX = "__label__"
"""What fastText writes before a label."""


def read_fasttext(path: Path, bad_bytes: BadBytes) -> Iterator[Example]:
    """Stream the texts of a file, each with the first word of its line as its label.

    A line is ``__label__LABEL TEXT``, or ``LABEL TEXT``. Blank lines are skipped.

    Args:
        path: the file.
        bad_bytes: how to treat undecodable UTF-8.

    Raises:
        UserError: some lines have fastText's prefix and others do not, or a line has several
            labels; the message names file and line.
    """
    prefixed: bool | None = None
    for number, line in numbered_lines(path, bad_bytes):
        if not line.strip():
            continue
        label, *text = line.split(maxsplit=1)
        if prefixed is None:
            prefixed = label.startswith(PREFIX)
        if prefixed != label.startswith(PREFIX):
            found = "without" if prefixed else "with"
            raise UserError(
                f"{path}, line {number}: begins {found} {PREFIX}, unlike the lines before; write "
                "all labels in the same way"
            )
        if label == PREFIX:
            raise UserError(
                f"{path}, line {number}: has no label after {PREFIX}; label the example"
            )
        if prefixed and text and text[0].startswith(PREFIX):
            raise UserError(
                f"{path}, line {number}: has several labels; write them in a column of a table, "
                "which label_separator reads"
            )
        yield Example(text=text[0].strip() if text else "", label=label.removeprefix(PREFIX))
