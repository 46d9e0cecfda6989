"""The installed package in an empty folder: ``new``, ``dvc repro``, ``check`` and ``predict``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of processes that find the package in a folder of its own, and nothing of the clone."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "nlp_rnn", source / "nlp_rnn", ignore=ignored)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--no-build-isolation", "--target", target, source],
        check=True,
        capture_output=True,
    )  # fmt: skip
    shutil.rmtree(source)
    path = os.pathsep.join([str(target / "bin"), str(SCRIPTS), os.environ["PATH"]])
    backend = {"KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "auto")}
    return {**os.environ, "PYTHONPATH": str(target), "PATH": path, **backend}


@pytest.mark.slow
def test_from_a_table_to_predictions(tmp_path: Path, environment: dict[str, str]) -> None:
    def run(command: str, folder: Path = tmp_path / "films", stdin: str = "") -> str:
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, input=stdin, text=True,
            capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = run("python -c 'import nlp_rnn; print(nlp_rnn.__file__)'", tmp_path)
    assert where.startswith(environment["PYTHONPATH"])

    words = {"positive": ["good", "great"], "negative": ["bad", "poor"]}
    rows = [
        f"a {words[label][i % 2]} film number {i},{label}\n" for i in range(100) for label in words
    ]
    (tmp_path / "films.csv").write_text("review,sentiment\n" + "".join(rows))
    said = run("nlp-rnn new films --train films.csv", tmp_path)
    assert "200 labelled texts" in said

    file = tmp_path / "films/params.yaml"
    small = file.read_text().replace("units: 32", "units: 8").replace("epochs: 30", "epochs: 3")
    file.write_text(small)
    run("nlp-rnn check")
    assert "Running stage" in run("dvc repro evaluate@films-bilstm")
    assert "Running stage" not in run("dvc repro evaluate@films-bilstm")
    found = json.loads(run("nlp-rnn predict models/films-bilstm - -", stdin="a great film\n"))
    assert found["label"] in words
    assert (tmp_path / "films/metrics/films-bilstm.json").is_file()
