"""Runs, the store they are kept in, and models out of the registry."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from helpers.store import put_store
from nlp_rnn import tracking
from nlp_rnn.errors import UserError
from nlp_rnn.tracking.origin import _git
from nlp_rnn.tracking.store import connected

pytestmark = pytest.mark.slow

STAND_IN = '''
"""Stands in for the real models: no Keras, and a bundle that is one file."""
import json
from pathlib import Path


class Model:
    task = "classification"
    text_columns = ["text"]
    columns = {
        "label": str,
        "probability": float,
        "tokens": list[str],
        "probabilities": dict[str, float],
    }

    def __init__(self, folder):
        self.words = json.loads((Path(folder) / "words.json").read_text())

    def text_column(self, frame):
        return "text"

    def predict(self, texts):
        for text in texts:
            tokens = text.split()
            hits = sum(token in self.words for token in tokens)
            yield {
                "label": "positive" if hits else "negative",
                "probability": hits / max(len(tokens), 1),
                "tokens": tokens,
                "probabilities": {"positive": float(hits)},
            }


def open_model(folder):
    return Model(folder)
'''


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No trace of the store or stage of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DVC_", "KERAS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(tmp_path):
    """The working folder, holding a store without runs."""
    put_store(tmp_path)
    return tmp_path


@pytest.fixture
def predictor(monkeypatch, tmp_path):
    """The stand-in as ``nlp_rnn.inference.model``; returns its source file."""
    source = tmp_path / "stand_in.py"
    source.write_text(STAND_IN)
    spec = importlib.util.spec_from_file_location("nlp_rnn.inference.model", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "nlp_rnn.inference.model", module)
    return source


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "models" / "toy"
    folder.mkdir(parents=True)
    (folder / "words.json").write_text('["good"]')
    (folder / "model.onnx").touch()
    return folder


def required(model):
    """The packages that a logged model asks for."""
    lines = (model / "requirements.txt").read_text().splitlines()
    return {line.partition("==")[0] for line in lines}


def kept(run_id):
    """What the store holds about a run."""
    with connected() as client:
        return client.get_run(run_id)


def artifacts(run_id, folder=None):
    with connected() as client:
        return [found.path for found in client.list_artifacts(run_id, folder)]


def artifact(run_id, file):
    with connected() as client:
        return Path(client.download_artifacts(run_id, file)).read_text()


# --- the store ----------------------------------------------------------------------------


def test_importing_the_module_imports_nothing_heavy():
    code = (
        "import sys, nlp_rnn.tracking;"
        "print([m for m in ('mlflow', 'pandas', 'numpy', 'keras', 'filelock') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_default_store_lies_at_the_project_root(monkeypatch, tmp_path):
    assert tracking.tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("DVC_ROOT", "/some/project")
    assert tracking.tracking_uri() == "sqlite:////some/project/mlflow.db"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////var/runs.db", "sqlite:////var/runs.db"),
        ("sqlite:///runs.db", "sqlite:////my project/runs.db"),
        ("", "sqlite:////my project/mlflow.db"),
    ],
)
def test_tracking_uri_of_the_environment_is_honoured(monkeypatch, given, used):
    monkeypatch.setenv("DVC_ROOT", "/my project")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    assert tracking.tracking_uri() == used


def test_store_and_artifacts_in_a_folder_with_an_odd_name(monkeypatch, tmp_path):
    root = tmp_path / "a project, ünïcode #1"
    root.mkdir()
    put_store(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    with tracking.run("odd", "first") as run:
        run.log_table([{"a": 1}], "table.json")
    assert (root / "mlartifacts" / run.id / "artifacts" / "table.json").is_file()
    assert tracking.tracking_uri().endswith("/a project, ünïcode #1/mlflow.db")
    assert [path.name for path in tmp_path.iterdir()] == [root.name]


def test_store_in_a_folder_whose_name_uris_reserve(monkeypatch, tmp_path):
    root = tmp_path / "100%20 sure?"
    root.mkdir()
    put_store(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    with tracking.run("odd", "first") as run:
        run.log_table([{"a": 1}], "table.json")
    assert (root / "mlartifacts" / run.id / "artifacts" / "table.json").is_file()


def test_old_mlruns_folder_beside_the_store_does_not_matter(store):
    old = store / "mlruns" / "0"
    old.mkdir(parents=True)
    (old / "meta.yaml").write_text("name: Default\n")
    with tracking.run("new", "first") as run:
        run.log_metrics({"loss": 1.0})
    assert kept(run.id).data.metrics == {"loss": 1.0}


def test_environment_is_left_as_it_was(store, monkeypatch):
    with tracking.run("a", "b"):
        assert "MLFLOW_TRACKING_URI" in os.environ
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


WRITERS = """
import os, sys
from nlp_rnn import tracking
from nlp_rnn.tracking import store

