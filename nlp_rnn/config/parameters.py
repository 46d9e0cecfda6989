"""``params.yaml`` as a whole: read, validated, its references checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError

from nlp_rnn.config.data import AnyDataset, Dataset
from nlp_rnn.config.experiment import AnyEmbeddings, AnyExperiment, Experiment, MemoryParameters
from nlp_rnn.config.model import AnyCell, AnyCharacterEncoder
from nlp_rnn.config.section import Section, nearest
from nlp_rnn.corpora.example import Kind
from nlp_rnn.errors import UserError

PARAMS_FILE = Path("params.yaml")

Backend = Literal["auto", "tensorflow", "jax", "torch"]

KIND_OF_TASK: dict[str, Kind] = {
    "classification": "labelled",
    "tagging": "tagged",
    "language_modelling": "text",
}


class TrackingParameters(Section):
    """Where runs go in MLflow; the server is ``MLFLOW_TRACKING_URI``, else ``mlflow.db``."""

    experiment: str = "nlp_rnn"


class RealData(Section):
    """Data sets and experiments that need downloaded or supplied files."""

    datasets: dict[str, Dataset] = Field(default_factory=dict)
    experiments: dict[str, Experiment] = Field(default_factory=dict)


class Parameters(Section):
    """All of ``params.yaml``."""

    backend: Backend = "auto"
    seed: int = Field(default=1, ge=0)
    tracking: TrackingParameters = TrackingParameters()
    datasets: dict[str, Dataset] = Field(default_factory=dict)
    experiments: dict[str, Experiment] = Field(default_factory=dict)
    real: RealData = RealData()
    memory: MemoryParameters | None = None
    """What `dvc repro memory/dvc.yaml` runs."""

    @property
    def all_datasets(self) -> dict[str, AnyDataset]:
        return {**self.datasets, **self.real.datasets}

    @property
    def all_experiments(self) -> dict[str, AnyExperiment]:
        return {**self.experiments, **self.real.experiments}

    def dataset(self, name: str) -> AnyDataset:
        """The data set called ``name``; UserError with the nearest name where there is none."""
        if name not in self.all_datasets:
            raise UserError(f"no data set '{name}'; {nearest(name, self.all_datasets)}")
        return self.all_datasets[name]

    def experiment(self, name: str) -> AnyExperiment:
        """The experiment called ``name``; UserError with the nearest name where there is none."""
        if name not in self.all_experiments:
            raise UserError(f"no experiment '{name}'; {nearest(name, self.all_experiments)}")
        return self.all_experiments[name]

    def _check_references(self, file: Path) -> None:
        for group in ("datasets", "experiments"):
            both = set(getattr(self, group)) & set(getattr(self.real, group))
            if both:
                raise UserError(f"{file}: real.{group}.{min(both)}: also named in {group}; rename")
            for name in (*getattr(self, group), *getattr(self.real, group)):
                if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
                    raise UserError(
                        f"{file}: {group}.{name}: a name has letters, digits, '.', '_' and '-' only"
                    )
        for name, dataset in self.all_datasets.items():
            if dataset.kind == "tagged" and dataset.tokenizer.unit in ("character", "subword"):
                raise UserError(
                    f"{file}: datasets.{name}.tokenizer.unit: '{dataset.tokenizer.unit}' would cut "
                    "tagged words into pieces; use 'word' or 'whitespace'"
                )
        for prefix, experiments in (
            ("experiments", self.experiments),
            ("real.experiments", self.real.experiments),
        ):
            for name, experiment in experiments.items():
                key = f"{file}: {prefix}.{name}"
                if experiment.dataset not in self.all_datasets:
                    hint = nearest(experiment.dataset, self.all_datasets)
                    raise UserError(f"{key}.dataset: no data set '{experiment.dataset}'; {hint}")
                kind = self.all_datasets[experiment.dataset].kind
                if kind != KIND_OF_TASK[experiment.task]:
                    raise UserError(
                        f"{key}.task: {experiment.task} needs a {KIND_OF_TASK[experiment.task]} "
                        f"data set, but {experiment.dataset} is {kind}"
                    )


def _key(location: tuple[int | str, ...], data: Any) -> str:
    """The dotted key of a pydantic error location, without the tags of unions in it."""
    keys: list[str] = []
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, Mapping):
            if part in data or last:
                keys.append(str(part))
                data = data.get(part)
        else:
            break
    return ".".join(keys)


def _tags(discriminator: str, key: str) -> tuple[str, ...]:
    """The valid values of the ``discriminator`` of the section at a key."""
    unions = {
        "source": AnyDataset,
        "task": AnyExperiment,
        "kind": {"cell": AnyCell, "characters": AnyCharacterEncoder}.get(key, AnyEmbeddings),
    }
    sections = get_args(unions[discriminator])
    return tuple(get_args(s.model_fields[discriminator].annotation)[0] for s in sections)


def _union_fault(key: str, error: Any) -> str:
    """What is wrong with the key that says which kind of section this is."""
    section, discriminator = error["input"], error["ctx"]["discriminator"].strip("'")
    valid = _tags(discriminator, key.rpartition(".")[2])
    if discriminator in section:
        found = section[discriminator]
        return f"{key}.{discriminator}: no such {discriminator} {found!r}; " + nearest(
            str(found), valid
        )
    close = difflib.get_close_matches(discriminator, [str(name) for name in section], n=1)
    hint = f"unknown parameter '{close[0]}'; did you mean '{discriminator}'?" if close else ""
    return f"{key}: " + (hint or f"needs {discriminator}, one of: {', '.join(valid)}")


def parse(data: Any, file: Path) -> Parameters:
    """Validate the mapping read from ``file``; UserError names the first key at fault."""
    if not isinstance(data, Mapping):
        raise UserError(f"{file}: expected a mapping of parameters, found {type(data).__name__}")
    try:
        parameters = Parameters.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = _key(first["loc"], data)
        message = first["msg"]
        if first["type"].startswith("union_tag"):
            raise UserError(f"{file}: {_union_fault(key, first)}") from None
        if first["type"] not in ("impossible", "missing"):
            message += f" (found {first['input']!r})"
        raise UserError(f"{file}: {key + ': ' if key else ''}{message}") from None
    parameters._check_references(file)
    return parameters


def load(file: Path = PARAMS_FILE) -> Parameters:
    """Read and validate a parameter file.

    Raises:
        UserError: the file is missing, is no YAML, or a key in it is wrong.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with file.open(encoding="utf-8") as stream:
            data = YAML(typ="safe", pure=True).load(stream)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; run from the project's folder") from None
    except IsADirectoryError:
        raise UserError(f"{file}: is a folder, not a parameter file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{file}, line {line}: not valid YAML: {error.problem}") from None
    except YAMLError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file}: not valid YAML: {reason}") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    return parse(data, file)
