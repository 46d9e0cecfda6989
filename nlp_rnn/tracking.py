"""Everything that touches MLflow: where runs are kept, one run, and models out of the registry.

MLflow takes seconds to import, so only functions import it. Some of what happens here works
around traps of MLflow's SQLite store:

* processes that open a fresh store together leave it half made. One lock guards every opening,
  and the schema is made under another name, then renamed, so that not even ``kill -9``
  leaves half a store;
* an experiment keeps artifacts where its creator's working folder was. A DVC experiment may run
  in a folder that is then deleted, so the place is set explicitly, in the real project.
"""

from __future__ import annotations

import atexit
import contextlib
import difflib
import hashlib
import importlib.metadata
import io
import json
import logging
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from nlp_rnn import paths
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json
from nlp_rnn.hints import Remedy
from nlp_rnn.process import Terminated, log, processors, terminable

if TYPE_CHECKING:
    import mlflow
    import pandas
    from mlflow.entities import Run as MlflowRun
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "current"
"""The alias of the version of each registered model that lies in ``models/``."""

_SQLITE = "sqlite:///"
_LOCK_SECONDS = 300.0
_PARAMETER_CHARACTERS = 6000
_TAG_CHARACTERS = 8000
_PARAMETERS_A_BATCH = 100
_METRICS_A_BATCH = 1000
_DIGEST_CHARACTERS = 8  # all that fits beside a data set's name in the table of runs
_KEY_CHARACTERS = 250
_QUIET = {
    "GIT_PYTHON_REFRESH": "quiet",  # no warning where git is not installed
    "MLFLOW_DISABLE_TELEMETRY": "true",  # MLflow would call home
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",  # we state what a model needs ourselves
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_PREDICTION_PACKAGES = ("mlflow", "numpy", "pandas", "pydantic")
_SOURCES_OF_CODE = ("*.py", "*.toml", "*.yaml", "*.yml")


# --- where runs are kept ----------------------------------------------------------------


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, else the SQLite file ``mlflow.db`` at the project's root.

    The root is ``DVC_ROOT``, which DVC sets in its stages, else the working folder. A relative
    SQLite path is taken from the root, since a DVC experiment's working folder may not last.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if not given:
        return _sqlite_uri(_root() / "mlflow.db")
    if given.startswith(_SQLITE) and not given.startswith(_SQLITE + "/"):
        return f"{_sqlite_uri(_root())}/{given.removeprefix(_SQLITE)}"
    return given


def _root() -> Path:
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).absolute()


def _in_temporary_workspace() -> bool:
    """Whether this is a stage of a DVC experiment outside the project's own folder."""
    return _root().resolve() / ".dvc" in Path.cwd().resolve().parents


def _artifact_location(uri: str) -> str | None:
    """Where a new experiment keeps its files: beside a SQLite file; a server decides itself."""
    file = _sqlite_file(uri)
    return None if file is None else (file.parent / "mlartifacts").as_uri()


def _sqlite_uri(file: Path) -> str:
    # Quote no more than needed: MLflow also makes a folder of the path as it is written here.
    return _SQLITE + str(file).replace("%", "%25").replace("?", "%3F")


def _sqlite_file(uri: str) -> Path | None:
    """The database file of a SQLite ``uri``."""
    if not uri.startswith(_SQLITE):
        return None
    return Path(unquote(uri.removeprefix(_SQLITE).partition("?")[0]))


def _shown(uri: str) -> str:
    """``uri`` without a password."""
    return re.sub(r"//[^/@]*@", "//***@", uri)