store._import_mlflow()
import mlflow.store.tracking.sqlalchemy_store  # imported before the fork: all start at one moment

def write(writer):
    with tracking.run("together", f"writer-{writer}") as run:
        run.log_parameters({"writer": writer})
        run.log_data({"name": "same", "data_sha256": "0" * 64})
        for step in range(50):
            run.log_metrics({"train": {f"m{n}": step + n for n in range(10)}}, step=step)

children = []
for writer in range(6):
    child = os.fork()
    if not child:
        write(writer)
        sys.exit()
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_six_processes_start_a_fresh_store_at_once(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WRITERS],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), "all succeed, and MLflow is quiet"
    with connected() as client:
        experiment = client.get_experiment_by_name("together")
        runs = client.search_runs([experiment.experiment_id])
        assert sorted(run.data.params["writer"] for run in runs) == list("012345")
        for run in runs:
            assert run.info.status == "FINISHED"
            assert len(run.data.metrics) == 10
            history = client.get_metric_history(run.info.run_id, "train/m3")
            assert [point.value for point in history] == [step + 3 for step in range(50)]
    assert not (tmp_path / "mlruns").exists()


def test_store_half_made_by_a_killed_process_is_made_again(tmp_path, monkeypatch):
    (tmp_path / ".mlflow.db.partial").write_bytes(b"rubbish")
    with connected() as client:
        assert client.search_experiments()
    assert not (tmp_path / ".mlflow.db.partial").exists()


