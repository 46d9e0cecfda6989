"""One reader for word vector files: GloVe, word2vec (text and binary) and fastText ``.vec``.

Text files hold a word and its numbers per line, with or without a first line ``words dimension``;
word2vec's binary form has that line, then each word, a space and its numbers as 32-bit floats.
"""

from __future__ import annotations

import codecs
import gzip
import itertools
import re
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError
from nlp_rnn.paths import located

BLOCK = 64
"""The number of lines or words parsed at once: few enough for a core's cache."""

BUFFER = 1 << 20
"""The number of bytes of a stream held at once: more than the beginning that identifies the
format."""

LONGEST_WORD = 10_000
"""The maximum length in bytes of a word in a binary file: beyond it, the file is broken."""

MOST_NUMBERS = 1 << 16
"""The largest dimension: beyond it, the file is broken or hostile."""

CHARACTERS_OF_NUMBER = 64
"""The number of bytes of a number with the space before it, on average over a line; no program
writes half as many."""

LONGEST_NUMBER = 19
"""The number of characters of a decimal point and 18 digits, which are always less than 2^63."""

POWERS = 10.0 ** np.arange(LONGEST_NUMBER)

Matrix = NDArray[np.float32]
Block = tuple[list[bytes], Matrix]


@dataclass(frozen=True)
class VectorFile:
    """The contents of a file of word vectors.

    Attributes:
        vectors: the vectors of the wanted words, in the order of the file.
        mean: ``(dimension,)`` over all vectors of the file.
        deviation: ``(dimension,)``, standard deviation over all vectors of the file.
        words: the number of vectors in the file.
        duplicates: the number of vectors skipped because an earlier one has the same wanted word.
    """

    vectors: WordVectors
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    words: int
    duplicates: int


def load_vectors(
    name: str,
    folder: Path = Path(),
    wanted: Container[str] | None = None,
    dimension: int | None = None,
) -> VectorFile:
    """Open and read a file of word vectors.

    Args:
        name: see :func:`open_vectors`.
        folder: the folder to which ``name`` is relative.
        wanted: see :func:`read_vectors`.
        dimension: see :func:`read_vectors`.

    Raises:
        UserError: see :func:`open_vectors` and :func:`read_vectors`.
    """
    with open_vectors(name, folder) as stream:
        return read_vectors(stream, str(folder / name), wanted, dimension)


