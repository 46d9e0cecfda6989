"""dvc.yaml as it is written from params.yaml, and the example projects that use it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import nlp_rnn
from nlp_rnn.cli import main
from nlp_rnn.commands.stage import STAGES
from nlp_rnn.config import Parameters, load, parse
from nlp_rnn.errors import UserError
from nlp_rnn.projects.pipeline import dvc_yaml, missing_stages, stages, write_pipeline
from nlp_rnn.projects.skeleton import GITIGNORE

PROJECT = Path(nlp_rnn.__file__).parents[1]

EXAMPLES = sorted(file.parent for file in PROJECT.glob("examples/*/params.yaml"))

SIZES = {"train": 20, "validation": 5, "test": 5}

LABELLED = {"source": "grammar", "corpus": "reviews", "sizes": SIZES}

TEXT = {"source": "files", "format": "folders", "kind": "text", "train": "./data/raw/reviews"}

EXPERIMENT = {
    "task": "classification",
    "dataset": "reviews",
    "embeddings": {"kind": "learned", "dimension": 4},
    "model": {},
    "training": {},
}


def parameters(**sections: object) -> Parameters:
    base = {"datasets": {"reviews": LABELLED}, "experiments": {"mine": EXPERIMENT}}
    return parse(base | sections, Path("params.yaml"))


def names(given: Parameters) -> list[str]:
    return [stage.name for stage in stages(given)]


def test_a_project_has_the_stages_that_it_needs_and_no_others() -> None:
    plain = ["prepare", "baselines", "embed", "train", "evaluate", "report"]
    assert names(parameters()) == plain
    own = {"source": "files", "format": "csv", "train": "./data/raw/mine.csv"}
    assert names(parameters(datasets={"reviews": own})) == plain
    elsewhere = own | {"train": "mine.csv"}
    assert names(parameters(datasets={"reviews": elsewhere})) == ["download", *plain]
    vectors = {"words": {"dataset": "reviews", "algorithm": "pmi_svd", "dimension": 4}}
    assert "vectors" in names(parameters(vectors=vectors))
    file = EXPERIMENT | {"embeddings": {"kind": "pretrained", "file": "v.txt", "dimension": 4}}
    assert "vector_file" in names(parameters(experiments={"mine": file}))


def test_own_files_are_a_dependency_of_prepare() -> None:
    own = {"source": "files", "format": "csv", "train": "./data/raw/mine.csv"}
    written = YAML(typ="safe").load(dvc_yaml(parameters(datasets={"reviews": own})))
    assert written["stages"]["prepare"]["do"]["deps"] == ["data/raw"]


def test_every_stage_is_a_command() -> None:
    for project in (PROJECT, *EXAMPLES):
        pipeline = YAML(typ="safe").load(project / "dvc.yaml")["stages"]
        commands = [stage.get("do", stage)["cmd"].split() for stage in pipeline.values()]
        assert {
            re.sub(r"\.py$", "", words[2] if words[0] == "nlp-rnn" else Path(words[1]).name)
            for words in commands
        } <= set(STAGES)


@pytest.mark.parametrize("project", EXAMPLES, ids=lambda project: project.name)
def test_an_example_is_a_project_like_any_other(project: Path) -> None:
    found = load(project / "params.yaml")
    assert (project / "dvc.yaml").read_text(encoding="utf-8") == dvc_yaml(found)
    assert (project / ".gitignore").read_text(encoding="utf-8") == GITIGNORE
    assert missing_stages(found, project) == []
    readme = (project / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"evaluate@([\w-]+)", readme):
        assert name in found.experiments


def test_the_table_of_examples_names_what_there_is() -> None:
    table = (PROJECT / "examples/README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| \[([\w-]+)\]\(\1\) \| `([\w-]+)` \| `([\w.]+)` \| ([\d.]+)", table, re.M
    )
    assert len(rows) >= 6
    for folder, experiment, _, _ in rows:
        assert experiment in load(PROJECT / f"examples/{folder}/params.yaml").experiments


def test_check_lists_every_fault_and_names_missing_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = {
        "datasets": {"reviews": LABELLED, "broken": LABELLED | {"corpus": "revews"}},
        "experiments": {
            "mine": EXPERIMENT,
            "lost": EXPERIMENT | {"dataset": "nowhere"},
            "misspelt": EXPERIMENT | {"model": {"unitz": 3}},
        },
    }
    YAML().dump(data, tmp_path / "params.yaml")
    assert main(["check"]) == 2
    found = capsys.readouterr().err.splitlines()
    assert len(found) == 3 and all(line.startswith("error: params.yaml: ") for line in found)
    for message in ("datasets.broken", "no data set 'nowhere'", "unitz"):
        assert any(message in line for line in found)
    data["datasets"].pop("broken")
    data["experiments"] = {"mine": EXPERIMENT}
    data |= {"backend": "jax"}
    YAML().dump(data, tmp_path / "params.yaml")
    write_pipeline(load(), tmp_path)
    assert main(["check"]) == 2
    assert "lacks seed, which dvc.yaml names" in capsys.readouterr().err
    with (tmp_path / "params.yaml").open("a") as file:
        file.write("seed: 1\n")  # as it was advised
    assert main(["check"]) == 0
    data |= {"seed": 1}
    data["vectors"] = {"words": {"dataset": "reviews", "algorithm": "pmi_svd", "dimension": 4}}
    YAML().dump(data, tmp_path / "params.yaml")
    capsys.readouterr()
    assert main(["check"]) == 2
    assert "lacks the stages vectors" in capsys.readouterr().err
    assert main(["pipeline"]) == 0
    assert main(["check"]) == 0


def test_a_broken_experiment_does_not_stop_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    broken = EXPERIMENT | {"model": {"unitz": 3}}
    data = {"datasets": {"reviews": LABELLED}, "experiments": {"mine": EXPERIMENT, "other": broken}}
    YAML().dump(data, tmp_path / "params.yaml")
    assert main(["stage", "prepare", "reviews"]) == 0
    assert main(["stage", "embed", "mine"]) == 0
    capsys.readouterr()
    assert main(["stage", "embed", "other"]) == 2
    assert "unknown parameter 'unitz'" in capsys.readouterr().err
    assert main(["stage", "embed", "nine"]) == 2
    assert "no experiment 'nine'; did you mean 'mine'?" in capsys.readouterr().err


def test_a_name_runs_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC gives the line to a shell: a name in quotes stays a name, and `check` refuses it."""
    monkeypatch.chdir(tmp_path)
    hostile = "x; touch PWNED #"
    for stage in YAML(typ="safe").load(dvc_yaml(parameters()))["stages"].values():
        command = stage.get("do", stage)["cmd"].replace("${key}", hostile)
        subprocess.run(command.replace("nlp-rnn", "echo", 1), shell=True, check=True)
    assert not Path("PWNED").exists()
    with pytest.raises(UserError, match="a name has letters, digits"):
        parameters(datasets={hostile: LABELLED, "reviews": LABELLED})


def test_an_exchanged_file_of_vectors_is_noticed_by_a_sentence_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = {"kind": "pretrained", "file": "./v.txt", "dimension": 1}
    encoder = {"algorithm": "quick_thought", "dataset": "reviews", "embeddings": embeddings}
    section = {"datasets": {"reviews": TEXT}, "sentences": {"mine": encoder}}
    written = YAML(typ="safe").load(dvc_yaml(parse(section, Path("params.yaml"))))["stages"]
    checksum = "data/checksums/sentences/${key}.json"
    assert written["sentence_vector_file"]["do"]["outs"] == [checksum]
    assert written["sentence_vector_file"]["do"]["always_changed"]
    assert checksum in written["sentences"]["do"]["deps"]

    monkeypatch.chdir(tmp_path)
    YAML().dump(section, tmp_path / "params.yaml")
    found = []
    for vectors in ("the 1\n", "the 2\n"):
        (tmp_path / "v.txt").write_text(vectors)
        main(["stage", "sentence_vector_file", "mine"])
        found.append((tmp_path / "data/checksums/sentences/mine.json").read_text())
    assert found[0] != found[1]