def _import_mlflow() -> Any:
    """MLflow, speaking up only for warnings unless ``MLFLOW_LOGGING_LEVEL`` asks for more."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow

    if not os.environ.get("MLFLOW_LOGGING_LEVEL"):
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
    return mlflow


@contextmanager
def _connected() -> Iterator[mlflow.MlflowClient]:
    """Point MLflow at :func:`tracking_uri`, checked and ready, for as long as the block lasts.

    Raises:
        UserError: the store cannot be opened or its server does not answer.
    """
    uri = tracking_uri()
    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow = _import_mlflow()
    mlflow.set_tracking_uri(uri)  # also sets the variable, for child processes
    try:
        yield _open(uri)
    finally:
        mlflow.set_tracking_uri(before)


def _open(uri: str) -> mlflow.MlflowClient:
    """A client of the store, which has answered once.

    Raises:
        UserError: it cannot be opened or does not answer within seconds.
    """
    import mlflow

    try:
        with _locked(uri), _impatient():
            if (file := _sqlite_file(uri)) is not None:
                _make_schema(file)
            client = mlflow.MlflowClient()
            client.search_experiments(max_results=1)
    except UserError:
        raise
    except Exception as error:  # MLflow, SQLAlchemy, requests and alembic each raise their own
        reason = str(error).partition("\n")[0][:300]
        raise UserError(
            f"the MLflow store {_shown(uri)} cannot be used: {_shown(reason)}; "
            "mend it, or set MLFLOW_TRACKING_URI to another store"
        ) from error
    return client


def _make_schema(file: Path) -> None:
    """Make an empty store at ``file``, whole or not at all."""
    import mlflow

    if file.exists():
        return
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    mlflow.MlflowClient(_sqlite_uri(partial)).search_experiments(max_results=1)
    os.replace(partial, file)


@contextmanager
def _locked(uri: str) -> Iterator[None]:
    """Keep other processes from opening the same SQLite file; other stores need no lock."""
    file = _sqlite_file(uri)
    if file is None:
        yield
        return
    from filelock import FileLock, Timeout

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file.with_name(f"{file.name}.lock"), timeout=_LOCK_SECONDS)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{lock.lock_file}: held by another process for {_LOCK_SECONDS:.0f} s; end that process"
        ) from None
    except OSError as error:
        raise UserError(
            f"{file}: the MLflow store cannot be written ({error.strerror}); "
            "set MLFLOW_TRACKING_URI to another store"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _impatient() -> Iterator[None]:
    """Let a server that does not answer fail in seconds, unless the user set how long to wait.

    Only the first contact is impatient: MLflow's own minutes of retries then let a training
    outlive a restart of the server.
    """
    ours = {name: value for name, value in _IMPATIENT.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def _experiment_id(client: mlflow.MlflowClient, name: str) -> str:
    """The id of experiment ``name``, which is created if it does not exist.

    Raises:
        UserError: it is deleted, or keeps its files where the project used to be.
    """
    from mlflow.exceptions import MlflowException

    location = _artifact_location(tracking_uri())
    with _locked(tracking_uri()):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(client.create_experiment(name, artifact_location=location))
            except MlflowException:  # on a server, another process may have been faster
                experiment = client.get_experiment_by_name(name)
                if experiment is None:
                    raise
    if experiment.lifecycle_stage == "deleted":
        raise UserError(
            f"the MLflow experiment '{name}' is deleted; restore it with: "
            f"mlflow experiments restore -x {experiment.experiment_id}"
        )
    kept = str(experiment.artifact_location)
    if location and kept != location and kept.endswith("/mlartifacts"):
        raise UserError(
            f"the MLflow experiment '{name}' keeps its files in {kept}, but its store is now "
            f"{_sqlite_file(tracking_uri())}; move that back, or move it away to start a new store"
        )
    return str(experiment.experiment_id)


# --- one run ------------------------------------------------------------------------------


class Run:
    """An open MLflow run.

    Attributes:
        id: its 32 hexadecimal digits.
        experiment: the experiment's name.
        name: the run's name.
        url: its page; for a SQLite store, where ``mlflow ui`` shows it by default.
        new: whether the run was created now, rather than reopened.
    """

    def __init__(self, client: mlflow.MlflowClient, run: MlflowRun, *, new: bool) -> None:
        self._client = client
        self.id = str(run.info.run_id)
        self.name = str(run.info.run_name)
        self.experiment = str(client.get_experiment(run.info.experiment_id).name)
        uri = tracking_uri()
        host = uri if urlsplit(uri).scheme in ("http", "https") else "http://127.0.0.1:5000"
        page = f"experiments/{run.info.experiment_id}/runs/{self.id}"
        # Without the query, MLflow shows its pages for language-model applications.
        self.url = f"{_shown(host).rstrip('/')}/#/{page}?workflowType=machine_learning"
        self.new = new
        self._non_finite = {
            tag.removeprefix("non_finite.")
            for tag in run.data.tags
            if tag.startswith("non_finite.")
        }

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log a nested mapping under dotted keys, its values as JSON (strings as they are).

        A value beyond MLflow's 6,000 characters is cut and ends in ``...``. Values that the run
        already has may be logged again.

        Raises:
            UserError: the run has another value; MLflow never changes a parameter.
        """
        from mlflow.entities import Param

        values = {
            _safe_key(key): _cut(_text(value), _PARAMETER_CHARACTERS)
            for key, value in _flat(parameters)
        }
        present = self._client.get_run(self.id).data.params
        for key, value in values.items():
            if present.get(key, value) != value:
                raise UserError(
                    f"MLflow run {self.id} was started with {key} = {present[key]}, not {value}; "
                    "a run's parameters cannot change, so start a new run"
                )
        new = [Param(key, value) for key, value in values.items() if key not in present]
        for batch in _batches(new, _PARAMETERS_A_BATCH):
            self._client.log_batch(self.id, params=batch)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log a nested mapping of numbers, e.g. as ``test/accuracy`` or ``test/f1.PER``.

        MLflow draws the metrics of one ``/`` prefix in one section, so the first level of the
        keys is such a prefix; the deeper ones are joined by dots. A character that MLflow
        forbids in a key is spelt by its Unicode name. A value of ``None`` is left out.

        Infinity and not-a-number are left out too, since a chart that holds one disappears; the
        first of each key leaves a tag ``non_finite.<key>``, such as ``inf at step 3``.

        Args:
            step: the epoch or the number of updates; without it, a final figure, which is then
                shown beside the run's model too, if that is logged already.
        """
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        model = self._model() if step is None else None
        entries = []
        for key, raw in _flat_metrics(metrics):
            value = float(raw)
            if math.isfinite(value):
                entries.append(Metric(key, value, now, step or 0, model_id=model))
            elif key not in self._non_finite:
                self._non_finite.add(key)
                place = "" if step is None else f" at step {step}"
                self.set_tags({f"non_finite.{key}": f"{value}{place}"})
        for batch in _batches(entries, _METRICS_A_BATCH):
            self._client.log_batch(self.id, metrics=batch)

    def _model(self) -> str | None:
        return _model_of(self._client.get_run(self.id))

    def steps(self, key: str) -> set[int]:
        """The steps at which a metric is logged already."""
        return {point.step for point in self._client.get_metric_history(self.id, key)}

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags; a value of ``None`` is left out."""
        from mlflow.entities import RunTag

        entries = [
            RunTag(_safe_key(key), _cut(_text(value), _TAG_CHARACTERS))
            for key, value in tags.items()
            if value is not None
        ]
        for batch in _batches(entries, _PARAMETERS_A_BATCH):
            self._client.log_batch(self.id, tags=batch)

    def describe(self, markdown: str) -> None:
        """Set the description, which heads the run's page; a second call replaces it."""
        self.set_tags({"mlflow.note.content": markdown})

    def log_file(self, path: Path, folder: str = "") -> None:
        """Log a file, or a folder with all it holds, as an artifact in ``folder``."""
        if path.is_dir():
            inside = f"{folder}/{path.name}" if folder else path.name
            self._client.log_artifacts(self.id, str(path), inside)
        else:
            self._client.log_artifact(self.id, str(path), folder or None)

    def log_table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        """Log ``rows`` as a table, which MLflow shows and compares between runs.

        Unlike ``mlflow.log_table``, which appends, logging a table again replaces it.

        Args:
            rows: mappings from column to value; the columns are in order of appearance.
            file: the artifact's path, ending in ``.json``.
        """
        columns = list(dict.fromkeys(column for row in rows for column in row))
        data = [[row.get(column) for column in columns] for row in rows]
        self._client.log_dict(self.id, {"columns": columns, "data": data}, file)
        tag = "mlflow.loggedArtifacts"
        tables = json.loads(self._client.get_run(self.id).data.tags.get(tag, "[]"))
        entry = {"path": file, "type": "table"}
        if entry not in tables:
            self._client.set_tag(self.id, tag, json.dumps([*tables, entry]))

    def log_data(self, card: Mapping[str, Any]) -> None:
        """Log a data card as ``data_card.json`` and as the data set that the run was trained on.

        Args:
            card: has ``name``; ``data_sha256`` and ``source`` are shown where present, the
                number of examples is taken from ``splits``.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        text = json.dumps(card, ensure_ascii=False, indent=1, sort_keys=True)
        self._client.log_text(self.id, text, "data_card.json")
        digest = card.get("data_sha256") or hashlib.sha256(text.encode()).hexdigest()
        dataset = Dataset(
            name=str(card["name"]),
            digest=str(digest)[:_DIGEST_CHARACTERS],
            source_type="local",
            source=json.dumps({"uri": _text(card.get("source", card["name"]))}),
            profile=json.dumps(card.get("splits", {})),
        )
        context = [InputTag("mlflow.data.context", "training")]
        self._client.log_inputs(self.id, [DatasetInput(dataset, context)])

    def log_model(self, bundle: Path, name: str, examples: Sequence[str]) -> str:
        """Log a bundle as a model that MLflow loads anywhere, try it, then register it.

        The model carries the bundle and the code of this package, no pickles. It is reloaded
        and must predict the same for ``examples`` before it becomes the current version.

        Args:
            bundle: a folder that :class:`nlp_rnn.inference.predictor.Predictor` loads.
            name: registers the model as a new version of ``name`` under the alias ``current``,
                which stays where it is in the workspace of a DVC experiment that may never be
                applied (``dvc exp run --temp`` or ``--queue``).
            examples: a few texts, to try it with.

        Returns:
            The version's address, ``models:/name/version``.

        Raises:
            RuntimeError: the logged model predicts differently; it is not registered.
        """
        import mlflow
        import pandas as pd

        from nlp_rnn.inference import pyfunc

        frame = pd.DataFrame({"text": list(examples)})
        model = pyfunc.BundleModel.of(bundle)
        expected = model.predict(None, frame)
        with _same_import_path():
            logged = mlflow.pyfunc.log_model(
                name=_model_name(name),
                python_model=str(pyfunc.__file__),
                artifacts={"bundle": str(bundle)},
                code_paths=[str(Path(__file__).parent)],
                signature=model.signature(),
                input_example=frame,
                pip_requirements=_requirements(bundle),
                metadata={"nlp_rnn": _version("nlp_rnn")},
            )
            self._try_model(str(logged.model_id), frame, expected)
        return self._register(str(logged.model_id), name)

    def _try_model(
        self, model_id: str, frame: pandas.DataFrame, expected: pandas.DataFrame
    ) -> None:
        """Reload a logged model and compare what it predicts; mark it as failed if it differs."""
        import mlflow
        from mlflow.entities import LoggedModelStatus
        from pandas.testing import assert_frame_equal

        try:
            found = mlflow.pyfunc.load_model(f"models:/{model_id}").predict(frame)
            assert_frame_equal(found, expected, rtol=1e-4, atol=1e-5)
        except Exception as error:
            self._client.finalize_logged_model(model_id, LoggedModelStatus.FAILED)
            raise RuntimeError(
                f"the model that MLflow logged does not predict as its bundle does, so it was not "
                f"registered: {error}"
            ) from error

    def _register(self, model_id: str, name: str) -> str:
        import mlflow

        with contextlib.redirect_stderr(io.StringIO()):  # it prints what it is about to do
            version = mlflow.register_model(f"models:/{model_id}", name).version
        if not _in_temporary_workspace():
            self._client.set_registered_model_alias(name, ALIAS, version)
        return f"models:/{name}/{version}"


@contextmanager
def run(
    experiment: str,
    name: str,
    run_id: str | None = None,
    missing: Literal["error", "new"] = "error",
    parent: str | None = None,
) -> Iterator[Run]:
    """Create a run, or reopen one, for the length of the block.

    Its status becomes FINISHED; FAILED after an exception; KILLED after Ctrl-C or SIGTERM.
    The code's version, the DVC stage and the environment are recorded; at each opening the
    environment is a file ``environment/<stage>.json``.

    Args:
        experiment: is created if it does not exist.
        name: the name of a new run.
        run_id: the run to reopen, which keeps its name and experiment.
        missing: what to do if the store does not hold ``run_id``. ``"error"`` is for a stage
            that adds to a run; ``"new"``, for a training that is resumed, starts a new run
            tagged ``resumed_from``.
        parent: an open run that MLflow shows this one under.

    Raises:
        UserError: the store cannot be used, the experiment is deleted, or the run is missing.
    """
    nested = parent is not None
    with _connected() as client:
        import mlflow

        found = _find_run(client, run_id, name, missing) if run_id else None
        if found:
            opened = mlflow.start_run(run_id=found, nested=nested)
        else:
            opened = mlflow.start_run(
                experiment_id=_experiment_id(client, experiment),
                run_name=name,
                tags={**provenance(), **({"resumed_from": run_id} if run_id else {})},
                nested=nested,
            )
        if nested:
            client.set_tag(opened.info.run_id, "mlflow.parentRunId", parent)
        status = "FAILED"
        try:
            with terminable():
                current = Run(client, opened, new=not found)
                client.log_dict(current.id, environment(), f"environment/{_stage()}.json")
                yield current
            status = "FINISHED"
        except (KeyboardInterrupt, Terminated):
            status = "KILLED"
            raise
        except SystemExit as error:
            status = "FAILED" if error.code else "FINISHED"
            raise
        finally:
            mlflow.end_run(status)


def _find_run(
    client: mlflow.MlflowClient,
    run_id: str,
    name: str,
    missing: Literal["error", "new"],
) -> str | None:
    """``run_id`` if the store holds it, else ``None`` where a new run may take its place.

    Raises:
        UserError: the store does not hold the run, and ``missing`` is ``"error"``.
    """
    from mlflow.exceptions import MlflowException

    try:
        if client.get_run(run_id).info.lifecycle_stage == "active":
            return run_id
        fault = "is deleted in"
    except MlflowException as error:
        if error.error_code not in (
            "RESOURCE_DOES_NOT_EXIST",
            "INVALID_PARAMETER_VALUE",
        ):
            raise
        fault = "is not in"
    if missing == "new":
        return None
    raise UserError(
        f"MLflow run {run_id} {fault} the store {_shown(tracking_uri())}; set MLFLOW_TRACKING_URI "
        f"to the store that holds it, or {Remedy('train again', name, ('train',), force=True)}"
    )


# --- what a run records about itself ------------------------------------------------------


def environment() -> dict[str, Any]:
    """What figures and durations depend on: Python, machine, code and every package's version."""
    packages = {
        distribution.metadata["Name"]: distribution.version
        for distribution in importlib.metadata.distributions()
    }
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpus": processors(),
        "command": sys.argv,
        **provenance(),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def provenance() -> dict[str, str]:
    """Tags that tell runs apart; what is unknown is absent."""
    tags = {
        **_git(),
        "dvc.stage": os.environ.get("DVC_STAGE"),
        "dvc.experiment": os.environ.get("DVC_EXP_NAME"),
        "dvc.baseline": os.environ.get("DVC_EXP_BASELINE_REV"),
        "backend": _backend(),
        "python": platform.python_version(),
        "nlp_rnn": _version("nlp_rnn"),
    }
    return {key: value for key, value in tags.items() if value}


