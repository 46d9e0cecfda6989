"""Files that are whole or not there: write to a temporary name, then rename."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nlp_rnn.errors import UserError
from nlp_rnn.hints import Remedy


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Turn an operating-system refusal to write ``target`` into a UserError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.filename and not str(error.filename).startswith(str(target.parent)):
            raise UserError(f"{error.filename}: cannot be read or written ({reason})") from None
        raise UserError(
            f"{target}: cannot be written ({reason}); free space, or choose another folder"
        ) from None


def _partial(target: Path) -> Path:
    """A temporary name beside ``target``; what killed processes left there is removed."""
    for left in target.parent.glob(f".{target.name}.*.partial"):
        process = left.name.removesuffix(".partial").rpartition(".")[2]
        if process.isdecimal() and not _alive(int(process)):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return target.with_name(f".{target.name}.{os.getpid()}.partial")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; it becomes ``target`` if the block succeeds.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    partial = _partial(target)
    try:
        with _explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            os.replace(partial, target)
    finally:
        with suppress(NotADirectoryError):  # where the folder is a file
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a new temporary folder; it replaces the folder ``target`` if the block succeeds.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    partial = _partial(target)
    try:
        with _explained(target):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            yield partial
            if target.exists():
                shutil.rmtree(target)
            os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    with whole_file(target) as partial:
        partial.write_text(
            json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
            encoding="utf-8",
        )


def read_json(source: Path, remedy: str | Remedy) -> Any:
    """Read a JSON file; UserError names it and gives ``remedy`` where it is missing or broken."""
    try:
        return json.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{source}: no such file; {remedy}") from None
    except OSError as error:
        raise UserError(f"{source}: {error.strerror}; {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source}: not valid JSON ({error}); {remedy}") from None


def sha256(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal; read in blocks."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_table(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file with the keys of the first row as its header."""
    with whole_file(file) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
