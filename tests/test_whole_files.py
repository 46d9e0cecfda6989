"""Whole or absent files in folders that others write to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nlp_rnn.errors import UserError
from nlp_rnn.files import DEEPEST, read_json, whole_file, whole_folder, write_json

GONE = 2**22 - 3
"""The number of a process that no longer is."""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("private")
    return file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_planted_link_is_never_opened(tmp_path: Path, secret: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    for name in (f".out.{os.getpid()}.partial", f".out.{os.getpid()}-00000000.partial"):
        (folder / name).symlink_to(secret)
    with whole_file(folder / "out") as partial:
        assert partial.is_file() and not partial.is_symlink()
        partial.write_text("new")
    assert secret.read_text() == "private"
    assert (folder / "out").read_text() == "new"


def test_two_writers_have_two_names(tmp_path: Path) -> None:
    with whole_file(tmp_path / "out") as one, whole_file(tmp_path / "out") as other:
        assert one != other


def test_what_killed_processes_left_is_removed_links_too(tmp_path: Path, secret: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / f".out.{GONE}.partial").symlink_to(tmp_path, target_is_directory=True)
    (folder / f".out.{GONE}-abcdef12.partial").mkdir()
    (folder / f".out.{GONE}-abcdef12.partial" / "part").write_text("x")
    with whole_folder(folder / "out") as partial:
        (partial / "part").write_text("whole")
    assert {path.name for path in folder.iterdir()} == {"out"}
    assert secret.exists()


@pytest.mark.parametrize("name", ["out[1].csv", "*", "a?b"])
def test_a_name_is_no_pattern(tmp_path: Path, name: str) -> None:
    other = tmp_path / f".other.{GONE}.partial"
    other.write_text("of another output")
    left = tmp_path / f".{name}.{GONE}.partial"
    left.write_text("left")
    with whole_file(tmp_path / name) as partial:
        partial.write_text("x")
    assert other.exists() and not left.exists()


def test_permissions_are_kept(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("old")
    file.chmod(0o600)
    folder.mkdir(mode=0o700)
    with whole_file(file) as partial:
        assert mode(partial) == 0o600
        partial.write_text("new")
    with whole_folder(folder) as partial:
        (partial / "x").write_text("new")
    assert (mode(file), mode(folder)) == (0o600, 0o700)


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("x")
    write_json(tmp_path / "new", 1)
    assert mode(tmp_path / "new") == mode(tmp_path / "usual")


def test_a_link_as_output_is_replaced_not_followed(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "out").symlink_to(secret)
    write_json(tmp_path / "out", "new")
    assert secret.read_text() == "private"
    assert not (tmp_path / "out").is_symlink()


def test_a_folder_never_replaces_a_file(secret: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"), whole_folder(secret) as partial:
        (partial / "x").write_text("new")
    assert secret.read_text() == "private"


@pytest.mark.parametrize("depth", [DEEPEST + 1, 900, 100_000])
def test_deep_json_is_one_line(tmp_path: Path, depth: int) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * depth + "]" * depth)
    with pytest.raises(UserError, match="not valid JSON"):
        read_json(file, "delete it")
    file.write_text("[" * DEEPEST + "]" * DEEPEST)
    assert read_json(file, "delete it")
