"""A single MLflow run: its start and end, and the logging in between."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from nlp_rnn.errors import UserError
from nlp_rnn.hints import Remedy
from nlp_rnn.process import Terminated, terminable
from nlp_rnn.tracking.models import ALIAS, model_of, same_import_path
from nlp_rnn.tracking.names import as_text, batches, cut, flat, flat_metrics, model_name, safe_key
from nlp_rnn.tracking.origin import (
    environment,
    package_version,
    provenance,
    requirements,
    stage_kind,
)
from nlp_rnn.tracking.store import (
    answering,
    connected,
    experiment_id,
    impatient,
    in_temporary_workspace,
    is_lost,
    redacted,
    tracking_uri,
)

if TYPE_CHECKING:
    import mlflow
    import pandas
    from mlflow.entities import Run as MlflowRun

PACKAGE = Path(__file__).parent.parent
"""The code that is stored with a logged model."""

_PARAMETER_CHARACTERS = 6000
_TAG_CHARACTERS = 8000
_PARAMETERS_A_BATCH = 100
_METRICS_A_BATCH = 1000
_DIGEST_CHARACTERS = 8  # as many as fit next to a data set's name in the table of runs


class Run:
    """An open MLflow run.

    Attributes:
        id: its 32 hexadecimal digits.
        experiment: the experiment's name.
        name: the run's name.
        url: the URL of its page; for a SQLite store, the default URL of ``mlflow ui``.
        new: whether the run was newly created rather than reopened.
    """

    def __init__(self, client: mlflow.MlflowClient, run: MlflowRun, *, new: bool) -> None:
        self._client = client
        self.id = str(run.info.run_id)
        self.name = str(run.info.run_name)
        self.experiment = str(client.get_experiment(run.info.experiment_id).name)
        self.url = _page(run)
        self.new = new
        self._non_finite = {
            tag.removeprefix("non_finite.")
            for tag in run.data.tags
            if tag.startswith("non_finite.")
        }

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Log a nested mapping under dotted keys, with values as JSON (strings unchanged).

        A value longer than MLflow's 6,000 characters is cut and ends in ``...``. Logging the same
        value again is allowed.

        Raises:
            UserError: the run has a different value; MLflow never changes a parameter.
        """
        from mlflow.entities import Param

        values = {
            safe_key(key): cut(as_text(value), _PARAMETER_CHARACTERS)
            for key, value in flat(parameters)
        }
        present = self._client.get_run(self.id).data.params
        for key, value in values.items():
            if present.get(key, value) != value:
                raise UserError(
                    f"MLflow run {self.id} was started with {key} = {present[key]}, not {value}; "
                    "a run's parameters cannot change, so start a new run"
                )
        new = [Param(key, value) for key, value in values.items() if key not in present]
        for batch in batches(new, _PARAMETERS_A_BATCH):
            self._client.log_batch(self.id, params=batch)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log a nested mapping of numbers, e.g. as ``test/accuracy`` or ``test/f1.PER``.

        MLflow shows metrics with the same ``/`` prefix in one section, so the first level of the
        keys becomes such a prefix; deeper levels are joined by dots. A character that MLflow
        forbids in a key is spelt by its Unicode name. A value of ``None`` and a text are skipped.

        Infinity and NaN are skipped too, because a chart with one disappears; the first of each key
        sets a tag ``non_finite.<key>``, such as ``inf at step 3``.

        Args:
            step: the epoch or the number of updates. Without it, the metric is final and is also
                shown with the run's model if that is already logged.
        """
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        model = self._model() if step is None else None
        entries = []
        for key, raw in flat_metrics(metrics):
            value = float(raw)
            if math.isfinite(value):
                entries.append(Metric(key, value, now, step or 0, model_id=model))
            elif key not in self._non_finite:
                self._non_finite.add(key)
                place = "" if step is None else f" at step {step}"
                self.set_tags({f"non_finite.{key}": f"{value}{place}"})
        for batch in batches(entries, _METRICS_A_BATCH):
            self._client.log_batch(self.id, metrics=batch)

    def _model(self) -> str | None:
        return model_of(self._client.get_run(self.id))

    def steps(self, key: str) -> set[int]:
        """The steps at which a metric is already logged."""
        return {point.step for point in self._client.get_metric_history(self.id, key)}

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags; a value of ``None`` is skipped."""
        from mlflow.entities import RunTag

        entries = [
            RunTag(safe_key(key), cut(as_text(value), _TAG_CHARACTERS))
            for key, value in tags.items()
            if value is not None
        ]
        for batch in batches(entries, _PARAMETERS_A_BATCH):
            self._client.log_batch(self.id, tags=batch)

    def describe(self, markdown: str) -> None:
        """Set the description at the top of the run's page; a second call replaces it."""
        self.set_tags({"mlflow.note.content": markdown})

    def log_file(self, path: Path, folder: str = "") -> None:
        """Log a file, or a folder with all its contents, as an artifact in ``folder``."""
        if path.is_dir():
            inside = f"{folder}/{path.name}" if folder else path.name
            self._client.log_artifacts(self.id, str(path), inside)
        else:
            self._client.log_artifact(self.id, str(path), folder or None)

    def log_table(self, rows: Sequence[Mapping[str, Any]], file: str) -> None:
        """Log ``rows`` as a table, which MLflow shows and compares between runs.

        Unlike ``mlflow.log_table``, which appends, logging a table again replaces it.

        Args:
            rows: mappings from column to value; columns are in order of appearance.
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
            card: a data card with ``name``; ``data_sha256`` and ``source`` are shown if present,
                and the number of examples is taken from ``splits``.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        text = json.dumps(card, ensure_ascii=False, indent=1, sort_keys=True)
        self._client.log_text(self.id, text, "data_card.json")
        digest = card.get("data_sha256") or hashlib.sha256(text.encode()).hexdigest()
        dataset = Dataset(
            name=str(card["name"]),
            digest=str(digest)[:_DIGEST_CHARACTERS],
            source_type="local",
            source=json.dumps({"uri": as_text(card.get("source", card["name"]))}),
            profile=json.dumps(card.get("splits", {})),
        )
        context = [InputTag("mlflow.data.context", "training")]
        self._client.log_inputs(self.id, [DatasetInput(dataset, context)])

    def log_model(self, bundle: Path, name: str, examples: Sequence[str]) -> str:
        """Log a bundle as a model that MLflow can load anywhere, test it, then register it.

        The model contains the bundle and the code of this package, but no pickles. It is reloaded
        and must give the same predictions for ``examples`` before it becomes the current version.

        Args:
            bundle: a folder that :class:`nlp_rnn.inference.predictor.Predictor` loads.
            name: registers the model as a new version of ``name`` under the alias ``current``,
                which does not move in the workspace of a DVC experiment that may never be applied
                (``dvc exp run --temp`` or ``--queue``).
            examples: a few texts for the test.

        Returns:
            The version's address, ``models:/name/version``.

        Raises:
            RuntimeError: the logged model predicts differently; it is not registered.
        """
        import mlflow
        import pandas as pd

        from nlp_rnn.tracking import pyfunc

        frame = pd.DataFrame({"text": list(examples)})
        model = pyfunc.BundleModel.of(bundle)
        expected = model.predict(None, frame)
        with same_import_path():
            logged = mlflow.pyfunc.log_model(
                name=model_name(name),
                python_model=str(pyfunc.__file__),
                artifacts={"bundle": str(bundle)},
                code_paths=[str(PACKAGE)],
                signature=model.signature(),
                input_example=frame,
                pip_requirements=requirements(bundle),
                metadata={"nlp_rnn": package_version("nlp_rnn")},
            )
            self._try_model(str(logged.model_id), frame, expected)
        return self._register(str(logged.model_id), name)

    def _try_model(
        self, model_id: str, frame: pandas.DataFrame, expected: pandas.DataFrame
    ) -> None:
        """Reload a logged model and compare its predictions; mark it as failed if they differ."""
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

        with contextlib.redirect_stderr(io.StringIO()):  # it announces what it does
            version = mlflow.register_model(f"models:/{model_id}", name).version
        if not in_temporary_workspace():
            self._client.set_registered_model_alias(name, ALIAS, version)
        return f"models:/{name}/{version}"


def _page(run: MlflowRun) -> str:
    """The address of a run's page."""
    uri = tracking_uri()
    host = uri if urlsplit(uri).scheme in ("http", "https") else "http://127.0.0.1:5000"
    page = f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    # Without the query, MLflow shows its pages for language-model applications.
    return f"{redacted(host).rstrip('/')}/#/{page}?workflowType=machine_learning"


