"""Word vectors as files that other tools read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.files import whole_file


def write_word2vec(vectors: WordVectors, file: Path) -> None:
    """Write word2vec's text format: GloVe's after a line ``words dimension``.

    Raises:
        UserError: the file cannot be written; then none is.
    """
    with whole_file(file) as partial, partial.open("wb") as stream:
        words, dimension = vectors.matrix.shape
        stream.write(f"{words} {dimension}\n".encode())
        _write_lines(vectors, stream)


def write_glove(vectors: WordVectors, file: Path) -> None:
    """Write GloVe's text format: a word and its numbers a line.

    Numbers have the nine digits that give the same 32-bit float again. Spaces and control
    characters within a word, which the format has no way to write, become their Unicode
    pictures (``␠``).

    Raises:
        UserError: the file cannot be written; then none is.
    """
    with whole_file(file) as partial, partial.open("wb") as stream:
        _write_lines(vectors, stream)


def write_projector(vectors: WordVectors, folder: Path) -> None:
    """Write ``vectors.tsv`` and ``metadata.tsv`` for the TensorBoard projector.

    The words in ``metadata.tsv`` have no header, for the projector wants none above one column.

    Raises:
        UserError: a file cannot be written; then none is.
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
    """A word without what would end a field or a line."""
    return re.sub(r"[\x00-\x20]", lambda match: chr(0x2400 + ord(match[0])), word)
