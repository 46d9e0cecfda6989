"""``params.yaml`` as a whole: read, validated, its references checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field, ValidationError

from nlp_rnn.config.data import AnyDataset, Dataset
from nlp_rnn.config.embeddings import AnyEmbeddings, TransferredEmbeddings
from nlp_rnn.config.experiment import AnyExperiment, Experiment
from nlp_rnn.config.memory import MemoryParameters
from nlp_rnn.config.model import (
    AnyCell,
    AnyCharacterEncoder,
    AnyClassifier,
    AnyContextInputs,
    AnyLanguageModel,
    AnyOutput,
    EncoderParameters,
    LanguageModelParameters,
)
from nlp_rnn.config.pseudo_labels import PseudoLabelledDataset
from nlp_rnn.config.search import SearchParameters, check_space
from nlp_rnn.config.section import Section, nearest
from nlp_rnn.config.vectors import AnyVectors, Vectors
from nlp_rnn.errors import UserError
from nlp_rnn.example import Kind
from nlp_rnn.task_kinds import TASK_KINDS

T = TypeVar("T")

PARAMS_FILE = Path("params.yaml")

Backend = Literal["auto", "tensorflow", "jax", "torch"]

KINDS_OF_EMBEDDINGS = ("learned", "pretrained")
"""Any other kind is the name of vectors."""


class TrackingParameters(Section, title="Tracking"):
    """Where runs go in MLflow. The server is ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the
    project."""

    experiment: str = "nlp_rnn"
    """The MLflow experiment that runs are listed under."""


class RealData(Section, title="Real data"):
    """What needs downloaded or supplied files: a plain ``dvc repro`` leaves it alone, and ``dvc
    repro real/dvc.yaml:STAGE@NAME`` runs it."""

    datasets: dict[str, Dataset] = Field(default_factory=dict)
    """Data sets, by name, as in ``datasets``."""
    pseudo_labelled: dict[str, PseudoLabelledDataset] = Field(default_factory=dict)
    """Pseudo-labelled data sets, by name, as in ``pseudo_labelled``."""
    vectors: dict[str, Vectors] = Field(default_factory=dict)
    """Word vectors, by name, as in ``vectors``."""
    experiments: dict[str, Experiment] = Field(default_factory=dict)
    """Experiments, by name, as in ``experiments``."""
    encoders: list[str] = Field(default_factory=list)
    """Language models among ``real.experiments``, as in ``encoders``."""


class Parameters(Section, title="All of params.yaml"):
    """The keys that stand at the left margin of the file."""

    backend: Backend = "auto"
    """What Keras computes with: ``tensorflow``, ``jax`` or ``torch``. ``auto`` is JAX on a CPU and
    TensorFlow where there is an NVIDIA GPU. The variable ``KERAS_BACKEND`` overrides it."""
    seed: int = Field(default=1, ge=0)
    """The seed of initial weights, shuffling and dropout."""
    tracking: TrackingParameters = TrackingParameters()
    """Where runs are tracked."""
    datasets: dict[str, Dataset] = Field(default_factory=dict)
    """The data sets, by name."""
    pseudo_labelled: dict[str, PseudoLabelledDataset] = Field(default_factory=dict)
    """Data sets, by name, whose training split goes on with texts that trained classifiers
    label."""
    vectors: dict[str, Vectors] = Field(default_factory=dict)
    """Word vectors, by name, that are learned from a data set, for experiments and to look at."""
    experiments: dict[str, Experiment] = Field(default_factory=dict)
    """The experiments, by name: one model on one data set each."""
    encoders: list[str] = Field(default_factory=list)
    """Language models among the experiments, by name, whose embeddings and recurrent layers other
    experiments may start from."""
    real: RealData = RealData()
    """Data sets, vectors and experiments that need downloaded or supplied files."""
    memory: MemoryParameters | None = None
    """What ``dvc repro memory/dvc.yaml`` runs; ``null`` is nothing."""
    search: dict[str, SearchParameters] = Field(default_factory=dict)
    """What ``nlp-rnn search NAME`` varies, by name."""

    @property
    def all_datasets(self) -> dict[str, AnyDataset]:
        return {**self.datasets, **self.real.datasets}

    @property
    def all_pseudo_labelled(self) -> dict[str, PseudoLabelledDataset]:
        return {**self.pseudo_labelled, **self.real.pseudo_labelled}

    @property
    def kinds(self) -> dict[str, Kind]:
        """What the examples of every data set are, pseudo-labelled ones included."""
        kinds = {name: dataset.kind for name, dataset in self.all_datasets.items()}
        return {**kinds, **dict.fromkeys(self.all_pseudo_labelled, "labelled")}

    @property
    def all_vectors(self) -> dict[str, AnyVectors]:
        return {**self.vectors, **self.real.vectors}

    @property
    def all_experiments(self) -> dict[str, AnyExperiment]:
        return {**self.experiments, **self.real.experiments}

    @property
    def all_encoders(self) -> list[str]:
        return [*self.encoders, *self.real.encoders]

    def dataset(self, name: str) -> AnyDataset:
        """The data set called ``name``; UserError with the nearest name where there is none."""
        return _named("data set", name, self.all_datasets)

    def pseudo_labelled_dataset(self, name: str) -> PseudoLabelledDataset:
        """The data set called ``name``; UserError with the nearest name where there is none."""
        return _named("pseudo-labelled data set", name, self.all_pseudo_labelled)

    def experiment(self, name: str) -> AnyExperiment:
        """The experiment called ``name``; UserError with the nearest name where there is none."""
        return _named("experiment", name, self.all_experiments)

    def learned_vectors(self, name: str) -> AnyVectors:
        """The vectors called ``name``; UserError with the nearest name where there are none."""
        return _named("vectors", name, self.all_vectors)

    def encoder(self, name: str) -> AnyExperiment:
        """The language model ``name`` of the ``encoders``; UserError where it is none of them."""
        if name not in self.all_encoders:
            raise UserError(f"no encoder '{name}'; {nearest(name, self.all_encoders)}")
        return self.experiment(name)

    def search_called(self, name: str) -> SearchParameters:
        """The search called ``name``; UserError with the nearest name where there is none."""
        return _named("search", name, self.search)

    def _check_references(self, file: Path) -> None:
        for group in ("datasets", "pseudo_labelled", "vectors", "experiments"):
            both = set(getattr(self, group)) & set(getattr(self.real, group))
            if both:
                raise UserError(f"{file}: real.{group}.{min(both)}: also named in {group}; rename")
            _check_names(file, group, (*getattr(self, group), *getattr(self.real, group)))
        for name, dataset in self.all_datasets.items():
            if dataset.kind == "tagged" and dataset.tokenizer.unit in ("character", "subword"):
                raise UserError(
                    f"{file}: datasets.{name}.tokenizer.unit: '{dataset.tokenizer.unit}' would cut "
                    "tagged words into pieces; use 'word' or 'whitespace'"
                )
        for prefix, learned in (("vectors", self.vectors), ("real.vectors", self.real.vectors)):
            for name, vectors in learned.items():
                key = f"{file}: {prefix}.{name}"
                if name in KINDS_OF_EMBEDDINGS:
                    raise UserError(f"{key}: is a kind of embeddings already; rename")
                _named("data set", vectors.dataset, self.all_datasets, f"{key}.dataset: ")
        self._check_encoders(file)
        self._check_pseudo_labelled(file)
        for prefix, experiments in (
            ("experiments", self.experiments),
            ("real.experiments", self.real.experiments),
        ):
            for name, experiment in experiments.items():
                key = f"{file}: {prefix}.{name}"
                kind = _named("data set", experiment.dataset, self.kinds, f"{key}.dataset: ")
                if experiment.embeddings.kind in self.all_encoders:
                    self._check_start(name, experiment, key)
                elif isinstance(experiment.embeddings, TransferredEmbeddings):
                    self._check_embeddings(experiment.embeddings, f"{key}.embeddings")
                if kind != (needed := TASK_KINDS[experiment.task].data):
                    raise UserError(
                        f"{key}.task: {experiment.task} needs a {needed} "
                        f"data set, but {experiment.dataset} is {kind}"
                    )
        _check_names(file, "search", self.search)
        for name, search in self.search.items():
            key = f"{file}: search.{name}"
            experiment = _named(
                "experiment", search.experiment, self.all_experiments, f"{key}.experiment: "
            )
            check_space(search, experiment, key)

    def _check_embeddings(self, embeddings: TransferredEmbeddings, key: str) -> None:
        """Whether vectors that an experiment starts from are there, and fit."""
        name = embeddings.kind
        if name not in self.all_vectors:
            hint = nearest(name, [*KINDS_OF_EMBEDDINGS, *self.all_vectors, *self.all_encoders])
            if name in self.all_experiments:
                hint = "to start from the experiment of that name, list it under encoders"
            raise UserError(f"{key}.kind: no such kind '{name}', nor vectors of that name; {hint}")
        vectors = self.all_vectors[name]
        if embeddings.dimension != vectors.dimension:
            raise UserError(
                f"{key}.dimension: {embeddings.dimension}, but vectors.{name} have dimension "
                f"{vectors.dimension}"
            )
        if embeddings.unknown == "subwords" and vectors.algorithm != "fasttext":
            raise UserError(
                f"{key}.unknown: subwords are learned by algorithm fasttext, and vectors.{name} "
                f"by {vectors.algorithm}"
            )

    def _check_encoders(self, file: Path) -> None:
        """Whether the encoders are recurrent language models of the same part of the file."""
        for prefix, names, experiments in (
            ("encoders", self.encoders, self.experiments),
            ("real.encoders", self.real.encoders, self.real.experiments),
        ):
            for name in names:
                key = f"{file}: {prefix}"
                if name not in experiments:
                    hint = nearest(name, experiments)
                    raise UserError(
                        f"{key}: no {prefix.replace('encoders', 'experiments')}.{name}; {hint}"
                    )
                if not isinstance(experiments[name].model, LanguageModelParameters):
                    raise UserError(f"{key}: {name} is no recurrent language model; leave it out")
                if name in self.all_vectors or name in KINDS_OF_EMBEDDINGS:
                    raise UserError(f"{key}: vectors have the name {name} too; rename one of them")

    def _check_pseudo_labelled(self, file: Path) -> None:
        """Whether the data sets and the teachers are there, and of the right kind."""
        for prefix, section in (
            ("pseudo_labelled", self.pseudo_labelled),
            ("real.pseudo_labelled", self.real.pseudo_labelled),
        ):
            for name, dataset in section.items():
                key = f"{file}: {prefix}.{name}"
                if name in self.all_datasets:
                    raise UserError(f"{key}: also named in datasets; rename")
                for part, kind in (("labelled", "labelled"), ("unlabelled", "text")):
                    source = getattr(dataset, part)
                    found = _named("data set", source, self.all_datasets, f"{key}.{part}: ").kind
                    if found != kind:
                        raise UserError(f"{key}.{part}: {source} is {found}, not {kind}")
                for teacher in dataset.teachers:
                    at = f"{key}.teachers: "
                    of = _named("experiment", teacher, self.all_experiments, at).dataset
                    if of != dataset.labelled:
                        raise UserError(
                            f"{key}.teachers: {teacher} learns from {of}, not {dataset.labelled}"
                        )

    def _check_start(self, name: str, experiment: AnyExperiment, key: str) -> None:
        """Whether an experiment's network can start from an encoder's."""
        embeddings, model = experiment.embeddings, experiment.model
        source = self.experiment(embeddings.kind)
        encoder = f"the encoder {embeddings.kind}"
        if name == embeddings.kind:
            raise UserError(f"{key}.embeddings.kind: {name} cannot start from itself")
        if not isinstance(model, EncoderParameters):
            raise UserError(f"{key}.model.kind: {encoder} needs a model with recurrent layers")
        if getattr(model, "bidirectional", False):
            raise UserError(
                f"{key}.model.bidirectional: {encoder} reads from left to right only; set "
                "bidirectional: false, for a classifier with pooling: concatenated"
            )
        for option in ("characters", "casing"):
            if getattr(model, option, None):
                raise UserError(f"{key}.model.{option}: {encoder} reads none; leave it out")
        if embeddings.dimension != source.embeddings.dimension:
            raise UserError(
                f"{key}.embeddings.dimension: {embeddings.dimension}, but {encoder} has "
                f"{source.embeddings.dimension}"
            )
        for option in ("cell", "units", "layers", "last_units", "connection"):
            own, given = getattr(model, option), getattr(source.model, option)
            if own != given:
                raise UserError(f"{key}.model.{option}: {own!r}, but {encoder} has {given!r}")
        if "unknown" in embeddings.model_fields_set:
            raise UserError(
                f"{key}.embeddings.unknown: words that {encoder} does not know start from its "
                "<unk>; leave it out"
            )


def _named(what: str, name: str, known: Mapping[str, T], key: str = "") -> T:
    """What has the name; UserError, beginning with ``key``, where nothing has it."""
    if name not in known:
        raise UserError(f"{key}no {what} '{name}'; {nearest(name, known)}")
    return known[name]


def _check_names(file: Path, group: str, names: Iterable[str]) -> None:
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise UserError(
                f"{file}: {group}.{name}: a name has letters, digits, '.', '_' and '-' only"
            )


def _key(location: tuple[int | str, ...], data: Any, missing: bool) -> str:
    """The dotted key of a pydantic error location, without the tags of unions in it.

    Args:
        missing: the last part is a key that is not there.
    """
    keys: list[str] = []
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, Mapping):
            if part in data or (last and missing):
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
        "algorithm": AnyVectors,
        "kind": {
            "model": AnyClassifier | AnyLanguageModel,
            "cell": AnyCell,
            "inputs": AnyContextInputs,
            "characters": AnyCharacterEncoder,
            "output": AnyOutput,
        }.get(key, AnyEmbeddings),
    }
    sections = get_args(unions[discriminator])
    annotations = (s.model_fields[discriminator].annotation for s in sections)
    return tuple(value for annotation in annotations for value in get_args(annotation))


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
        key = _key(first["loc"], data, first["type"] == "missing")
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
    except RecursionError:
        raise UserError(f"{file}: not valid YAML: nested too deeply; remove brackets") from None
    except (YAMLError, ValueError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{file}: not valid YAML: {reason}") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    return parse(data, file)
