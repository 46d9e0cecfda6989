"""The stages end to end: every task learns, is tracked, survives being killed, and predicts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from helpers.backends import SOONEST
from helpers.project import Project
from helpers.store import put_store
from nlp_rnn import stages
from nlp_rnn.cli import main
from nlp_rnn.config import load
from nlp_rnn.errors import UserError
from nlp_rnn.projects.pipeline import dvc_yaml, write_pipeline
from nlp_rnn.runtime.bundle import WEIGHTS

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[1]

PARAMETERS: dict[str, Any] = {
    "datasets": {
        "reviews": {
            "source": "grammar",
            "corpus": "reviews",
            "sizes": {"train": 5000, "validation": 300, "test": 500},
            "tokenizer": {"unit": "whitespace"},
        },
        "tags": {
            "source": "grammar",
            "corpus": "parts_of_speech",
            "sizes": {"train": 3000, "validation": 200, "test": 500},
            "tokenizer": {"unit": "whitespace"},
            "vocabulary": {"min_count": 2},
        },
        "entities": {
            "source": "grammar",
            "corpus": "entities",
            "sizes": {"train": 2000, "validation": 200, "test": 500},
            "tokenizer": {"unit": "whitespace", "lowercase": False},
            "vocabulary": {"min_count": 2},
        },
        "text": {
            "source": "grammar",
            "corpus": "text",
            "sizes": {"train": 3000, "validation": 300, "test": 300},
            "tokenizer": {"unit": "whitespace", "lowercase": False},
        },
        "characters": {
            "source": "grammar",
            "corpus": "text",
            "sizes": {"train": 2000, "validation": 100, "test": 100},
            "tokenizer": {"unit": "character", "lowercase": False},
        },
    },
    "experiments": {
        "sentiment": {
            "task": "classification",
            "dataset": "reviews",
            "embeddings": {"kind": "learned", "dimension": 32},
            "model": {"units": 32, "pooling": "max"},
            "training": {"epochs": 3, "learning_rate": 0.005, "clip_norm": 1.0},
        },
        "parts-of-speech": {
            "task": "tagging",
            "dataset": "tags",
            "embeddings": {"kind": "learned", "dimension": 32},
            "model": {"units": 32},
            "training": {"epochs": 4, "learning_rate": 0.01},
        },
        "names": {
            "task": "tagging",
            "dataset": "entities",
            "embeddings": {"kind": "learned", "dimension": 32},
            "model": {"units": 32, "cell": "gru"},
            "training": {"epochs": 4, "learning_rate": 0.01},
        },
        "words": {
            "task": "language_modelling",
            "dataset": "text",
            "embeddings": {"kind": "learned", "dimension": 32},
            "model": {"units": 32, "tied": True},
            "training": {"epochs": 3, "learning_rate": 0.01, "window": 20},
        },
        "letters": {
            "task": "language_modelling",
            "dataset": "characters",
            "embeddings": {"kind": "learned", "dimension": 16},
            "model": {"units": 32, "cell": "gru"},
            "training": {"epochs": 2, "learning_rate": 0.01, "window": 50},
        },
    },
}


def write_parameters(folder: Path, parameters: dict[str, Any]) -> None:
    YAML().dump(parameters, folder / "params.yaml")
    if not (folder / "mlflow.db").exists():
        put_store(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which every stage of every experiment has run."""
    folder = tmp_path_factory.mktemp("project")
    project = Project(folder, PARAMETERS)
    project.prepare()
    project.train()
    with project.inside():
        stages.report()
    return folder


def figures(project: Path, experiment: str) -> dict[str, Any]:
    return json.loads((project / "figures" / f"{experiment}.json").read_text())


@pytest.mark.parametrize(
    ("experiment", "metric", "baseline", "way"),
    [
        ("sentiment", "accuracy", "majority", 0.75),
        ("parts-of-speech", "accuracy", "most_frequent_tag", 0.5),
        ("names", "accuracy", "most_frequent_tag", 0.8),
        ("names", "f1", "most_frequent_tag", 0.8),
    ],
)
def test_models_go_most_of_the_way_from_the_baseline_to_the_optimum(
    project: Path, experiment: str, metric: str, baseline: str, way: float
) -> None:
    found = figures(project, experiment)
    low, high = found["baselines"][baseline][metric], found["optimum"][metric]
    assert low < high
    assert (found["test"][metric] - low) / (high - low) > way
    assert found["test"]["loss"] > found["optimum"]["loss"]