def test_server_out_of_reach_is_named(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    with (
        pytest.raises(UserError, match=r"http://\*\*\*@127\.0\.0\.1:9 cannot be used") as caught,
        tracking.run("a", "b"),
    ):
        pass
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_is_no_store_is_named(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, and long enough to be noticed" * 10)
    with (
        pytest.raises(UserError, match=r"mlflow\.db cannot be used: .*not a database"),
        tracking.run("a", "b"),
    ):
        pass


def test_store_that_moved_is_refused(store, tmp_path):
    with tracking.run("a", "b"):
        pass
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.copy(store / "mlflow.db", moved)
    os.chdir(moved)
    with (
        pytest.raises(UserError, match=r"keeps its files in .*, but its store is now"),
        tracking.run("a", "b"),
    ):
        pass


def test_deleted_experiment_says_how_to_restore_it(store):
    with tracking.run("gone", "b"):
        pass
    with connected() as client:
        number = client.get_experiment_by_name("gone").experiment_id
        client.delete_experiment(number)
    with (
        pytest.raises(UserError, match=f"mlflow experiments restore -x {number}"),
        tracking.run("gone", "b"),
    ):
        pass


# --- one run ------------------------------------------------------------------------------


def test_parameters_are_flat_json_and_cut(store):
    with tracking.run("e", "n") as run:
        run.log_parameters(
            {
                "model": {
                    "cell": "lstm",
                    "units": 64,
                    "tied": True,
                    "crf": None,
                    "extra": {},
                },
                "windows": [2, 3],
                "long": "x" * 7000,
            }
        )
    found = kept(run.id).data.params
    assert found.pop("long") == "x" * 5997 + "..."
    assert found == {
        "model.cell": "lstm",
        "model.units": "64",
        "model.tied": "true",
        "model.crf": "null",
        "model.extra": "{}",
        "windows": "[2, 3]",
    }


def test_more_parameters_and_metrics_than_a_batch_holds(store):
    with tracking.run("e", "n") as run:
        run.log_parameters({f"p{n}": n for n in range(250)})
        run.log_metrics({f"m{n}": n for n in range(1100)})
    assert len(kept(run.id).data.params) == 250
    assert len(kept(run.id).data.metrics) == 1100


def test_resumed_run_may_repeat_its_parameters_but_not_change_them(store):
    with tracking.run("e", "n") as run:
        run.log_parameters({"a": 1, "long": "x" * 7000})
    with tracking.run("other", "other", run_id=run.id) as again:
        again.log_parameters({"a": 1, "long": "x" * 7000, "b": 2})
        assert (again.id, again.name, again.experiment, again.new) == (
            run.id,
            "n",
            "e",
            False,
        )
        with pytest.raises(UserError, match=f"run {run.id} was started with a = 1, not 2"):
            again.log_parameters({"a": 2})
    assert kept(run.id).data.params.keys() == {"a", "b", "long"}


def test_metrics_are_grouped_and_odd_keys_spelt(store):
    with tracking.run("e", "n") as run:
        run.log_metrics({"test": {"f1": {",": 0.5, "B-PER": 0.25}, "perplexity": None}})
    assert kept(run.id).data.metrics == {"test/f1.COMMA": 0.5, "test/f1.B-PER": 0.25}


def test_values_that_are_not_finite_are_told_by_a_tag(store):
    with tracking.run("e", "n") as run:
        for step, loss in enumerate([1.0, float("inf"), float("nan")]):
            run.log_metrics({"train": {"loss": loss}}, step=step)
    with tracking.run("e", "n", run_id=run.id) as again:
        again.log_metrics({"train": {"loss": float("nan")}, "test": {"loss": float("nan")}})
    found = kept(run.id).data
    assert found.metrics == {"train/loss": 1.0}
    assert found.tags["non_finite.train/loss"] == "inf at step 1"
    assert found.tags["non_finite.test/loss"] == "nan"


def test_table_is_replaced_when_logged_again(store):
    rows = [{"text": "good", "loss": 3.5}, {"text": "bad", "tags": ["B", "O"]}]
    with tracking.run("e", "n") as run:
        run.log_table(rows, "samples/errors.json")
        run.log_table(rows, "samples/errors.json")
    with connected() as client:
        experiment = client.get_experiment_by_name("e").experiment_id
        table = client.load_table(experiment, "samples/errors.json", run_ids=[run.id])
    assert list(table["text"]) == ["good", "bad"]
    assert list(table.columns) == ["text", "loss", "tags"]
    assert json.loads(kept(run.id).data.tags["mlflow.loggedArtifacts"]) == [
        {"path": "samples/errors.json", "type": "table"}
    ]


def test_data_card_is_an_artifact_and_a_data_set(store):
    card = {
        "name": "reviews",
        "data_sha256": "ab" * 32,
        "splits": {"train": {"examples": 9}},
    }
    with tracking.run("e", "n") as run:
        run.log_data(card)
    assert json.loads(artifact(run.id, "data_card.json")) == card
    (entry,) = kept(run.id).inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("reviews", "abababab")


def test_files_and_folders_are_artifacts(store, tmp_path):
    plots = tmp_path / "plots"
    plots.mkdir()
    (plots / "loss.svg").write_text("<svg/>")
    with tracking.run("e", "n") as run:
        run.log_file(plots)
        run.log_file(plots / "loss.svg", "pictures")
    assert artifacts(run.id, "plots") == ["plots/loss.svg"]
    assert artifacts(run.id, "pictures") == ["pictures/loss.svg"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("boom"), "FAILED"),
        (SystemExit(2), "FAILED"),
        (SystemExit(0), "FINISHED"),
        (KeyboardInterrupt(), "KILLED"),
    ],
)
def test_status_says_how_a_run_ended(store, error, status):
    with pytest.raises(type(error)), tracking.run("e", "n") as run:
        raise error
    assert kept(run.id).info.status == status


