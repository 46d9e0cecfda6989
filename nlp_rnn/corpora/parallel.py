"""Parallel files: sentences in the lines of one, and their tags, labels or targets in others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from nlp_rnn.corpora.lines import BadBytes, read_lines
from nlp_rnn.corpora.schemes import TagSurvey, kept_tags, words_of
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example, Scheme


def parallel_lines(
    files: Sequence[Path], bad_bytes: BadBytes
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Stream the lines of several files, those of the same number together, counted from 1.

    Raises:
        UserError: the files have unequal numbers of lines; the message names two of them.
    """
    each = (read_lines(file, bad_bytes) for file in files)
    for number, lines in enumerate(zip_longest(*each), 1):
        if None in lines:
            ended = files[lines.index(None)]
            other = next(f for f, line in zip(files, lines, strict=True) if line is not None)
            raise UserError(
                f"{ended}: ends after line {number - 1:,}, but {other} has more lines; parallel "
                "files have equally many"
            )
        yield number, lines


def read_parallel(
    sentences: Path,
    bad_bytes: BadBytes,
    tags: Path | None = None,
    labels: Path | None = None,
    scheme: Scheme | None = None,
) -> Iterator[Example]:
    """Stream sentences with a tag for each word, a label, or both.

    Args:
        sentences: the words of each, separated by spaces; with labels alone, any texts.
        tags: the file of their tags, likewise; None for none.
        labels: the file of their labels; None for none.
        scheme: how the tags mark entities, which become BIO; None if they mark none.

    Raises:
        UserError: a line has no words or no label, or another number of tags than of words; the
            message names file and line.
    """
    files = [file for file in (sentences, tags, labels) if file is not None]
    for number, (text, *beside) in parallel_lines(files, bad_bytes):
        label = ""
        if labels is not None and not (label := beside.pop().strip()):
            raise UserError(
                f"{labels}, line {number}: has no label; give it one, or remove the line from all "
                "files"
            )
        if tags is None:
            yield Example(text=text, label=label)
            continue
        words, found = text.split(), beside[0].split()
        if not words:
            raise UserError(
                f"{sentences}, line {number}: has no words; remove the line from all files"
            )
        if len(words) != len(found):
            raise UserError(
                f"{tags}, line {number}: {len(found)} tags, but the sentence in {sentences} has "
                f"{len(words)} words; give each word one tag"
            )
        kept = kept_tags(found, scheme, words_of(f"{tags}, line {number}"))
        spaces = (True,) * len(words)
        yield Example(label=label, tokens=tuple(words), tags=kept, space_after=spaces)


def survey_tags(tags: Path, bad_bytes: BadBytes, survey: TagSurvey) -> None:
    """Add the tags of each line of a file to a survey of their scheme."""
    for number, line in enumerate(read_lines(tags, bad_bytes), 1):
        survey.add(line.split(), words_of(f"{tags}, line {number}"))