@contextmanager
def open_vectors(name: str, folder: Path = Path()) -> Iterator[BufferedReader]:
    """Open ``file``, plain or gzip, or ``archive.zip!member``, relative to ``folder``.

    The member may be omitted if the archive has only one.

    Raises:
        UserError: the file or member is missing, broken or not readable, now or within the ``with``
            block.
    """
    archive, _, member = name.partition("!")
    path = located(archive, folder)
    if path.is_dir():
        raise UserError(f"{path}: is a folder, expected a file of word vectors")
    try:
        with ExitStack() as opened:
            stream = _buffered(opened.enter_context(path.open("rb", buffering=0)))
            if member or stream.peek(4).startswith(b"PK\x03\x04"):
                zipped = opened.enter_context(zipfile.ZipFile(stream))
                inside = opened.enter_context(zipped.open(_member(zipped, member, path)))
                stream = _buffered(inside)
            if stream.peek(2).startswith(b"\x1f\x8b"):
                stream = _buffered(gzip.GzipFile(fileobj=stream))
            yield stream
    except FileNotFoundError:
        raise UserError(f"{path}: no such file of word vectors") from None
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError) as error:
        raise UserError(f"{path}: broken archive ({error}); download it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def _buffered(stream: Any) -> BufferedReader:
    return BufferedReader(stream, BUFFER)


def _member(archive: zipfile.ZipFile, member: str, path: Path) -> str:
    """The member of an archive to read."""
    names = [
        name
        for name in sorted(archive.namelist())
        if not name.endswith("/") and not name.startswith("__MACOSX/")
    ]
    if member in names:
        return member
    if not member and len(names) == 1:
        return names[0]
    fault = f"no member '{member}'" if member else "name one member as archive.zip!member"
    raise UserError(f"{path}: {fault}; it holds {', '.join(names[:10])}")


def read_vectors(
    stream: BufferedReader,
    name: str,
    wanted: Container[str] | None = None,
    dimension: int | None = None,
) -> VectorFile:
    r"""Read vectors as a stream and keep those of ``wanted`` words.

    Of duplicate words the first counts. A word may contain spaces, as some in glove.840B do: it
    extends to the last ``dimension`` fields, unless a field before them is a number, because then
    the line is too wide. Bytes that are not UTF-8 are read as their escapes, ``\xff``, so that
    different words stay different.

    Args:
        stream: the file's bytes.
        name: the name of the file, for messages.
        wanted: the words to keep; None keeps all.
        dimension: the dimension that each vector must have; None takes it from the start of the
            file.

    Raises:
        UserError: a line has another width or a field that is not a finite number (the message
            names the line); the header contradicts ``dimension``; there are fewer words than the
            header says; or the file is empty.
    """
    if stream.peek(3).startswith(codecs.BOM_UTF8):
        stream.read(3)
    beginning = stream.peek(BUFFER)
    if not beginning:
        raise UserError(f"{name}: empty, expected a word and its numbers per line")
    line = beginning.partition(b"\n")[0].rstrip(b" \r")
    header = re.fullmatch(rb"(\d{1,18}) (\d{1,18})", line)
    promised = 0
    if header:
        stream.readline()
        promised, width = (int(number) for number in header.groups())
        if dimension not in (None, width):
            raise UserError(f"{name}, line 1: {_wrong_width(width, dimension)}")
        dimension = width
    elif dimension is None:
        dimension = _width(line)
    if not dimension:
        raise UserError(f"{name}, line 1: no numbers after the word")
    if dimension > MOST_NUMBERS:
        raise UserError(
            f"{name}, line 1: {dimension:,} numbers for each word, expected {MOST_NUMBERS:,} or "
            "less; download it again"
        )
    if header and _is_binary(stream.peek(BUFFER), dimension):
        blocks = _binary_blocks(stream, promised, dimension, name)
    else:
        blocks = _text_blocks(stream, 2 if header else 1, dimension, name)
    file = _collected(blocks, wanted, dimension)
    if file.words < max(promised, 1):
        raise UserError(
            f"{name}: ends after line {file.words + 1}, but its header says {promised} words; "
            "download it again"
        )
    return file


def _collected(
    blocks: Iterator[Block], wanted: Container[str] | None, dimension: int
) -> VectorFile:
    """All blocks of a file as one, with only the first of duplicate words."""
    kept: dict[str, None] = {}
    # The array grows in place: joining a list of arrays would need twice the memory.
    rows = bytearray()
    total = np.zeros(dimension)
    squares = np.zeros(dimension)
    count = duplicates = 0
    for words, values in blocks:
        fresh = []
        for i, raw in enumerate(words):
            word = raw.decode("utf-8", "backslashreplace")
            if wanted is None or word in wanted:
                if word in kept:
                    duplicates += 1
                else:
                    kept[word] = None
                    fresh.append(i)
        rows += values[fresh].data.cast("B") if fresh else b""
        total += values.sum(axis=0, dtype=np.float64)
        squares += np.square(values, dtype=np.float64).sum(axis=0)
        count += len(words)
    mean = total / max(count, 1)
    deviation = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
    matrix = np.frombuffer(rows, np.float32).reshape(-1, dimension)
    return VectorFile(WordVectors(list(kept), matrix), mean, deviation, count, duplicates)


def _wrong_width(width: int, dimension: int | None) -> str:
    return (
        f"{width} numbers after the word, expected {dimension}; correct the file, or the "
        "dimension asked for (embeddings.dimension)"
    )


# Text


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field


def _width(line: bytes) -> int:
    """How many numbers follow the word on a line."""
    fields = line.split(b" ")[1:]
    return sum(1 for _ in itertools.takewhile(_is_number, reversed(fields)))


def _text_blocks(stream: BufferedReader, first: int, dimension: int, name: str) -> Iterator[Block]:
    """Blocks of lines; ``first`` is the number of the first line."""
    longest = LONGEST_WORD + CHARACTERS_OF_NUMBER * dimension
    every = iter(partial(stream.readline, longest), b"")
    while lines := list(itertools.islice(every, BLOCK)):
        whole = [len(line) < longest or line.endswith(b"\n") for line in lines]
        if not all(whole):
            raise UserError(
                f"{name}, line {first + whole.index(False)}: has more than {longest:,} bytes, too "
                f"many for a word and {dimension} numbers; correct it"
            )
        yield _parse_block(lines, first, dimension, name)
        first += len(lines)


def _parse_block(lines: list[bytes], first: int, dimension: int, name: str) -> Block:
    """The words and vectors ``(len(lines), dimension)`` of a block of lines.

    Lines of plain decimals are parsed together, lines with exponents individually. If anything else
    is found, the block is halved and parsed again until the offending line is alone.
    """
    words, rests, plain = [], [], []
    for i, line in enumerate(lines):
        word, _, rest = line.rstrip(b" \r\n").partition(b" ")
        words.append(word)
        if b"e" not in rest:
            rests.append(rest)
            plain.append(i)
    values = np.empty((len(lines), dimension), np.float32)
    decimals = _parse_decimals(rests, dimension)
    if decimals is not None:
        values[plain] = decimals
    elif len(lines) > 1 and plain:
        half = len(lines) // 2
        one = _parse_block(lines[:half], first, dimension, name)
        other = _parse_block(lines[half:], first + half, dimension, name)
        return one[0] + other[0], np.concatenate([one[1], other[1]])
    else:
        plain = []
    for i in sorted(set(range(len(lines))).difference(plain)):
        words[i], values[i] = _parse_line(lines[i], dimension, f"{name}, line {first + i}")
    return words, values


def _parse_decimals(rows: list[bytes], dimension: int) -> NDArray[np.float64] | None:
    """Rows of decimals like ``-0.25``, one space between two; None if anything else is there.

    A decimal is an integer divided by a power of ten. As long as the integer has no more than 15
    digits, both are exact, so the quotient is rounded only once (Clinger 1990, "How to read
    floating point numbers accurately"). Reading integers takes a sixth of the time of reading
    floating-point numbers.
    """
    if not rows:
        return None
    text = b" ".join([b"", *rows, b""])
    characters = np.frombuffer(text, np.uint8)
    points = np.flatnonzero(characters == ord("."))
    spaces = np.flatnonzero(characters == ord(" "))
    ends = np.cumsum([len(row) + 1 for row in rows])
    signs = characters[spaces[:-1] + 1] == ord("-")
    lengths = np.diff(spaces) - 1
    if (
        # As many numbers in each row,
        len(spaces) != len(rows) * dimension + 1
        or (spaces[dimension::dimension] != ends).any()
        # a point in each number,
        or len(points) != len(lengths)
        or (points < spaces[:-1]).any()
        or (points > spaces[1:]).any()
        # and otherwise only digits, at least one, with an optional sign before them.
        or (lengths - signs < 2).any()
        or lengths.max() > LONGEST_NUMBER
        or text.translate(None, b"0123456789. ") != b"-" * np.count_nonzero(signs)
    ):
        return None
    integers = np.fromstring(text.translate(None, b"."), np.int64, sep=" ")
    return (integers / POWERS[spaces[1:] - points - 1]).reshape(-1, dimension)


def _parse_line(line: bytes, dimension: int, where: str) -> tuple[bytes, Matrix]:
    """One line's word and vector; raises a UserError that says what is wrong ``where``."""
    fields = line.rstrip(b" \r\n").split(b" ")
    width = len(fields) - 1
    if width < dimension or any(map(_is_number, fields[1:-dimension])):
        raise UserError(f"{where}: {_wrong_width(width, dimension)}")
    numbers = b" ".join(fields[-dimension:])
    try:
        if b"_" in numbers:
            raise ValueError("a number to Python alone")
        values = np.array([float(field) for field in numbers.decode("ascii").split(" ")])
    except ValueError:
        raise UserError(f"{where}: not all of its {dimension} fields are numbers") from None
    with np.errstate(over="ignore"):
        vector = values.astype(np.float32)
    if not np.isfinite(vector).all():
        raise UserError(f"{where}: a number is not finite")
    return b" ".join(fields[:-dimension]), vector


# word2vec's binary form


def _is_binary(body: bytes, dimension: int) -> bool:
    """Whether the data after a header is binary: neither a line of numbers nor readable as one."""
    if _width(body.partition(b"\n")[0].rstrip(b" \r")) >= dimension:
        return False
    numbers = body.partition(b" ")[2][: 4 * dimension]
    return bool(numbers.translate(None, bytes(range(0x20, 0x7F)) + b"\t\r\n"))


def _binary_blocks(
    stream: BufferedReader, count: int, dimension: int, name: str
) -> Iterator[Block]:
    """Blocks of the ``count`` words of a binary file."""
    for first in range(1, count + 1, BLOCK):
        numbers = range(first, min(first + BLOCK, count + 1))
        words, vectors = [], []
        for number in numbers:
            where = f"{name}, word {number} of {count}"
            words.append(_binary_word(stream, where))
            vectors.append(stream.read(4 * dimension))
            if len(vectors[-1]) < 4 * dimension:
                raise UserError(f"{where}: the file ends within its vector; download it again")
        values = np.frombuffer(b"".join(vectors), "<f4").reshape(-1, dimension)
        finite = np.isfinite(values).all(axis=1)
        if not finite.all():
            number = numbers[int(finite.argmin())]
            raise UserError(f"{name}, word {number} of {count}: a number is not finite")
        yield words, values.astype(np.float32, copy=False)


def _binary_word(stream: BufferedReader, where: str) -> bytes:
    """The bytes before the next space; word2vec ends vectors with a newline, other tools do not."""
    word = b""
    while (byte := stream.read(1)) != b" ":
        if not byte or len(word) == LONGEST_WORD:
            raise UserError(f"{where}: no word where one should begin; download the file again")
        word += byte
    return word.removeprefix(b"\n")