def test_sigterm_ends_a_run_as_killed(store):
    code = (
        "import os, signal\nfrom nlp_rnn import tracking\n"
        "with tracking.run('e', 'n') as run:\n"
        "    print(run.id, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    raise AssertionError('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (143, "")
    assert kept(done.stdout.strip()).info.status == "KILLED"


def test_missing_run_is_an_error_that_names_the_store_and_the_mend(store):
    with (
        pytest.raises(UserError, match=r"run 0f0f is not in .*mlflow\.db; .*train@toy"),
        tracking.run("e", "toy", run_id="0f0f"),
    ):
        pass


def test_deleted_run_is_missing(store):
    with tracking.run("e", "toy") as run:
        pass
    with connected() as client:
        client.delete_run(run.id)
    with (
        pytest.raises(UserError, match="is deleted in"),
        tracking.run("e", "toy", run_id=run.id),
    ):
        pass


def test_resumed_training_may_start_a_new_run_where_the_old_is_missing(store):
    with tracking.run("e", "toy", run_id="0f0f", missing="new") as run:
        assert run.new
    assert kept(run.id).data.tags["resumed_from"] == "0f0f"


def test_stage_experiment_and_environment_are_recorded(store, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@toy")
    monkeypatch.setenv("DVC_EXP_NAME", "brave-newt")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "abc")
    with tracking.run("e", "n") as run:
        pass
    monkeypatch.setenv("DVC_STAGE", "evaluate@toy")
    with tracking.run("e", "n", run_id=run.id):
        pass
    tags = kept(run.id).data.tags
    assert tags["dvc.stage"] == "train@toy"
    assert tags["dvc.experiment"] == "brave-newt"
    assert tags["dvc.baseline"] == "abc"
    assert "mlflow.source.git.commit" not in tags
    assert "git.dirty" not in tags
    assert set(artifacts(run.id, "environment")) == {
        "environment/train.json",
        "environment/evaluate.json",
    }
    environment = json.loads(artifact(run.id, "environment/train.json"))
    assert environment["packages"]["mlflow"]
    assert environment["cpus"] >= 1


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_commit_is_dirty_only_where_code_or_settings_differ(tmp_path):
    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *arguments], check=True, capture_output=True)

    git("init")
    assert _git() == {}
    for name in ("code.py", "dvc.lock", "params.yaml"):
        (tmp_path / name).write_text("a: 1\n")
    git("add", ".")
    git("commit", "-m", "first")
    (tmp_path / "dvc.lock").write_text("a: 2\n")
    assert _git()["git.dirty"] == "false"
    assert len(_git()["mlflow.source.git.commit"]) == 40
    (tmp_path / "params.yaml").write_text("a: 2\n")
    assert _git()["git.dirty"] == "true"


# --- models -------------------------------------------------------------------------------


