"""Tagged sentences in JSON Lines and Parquet: a list of words and one of their tags in each row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_rnn.corpora.labelling import label_of
from nlp_rnn.corpora.lines import BadBytes
from nlp_rnn.corpora.schemes import TagSurvey, kept_tags, words_of
from nlp_rnn.corpora.tables import record_values, text_of
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example, Scheme


@dataclass(frozen=True)
class TokenLists:
    """The columns of words and tags, and how to read them.

    Attributes:
        words: the column of the lists of words.
        tags: the column of the lists of tags.
        format: ``jsonl`` or ``parquet``.
        bad_bytes: how to treat undecodable UTF-8.
    """

    words: str
    tags: str
    format: str
    bad_bytes: BadBytes

    def read(self, path: Path, scheme: Scheme | None) -> Iterator[Example]:
        """Stream tagged sentences; rows of empty lists are left out.

        Args:
            path: the file.
            scheme: how tags mark entities, to convert them to BIO; None keeps tags unchanged.

        Raises:
            UserError: a row has no lists of equal length, an empty word or tag, or a tag that is
                not in the scheme; the message names file and line or row.
        """
        for where, words, tags in self._rows(path):
            if words:
                kept = kept_tags(tags, scheme, words_of(where))
                yield Example(tokens=tuple(words), tags=kept)

    def survey(self, path: Path, into: TagSurvey) -> None:
        """Show the tags of every sentence to a survey."""
        for where, _, tags in self._rows(path):
            into.add(tags, words_of(where))

    def _rows(self, path: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        settings = {self.words: "text_column", self.tags: "tag_column"}
        for where, row in record_values(path, self.format, settings, self.bad_bytes):
            words, tags = (
                _listed(value, where, column) for column, value in zip(settings, row, strict=True)
            )
            if len(words) != len(tags):
                raise UserError(
                    f"{where}: has {len(words)} words in '{self.words}' and {len(tags)} tags in "
                    f"'{self.tags}'; give each word one tag"
                )
            yield (
                where,
                [word_of(word, where, self.words) for word in words],
                [label_of(tag, where, self.tags) for tag in tags],
            )


def _listed(value: Any, where: str, column: str) -> list[Any]:
    if isinstance(value, list):
        return value
    found = "null" if value is None else type(value).__name__
    raise UserError(
        f"{where}: column '{column}': expected a list, found {found}; tag_column is for rows that "
        "have a list of words and a list of tags"
    )


def word_of(value: object, where: str, column: str) -> str:
    """A word of a sentence.

    Raises:
        UserError: it is no text, or blank.
    """
    word = text_of(value, where, column)
    if not word.strip():
        raise UserError(
            f"{where}: column '{column}': a word is empty; remove it, and its tag if it has one"
        )
    return word
