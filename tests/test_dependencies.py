"""DVC's dependencies are the code that a stage can reach: little more, so that little runs in vain,
and no less, so that no figure stays that the code would not give again."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from helpers.call_graph import CallGraph
from nlp_rnn.config import load
from nlp_rnn.projects.pipeline import dvc_yaml, stages

PROJECT = Path(__file__).parent.parent

CHANGES_NO_RESULT = {
    "nlp_rnn/cli.py": "reads the command's arguments",
    "nlp_rnn/commands": "are commands, no stages",
    "nlp_rnn/config": "reads params.yaml, whose values DVC compares itself",
    "nlp_rnn/bounded_yaml.py": "reads params.yaml, whose values DVC compares itself",
    "nlp_rnn/arrays.py": "names types",
    "nlp_rnn/errors.py": "is the class of an error",
    "nlp_rnn/extras.py": "says what to install",
    "nlp_rnn/files.py": "writes files completely or not at all",
    "nlp_rnn/hints.py": "words the remedies of errors",
    "nlp_rnn/limits.py": "refuses files, and changes no result",
    "nlp_rnn/paths.py": "says where files lie, which DVC knows as outputs",
    "nlp_rnn/process.py": "logs, and ends a process",
    "nlp_rnn/projects": "writes dvc.yaml itself",
    "nlp_rnn/progress.py": "shows a bar to whoever watches",
    "nlp_rnn/stages/common.py": "checks and locks: it refuses to run, or changes nothing",
    "nlp_rnn/tracking": "writes what is known to MLflow, which is no output of a stage",
}
"""Code that no stage depends on, and why."""

ONLY_SHOWN = {
    ("train", "nlp_rnn/drawing.py"): "nobody trains anew for the look of a curve",
    ("train", "nlp_rnn/evaluation/plots.py"): "nobody trains anew for the look of a curve",
    ("evaluate", "nlp_rnn/evaluation/report.py"): "words the description of an MLflow run",
}
"""Code that one stage reaches without depending on it, and why."""


MOSTLY = 0.75
"""The share of a folder's files from which a stage depends on the folder: DVC's time for a ``dvc
repro`` that runs nothing grows with the number of dependencies."""


@cache
def graph() -> CallGraph:
    return CallGraph(PROJECT / "nlp_rnn", CHANGES_NO_RESULT)


@cache
def modules_of_stages() -> dict[str, str]:
    """The module of each stage's function, as ``nlp_rnn.stages`` imports it."""
    source = (PROJECT / "nlp_rnn/stages/__init__.py").read_text(encoding="utf-8")
    return {
        alias.name: str(node.module)
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def declared(stage: str) -> tuple[str, ...]:
    """The dependencies of a stage that are code of the package."""
    entry = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"][stage]
    dependencies = entry.get("do", entry)["deps"]
    return tuple(name for name in dependencies if name.startswith("nlp_rnn/"))


def files_of(dependency: str) -> set[str]:
    """The Python files of a dependency; of a folder all but an ``__init__.py`` without code."""
    path = PROJECT / dependency
    if path.is_file():
        return {dependency}
    assert path.is_dir(), f"{dependency} does not exist"
    return {
        str(file.relative_to(PROJECT))
        for file in path.rglob("*.py")
        if file.name != "__init__.py" or len(ast.parse(file.read_text(encoding="utf-8")).body) > 1
    }


def dependencies(stage: str) -> list[str]:
    """What a stage depends on: folders of which it reaches most files, and single files."""
    files = graph().files(modules_of_stages()[stage], stage)
    files -= {file for of, file in ONLY_SHOWN if of == stage}
    folders = {str(p) for file in files for p in (PROJECT / file).relative_to(PROJECT).parents}
    whole: set[str] = set()
    for folder in sorted(folders - {".", "nlp_rnn"}, key=len):
        if (inside := files_of(folder)) and len(inside & files) >= MOSTLY * len(inside):
            whole.add(folder)
            files -= inside
    return sorted(whole | files)


def root_pipeline() -> str:
    """The text of the root project's ``dvc.yaml``."""
    parameters = load(PROJECT / "params.yaml")
    code = {
        stage.name: [f"pipelines/{stage.name}.py", *dependencies(stage.name)]
        for stage in stages(parameters)
    }
    text = dvc_yaml(parameters, "python pipelines/{stage}.py", code)
    return text.replace("`nlp-rnn pipeline`", "`python tests/declare_dependencies.py`")


@pytest.mark.slow
def test_the_root_has_the_stages_that_its_parameters_need() -> None:
    found = (PROJECT / "dvc.yaml").read_text(encoding="utf-8")
    assert found == root_pipeline(), "run: python tests/declare_dependencies.py"


@pytest.mark.slow
@pytest.mark.parametrize("stage", sorted(YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]))
def test_a_stage_depends_on_the_code_that_it_reaches(stage: str) -> None:
    reached = graph().files(modules_of_stages()[stage], stage)
    listed = [file for name in declared(stage) for file in files_of(name)]
    there = set(listed)
    assert len(listed) == len(there), f"{stage} lists a file twice"
    shown = {file for of, file in ONLY_SHOWN if of == stage}
    missing = reached - there - shown
    assert not missing, f"{stage} reaches, but does not depend on {sorted(missing)}"
    for name in declared(stage):
        files = files_of(name)
        superfluous = files - reached
        assert len(superfluous) <= (1 - MOSTLY) * len(files), f"{stage}: {sorted(superfluous)}"


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_code_that_decides_on_figures_is_a_dependency(stage: str) -> None:
    reached = graph().files(modules_of_stages()[stage], stage)
    assert {
        "nlp_rnn/linear_chain.py",
        "nlp_rnn/evaluation/calibration.py",
        "nlp_rnn/runtime/forward.py",
        "nlp_rnn/layers/crf.py",
    } <= reached
    assert "nlp_rnn/inference/outputs.py" not in reached  # the writer of CSV files
    assert ("nlp_rnn/runtime/onnx_graph/converters.py" in reached) == (stage == "train")


def test_exceptions_name_code_that_is_there() -> None:
    for name in (*CHANGES_NO_RESULT, *(file for _, file in ONLY_SHOWN)):
        assert (PROJECT / name).exists(), name


def test_names_are_followed_through_imports_classes_and_attributes(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    sources = {
        "__init__.py": "",
        "start.py": (
            "from __future__ import annotations\n"
            "from typing import TYPE_CHECKING\n"
            "from package import inner\n"
            "from package.unused import nothing\n"
            "if TYPE_CHECKING:\n    from package.types import Kind\n"
            "def run(kind: Kind, shadow):\n"
            "    from .local import Made as make\n"
            "    inner.helper()\n"
            "    return [shadow for shadow in make().used()]\n"
            "def shadow():\n    nothing()\n"
        ),
        "inner/__init__.py": "from .deep import helper",
        "inner/deep.py": "LIMIT = 1\ndef helper(x=LIMIT): return x",
        "local.py": (
            "from package import one, other\n"
            "class Made:\n"
            "    def used(self): return one.f()\n"
            "    def idle(self): return other.f()\n"
        ),
        "one.py": "def f(): pass",
        "other.py": "def f(): pass",
        "unused.py": "def nothing(): pass",
        "types.py": "class Kind: pass",
    }
    for name, source in sources.items():
        (package / name).write_text(source)
    names = ("start.py", "inner/__init__.py", "inner/deep.py", "local.py", "one.py")
    assert CallGraph(package).files("package.start", "run") == {f"package/{n}" for n in names}