def test_model_is_registered_fetched_and_loads_elsewhere(
    store, predictor, bundle, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # MLflow loads what it has logged
    with tracking.run("e", "toy") as run:
        first = run.log_model(bundle, "toy", ["good film", "bad"])
        run.log_metrics({"test": {"accuracy": 0.5}})
        second = run.log_model(bundle, "toy", ["good film", "bad"])
    assert (first, second) == ("models:/toy/1", "models:/toy/2")
    shutil.rmtree(bundle)
    for uri in (first, second, "models:/toy@current", "models:/toy", f"runs:/{run.id}"):
        assert (tracking.fetch_bundle(uri) / "words.json").read_text() == '["good"]', uri
    assert tracking.fetch_bundle("models:/toy") == tracking.fetch_bundle(second)
    for uri, version in {first: "1", "models:/toy@current": "2", f"runs:/{run.id}": run.id}.items():
        assert tracking.current_version(uri) == version

    model = tracking.fetch_bundle("models:/toy").parents[1]
    assert {"mlflow", "onnxruntime", "pandas"} <= required(model)
    assert not {"keras", "tensorflow", "jax", "torch", "tokenizers"} & required(model)
    suffixes = {path.suffix for path in model.rglob("*") if path.is_file()}
    assert not suffixes & {".pkl", ".pickle", ".joblib", ".pyc"}
    assert (model / "code" / "nlp_rnn" / "tracking" / "runs.py").is_file()

    # In a fresh process and folder, the model's own copy of the package is what runs.
    code = f"""
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("nlp_rnn.inference.model", {str(predictor)!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.modules["nlp_rnn.inference.model"] = module
import mlflow, pandas
model = mlflow.pyfunc.load_model({str(model)!r})
import nlp_rnn
table = model.predict(pandas.DataFrame({{"text": ["a good one", "", None]}}))
print(json.dumps([nlp_rnn.__file__, table.to_dict("records")]))
"""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    package, rows = json.loads(done.stdout)
    assert Path(package).is_relative_to(model)
    assert [row["label"] for row in rows] == ["positive", "negative", "negative"]
    assert rows[0]["tokens"] == ["a", "good", "one"]
    assert rows[0]["probabilities"] == {"positive": 1.0}


def test_a_model_without_a_graph_asks_for_keras(store, predictor, bundle):
    (bundle / "model.onnx").unlink()
    (bundle / "subwords.json").touch()
    with tracking.run("e", "toy") as run:
        run.log_model(bundle, "toy", ["good film"])
    found = required(tracking.fetch_bundle("models:/toy").parents[1])
    assert {"keras", "tokenizers"} <= found and "onnxruntime" not in found


def test_signature_has_the_types_of_what_is_predicted(store, predictor, bundle):
    from mlflow.models import Model
    from mlflow.types.schema import Array, DataType, Map

    with tracking.run("e", "toy") as run:
        run.log_model(bundle, "toy", ["good film"])
    signature = Model.load(str(tracking.fetch_bundle("models:/toy").parents[1])).signature
    assert signature.inputs.input_types_dict().keys() == {"text"}
    types = {column.name: column.type for column in signature.outputs}
    assert types == {
        "label": DataType.string,
        "probability": DataType.double,
        "tokens": Array(DataType.string),
        "probabilities": Map(DataType.double),
    }


def test_model_that_predicts_differently_once_reloaded_is_not_registered(
    store, predictor, bundle, monkeypatch
):
    module: ModuleType = sys.modules["nlp_rnn.inference.model"]
    calls = []

    def unsteady(self, texts):
        calls.append(1)
        for _ in texts:
            yield {"probability": float(len(calls))}

    monkeypatch.setattr(module.Model, "columns", {"probability": float})
    monkeypatch.setattr(module.Model, "predict", unsteady)
    with (
        pytest.raises(RuntimeError, match="does not predict as its bundle does"),
        tracking.run("e", "toy") as run,
    ):
        run.log_model(bundle, "toy", ["good film"])
    assert kept(run.id).info.status == "FAILED"
    with pytest.raises(UserError, match="no such registered model"):
        tracking.fetch_bundle("models:/toy")


def test_final_figures_are_shown_beside_the_model(store, predictor, bundle):
    with tracking.run("e", "toy") as run:
        run.log_model(bundle, "toy", ["good film"])
        run.log_metrics({"train": {"loss": 1.0}}, step=1)
        run.log_metrics({"test": {"accuracy": 0.5}})
    with connected() as client:
        model = client.get_logged_model(kept(run.id).outputs.model_outputs[0].model_id)
    assert {metric.key: metric.value for metric in model.metrics} == {"test/accuracy": 0.5}


def test_models_that_do_not_exist_are_answered_with_those_that_do(store, predictor, bundle):
    with tracking.run("e", "toy") as run:
        run.log_model(bundle, "toy", ["good film"])
    with tracking.run("e", "without") as without:
        pass
    for uri, message in {
        "models:/toyy": "did you mean 'toy'",
        "models:/other/3": "there are: toy",
        "models:/toy/7": "no version '7'; its aliases are: current; its versions are: 1",
        "models:/toy@best": "no alias 'best'; its aliases are: current",
        "runs:/0f0f": rf"no such run in .*; the latest runs are .*runs:/{run.id} \(toy\)",
        f"runs:/{without.id}": "this run logged no model",
        "model:/toy": "expected a folder, runs:/ID",
    }.items():
        with pytest.raises(UserError, match=message):
            tracking.fetch_bundle(uri)


def test_model_whose_files_are_gone_is_named(store, predictor, bundle):
    with tracking.run("e", "toy") as run:
        run.log_model(bundle, "toy", ["good film"])
    shutil.rmtree(store / "mlartifacts")
    with pytest.raises(UserError, match="models:/toy: its files are gone"):
        tracking.fetch_bundle("models:/toy")


def test_fetching_does_not_create_a_store(tmp_path):
    with pytest.raises(UserError, match="no such MLflow store"):
        tracking.fetch_bundle("models:/toy")
    assert list(tmp_path.iterdir()) == []


def current_run(name):
    from mlflow import MlflowClient

    client = MlflowClient(tracking.tracking_uri())
    return client.get_model_version_by_alias(name, tracking.ALIAS).run_id


def test_the_alias_follows_what_lies_in_models(store, predictor, bundle, tmp_path, capsys):
    """Which ``dvc checkout`` may have put there without a stage."""
    runs = []
    for _ in range(2):
        with tracking.run("e", "toy") as run:
            run.log_model(bundle, "toy", ["good film"])
            runs.append(run.id)
    record = tmp_path / "runs/toy.json"
    record.parent.mkdir()
    for run_id in (runs[0], runs[1], runs[0]):
        record.write_text(json.dumps({"run_id": run_id}))
        assert tracking.fetch_bundle("models:/toy") == tracking.fetch_bundle(f"runs:/{run_id}")
        assert current_run("toy") == run_id
    assert tracking.fetch_bundle("models:/toy/2") == tracking.fetch_bundle(f"runs:/{runs[1]}")
    assert current_run("toy") == runs[0]  # which an exact version does not change

    record.write_text(json.dumps({"run_id": "0" * 32}))
    assert tracking.fetch_bundle("models:/toy") == tracking.fetch_bundle(f"runs:/{runs[0]}")
    assert "run its stage evaluate" in capsys.readouterr().err


def test_a_shared_store_is_not_changed_by_its_readers(
    store, predictor, bundle, tmp_path, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/shared/mlflow.db")
    runs = []
    for _ in range(2):
        with tracking.run("e", "toy") as run:
            run.log_model(bundle, "toy", ["good film"])
            runs.append(run.id)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/toy.json").write_text(json.dumps({"run_id": runs[0]}))
    assert tracking.fetch_bundle("models:/toy") == tracking.fetch_bundle(f"runs:/{runs[1]}")
    assert current_run("toy") == runs[1]


def test_the_only_run_of_a_kind_is_reopened_and_its_files_are_replaced(store, tmp_path):
    with tracking.run("e", "report") as other:
        pass  # the training of an experiment that is called so
    runs = []
    for text in ("first", "second"):
        (tmp_path / "page.html").write_text(text)
        with tracking.only_run("e", "report") as run:
            run.log_file(tmp_path / "page.html")
            runs.append(run)
    assert other.id != runs[0].id == runs[1].id
    assert (runs[0].new, runs[1].new) == (True, False)
    (tmp_path / "kept").mkdir()
    with connected() as client:
        page = client.download_artifacts(runs[0].id, "page.html", str(tmp_path / "kept"))
    assert Path(page).read_text() == "second"


def test_an_experiment_in_a_temporary_workspace_leaves_the_only_run(store, tmp_path, monkeypatch):
    with tracking.only_run("e", "report") as run:
        pass
    workspace = tmp_path / ".dvc/tmp/exps/tmp1"
    workspace.mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(workspace)
    with tracking.only_run("e", "report") as tried:
        assert tried.id != run.id


def test_pages_are_those_of_runs_that_the_store_holds(store):
    with tracking.run("e", "toy") as run:
        pass
    assert tracking.pages({"toy": run.id, "gone": "0f" * 16, "never": ""}) == {"toy": run.url}


def test_an_experiment_in_a_temporary_workspace_leaves_the_alias(
    store, predictor, bundle, tmp_path, monkeypatch
):
    with tracking.run("e", "toy") as run:
        run.log_model(bundle, "toy", ["good film"])
    workspace = tmp_path / ".dvc/tmp/exps/tmp1"
    workspace.mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(workspace)
    with tracking.run("e", "toy") as tried:
        assert tried.log_model(bundle, "toy", ["good film"]) == "models:/toy/2"
    assert current_run("toy") == run.id
