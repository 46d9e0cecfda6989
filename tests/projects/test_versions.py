"""Git and DVC of a new project: set up, or said how."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nlp_rnn.projects.skeleton import DVCIGNORE, GITIGNORE
from nlp_rnn.projects.versions import set_up

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "outer/project"
    (folder / "data/raw").mkdir(parents=True)
    (folder / "data/raw/reviews.csv").write_text("text,label\ngood,1\nbad,0\n")
    (folder / ".gitignore").write_text(GITIGNORE)
    (folder / ".dvcignore").write_text(DVCIGNORE)
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    return done.stdout


def test_both_are_set_up_and_nothing_is_committed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.repo import Repo

    assert list(set_up(project)) == [
        "git: a new repository",
        "dvc: initialised, data/raw is tracked in data/raw.dvc",
    ]
    assert "analytics = false" in (project / ".dvc/config").read_text()
    assert not git(project, "log", "--oneline")
    assert git(
        project, "check-ignore", "data/raw/reviews.csv", "data/prepared/x", "data/raw.dvc"
    ) == ("data/raw/reviews.csv\ndata/prepared/x\n")
    monkeypatch.chdir(project)
    # DVC looks for its files only where Git ignores no folder above them.
    with Repo() as repository:
        assert [stage.addressing for stage in repository.index.stages] == ["data/raw.dvc"]


def test_a_folder_inside_a_repository_stays_in_it(project: Path) -> None:
    git(project.parent, "init", "--quiet")
    assert list(set_up(project)) == ["dvc: initialised, data/raw is tracked in data/raw.dvc"]
    assert not (project / ".git").exists()
    assert (project / "data/raw.dvc").exists()


def test_dvc_works_without_git(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    first, second = set_up(project)
    assert first.startswith("git: not found")
    assert second == "dvc: initialised, data/raw is tracked in data/raw.dvc"
    assert "no_scm = True" in (project / ".dvc/config").read_text()


def test_without_dvc_it_says_how(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "dvc" else find(name)
    )
    *_, said = set_up(project)
    assert "[train]" in said
    assert said.endswith(
        "then in the new folder: dvc init && dvc config core.analytics false && dvc add data/raw"
    )


def test_what_fails_is_said(project: Path) -> None:
    git(project.parent, "init", "--quiet")
    (project.parent / ".gitignore").write_text("project/\n")
    (said,) = set_up(project)
    assert said.startswith("dvc: `dvc init --subdir` failed: ")
    assert "ignored" in said