@pytest.mark.parametrize("experiment", ["words", "letters"])
def test_language_models_lie_between_unigrams_and_the_entropy(
    project: Path, experiment: str
) -> None:
    found = figures(project, experiment)
    unigram, model, optimum = (
        part["perplexity"]
        for part in (found["baselines"]["unigram"], found["test"], found["optimum"])
    )
    assert optimum < model < 0.6 * unigram
    assert found["test"]["tokens"] == found["optimum"]["tokens"]
    assert found["test"]["bits_per_character"] > found["optimum"]["bits_per_character"]


def test_everything_is_where_users_look_for_it(project: Path) -> None:
    for experiment in PARAMETERS["experiments"]:
        for file in (
            f"models/{experiment}/bundle.json",
            f"plots/loss/{experiment}.csv",
            f"plots/training/{experiment}/loss.png",
            f"plots/evaluation/{experiment}/worst_predictions.json",
            f"predictions/{experiment}.jsonl",
            f"runs/{experiment}.json",
        ):
            assert (project / file).is_file(), file
    assert (project / "plots/evaluation/names/confusion.png").is_file()
    assert (project / "plots/evaluation/names/report.md").is_file()
    assert (project / "reports/results.png").is_file()
    page = (project / "reports/index.html").read_text(encoding="utf-8")
    assert page.count("Run in MLflow") == len(PARAMETERS["experiments"])


def test_the_report_sets_every_model_beside_baseline_and_optimum(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    stages.report()
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in Path("reports/results.md").read_text(encoding="utf-8").splitlines()
    ]
    names = dict(zip(header, rows[0], strict=True))
    assert (names["experiment"], names["metric"]) == ("letters", "perplexity")
    found = figures(project, "letters")
    assert names["test"] == f"{found['test']['perplexity']:.2f}"
    assert names["optimum"] == f"{found['optimum']['perplexity']:.2f}"
    assert [row[:2] for row in rows[1:3]] == [["names", "accuracy"], ["names", "f1"]]


def test_a_report_without_figures_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="dvc repro"):
        stages.report()


