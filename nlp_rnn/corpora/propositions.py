"""Semantic roles in columns, as in the shared tasks CoNLL-2005 and CoNLL-2012.

There is one word per line and a blank line after each sentence. A column holds the frame of each
predicate, or ``-`` for other words, and after it comes a column of bracketed arguments for each
predicate, in their order (Carreras & Màrquez 2005)::

    American  JJ   -        (ARG0*
    forces    NNS  -        *)
    killed    VBD  kill.01  (V*)
    him       PRP  -        (ARG1*)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nlp_rnn.corpora.conll import Sentence, conll_sentences
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

NO_FRAME = "-"
"""What stands in the column of frames beside a word that is no predicate."""

PREDICATE = "V"
"""The role of the predicate itself."""

_ARGUMENT = re.compile(r"(?:\((?P<role>[^()*\s]+))?\*(?P<closed>\))?")
"""A word in a column of arguments, where one may begin and end."""


def read_propositions(
    path: Path, word_column: int, frame_column: int, bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream sentences with roles: see :class:`~nlp_rnn.example.Example`.

    Args:
        word_column: the column of the word, counted from 0.
        frame_column: the column of the frame of a predicate; those of arguments follow it.

    Raises:
        UserError: a line lacks a word or column, or the brackets of an argument do not match; the
            message names file and line.
    """
    for sentence in conll_sentences(path, bad_bytes, word_column, frame_column):
        sentence.check_empty("error")
        if sentence.words:
            yield from _Propositions(sentence, frame_column).examples()


@dataclass(frozen=True)
class _Propositions:
    """A sentence with its columns of frames and arguments."""

    sentence: Sentence
    frame_column: int

    def examples(self) -> Iterator[Example]:
        words = tuple(word.form for word in self.sentence.words)
        frames = [word.columns[self.frame_column] for word in self.sentence.words]
        predicates = [i for i, frame in enumerate(frames) if frame != NO_FRAME]
        self._check_columns(len(predicates))
        found = tuple("O" if frame == NO_FRAME else f"B-{PREDICATE}" for frame in frames)
        yield Example(tokens=words, tags=found)
        for number, predicate in enumerate(predicates, 1):
            tags = self._tags(self.frame_column + number)
            yield Example(tokens=words, tags=tags, predicate=predicate, frame=frames[predicate])

    def _check_columns(self, predicates: int) -> None:
        """Raise UserError unless there is a column of arguments for each predicate."""
        for i, word in enumerate(self.sentence.words):
            found = len(word.columns) - self.frame_column - 1
            if found < predicates or not word.columns[self.frame_column]:
                raise UserError(
                    f"{self.sentence.where(i)}: expected a frame or {NO_FRAME} in column "
                    f"{self.frame_column} (frame_column), and after it a column of arguments for "
                    f"each of the sentence's predicates ({predicates}); found {max(found, 0)}"
                )

    def _tags(self, column: int) -> tuple[str, ...]:
        """A column of arguments as BIO tags.

        Raises:
            UserError: brackets do not match, or an argument begins within another.
        """
        tags, role = [], None
        for i, word in enumerate(self.sentence.words):
            value = word.columns[column]
            parts = _ARGUMENT.fullmatch(value)
            if (
                parts is None
                or (parts["role"] and role)
                or (parts["closed"] and not (parts["role"] or role))
            ):
                raise UserError(
                    f"{self.sentence.where(i)}: found '{value}' in column {column}, expected "
                    "(ROLE* where an argument begins, *) where it ends, (ROLE*) for one word, and "
                    "* elsewhere; arguments of a predicate do not overlap"
                )
            prefix = "B" if parts["role"] else "I"
            role = parts["role"] or role
            tags.append(f"{prefix}-{role}" if role else "O")
            role = None if parts["closed"] else role
        if role:
            raise UserError(
                f"{self.sentence.where(len(tags) - 1)}: the argument ({role}* in column {column} "
                "never ends; close it by *)"
            )
        return tuple(tags)
