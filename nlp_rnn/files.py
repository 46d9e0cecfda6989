"""Files that are whole or not there: write to a temporary name, then rename.

The temporary name is random and new, so that nobody can plant a link under it in a shared folder.
"""

from __future__ import annotations

import csv
import glob
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """A new name beside ``target``; what killed processes left there is removed."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):
        name = left.name.removeprefix(f".{target.name}.")
        process = re.fullmatch(r"(\d{1,9})(-[0-9a-f]+)?\.partial", name)
        if process and not _alive(int(process[1])):
            _remove(left)
    return target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(8)}.partial")


def _remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all its contents; it may be gone already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _take_mode(partial: Path, target: Path) -> None:
    """Give ``partial`` the permissions of the file or folder that it will replace."""
    with suppress(FileNotFoundError, NotADirectoryError):
        there = target.lstat().st_mode
        if not stat.S_ISLNK(there):
            partial.chmod(stat.S_IMODE(there))


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
    """Yield a new, empty file beside ``target``; it becomes ``target`` if the block succeeds.

    A file that it replaces passes its permissions on.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    partial = _partial(target)
    try:
        with _explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            _take_mode(partial, target)
            yield partial
            os.replace(partial, target)
    finally:
        with suppress(NotADirectoryError):  # where the folder is a file
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a new temporary folder; it replaces the folder ``target`` if the block succeeds.

    A folder that it replaces passes its permissions on.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    partial = _partial(target)
    try:
        with _explained(target):
            partial.mkdir(parents=True)
            _take_mode(partial, target)
            yield partial
            if target.is_dir() or target.is_symlink():
                _remove(target)
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


def write_json_lines(target: Path, records: Iterable[Any]) -> None:
    """Write each of ``records`` as a line of JSON, all of them or none."""
    with whole_file(target) as partial, partial.open("w", encoding="utf-8") as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


def check_folder(target: Path) -> None:
    """Raise UserError unless a folder is or can be made at ``target``."""
    if target.exists() and not target.is_dir():
        raise UserError(f"{target}: is a file, expected a folder to write into")


DEEPEST = 64
"""How deep lists and mappings of a JSON file may lie within one another."""


def read_json(source: Path, remedy: str | Remedy) -> Any:
    """Read a JSON file; UserError names it and gives ``remedy`` where it is missing or broken."""
    try:
        value = json.loads(source.read_text(encoding="utf-8"))
        if not _is_flat(value):
            raise ValueError(f"nested more than {DEEPEST} deep")
        return value
    except FileNotFoundError:
        raise UserError(f"{source}: no such file; {remedy}") from None
    except OSError as error:
        raise UserError(f"{source}: {error.strerror}; {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source}: not valid JSON ({error}); {remedy}") from None


def _is_flat(value: Any) -> bool:
    """Whether a value is not nested deeper than :data:`DEEPEST`."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [one for each in inner for one in each if isinstance(one, (dict, list))]
        if not level:
            return True
    return False


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