def pages(run_ids: Mapping[str, str]) -> dict[str, str]:
    """The address of each run's page, under the same name; those that the store lacks are left out.

    Args:
        run_ids: by any name.
    """
    from mlflow.exceptions import MlflowException

    found = {}
    with connected() as client:
        for name, run_id in run_ids.items():
            with contextlib.suppress(MlflowException):
                found[name] = _page(client.get_run(run_id))
    return found


@contextmanager
def only_run(experiment: str, kind: str) -> Iterator[Run]:
    """The one run of its kind, reopened, so that what is logged replaces what it had.

    It is a new one where there is none yet, and in the workspace of a DVC experiment that may never
    be applied (``dvc exp run --temp`` or ``--queue``).

    Args:
        experiment: is created if it does not exist.
        kind: the run's name, and its tag ``kind``.
    """
    with connected() as client:
        found = None if in_temporary_workspace() else _latest(client, experiment, kind)
    with run(experiment, kind, found) as opened:
        opened.set_tags({"kind": kind})
        yield opened


def _latest(client: mlflow.MlflowClient, experiment: str, kind: str) -> str | None:
    """The latest run of a kind, as its tag tells it."""
    runs = client.search_runs(
        [experiment_id(client, experiment)], f"tags.kind = '{kind}'", max_results=1
    )
    return str(runs[0].info.run_id) if runs else None


