"""The MLflow store of runs: a file or a server.

Some of this module works around pitfalls of MLflow's SQLite store:

* processes that open a new store at the same time leave it incomplete. A lock guards every opening,
  and the schema is created under a different name and then renamed, so that not even ``kill -9``
  leaves an incomplete store;
* an experiment keeps artifacts in its creator's working folder. A DVC experiment may run in a
  folder that is deleted afterwards, so the location is set explicitly, in the real project.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from nlp_rnn.errors import UserError
from nlp_rnn.process import is_out_of_memory

if TYPE_CHECKING:
    import mlflow

_SQLITE = "sqlite:///"
_LOCK_SECONDS = 300.0
_QUIET = {
    "GIT_PYTHON_REFRESH": "quiet",  # no warning where git is not installed
    "MLFLOW_DISABLE_TELEMETRY": "true",  # MLflow would call home
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",  # requirements are declared explicitly
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, or else the SQLite file ``mlflow.db`` in the project's root folder.

    The root is ``DVC_ROOT``, which DVC sets in its stages, or else the working folder. A relative
    SQLite path is relative to the root, because a DVC experiment's working folder may not last.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if not given:
        return _sqlite_uri(project_root() / "mlflow.db")
    if given.startswith(_SQLITE) and not given.startswith(_SQLITE + "/"):
        return f"{_sqlite_uri(project_root())}/{given.removeprefix(_SQLITE)}"
    return given


def project_root() -> Path:
    """``DVC_ROOT``, which DVC sets in its stages, or else the working folder."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).absolute()


def in_temporary_workspace() -> bool:
    """Whether this is a stage of a DVC experiment outside the project's own folder."""
    return project_root().resolve() / ".dvc" in Path.cwd().resolve().parents


def _artifact_location(uri: str) -> str | None:
    """The artifact folder of a new experiment: next to a SQLite file; a server decides itself."""
    file = sqlite_file(uri)
    return None if file is None else (file.parent / "mlartifacts").as_uri()


def _sqlite_uri(file: Path) -> str:
    # Quote no more than necessary: MLflow also creates a folder with the path as written here.
    return _SQLITE + str(file).replace("%", "%25").replace("?", "%3F")


def sqlite_file(uri: str) -> Path | None:
    """The database file of a SQLite ``uri``."""
    if not uri.startswith(_SQLITE):
        return None
    return Path(unquote(uri.removeprefix(_SQLITE).partition("?")[0]))


def redacted(uri: str) -> str:
    """``uri`` without a password."""
    return re.sub(r"//[^/@]*@", "//***@", uri)


def _import_mlflow() -> Any:
    """Import MLflow, which logs only warnings unless ``MLFLOW_LOGGING_LEVEL`` asks for more."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow

    if not os.environ.get("MLFLOW_LOGGING_LEVEL"):
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
    return mlflow


@contextmanager
def connected() -> Iterator[mlflow.MlflowClient]:
    """Connect MLflow to :func:`tracking_uri`, after a check, for the duration of the block.

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


class Unreachable(UserError):
    """A server that answered before does so no more, after all of MLflow's retries."""


def is_lost(error: BaseException) -> bool:
    """Whether an error says that the server does not answer any more."""
    from mlflow.exceptions import MlflowException

    return isinstance(error, Unreachable) or (
        # MLflow has no class for this: so begins what its requests raise after the last retry.
        isinstance(error, MlflowException) and str(error).startswith("API request to ")
    )


@contextmanager
def answering() -> Iterator[None]:
    """Raise Unreachable, on one line, if the server stops answering within the block.

    Raises:
        Unreachable: MLflow has retried for minutes, or as ``MLFLOW_HTTP_REQUEST_MAX_RETRIES`` says.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not is_lost(error):
            raise
        reason = str(error).partition("\n")[0][:300]
        raise Unreachable(
            f"the MLflow server {redacted(tracking_uri())} does not answer any more: "
            f"{redacted(reason)}; start it, then repeat the command: it resumes the same run"
        ) from error


def _open(uri: str) -> mlflow.MlflowClient:
    """A client of the store, which has responded once.

    Raises:
        UserError: it cannot be opened or does not answer within seconds.
    """
    import mlflow

    try:
        with _locked(uri), impatient():
            if (file := sqlite_file(uri)) is not None:
                _make_schema(file)
            client = mlflow.MlflowClient()
            client.search_experiments(max_results=1)
    except UserError:
        raise
    except Exception as error:  # MLflow, SQLAlchemy, requests and alembic each raise their own
        if is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0][:300]
        raise UserError(
            f"the MLflow store {redacted(uri)} cannot be used: {redacted(reason)}; "
            "fix that, or set MLFLOW_TRACKING_URI to another store"
        ) from error
    return client


def _make_schema(file: Path) -> None:
    """Create an empty store at ``file`` completely or not at all."""
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
    file = sqlite_file(uri)
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
def impatient() -> Iterator[None]:
    """Fail within seconds if a server does not answer, unless the user set a timeout.

    This applies only to the first contact: afterwards, MLflow's own retries, which take minutes,
    let training survive a restart of the server.
    """
    ours = {name: value for name, value in _IMPATIENT.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def experiment_id(client: mlflow.MlflowClient, name: str) -> str:
    """The id of experiment ``name``, which is created if it does not exist.

    Raises:
        UserError: it is deleted, or keeps its files in the project's former location.
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
            f"{sqlite_file(tracking_uri())}; move that back, or move it away to start a new store"
        )
    return str(experiment.experiment_id)