def _stage() -> str:
    """The kind of stage: ``train`` of DVC's ``train@sentiment-bilstm``, else the script's name."""
    stage = os.environ.get("DVC_STAGE") or Path(sys.argv[0]).stem or "python"
    return stage.partition("@")[0]


def _backend() -> str | None:
    if "keras" in sys.modules:
        return str(sys.modules["keras"].backend.backend())
    return os.environ.get("KERAS_BACKEND")


def _git() -> dict[str, str]:
    """The commit, under the name that MLflow shows it by, and whether code or settings differ.

    Stages rewrite ``dvc.lock`` and metrics all the time; those do not make a commit dirty.
    """
    commit = _git_output("rev-parse", "HEAD")
    if not commit:
        return {}
    changes = _git_output("status", "--porcelain", "--", *_SOURCES_OF_CODE)
    return {
        "mlflow.source.git.commit": commit,
        "git.dirty": "true" if changes else "false",
    }


def _git_output(*arguments: str) -> str:
    """What git prints; nothing where there is no git, no repository or no commit."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requirements(bundle: Path) -> list[str]:
    """Pinned packages that prediction with a bundle needs.

    ``nlp_rnn`` is not among them: it is on no index, so its code travels with the model.
    """
    from nlp_rnn.inference.bundle import GRAPH
    from nlp_rnn.text.tokenizers import SubwordTokenizer

    packages = [*_PREDICTION_PACKAGES]
    if (bundle / GRAPH).exists():
        packages.append("onnxruntime")
    else:
        packages += ["keras", _backend() or "tensorflow"]
    if (bundle / SubwordTokenizer.FILE).exists():
        packages.append("tokenizers")
    versions = {package: _version(package) for package in packages}
    # "+cpu" and the like name builds that the index does not have.
    return [
        f"{package}=={version.partition('+')[0]}"
        for package, version in versions.items()
        if version
    ]


# --- names and values that MLflow takes ---------------------------------------------------


def _flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Pairs of dotted key and leaf; an empty mapping is a leaf."""
    for key, value in nested.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _flat_metrics(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Pairs of MLflow key and number: the first level of the keys becomes a section."""
    for name, value in metrics.items():
        nested = _flat(value, f"{name}/") if isinstance(value, Mapping) else [(name, value)]
        yield from ((_safe_key(key), leaf) for key, leaf in nested if leaf not in (None, {}))


def _safe_key(key: str) -> str:
    """``key`` with every character that MLflow forbids spelt out, e.g. ``f1/COMMA``.

    A key that MLflow would take for a path out of its place has its slashes spelt out too; one
    that is too long is cut and ends in a hash.
    """

    def spelt(match: re.Match[str]) -> str:
        return unicodedata.name(match[0], f"U+{ord(match[0]):04X}").replace("+", " ")

    safe = re.sub(r"[^/\w.\- :]", spelt, key)
    first, *rest = safe.split("/")
    if any(part.strip(".") == "" for part in rest):
        safe = "/".join([first, "SOLIDUS".join(rest)])
    if len(safe) > _KEY_CHARACTERS:
        digest = hashlib.sha256(key.encode()).hexdigest()[:8]
        safe = f"{safe[: _KEY_CHARACTERS - 9]}-{digest}"
    return safe


def _text(value: Any) -> str:
    """A string as it is, anything else as JSON: ``true`` and ``null``, as in ``params.yaml``."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 3] + "..."


def _model_name(name: str) -> str:
    """``name`` without what MLflow forbids in a logged model's, though not a registered one's."""
    return re.sub(r"""[/:.%"']""", "-", name)


def _batches(entries: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


# --- models out of the store --------------------------------------------------------------


def fetch_bundle(uri: str) -> Path:
    """The bundle of a logged or registered model, as a local folder.

    A model that lies on this machine is used where it is. Another is downloaded into a temporary
    folder, which lasts as long as the process.

    Args:
        uri: ``runs:/ID``, ``models:/name@alias``, ``models:/name/version``, or ``models:/name``
            for the alias ``current``.

    Raises:
        UserError: there is no such model; the message names those that there are.
    """
    with _known_store(), _connected() as client:
        if match := re.fullmatch(r"runs:/([^/]+)(?:/.*)?", uri):
            location = _run_model(client, match[1])
        elif match := re.fullmatch(r"models:/([^@/]+)(?:@([^@/]+)|/([^@/]+))?", uri):
            location = _registered_model(client, *match.groups())
        else:
            raise UserError(
                f"model '{uri}': expected a folder, runs:/ID, models:/name@alias "
                "or models:/name/version"
            )
        return _bundle_inside(_local_folder(location), uri)


@contextmanager
def _known_store() -> Iterator[None]:
    """Refuse to create an empty store only to find nothing in it."""
    file = _sqlite_file(tracking_uri())
    if file is not None and not file.exists():
        raise UserError(
            f"{file}: no such MLflow store; train a model with 'dvc repro', go to the project's "
            "folder, or set MLFLOW_TRACKING_URI"
        )
    yield


def _run_model(client: mlflow.MlflowClient, run_id: str) -> str:
    """Where the model that a run logged is kept."""
    from mlflow.exceptions import MlflowException

    try:
        model = _model_of(client.get_run(run_id))
    except MlflowException:
        raise UserError(
            f"runs:/{run_id}: no such run in {_shown(tracking_uri())}; {_recent_runs(client)}"
        ) from None
    if model is None:
        raise UserError(f"runs:/{run_id}: this run logged no model; {_recent_runs(client)}")
    return str(client.get_logged_model(model).artifact_location)


@contextmanager
def _same_import_path() -> Iterator[None]:
    """Undo that MLflow, when it loads a model, puts its copy of this package in front."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


def _model_of(run: MlflowRun) -> str | None:
    """The id of the last model that a run logged."""
    models = run.outputs.model_outputs if run.outputs else []
    return str(models[-1].model_id) if models else None


def _recent_runs(client: mlflow.MlflowClient, count: int = 5) -> str:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=count)
    listed = ", ".join(f"runs:/{run.info.run_id} ({run.info.run_name})" for run in runs)
    return f"the latest runs are {listed}" if listed else "the store holds no runs"


def _registered_model(
    client: mlflow.MlflowClient, name: str, alias: str | None, version: str | None
) -> str:
    """Where a version of a registered model is kept."""
    from mlflow.exceptions import MlflowException

    try:
        if version is None:
            found = client.get_model_version_by_alias(name, alias or ALIAS)
            if alias in (None, ALIAS):
                found = _in_place(client, found)
        else:
            found = client.get_model_version(name, version)
        return str(client.get_model_version_download_uri(name, found.version))
    except MlflowException:
        raise UserError(f"models:/{name}: {_no_such_model(client, name, alias, version)}") from None


def _in_place(client: mlflow.MlflowClient, current: ModelVersion) -> ModelVersion:
    """The version of the model that lies in ``models/``, which becomes the current one.

    ``dvc checkout`` and ``dvc exp apply`` put other models there without running a stage. Only the
    project's own store follows: a shared one is not changed by somebody who reads it.
    """
    root, name = _root(), str(current.name)
    record = root / paths.run_record(name)
    store = _sqlite_file(tracking_uri())
    if store is None or store.parent != root or not record.is_file():
        return current
    run_id = read_json(record, f"train the model {name} again").get("run_id")
    if current.run_id == run_id:
        return current
    versions = client.search_model_versions(f"name = '{name}'")
    same = [version for version in versions if version.run_id == run_id]
    if not same:
        log(
            f"{root / paths.bundle(name)} holds another model than {name}@{ALIAS}, and it is not "
            "registered; run its stage evaluate to register it"
        )
        return current
    newest = max(same, key=lambda version: int(version.version))
    client.set_registered_model_alias(name, ALIAS, newest.version)
    return newest


def _no_such_model(
    client: mlflow.MlflowClient, name: str, alias: str | None, version: str | None
) -> str:
    """What exists instead of a model that was asked for."""
    names = [model.name for model in client.search_registered_models()]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        there = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names) or 'none'}"
        return f"no such registered model in {_shown(tracking_uri())}; {there}"
    versions = [found.version for found in client.search_model_versions(f"name = '{name}'")]
    aliases = ", ".join(client.get_registered_model(name).aliases) or "none"
    wanted = f"version '{version}'" if version else f"alias '{alias or ALIAS}'"
    there = ", ".join(sorted(map(str, versions), key=int))
    return f"no {wanted}; its aliases are: {aliases}; its versions are: {there or 'none'}"


def _local_folder(location: str) -> Path:
    """The files at an artifact location, downloaded unless they lie on this machine."""
    import mlflow

    parts = urlsplit(location)
    if parts.scheme in ("", "file"):
        return Path(unquote(parts.path))
    folder = tempfile.mkdtemp(prefix="nlp_rnn-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=folder))


def _bundle_inside(model: Path, uri: str) -> Path:
    """The bundle's folder within a logged model.

    Raises:
        UserError: the files are gone, or this package did not log the model.
    """
    from mlflow.models import Model

    if not (model / "MLmodel").is_file():
        raise UserError(f"{uri}: its files are gone from {model}; train the model again")
    artifacts: Mapping[str, Any] = (
        Model.load(str(model)).flavors.get("python_function", {}).get("artifacts") or {}
    )
    if "bundle" not in artifacts:
        raise UserError(f"{uri}: not a model of nlp_rnn; choose one that 'dvc repro' trained")
    return model / str(artifacts["bundle"]["path"])
