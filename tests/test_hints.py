"""The DVC commands that messages name exist, and are what makes the thing again."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import nlp_rnn
from nlp_rnn import hints
from nlp_rnn.config import load
from nlp_rnn.errors import UserError
from nlp_rnn.evaluation.predictions import read_predictions, write_predictions
from nlp_rnn.hints import Remedy
from nlp_rnn.text.prepared import PreparedDataset

PROJECT = Path(nlp_rnn.__file__).parents[1]


def command(name: str, *stages: str) -> str:
    return str(Remedy("again", name, stages)).removeprefix("again: dvc repro ")


PROJECTS = [PROJECT, *sorted(file.parent for file in PROJECT.glob("examples/*/params.yaml"))]


@pytest.mark.slow
@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_each_name_of_the_parameters_has_the_target_that_dvc_knows(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.dvcfile import load_file
    from dvc.repo import Repo

    monkeypatch.chdir(project)
    monkeypatch.setattr(hints, "_read", cache(hints._read))  # once, not for every name
    if not (project / ".dvc").is_dir():
        pytest.skip("the project is not checked out with its .dvc folder")
    parameters = load()
    wanted = [
        *(command(name, "prepare", "pseudo_label") for name in parameters.kinds),
        *(command(name, "baselines") for name in parameters.datasets),
        *(command(name, "vectors", "encoder") for name in parameters.vectors),
        *(command(name, "encoder") for name in parameters.encoders),
        *(
            command(name, stage)
            for name in parameters.experiments
            for stage in ("embed", "train", "evaluate")
        ),
    ]
    repo = Repo(str(project), uninitialized=True)
    known = load_file(repo, str(project / "dvc.yaml")).stages
    assert set(wanted) <= set(known)


def test_a_pseudo_labelled_data_set_is_made_by_its_own_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stages = {"prepare": {"foreach": ["a"]}, "pseudo_label": {"foreach": "${some.more}"}}
    YAML().dump({"stages": stages}, tmp_path / "dvc.yaml")
    YAML().dump({"some": {"more": {"b": {}}}}, tmp_path / "params.yaml")
    for name, target in (("a", "prepare@a"), ("b", "pseudo_label@b")):
        with pytest.raises(UserError, match=f"dvc repro {target}"):
            PreparedDataset(Path("data/prepared") / name)
    (tmp_path / "params.yaml").write_text("[" * 9)
    assert command("b", "prepare") == "prepare@b"  # a broken file gives no error of its own


def test_a_missing_file_of_predictions_says_what_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file, hint in (
        ("predictions/mine.jsonl", "dvc repro evaluate@mine"),
        ("predictions/baselines/texts/kneser_ney_5.jsonl", "dvc repro baselines@texts"),
        ("kneser_ney_5.jsonl", "give an evaluated experiment, or a file of predictions"),
    ):
        with pytest.raises(UserError, match=f"{file}: no such file; .*{hint}"):
            read_predictions(Path(file))
    write_predictions(Path("predictions/baselines/texts/unigram.jsonl"), [])
    with pytest.raises(UserError, match="the baselines there are unigram"):
        read_predictions(Path("predictions/baselines/texts/trigram.jsonl"))


def test_targets_are_named_in_one_place() -> None:
    """Anything else would name stages that do not exist in one of the pipelines."""
    for file in Path(nlp_rnn.__file__).parent.rglob("*.py"):
        if file.name != "hints.py":
            assert not re.search(r"dvc repro[^\n]*@\{", file.read_text(encoding="utf-8")), file
