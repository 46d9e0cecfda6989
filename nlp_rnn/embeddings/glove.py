"""GloVe text files: one word and its vector a line (Pennington et al. 2014)."""

from __future__ import annotations

import itertools
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.errors import UserError

BLOCK = 4096
"""Lines parsed at once."""


@dataclass(frozen=True)
class Vectors:
    """What a file holds for a vocabulary.

    Attributes:
        found: word -> vector ``(dimension,)``, for the wanted words only.
        mean: ``(dimension,)`` over all vectors of the file.
        deviation: ``(dimension,)``, standard deviation over all vectors of the file.
        words: vectors in the file.
    """

    found: dict[str, NDArray[np.float32]]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    words: int


@contextmanager
def open_vectors(name: str, folder: Path) -> Iterator[IO[bytes]]:
    """Open ``file.txt`` or ``archive.zip!member.txt``, relative to ``folder``."""
    archive, _, member = name.partition("!")
    path = folder / archive
    if path.is_dir():
        raise UserError(f"{path}: is a folder, expected a file of word vectors")
    try:
        if not member:
            with path.open("rb") as stream:
                yield stream
            return
        with zipfile.ZipFile(path) as zipped:
            if member not in zipped.namelist():
                names = ", ".join(sorted(zipped.namelist())[:10])
                raise UserError(f"{path}: no member '{member}'; it holds {names}")
            with zipped.open(member) as stream:
                yield stream
    except FileNotFoundError:
        raise UserError(f"{path}: no such file of word vectors") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise UserError(f"{path}: broken archive ({error}); download it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _parse(line: bytes, number: int, dimension: int, name: str) -> NDArray[np.float32]:
    """One line's vector; UserError names file and line when it is none."""
    fields = line.rstrip(b"\r\n").split(b" ")
    where = f"{name}, line {number}"
    if len(fields) != dimension + 1:
        raise UserError(
            f"{where}: {len(fields) - 1} numbers after the word, expected {dimension}; "
            "correct embeddings.dimension or the file"
        )
    try:
        vector = np.array([float(field) for field in fields[1:]], np.float32)
    except ValueError:
        raise UserError(f"{where}: not all of its {dimension} fields are numbers") from None
    if not np.isfinite(vector).all():
        raise UserError(f"{where}: a number is not finite")
    return vector


def _parse_block(
    lines: list[bytes], first: int, dimension: int, name: str
) -> tuple[list[bytes], NDArray[np.float32]]:
    """The words and vectors ``(len(lines), dimension)`` of a block of lines."""
    words, rests = [], []
    for line in lines:
        word, _, rest = line.partition(b" ")
        words.append(word)
        rests.append(rest)
    widths = {rest.count(b" ") for rest in rests}
    if widths == {dimension - 1}:
        try:
            values = np.array(b" ".join(rests).split(), np.float32)
        except ValueError:
            values = np.empty(0, np.float32)
        if values.size == len(lines) * dimension and np.isfinite(values).all():
            return words, values.reshape(len(lines), dimension)
    # Something is wrong in this block: read it line by line to say where.
    return words, np.stack(
        [_parse(line, first + i, dimension, name) for i, line in enumerate(lines)]
    )


def read_vectors(lines: Iterable[bytes], wanted: set[str], dimension: int, name: str) -> Vectors:
    """Read vectors as a stream and keep those of ``wanted`` words.

    Args:
        lines: of the file, undecoded, so that a word with bad bytes does no harm.
        dimension: what each line must hold.
        name: of the file, for messages.

    Raises:
        UserError: a line of another width or with something that is no number, by line; an
            empty file.
    """
    keys = {word.encode("utf-8"): word for word in wanted}
    found: dict[str, NDArray[np.float32]] = {}
    total = np.zeros(dimension)
    squares = np.zeros(dimension)
    count = 0
    stream = iter(lines)
    while block := list(itertools.islice(stream, BLOCK)):
        words, values = _parse_block(block, count + 1, dimension, name)
        for word, vector in zip(words, values, strict=True):
            key = keys.get(word)
            if key is not None and key not in found:
                found[key] = vector.copy()
        total += values.sum(axis=0, dtype=np.float64)
        squares += np.square(values, dtype=np.float64).sum(axis=0)
        count += len(block)
    if not count:
        raise UserError(f"{name}: empty, expected a word and {dimension} numbers a line")
    mean = total / count
    return Vectors(found, mean, np.sqrt(np.maximum(squares / count - mean**2, 0)), count)