def test_each_run_is_tracked_whole(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.chdir(project)
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    for experiment in PARAMETERS["experiments"]:
        run_id = json.loads((project / f"runs/{experiment}.json").read_text())["run_id"]
        run = client.get_run(run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params["seed"] == "1"
        assert run.data.params["training.epochs"] == str(
            PARAMETERS["experiments"][experiment]["training"]["epochs"]
        )
        test = figures(project, experiment)["test"]
        assert run.data.metrics["test/loss"] == pytest.approx(test["loss"])
        history = client.get_metric_history(run_id, "validation/loss")
        assert len(history) == PARAMETERS["experiments"][experiment]["training"]["epochs"]
        version = client.get_model_version_by_alias(experiment, "current")
        assert version.run_id == run_id


def test_a_registered_model_predicts_as_its_bundle(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(project)
    texts = tmp_path / "texts.txt"
    texts.write_text("the music was not good .\na superb film , not dull at all .\n")
    for model in ("models/sentiment", "models:/sentiment@current"):
        assert main(["predict", model, str(texts), str(tmp_path / "out.jsonl")]) == 0
        lines = (tmp_path / "out.jsonl").read_text().splitlines()
        assert [json.loads(line)["label"] for line in lines] == ["negative", "positive"]


@pytest.mark.exhaustive
def test_training_again_gives_the_same_figures(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(project / "data", tmp_path / "data")
    write_parameters(tmp_path, PARAMETERS)
    monkeypatch.chdir(tmp_path)
    stages.embed("parts-of-speech")
    stages.train("parts-of-speech")
    stages.evaluate("parts-of-speech")
    assert (
        figures(tmp_path, "parts-of-speech")["test"] == figures(project, "parts-of-speech")["test"]
    )


def stage(name: str, experiment: str, folder: Path) -> list[str]:
    return [sys.executable, str(PROJECT / "pipelines" / f"{name}.py"), experiment]


def test_a_training_killed_with_sigkill_goes_on_and_ends_with_the_same_weights(
    project: Path, tmp_path: Path
) -> None:
    """Bit for bit, and in the same MLflow run, which keeps every epoch."""
    shutil.copytree(project / "data", tmp_path / "data")
    shutil.copytree(project / "embeddings", tmp_path / "embeddings")
    write_parameters(tmp_path, PARAMETERS)
    command = stage("train", "words", tmp_path)
    checkpoint = tmp_path / "checkpoints/words/state.npz"
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, process.stderr.read() if process.stderr else ""
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "models").exists()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "resuming after epoch" in done.stderr
    one, other = (
        json.loads((p / "models/words/bundle.json").read_text()) for p in (project, tmp_path)
    )
    assert one["sha256"][WEIGHTS] == other["sha256"][WEIGHTS]
    assert not checkpoint.exists()

    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("nlp_rnn")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1
    history = client.get_metric_history(runs[0].info.run_id, "train/loss")
    assert [metric.step for metric in history] == [1, 2, 3]


def test_a_stage_without_what_it_needs_says_which_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parameters(tmp_path, PARAMETERS)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"dvc repro prepare@text"):
        stages.embed("words")
    with pytest.raises(UserError, match=r"dvc repro prepare@text"):
        stages.train("words")
    with pytest.raises(UserError, match="train"):
        stages.evaluate("words")
    with pytest.raises(UserError, match="did you mean 'words'"):
        stages.train("word")


@pytest.fixture
def own_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A project on the user's own file, with labels that are hard on pictures and on MLflow."""
    labels = ["$50_$", "a//b/..", "x" * 300, "naïve, 日本"]
    rows = [{"text": f"word{i} good", "label": labels[i % 4]} for i in range(40)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    parameters = {
        "datasets": {
            "own": {
                "source": "files",
                "format": "jsonl",
                "train": "data.jsonl",
                "split": {"validation": 0.2, "test": 0.2},
            }
        },
        "experiments": {
            "own": PARAMETERS["experiments"]["sentiment"]
            | {"dataset": "own", "training": {"epochs": 1}}
        },
    }
    write_parameters(tmp_path, parameters)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NLP_RNN_DATA", str(tmp_path))
    return parameters


def test_any_label_survives_the_whole_pipeline_and_stale_parts_are_refused(
    own_labels: dict[str, Any], tmp_path: Path
) -> None:
    for stage_of in (stages.prepare, stages.embed, stages.train, stages.evaluate):
        stage_of("own")
    assert figures(tmp_path, "own")["baselines"]["majority"]["accuracy"] == 0.25

    changed = json.loads(json.dumps(own_labels))
    changed["experiments"]["own"]["model"]["units"] = 5
    write_parameters(tmp_path, changed)
    with pytest.raises(UserError, match=r"trained with other parameters.*dvc repro train@own"):
        stages.evaluate("own")
    write_parameters(tmp_path, own_labels)

    with (tmp_path / "data.jsonl").open("a") as file:
        file.write('\n{"text": "one more", "label": "$50_$"}')
    stages.prepare("own")
    with pytest.raises(UserError, match=r"trained on other data.*dvc repro train@own"):
        stages.evaluate("own")
    with pytest.raises(UserError, match=r"vectors are for other data.*dvc repro embed@own"):
        stages.train("own")


def test_a_second_training_of_the_same_experiment_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.chdir(project)
    with (
        FileLock(project / "checkpoints/words/lock"),
        pytest.raises(UserError, match="another process is training words"),
    ):
        stages.train("words")


def test_generation_answers_mistakes_before_keras_is_imported(project: Path) -> None:
    code = (
        "import sys\n"
        "from nlp_rnn.cli import main\n"
        "assert main(['generate', 'models/sentiment']) == 2\n"
        "assert main(['generate', 'nowhere']) == 2\n"
        "assert 'keras' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=project, check=True)


def test_generation_is_seeded_and_speaks_the_vocabulary(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)

    def generate(*options: str) -> str:
        assert main(["generate", "models/words", "--length", "30", *options]) == 0
        return capsys.readouterr().out

    first = generate("--seed", "1", "--prompt", "the")
    assert first.startswith("the ")
    assert first == generate("--seed", "1", "--prompt", "the")
    assert first != generate("--seed", "2", "--prompt", "the")
    assert len(generate("--seed", "1", "--samples", "3").strip().split("\n\n")) >= 3
    assert generate("--temperature", "0") == generate("--temperature", "0", "--seed", "9")
    assert "<unk>" not in first
    for option, value in (("--temperature", "-1"), ("--temperature", "inf"), ("--seed", "-1")):
        with pytest.raises(SystemExit) as exit:
            generate(option, value)
        assert exit.value.code == 2
    assert main(["generate", "models/sentiment"]) == 2
    assert "only language models" in capsys.readouterr().err


DVC = {
    "one": ("tags", "parts-of-speech"),
    "two": ("entities", "names"),
}


class Reproduced(NamedTuple):
    """A project in which DVC has run what ``evaluate@one`` needs, and what it said."""

    folder: Path
    output: str


def write_small_project(folder: Path) -> None:
    """Two small experiments, for DVC to run."""
    parameters = {
        "backend": SOONEST,
        "seed": 1,
        "tracking": {"experiment": "nlp_rnn"},
        "datasets": {
            d: PARAMETERS["datasets"][d] | {"sizes": {"train": 200, "validation": 50, "test": 50}}
            for d, _ in DVC.values()
        },
        "experiments": {
            name: PARAMETERS["experiments"][source]
            | {"training": {"epochs": 1}, "model": {"units": 4}}
            for name, (_, source) in DVC.items()
        },
        "vectors": {"words": {"dataset": "tags", "algorithm": "pmi_svd", "dimension": 8}},
    }
    # The second starts from vectors that are learned from the data of the first.
    parameters["experiments"]["two"]["embeddings"] = {"kind": "words", "dimension": 8}
    write_parameters(folder, parameters)
    write_pipeline_of(folder)
    run_dvc(folder, "init", "--no-scm", "--quiet")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Reproduced:
    """A project, driven by DVC."""
    folder = tmp_path_factory.mktemp("reproduced")
    write_small_project(folder)
    shutil.copytree(PROJECT / "pipelines", folder / "pipelines")
    return Reproduced(folder, run_dvc(folder, "repro", "evaluate@one"))


@pytest.fixture
def repository(reproduced: Reproduced, tmp_path: Path) -> Path:
    """A copy of that project, for a test to change, with an MLflow store of its own."""
    return copied(reproduced.folder, tmp_path / "repository")


def copied(project: Path, folder: Path) -> Path:
    """A copy of a project, with an MLflow store of its own."""
    store = shutil.ignore_patterns("mlflow.db*", "mlartifacts")
    shutil.copytree(project, folder, ignore=store)
    put_store(folder)
    return folder


def write_pipeline_of(folder: Path) -> None:
    """The pipeline that the parameters need, with scripts that a test can change."""
    parameters = load(folder / "params.yaml")
    write_pipeline(parameters, folder)
    scripts = dvc_yaml(parameters, "python pipelines/{stage}.py")
    (folder / "dvc.yaml").write_text(scripts)


def run_dvc(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dvc"), *arguments],
        cwd=folder,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ran(output: str) -> set[str]:
    """The stages that DVC ran, by what it said."""
    return {line.split("'")[1] for line in output.splitlines() if "Running stage" in line}


WRITES_ANEW = """
import os, uuid
from pathlib import Path
from dvc.repo import Repo

[stage] = Repo().stage.collect(os.environ["DVC_STAGE"])
for out in stage.outs:
    path = Path(out.fs_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"test": {"accuracy": 0.5, "of": "%s"}}' % uuid.uuid4())
"""
"""Instead of a stage: into each of its outputs it writes something new, within a moment."""


def test_dvc_runs_everything_once_and_then_only_what_changed(tmp_path: Path) -> None:
    write_small_project(tmp_path)
    (tmp_path / "pipelines").mkdir()
    for script in (PROJECT / "pipelines").glob("*.py"):
        (tmp_path / "pipelines" / script.name).write_text(WRITES_ANEW)
    assert run_dvc(tmp_path, "repro").count("Running stage") == 2 * 5 + 2
    assert "Running stage" not in run_dvc(tmp_path, "repro")
    yaml = YAML()
    parameters = yaml.load(tmp_path / "params.yaml")
    parameters["experiments"]["two"]["model"]["units"] = 5
    yaml.dump(parameters, tmp_path / "params.yaml")
    assert ran(run_dvc(tmp_path, "repro")) == {"train@two", "evaluate@two", "report"}
    parameters["vectors"]["words"]["window"] = 2
    yaml.dump(parameters, tmp_path / "params.yaml")
    assert "Running stage" not in run_dvc(tmp_path, "repro", "embed@one")
    assert ran(run_dvc(tmp_path, "repro", "embed@two")) == {"vectors@words", "embed@two"}
    assert "test.accuracy" in run_dvc(tmp_path, "metrics", "show")


@pytest.mark.exhaustive
def test_dvc_finds_every_output_that_it_expects_and_nothing_to_do_then(
    reproduced: Reproduced, repository: Path
) -> None:
    needed = {"prepare@tags", "baselines@tags", "embed@one", "train@one", "evaluate@one"}
    assert ran(reproduced.output) == needed
    assert "Running stage" not in run_dvc(repository, "repro", "evaluate@one")


def test_stages_write_every_output_that_dvc_expects(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(project, tmp_path / "copy")
    vectors = {"words": {"dataset": "tags", "algorithm": "pmi_svd", "dimension": 8}}
    write_parameters(folder, PARAMETERS | {"vectors": vectors})
    write_pipeline_of(folder)
    run_dvc(folder, "init", "--no-scm", "--quiet")
    monkeypatch.chdir(folder)
    for name in PARAMETERS["datasets"]:
        stages.baselines(name)
    stages.vectors("words")
    outs = {Path(out.fs_path) for out in Repo(str(folder)).index.outs}
    assert len(outs) > 30
    assert [path for path in outs if not path.exists()] == []


@pytest.mark.exhaustive
def test_a_replaced_file_of_pretrained_vectors_is_noticed(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLP_RNN_DATA", str(repository))
    (repository / "text.txt").write_text("the cat sleeps\n" * 20)
    (repository / "vectors.txt").write_text("the 1 2\ncat 3 4\n")
    yaml = YAML()
    parameters = yaml.load(repository / "params.yaml")
    parameters["datasets"]["lines"] = {
        "source": "files",
        "format": "text",
        "train": "text.txt",
        "split": {"validation": 0.2, "test": 0.2},
    }
    parameters["experiments"]["given"] = {
        "task": "language_modelling",
        "dataset": "lines",
        "embeddings": {"kind": "pretrained", "file": "vectors.txt", "dimension": 2},
        "model": {},
        "training": {},
    }
    yaml.dump(parameters, repository / "params.yaml")
    write_pipeline_of(repository)

    def vectors() -> np.ndarray:
        return np.load(repository / "embeddings" / "given" / "vectors.npy")

    target = "embed@given"
    run_dvc(repository, "repro", target)
    first = vectors()
    assert "embed@given' didn't change" in run_dvc(repository, "repro", target)
    (repository / "vectors.txt").write_text("the 5 6\ncat 7 8\n")
    run_dvc(repository, "repro", target)
    assert abs(vectors() - first).max() == pytest.approx(4)


HOLDS_THE_LOCK = """
import os, subprocess, sys
code = (
    "import sys, time, pathlib, zc.lockfile; "
    "lock = zc.lockfile.LockFile('.dvc/tmp/lock'); "
    "pathlib.Path('held').touch()\\n"
    "while pathlib.Path('held').exists(): time.sleep(0.05)"
)
if os.environ.get("HOLD"):
    null = subprocess.DEVNULL
    subprocess.Popen([sys.executable, "-c", code], stdout=null, stderr=null)
    while not os.path.exists("held"):
        pass
"""


@pytest.mark.exhaustive
def test_a_training_that_dvc_could_not_save_is_taken_over(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes DVC's lock while the stage runs and holds it as the stage ends."""
    script = repository / "pipelines/train.py"
    source = script.read_text().replace("sys.exit(main", "status = (main")
    script.write_text(f"{source}{HOLDS_THE_LOCK}sys.exit(status)\n")
    yaml = YAML()
    parameters = yaml.load(repository / "params.yaml")
    parameters["experiments"]["one"]["model"]["units"] = 5
    yaml.dump(parameters, repository / "params.yaml")
    bundle, record = repository / "models/one/bundle.json", repository / "runs/one.json"
    monkeypatch.setenv("HOLD", "yes")
    try:
        failed = subprocess.run(
            [str(Path(sys.executable).parent / "dvc"), "repro", "train@one"],
            cwd=repository,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
        assert failed.returncode != 0 and "lock" in failed.stderr
    finally:
        (repository / "held").unlink()
    monkeypatch.delenv("HOLD")
    before, run = json.loads(bundle.read_text()), json.loads(record.read_text())

    run_dvc(repository, "repro", "train@one")
    assert json.loads(bundle.read_text()) == before  # also the time when it was trained
    assert json.loads(record.read_text()) == run
    assert (repository / "plots/loss/one.csv").is_file()
    assert "didn't change" in run_dvc(repository, "repro", "train@one")

    run_dvc(repository, "repro", "evaluate@one")
    assert [path.name for path in (repository / "checkpoints/one").iterdir()] == ["lock"]
    run_dvc(repository, "repro", "--force", "--single-item", "train@one")
    assert json.loads(record.read_text())["run_id"] != run["run_id"]  # trained anew


@pytest.mark.exhaustive
def test_finished_results_of_other_parameters_data_or_code_are_not_taken_over(
    own_labels: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlp_rnn.stages import finished

    def trained() -> str:
        stages.train("own")
        return str(json.loads(Path("runs/own.json").read_text())["run_id"])

    stages.prepare("own")
    stages.embed("own")
    first = trained()
    shutil.rmtree("models")
    assert trained() == first
    assert (tmp_path / "models/own/bundle.json").is_file()

    runs = [first]
    monkeypatch.setattr(finished, "code_sha256", lambda: "a later version")
    runs.append(trained())
    own_labels["experiments"]["own"]["training"]["batch_size"] = 3
    write_parameters(tmp_path, own_labels)
    runs.append(trained())
    lines = (tmp_path / "data.jsonl").read_text().splitlines()
    (tmp_path / "data.jsonl").write_text("\n".join(reversed(lines)))
    stages.prepare("own")
    stages.embed("own")
    runs.append(trained())
    assert len(set(runs)) == len(runs)
    (tmp_path / "checkpoints/own/finished/bundle/vocabulary.json").write_text("broken")
    assert trained() not in runs


@pytest.mark.exhaustive
def test_the_registry_follows_a_training_that_dvc_restores(
    reproduced: Reproduced, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    # The store in which the run of the first training is.
    store = f"sqlite:///{reproduced.folder}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    client, yaml = MlflowClient(store), YAML()

    def run_of_model() -> str:
        found = str(json.loads((repository / "runs/one.json").read_text())["run_id"])
        assert client.get_model_version_by_alias("one", "current").run_id == found
        return found

    parameters = yaml.load(repository / "params.yaml")
    before = parameters["experiments"]["one"]["model"]["units"]
    found = [run_of_model()]
    for units in (5, before):
        parameters["experiments"]["one"]["model"]["units"] = units
        yaml.dump(parameters, repository / "params.yaml")
        run_dvc(repository, "repro", "evaluate@one")
        found.append(run_of_model())
    assert found[0] == found[2] != found[1]  # it was restored, not trained again


def test_prepare_warns_of_test_texts_that_training_has_until_its_advice_is_followed(
    own_labels: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.jsonl"
    stages.prepare("own")
    assert "warning" not in capsys.readouterr().err
    data.write_text(f"{data.read_text()}\n{data.read_text()}\n{data.read_text()}")
    stages.prepare("own")
    warning = capsys.readouterr().err
    assert "of the test split's texts also stand in training" in warning
    assert "set split: {duplicates: together}" in warning
    own_labels["datasets"]["own"]["split"]["duplicates"] = "together"
    write_parameters(tmp_path, own_labels)
    stages.prepare("own")
    assert "warning" not in capsys.readouterr().err
