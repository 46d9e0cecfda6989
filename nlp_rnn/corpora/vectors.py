"""Vectors beside texts, such as the penultimate activations of a network for pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from nlp_rnn.arrays import Floats
from nlp_rnn.corpora import parquet
from nlp_rnn.corpora.lines import BadBytes, open_binary, read_lines
from nlp_rnn.errors import UserError
from nlp_rnn.example import Example
from nlp_rnn.limits import EXPANSION, largest_unpacked

SUFFIXES = (".npy", ".npz", ".parquet")


def with_vectors(examples: Iterable[Example], path: Path) -> Iterator[Example]:
    """Give each example the row of the same number of a file of vectors.

    Raises:
        UserError: the file is not readable, has another number of rows than there are examples, or
            a row has a value that is no finite number.
    """
    vectors = read_vectors(path)
    count = 0
    for count, example in enumerate(examples, 1):
        if count > len(vectors):
            raise UserError(
                f"{path}: has {len(vectors):,} rows, but there are more texts; each needs a row"
            )
        vector = vectors[count - 1]
        if not np.isfinite(vector).all():
            raise UserError(f"{path}, row {count}: has a value that is not a finite number")
        yield replace(example, features=tuple(vector.tolist()))
    if count < len(vectors):
        raise UserError(
            f"{path}: has {len(vectors):,} rows, but there are {count:,} texts; each needs a row"
        )


def read_captions(path: Path, bad_bytes: BadBytes) -> Iterator[Example]:
    """Stream the lines of a file as targets, whose sources are vectors.

    Raises:
        UserError: a line is empty; the message names file and line.
    """
    for number, line in enumerate(read_lines(path, bad_bytes), 1):
        if not line.strip():
            raise UserError(f"{path}, line {number}: the caption is empty; remove it and its row")
        yield Example(target=line)


def read_vectors(path: Path) -> Floats:
    """The rows of a file ``(rows, width)``.

    ``.npy`` holds an array, ``.npz`` one array or one that is called ``features``, ``.parquet`` a
    column of lists or a column for each number.

    Raises:
        UserError: the file is of another kind, or does not hold rows of numbers of one width.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: expected vectors in {', '.join(SUFFIXES)}")
    with open_binary(path):  # says why a file cannot be opened
        pass
    found = _from_parquet(path) if path.suffix == ".parquet" else _from_numpy(path)
    if found.ndim != 2 or not found.shape[1] or found.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: expected rows of numbers, found an array of shape {found.shape} and type "
            f"{found.dtype}"
        )
    return found


def _from_numpy(path: Path) -> Floats:
    try:
        if path.suffix == ".npz":
            _check_expansion(path)
        found = np.load(path, mmap_mode="r" if path.suffix == ".npy" else None, allow_pickle=False)
        return found if isinstance(found, np.ndarray) else _only_array(found, path)
    except UserError:
        raise
    except Exception as error:  # NumPy raises a dozen kinds of errors for damaged files
        raise UserError(f"{path}: is not an array of numbers ({error})") from None


def _check_expansion(path: Path) -> None:
    """Raise UserError if an archive is far larger than its file when it is unpacked."""
    with ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > largest_unpacked(path):
        raise EXPANSION.exceeded(str(path))


def _only_array(arrays: Mapping[str, Floats], path: Path) -> Floats:
    """The array of a ``.npz`` file that holds the vectors."""
    names = list(arrays)  # an array is read only when it is asked for
    if len(names) != 1 and "features" not in names:
        raise UserError(
            f"{path}: has the arrays {', '.join(names)}; call that of the vectors features"
        )
    return arrays[names[0] if len(names) == 1 else "features"]


def _from_parquet(path: Path) -> Floats:
    from nlp_rnn.extras import require

    require("pyarrow", "parquet", "reading Parquet files")
    import pyarrow

    try:
        batches = list(parquet.batches(path, None))
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: is not a Parquet file ({error})") from None
    columns = pyarrow.Table.from_batches(batches).columns if batches else []
    values = [column.to_numpy() for column in columns]
    if len(values) == 1 and values[0].dtype == object:
        return _of_one_width(values[0], path)
    numeric = all(value.dtype.kind in "fiu" for value in values)
    return np.stack(values, axis=1) if values and numeric else np.array(values, object)


def _of_one_width(rows: Iterable[Floats | None], path: Path) -> Floats:
    width: int | None = None
    kept = []
    for number, row in enumerate(rows, 1):
        if row is None or (width is not None and len(row) != width):
            has = "no vector" if row is None else f"{len(row)} values, but the first row {width}"
            raise UserError(f"{path}, row {number}: has {has}; all vectors need one width")
        width = len(row)
        kept.append(row)
    return np.stack(kept) if kept else np.zeros((0, 0))
