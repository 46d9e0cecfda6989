"""Every hint of how to install something names an extra that installs it."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nlp_rnn import backend, extras
from nlp_rnn.errors import UserError

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "h5py": "keras", "ruamel": "ruamel.yaml"}
"""Where a module's name is not that of what is installed."""
FILES = [
    *(ROOT / "nlp_rnn").rglob("*.py"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "tests").rglob("*.py"),
    ROOT / "README.md",
    ROOT / "Makefile",
    ROOT / "Dockerfile",
    ROOT / "params.yaml",
]


def installed_by(extra: str) -> set[str]:
    """The distributions of an extra, and of the extras that it names."""
    found = set()
    for requirement in EXTRAS[extra]:
        name, more = re.match(r"([\w.-]+)(?:\[([^]]*)\])?", requirement).groups()  # type: ignore[union-attr]
        if name == PROJECT["name"]:
            found |= {part for inner in more.split(",") for part in installed_by(inner)}
        else:
            found.add(name)
    return found


def test_every_command_in_the_documents_names_an_extra_that_exists() -> None:
    commands = [
        (file.name, match[1])
        for file in FILES
        for match in re.finditer(r"'[\w./]*\[([a-z,]+)\]'", file.read_text(encoding="utf-8"))
        if "pip install" in file.read_text(encoding="utf-8")
    ]
    assert {"README.md", "howto.md", "search.md", "embeddings.md"} <= {name for name, _ in commands}
    for name, named in commands:
        assert set(named.split(",")) <= EXTRAS.keys(), (name, named)


def test_no_document_asks_an_index_for_this_package() -> None:
    asking = re.compile(r"""pip install (?:-e )?['"`]?nlp[_-]rnn(?!\[[^]]*\] @)""")
    found = [file.name for file in FILES if asking.search(file.read_text(encoding="utf-8"))]
    assert found == []


def test_every_library_that_is_asked_for_is_in_the_extra_that_is_named() -> None:
    asked = [
        match.groups()
        for file in (ROOT / "nlp_rnn").rglob("*.py")
        for match in re.finditer(r'require\("(\w+)", "(\w+)"', file.read_text(encoding="utf-8"))
    ]
    assert len(asked) > 10
    for module, extra in asked:
        assert DISTRIBUTIONS.get(module, module) in installed_by(extra), (module, extra)


@pytest.mark.parametrize("name", backend.BACKENDS)
def test_a_missing_backend_is_in_the_extra_that_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install") as error:
        backend.select()
    (named,) = re.findall(r"\[([a-z,]+)\]", str(error.value))
    assert {name, "keras"} <= {part for extra in named.split(",") for part in installed_by(extra)}


def test_the_hint_finds_the_checkout_from_any_folder() -> None:
    (path, extra) = re.fullmatch(
        r"pip install -e '(.+)\[(.+)\]'", extras.install_command("train")
    ).groups()  # type: ignore[union-attr]
    assert (Path(path) / "pyproject.toml").samefile(ROOT / "pyproject.toml")
    assert extra == "train"


@pytest.mark.parametrize(
    ("record", "address"),
    [
        (
            '{"url": "file:///a/nlp_rnn-0.1.0.whl", "archive_info": {}}',
            "file:///a/nlp_rnn-0.1.0.whl",
        ),
        (None, "file:///PATH/TO/ITS/WHEEL"),
    ],
)
def test_the_hint_of_an_installed_package_says_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, record: str | None, address: str
) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return record

    monkeypatch.setattr(extras, "__file__", str(tmp_path / "nlp_rnn" / "extras.py"))
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed())
    assert extras.install_command("predict") == f"pip install 'nlp_rnn[predict] @ {address}'"


@pytest.mark.slow
def test_pip_understands_the_hint() -> None:
    """Without an index, and without installing anything."""
    command = extras.install_command("predict").removeprefix("pip install ").replace("'", "")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index",
         "--no-build-isolation", *command.split(" ", 1)],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert "Invalid requirement" not in done.stderr
