"""Every command of the documents and of the help texts runs, in a miniature of the root project.

The miniature has the data sets and experiments of ``params.yaml``, small and trained for one epoch.
A command that is not run stands in :data:`NOT_RUN`, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import nlp_rnn
from helpers.project import Project
from nlp_rnn import stages
from nlp_rnn.cli import COMMANDS, main, parser

pytestmark = pytest.mark.slow

PROJECT = Path(nlp_rnn.__file__).parents[1]

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(PROJECT.glob("docs/*.md"))]

SIZES = {"train": 150, "validation": 30, "test": 30}

NOT_RUN = {
    "make ": "the suite is run by it, and the pipeline by test_stages.py",
    "pip install": "installs from an index",
    "dvc ": "test_hints.py asks DVC for every target, and test_stages.py runs them",
    "mlflow ": "starts a server; tracking/test_tracking.py asks the same code in process",
    "curl ": "asks such a server",
    "export ": "sets a variable of the reader's shell",
    "cd ": "moves the reader's shell",
    ". ": "activates the reader's environment",
    "python -m pytest": "runs this test",
    "python tests/declare": "test_dependencies.py compares what it writes",
    "nlp-rnn search": "test_search.py runs searches",
    "nlp-rnn compare imdb": "needs the reviews of an example",
    "nlp-rnn export models/ner-bilstm-crf ner-page": "needs files from npm; "
    "browser/test_web_export.py exports pages and opens them",
    "python -m http.server": "runs until it is stopped",
    "nlp-rnn predict models/sentiment-bilstm 'part-": "needs an engine; engines/test_engines.py "
    "predicts by each that is installed",
    "python -m venv": "packs an environment for a cluster",
    "nlp-rnn serve": "runs until it is stopped; serving/test_server.py starts and asks it",
    "nlp-rnn labelled": "reads what a person labelled; labelling/test_label_command.py does that",
    "nlp-rnn new": "projects/test_new.py makes projects",
    "nlp-rnn explain models/ner": "finds no entity so soon; explanation/test_explain.py explains",
    "echo 'She gave the dog": "no built-in corpus has roles; tasks/test_roles_task.py predicts",
}
"""How commands begin that are not run here, and why."""

STANDING_FOR = {
    "VECTORS": "vectors/grammar-pmi",
    "glove.6B.zip!glove.6B.100d.txt": "glove.6B.100d.txt",
    "predict pos-bilstm ": "predict models/pos-bilstm ",
    "stage prepare reviews": "stage prepare grammar-reviews",
    "models/reviews-bilstm": "models/sentiment-bilstm",
    "models/mine models/other": "models/sentiment-bilstm models/sentiment-bilstm",
    "models/drugs-bilstm-crf new.txt": "models/ner-bilstm-crf articles.txt",
}
"""What stands in the documents for something of the reader, and what is used here."""

WORDS = "man woman king queen boy girl royal boat judge captain the a of and"


def in_blocks(page: Path) -> Iterator[str]:
    """The commands in the blocks of a page, continued lines joined."""
    for language, block in re.findall(
        r"^```(\w*)\n(.*?)^```", page.read_text("utf-8"), re.S | re.M
    ):
        if language in ("", "sh"):
            yield from block.replace("\\\n", " ").splitlines()


def in_help(of: argparse.ArgumentParser) -> Iterator[str]:
    """The examples in the help of every command."""
    yield from (of.epilog or "").splitlines()
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from in_help(inner)


def commands() -> list[str]:
    """Each command once, without its comment."""
    lines = [line for page in PAGES for line in in_blocks(page)] + list(in_help(parser(*COMMANDS)))
    stripped = (re.sub(r"\s+# .*", "", line.strip()) for line in lines)
    starts = r"(nlp-rnn|echo|printf|python|make|pip|dvc|mlflow|curl|export|cd|\.) "
    return list(dict.fromkeys(line for line in stripped if re.match(starts, line)))


RUN = [command for command in commands() if not command.startswith(tuple(NOT_RUN))]


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root project, small: every stage of every experiment has run."""
    folder = tmp_path_factory.mktemp("miniature")
    parameters: dict[str, Any] = YAML(typ="safe").load(PROJECT / "params.yaml")
    for dataset in parameters["datasets"].values():
        dataset["sizes"] = SIZES
        dataset["vocabulary"] = {"min_count": 1}
    for experiment in parameters["experiments"].values():
        experiment["training"] |= {"epochs": 1}
        experiment["model"]["units"] = 20
    parameters["backend"] = "tensorflow"
    project = Project(folder, parameters)
    shutil.copy(PROJECT / "dvc.yaml", folder)
    project.prepare()
    with project.inside():
        for name in parameters["datasets"]:
            stages.baselines(name)
        for name in parameters["vectors"]:
            stages.vectors(name)
        project.train()
        stages.report()
    write_inputs(folder)
    return folder


