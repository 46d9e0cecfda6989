"""Words as sequences of characters: inflection (SIGMORPHON) and pronunciation (CMUdict).

Characters are parted by spaces, so that tokens of several characters can stand beside them. A space
within a word becomes ``␣``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from nlp_rnn.corpora.lines import BadBytes, numbered_lines
from nlp_rnn.corpora.pairs import pair
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example

SPACE = "␣"

COMMENT = ";;;"
"""How comments of the Pronouncing Dictionary begin."""

_VARIANT = re.compile(r"\(\d+\)$")


def spaced(word: str) -> str:
    """The characters of a word as tokens.

    >>> spaced("rings um")
    'r i n g s ␣ u m'
    """
    return " ".join(word.replace(" ", SPACE))


def unspaced(tokens: str) -> str:
    """The word of :func:`spaced`."""
    return tokens.replace(" ", "").replace(SPACE, " ")


def inflection_source(lemma: str, features: str) -> str:
    """The source of an inflection: the characters of the lemma, then its features.

    >>> inflection_source("sagen", "V;PST")
    's a g e n <V> <PST>'
    """
    return " ".join([spaced(lemma), *(f"<{feature}>" for feature in features.split(";"))])


def lemma_and_features(source: str) -> tuple[str, str]:
    """What :func:`inflection_source` joined."""
    tokens = source.split()
    lemma = [token for token in tokens if len(token) == 1]
    features = [token[1:-1] for token in tokens if len(token) > 1]
    return unspaced(" ".join(lemma)), ";".join(features)


def read_sigmorphon(path: Path, bad_bytes: BadBytes) -> Iterator[Example]:
    """Stream the forms of a file of SIGMORPHON's shared tasks of 2017 and 2018.

    A line is ``LEMMA tab FORM tab FEATURES``, with semicolons between features. Blank lines are
    skipped.

    Raises:
        UserError: a line has other columns, or an empty one; the message names file and line.
    """
    for number, line in numbered_lines(path, bad_bytes):
        if not line.strip():
            continue
        where, columns = f"{path}, line {number}", line.rstrip("\r").split("\t")
        if len(columns) != 3 or not all(column.strip() for column in columns):
            raise UserError(
                f"{where}: expected lemma, form and features with tabs between them, found "
                f"{len(columns)} columns" + (", one of them empty" if len(columns) == 3 else "")
            )
        lemma, form, features = (column.strip() for column in columns)
        yield pair(where, inflection_source(lemma, features), spaced(form))


def read_cmudict(
    path: Path, pronunciations: Literal["all", "first"], bad_bytes: BadBytes
) -> Iterator[Example]:
    """Stream the words of a file of the CMU Pronouncing Dictionary with their phonemes.

    A line is ``WORD PHONEMES`` with variants as ``WORD(2)``, or ``WORD NUMBER PHONEMES``. Blank
    lines and comments are skipped: lines that begin with ``;;;``, and what follows `` #``.

    Args:
        path: the file.
        pronunciations: ``all`` makes a pair of each variant, ``first`` of the first of each word;
            variants of a word stand in adjacent lines.
        bad_bytes: how to treat undecodable UTF-8.

    Raises:
        UserError: a word has no phonemes; the message names file and line.
    """
    last = ""
    for number, line in numbered_lines(path, bad_bytes):
        fields = line.split(" #")[0].split()
        if not fields or line.startswith(COMMENT):
            continue
        word, *phonemes = fields
        if phonemes and phonemes[0].isdecimal():
            del phonemes[0]
        else:
            word = _VARIANT.sub("", word)
        if not phonemes:
            raise UserError(f"{path}, line {number}: the word '{word}' has no phonemes")
        if pronunciations == "all" or word != last:
            yield Example(text=spaced(word), target=" ".join(phonemes))
        last = word
