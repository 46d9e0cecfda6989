"""Writes word vectors to files that other tools read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.files import whole_file


def write_word2vec(vectors: WordVectors, file: Path) -> None:
    """Write word2vec's text format: a line ``words dimension``, then GloVe's format.

    Raises:
        UserError: the file cannot be written; then no file is.
    """
    with whole_file(file) as partial, partial.open("wb") as stream:
        words, dimension = vectors.matrix.shape
        stream.write(f"{words} {dimension}\n".encode())
        _write_lines(vectors, stream)


def write_glove(vectors: WordVectors, file: Path) -> None:
    """Write GloVe's text format: a word and its numbers per line.

    Numbers have nine digits, which restore the same 32-bit float. Spaces and control characters
    within a word, which the format cannot represent, are written as their Unicode symbols (``␠``).

    Raises:
        UserError: the file cannot be written; then no file is.
    """
    with whole_file(file) as partial, partial.open("wb") as stream:
        _write_lines(vectors, stream)


def write_projector(vectors: WordVectors, folder: Path) -> None:
    """Write ``vectors.tsv`` and ``metadata.tsv`` for the TensorBoard projector.

    The words in ``metadata.tsv`` have no header, because the projector expects none for a single
    column.

    Raises:
        UserError: a file cannot be written; then no file is.
    """
    with (
        whole_file(folder / "vectors.tsv") as numbers,
        whole_file(folder / "metadata.tsv") as metadata,
    ):
        with metadata.open("wb") as stream:
            stream.writelines(f"{_printable(word)}\n".encode() for word in vectors.words)
        with numbers.open("wb") as stream:
            line = "\t".join(["%.9g"] * vectors.matrix.shape[1]) + "\n"
            stream.writelines((line % tuple(row.tolist())).encode() for row in vectors.matrix)


def _write_lines(vectors: WordVectors, stream: IO[bytes]) -> None:
    line = " %.9g" * vectors.matrix.shape[1] + "\n"
    for word, row in zip(vectors.words, vectors.matrix, strict=True):
        stream.write((_printable(word) + line % tuple(row.tolist())).encode())


def _printable(word: str) -> str:
    """A word without the characters that would end a field or a line."""
    return re.sub(r"[\x00-\x20]", lambda match: chr(0x2400 + ord(match[0])), word)