@contextmanager
def run(
    experiment: str,
    name: str,
    run_id: str | None = None,
    missing: Literal["error", "new"] = "error",
    parent: str | None = None,
) -> Iterator[Run]:
    """Create or reopen a run for the duration of the block.

    Its status becomes FINISHED; FAILED after an exception; KILLED after Ctrl-C or SIGTERM.
    The code's version, the DVC stage and the environment are recorded; each time the run is opened,
    the environment is written to ``environment/<stage>.json``.

    Args:
        experiment: the name of the experiment, which is created if it does not exist.
        name: the name of a new run.
        run_id: the run to reopen, which keeps its name and experiment.
        missing: what to do if the store does not hold ``run_id``. ``"error"`` is for a stage that
            adds to a run; ``"new"``, for resumed training, starts a new run tagged
            ``resumed_from``.
        parent: an open run under which MLflow shows this one.

    Raises:
        UserError: the store cannot be used, the experiment is deleted, or the run is missing.
        Unreachable: the server stopped answering; the run stays RUNNING until it is reopened.
    """
    nested = parent is not None
    with connected() as client, answering():
        import mlflow

        found = _find_run(client, run_id, name, missing) if run_id else None
        if found:
            opened = mlflow.start_run(run_id=found, nested=nested)
        else:
            opened = mlflow.start_run(
                experiment_id=experiment_id(client, experiment),
                run_name=name,
                tags={**provenance(), **({"resumed_from": run_id} if run_id else {})},
                nested=nested,
            )
        if nested:
            client.set_tag(opened.info.run_id, "mlflow.parentRunId", parent)
        status, lost = "FAILED", False
        try:
            with terminable():
                current = Run(client, opened, new=not found)
                client.log_dict(current.id, environment(), f"environment/{stage_kind()}.json")
                yield current
            status = "FINISHED"
        except (KeyboardInterrupt, Terminated):
            status = "KILLED"
            raise
        except SystemExit as error:
            status = "FAILED" if error.code else "FINISHED"
            raise
        except Exception as error:
            lost = is_lost(error)
            raise
        finally:
            if lost:  # it has waited for minutes already
                with impatient(), contextlib.suppress(Exception):
                    mlflow.end_run(status)
            else:
                mlflow.end_run(status)
            if found and missing == "error" and not lost and (ended := opened.info.end_time):
                # A stage that adds to a run does not make it longer.
                client.set_terminated(opened.info.run_id, status, ended)


def _find_run(
    client: mlflow.MlflowClient,
    run_id: str,
    name: str,
    missing: Literal["error", "new"],
) -> str | None:
    """``run_id`` if the store has it; ``None`` if a new run may replace it.

    Raises:
        UserError: the store does not have the run, and ``missing`` is ``"error"``.
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
        f"MLflow run {run_id} {fault} the store {redacted(tracking_uri())}; set "
        "MLFLOW_TRACKING_URI to the store that holds it, or "
        f"{Remedy('train again', name, ('train',), force=True)}"
    )