def write_inputs(folder: Path) -> None:
    """The files of a reader that commands name."""
    scores = "the man\tthe king\t3.5\nthe king\tthe queen\t4.5\na boy\tthe man\t2\n" * 4
    related = "sentence_A\tsentence_B\trelatedness_score\n" + scores
    vectors = (folder / "vectors/grammar-pmi/vectors.txt").read_text().splitlines()
    words = [line.split()[0] for line in vectors[1:] if line.split()[0].isalpha()]
    pairs = [f"{words[i]},{words[i + 1]},{i}\n" for i in range(5)]
    files = {
        "reviews.csv": "text\ngood not bad at all\na bad film\n",
        "articles.txt": "Clara Jensen travelled to Cardona .\n",
        "sentences.txt": "the old dog sleeps .\nthe cat sleeps .\n",
        "candidates.txt": "like I cats\nI like cats\n",
        "texts.txt": "good\nbad\n",
        "chapter.txt": 'the old dog sleeps .\nthe " old dog " sleeps .\n' * 20,
        "story.txt": "the old dog sleeps . the cat sees the dog .\n" * 20,
        "TREC.train.all": "0 who sleeps\n1 how old is it\n" * 8,
        "TREC.test.all": "0 who sees the dog\n1 how old\n",
        **dict.fromkeys(("SICK_train.txt", "SICK_test_annotated.txt"), related),
        "questions-words.txt": ": family\nman woman king queen\nboy girl king queen\n",
        "combined.csv": "Word 1,Word 2,Human\n" + "".join(pairs),
        "sentences.conllu": "".join(
            "\t".join([str(i), word, *"_" * 8]) + "\n" for i, word in enumerate(("the", "dog"), 1)
        )
        + "\n",
        "glove.6B.100d.txt": "".join(
            f"{word} {' '.join(str((i * j * 7919) % 101 / 50 - 1) for j in range(1, 9))}\n"
            for i, word in enumerate(WORDS.split(), 1)
        ),
    }
    for name, content in files.items():
        (folder / name).write_text(content)


def test_documents_and_help_have_commands() -> None:
    assert len(RUN) > 30
    for beginning in NOT_RUN:
        assert any(command.startswith(beginning) for command in commands()), beginning


@pytest.mark.parametrize("command", RUN)
def test_a_command_does_as_documented(
    command: str,
    miniature: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, own in STANDING_FOR.items():
        command = command.replace(name, own)
    for target in ("pos", "ner-small", "looking", "projector"):
        shutil.rmtree(miniature / target, ignore_errors=True)  # commands of several pages make it
    if command.startswith("nlp-rnn ") and not re.search(r"[|<>&;$*]", command):
        # As the shell would, without the seconds that it takes to start a process.
        monkeypatch.chdir(miniature)
        assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
        return
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=miniature,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_first_prediction_has_the_form_that_the_readme_shows(miniature: Path) -> None:
    readme = (PROJECT / "README.md").read_text("utf-8")
    command = next(line for line in readme.splitlines() if line.startswith("echo 'good , not bad"))
    shown = next(json.loads(line) for line in readme.splitlines() if line.startswith('{"text"'))
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=miniature,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert list(found) == list(shown)
    assert set(found["probabilities"]) == set(shown["probabilities"])
    assert found["text"] == shown["text"]
