"""Models from the store: a model logged by a run or named in the registry, as a local bundle."""

from __future__ import annotations

import atexit
import difflib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from nlp_rnn import paths
from nlp_rnn.errors import UserError
from nlp_rnn.files import read_json
from nlp_rnn.process import log
from nlp_rnn.tracking.store import (
    connected,
    project_root,
    redacted,
    sqlite_file,
    tracking_uri,
)

if TYPE_CHECKING:
    import mlflow
    from mlflow.entities import Run as MlflowRun
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "current"
"""The alias of the version of each registered model that is in ``models/``."""

_OF_RUN = re.compile(r"runs:/([^/]+)(?:/.*)?")
"""The address of the model that a run logged."""


def fetch_bundle(uri: str) -> Path:
    """The bundle of a logged or registered model, as a local folder.

    A model on this machine is used in place. Any other is downloaded into a temporary folder, which
    lasts as long as the process.

    Args:
        uri: ``runs:/ID``, ``models:/name@alias``, ``models:/name/version``, or ``models:/name``
            for the alias ``current``.

    Raises:
        UserError: there is no such model; the message names those that exist.
    """
    with _known_store(), connected() as client:
        if match := _OF_RUN.fullmatch(uri):
            location = _run_model(client, match[1])
        else:
            found = _registered_version(client, *_registered(uri))
            location = client.get_model_version_download_uri(found.name, found.version)
        return _bundle_inside(_local_folder(str(location)), uri)


def current_version(uri: str) -> str:
    """The version of a registered model that ``uri`` means now; of a run's model, the run's id.

    Raises:
        UserError: there is no such model; the message names those that exist.
    """
    if match := _OF_RUN.fullmatch(uri):
        return match[1]
    with _known_store(), connected() as client:
        return str(_registered_version(client, *_registered(uri)).version)


def _registered(uri: str) -> tuple[str, str | None, str | None]:
    """The name, the alias and the version that a registered model is asked for by."""
    if match := re.fullmatch(r"models:/([^@/]+)(?:@([^@/]+)|/([^@/]+))?", uri):
        return match[1], match[2], match[3]
    raise UserError(
        f"model '{uri}': expected a folder, runs:/ID, models:/name@alias or models:/name/version"
    )


@contextmanager
def _known_store() -> Iterator[None]:
    """Raise UserError if there is no store, instead of creating an empty one."""
    file = sqlite_file(tracking_uri())
    if file is not None and not file.exists():
        raise UserError(
            f"{file}: no such MLflow store; train a model with 'dvc repro', go to the project's "
            "folder, or set MLFLOW_TRACKING_URI"
        )
    yield


def _run_model(client: mlflow.MlflowClient, run_id: str) -> str:
    """The location of the model that a run logged."""
    from mlflow.exceptions import MlflowException

    try:
        model = model_of(client.get_run(run_id))
    except MlflowException:
        raise UserError(
            f"runs:/{run_id}: no such run in {redacted(tracking_uri())}; {_recent_runs(client)}"
        ) from None
    if model is None:
        raise UserError(f"runs:/{run_id}: this run logged no model; {_recent_runs(client)}")
    return str(client.get_logged_model(model).artifact_location)


@contextmanager
def same_import_path() -> Iterator[None]:
    """Restore the import path, where MLflow puts its copy of this package first when it loads a
    model."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


def model_of(run: MlflowRun) -> str | None:
    """The id of the last model that a run logged."""
    models = run.outputs.model_outputs if run.outputs else []
    return str(models[-1].model_id) if models else None


def _recent_runs(client: mlflow.MlflowClient, count: int = 5) -> str:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=count)
    listed = ", ".join(f"runs:/{run.info.run_id} ({run.info.run_name})" for run in runs)
    return f"the latest runs are {listed}" if listed else "the store holds no runs"


def _registered_version(
    client: mlflow.MlflowClient, name: str, alias: str | None, version: str | None
) -> ModelVersion:
    """A version of a registered model."""
    from mlflow.exceptions import MlflowException

    try:
        if version is not None:
            return client.get_model_version(name, version)
        found = client.get_model_version_by_alias(name, alias or ALIAS)
        return _in_place(client, found) if alias in (None, ALIAS) else found
    except MlflowException:
        raise UserError(f"models:/{name}: {_no_such_model(client, name, alias, version)}") from None


def _in_place(client: mlflow.MlflowClient, current: ModelVersion) -> ModelVersion:
    """The version of the model in ``models/``, which becomes the current one.

    ``dvc checkout`` and ``dvc exp apply`` put other models there without running a stage. Only the
    project's own store is updated: reading does not change a shared store.
    """
    root, name = project_root(), str(current.name)
    record = root / paths.run_record(name)
    store = sqlite_file(tracking_uri())
    if store is None or store.parent != root or not record.is_file():
        return current
    run_id = read_json(record, f"train the model {name} again").get("run_id")
    if current.run_id == run_id:
        return current
    versions = client.search_model_versions(f"name = '{name}'")
    same = [version for version in versions if version.run_id == run_id]
    if not same:
        log(
            f"{root / paths.bundle(name)} holds another model than {name}@{ALIAS}, which is not "
            "registered; run its stage evaluate to register it"
        )
        return current
    newest = max(same, key=lambda version: int(version.version))
    client.set_registered_model_alias(name, ALIAS, newest.version)
    return newest


def _no_such_model(
    client: mlflow.MlflowClient, name: str, alias: str | None, version: str | None
) -> str:
    """A message about what exists instead of the requested model."""
    names = [model.name for model in client.search_registered_models()]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        there = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names) or 'none'}"
        return f"no such registered model in {redacted(tracking_uri())}; {there}"
    versions = [found.version for found in client.search_model_versions(f"name = '{name}'")]
    aliases = ", ".join(client.get_registered_model(name).aliases) or "none"
    wanted = f"version '{version}'" if version else f"alias '{alias or ALIAS}'"
    there = ", ".join(sorted(map(str, versions), key=int))
    return f"no {wanted}; its aliases are: {aliases}; its versions are: {there or 'none'}"


def _local_folder(location: str) -> Path:
    """The files at an artifact location, downloaded unless they are on this machine."""
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
    bundle = model / str(artifacts["bundle"]["path"])
    if not bundle.resolve().is_relative_to(model.resolve()):
        raise UserError(f"{uri}: its bundle lies outside the model, at {bundle}; do not use it")
    return bundle
