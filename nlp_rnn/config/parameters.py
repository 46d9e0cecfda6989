"""``params.yaml`` as a whole: read, validated, its references checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field, ValidationError

from nlp_rnn.bounded_yaml import LARGEST, TooLarge, load_yaml
from nlp_rnn.config.data import AnyDataset, Dataset
from nlp_rnn.config.embeddings import AnyEmbeddings, ContextualParameters, TransferredEmbeddings
from nlp_rnn.config.experiment import AnyExperiment, Experiment
from nlp_rnn.config.memory import MemoryParameters
from nlp_rnn.config.model import (
    AnyCell,
    AnyCharacterEncoder,
    AnyContextInputs,
    AnyOutput,
    EncoderParameters,
    LanguageModelParameters,
)
from nlp_rnn.config.pseudo_labels import PseudoLabelledDataset
from nlp_rnn.config.search import SearchParameters, check_space
from nlp_rnn.config.section import Section, nearest
from nlp_rnn.config.sentences import AnySentences, Sentences
from nlp_rnn.config.start import StartParameters, check_start
from nlp_rnn.config.vectors import AnyVectors, ElmoVectors, Vectors
from nlp_rnn.errors import UserError
from nlp_rnn.example import TAGGED_KINDS, Kind
from nlp_rnn.extras import require
from nlp_rnn.task_kinds import TASK_KINDS

T = TypeVar("T")

PARAMS_FILE = Path("params.yaml")

Backend = Literal["auto", "tensorflow", "jax", "torch"]

GROUPS = {
    "datasets": "data set",
    "pseudo_labelled": "pseudo-labelled data set",
    "vectors": "vectors",
    "sentences": "sentence encoder",
    "experiments": "experiment",
    "search": "search",
}
"""Sections whose keys are names that the user chooses, and what each of these is called."""

KINDS_OF_EMBEDDINGS = ("learned", "pretrained")
"""Any other kind is the name of vectors."""


class TrackingParameters(Section, title="Tracking"):
    """Where runs go in MLflow. The server is ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the
    project."""

    experiment: str = "nlp_rnn"
    """The MLflow experiment that runs are listed under."""


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
    sentences: dict[str, Sentences] = Field(default_factory=dict)
    """Sentence encoders, by name, that are learned from consecutive sentences of a data set."""
    experiments: dict[str, Experiment] = Field(default_factory=dict)
    """The experiments, by name: one model on one data set each."""
    encoders: list[str] = Field(default_factory=list)
    """Language models among the experiments, by name, whose embeddings and recurrent layers other
    experiments may start from."""
    memory: MemoryParameters | None = None
    """The long-memory experiment; ``null`` is none."""
    search: dict[str, SearchParameters] = Field(default_factory=dict)
    """What ``nlp-rnn search NAME`` varies, by name."""

    @property
    def kinds(self) -> dict[str, Kind]:
        """What the examples of every data set are, pseudo-labelled ones included."""
        kinds = {name: dataset.kind for name, dataset in self.datasets.items()}
        return {**kinds, **dict.fromkeys(self.pseudo_labelled, "labelled")}

    def dataset(self, name: str) -> AnyDataset:
        """The data set called ``name``; UserError with the nearest name where there is none."""
        return _named("data set", name, self.datasets)

    def folds(self, dataset: str) -> int | None:
        """The number of folds of a data set's cross-validation; None where it has none."""
        return self.datasets[dataset].split.folds if dataset in self.datasets else None

    def pseudo_labelled_dataset(self, name: str) -> PseudoLabelledDataset:
        """The data set called ``name``; UserError with the nearest name where there is none."""
        return _named("pseudo-labelled data set", name, self.pseudo_labelled)

    def experiment(self, name: str) -> AnyExperiment:
        """The experiment called ``name``; UserError with the nearest name where there is none."""
        return _named("experiment", name, self.experiments)

    def old_data(self, start: StartParameters) -> str | None:
        """The data set with the old examples of an experiment that starts from a trained model."""
        if start.dataset is None and not start.is_folder:
            return self.experiment(start.model).dataset
        return start.dataset

    def learned_vectors(self, name: str) -> AnyVectors:
        """The vectors called ``name``; UserError with the nearest name where there are none."""
        return _named("vectors", name, self.vectors)

    def learned_sentences(self, name: str) -> AnySentences:
        """The sentence encoder called ``name``; UserError with the nearest name where there is
        none."""
        return _named("sentence encoder", name, self.sentences)

    def encoder(self, name: str) -> AnyExperiment:
        """The language model ``name`` of the ``encoders``; UserError where it is none of them."""
        if name not in self.encoders:
            raise UserError(f"no encoder '{name}'; {nearest(name, self.encoders)}")
        return self.experiment(name)

    def search_called(self, name: str) -> SearchParameters:
        """The search called ``name``; UserError with the nearest name where there is none."""
        return _named("search", name, self.search)

    def _check_references(self, file: Path) -> None:
        for group in GROUPS:
            _check_names(file, group, getattr(self, group))
        for name, dataset in self.datasets.items():
            words_given = dataset.kind in TAGGED_KINDS and not dataset.cut_by_tokenizer
            if words_given and dataset.tokenizer.unit in ("character", "subword"):
                raise UserError(
                    f"{file}: datasets.{name}.tokenizer.unit: '{dataset.tokenizer.unit}' would cut "
                    "tagged words into pieces; use 'word' or 'whitespace'"
                )
        for name, vectors in self.vectors.items():
            key = f"{file}: vectors.{name}"
            if name in KINDS_OF_EMBEDDINGS:
                raise UserError(f"{key}: is a kind of embeddings already; rename")
            _named("data set", vectors.dataset, self.datasets, f"{key}.dataset: ")
            self._check_has_no_folds(f"{key}.dataset", vectors.dataset, "vectors are learned once")
            unit = self.datasets[vectors.dataset].tokenizer.unit
            if isinstance(vectors, ElmoVectors) and unit in ("character", "subword"):
                raise UserError(
                    f"{key}.dataset: elmo learns from words, but the tokens of {vectors.dataset} "
                    f"are {unit}s; take a data set with tokenizer.unit: word or whitespace"
                )
        self._check_encoders(file)
        self._check_sentences(file)
        self._check_pseudo_labelled(file)
        for name, experiment in self.experiments.items():
            key = f"{file}: experiments.{name}"
            kind = _named("data set", experiment.dataset, self.kinds, f"{key}.dataset: ")
            if experiment.start_from is not None:
                self._check_trained_model(name, experiment, experiment.start_from, key)
            self._check_several(experiment, f"{key}.training")
            if experiment.embeddings.contextual is not None:
                place = f"{key}.embeddings.contextual"
                self._check_contextual(experiment.embeddings.contextual, place)
            if experiment.embeddings.kind in self.encoders:
                self._check_encoder(name, experiment, key)
            elif isinstance(experiment.embeddings, TransferredEmbeddings):
                self._check_embeddings(experiment.embeddings, f"{key}.embeddings")
            if kind != (needed := TASK_KINDS[experiment.task].data):
                raise UserError(
                    f"{key}.task: {experiment.task} needs a {needed} "
                    f"data set, but {experiment.dataset} is {kind}"
                )
        for name, search in self.search.items():
            key = f"{file}: search.{name}"
            experiment = _named(
                "experiment", search.experiment, self.experiments, f"{key}.experiment: "
            )
            check_space(search, experiment, key)
            self._check_has_no_folds(
                f"{key}.experiment", experiment.dataset, "a search has one validation split"
            )

    def _check_several(self, experiment: AnyExperiment, key: str) -> None:
        """Raise UserError unless an experiment has either seeds or folds where it needs several."""
        training, folds = experiment.training, self.folds(experiment.dataset)
        if folds is None and training.seeds is None and training.keep != "best":
            raise UserError(
                f"{key}.keep: {training.keep} needs several models; set {key}.seeds, or "
                f"datasets.{experiment.dataset}.split.folds"
            )
        if folds is not None and training.seeds is not None:
            raise UserError(
                f"{key}.seeds: {experiment.dataset} has folds, each trained with the project's "
                "seed; leave seeds out"
            )

    def _check_has_no_folds(self, key: str, dataset: str, reason: str) -> None:
        """Raise UserError if a data set has folds where they would leak test examples."""
        if self.folds(dataset) is not None:
            raise UserError(
                f"{key}: {dataset} has folds, whose test examples differ, but {reason}; take a "
                "data set without split.folds"
            )

    def _check_embeddings(self, embeddings: TransferredEmbeddings, key: str) -> None:
        """Raise UserError unless the vectors that an experiment starts from are there, and fit."""
        name = embeddings.kind
        if name not in self.vectors:
            raise _no_kind(f"{key}.kind", name, [*self.vectors, *self.encoders], self.experiments)
        vectors = self.vectors[name]
        if isinstance(vectors, ElmoVectors):
            raise UserError(
                f"{key}.kind: vectors.{name} are contextual; set {key}.contextual: "
                f"{{vectors: {name}}}, and kind to learned or to other vectors"
            )
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

    def _check_contextual(self, contextual: ContextualParameters, key: str) -> None:
        """Raise UserError unless contextual word vectors of the project are there, and fit."""
        name = contextual.vectors
        if "/" in name:
            return
        vectors = _named("vectors", name, self.vectors, f"{key}.vectors: ")
        if not isinstance(vectors, ElmoVectors):
            raise UserError(
                f"{key}.vectors: vectors.{name} are learned by {vectors.algorithm}, which knows no "
                f"context; name vectors of algorithm: elmo, or set embeddings.kind: {name}"
            )
        for option in ("dimension", "layers"):
            own, given = getattr(contextual, option), getattr(vectors, option)
            if own != given:
                raise UserError(f"{key}.{option}: {own}, but vectors.{name} have {given}")

    def _check_encoders(self, file: Path) -> None:
        """Raise UserError unless the encoders are recurrent language models."""
        for name in self.encoders:
            key = f"{file}: encoders"
            if name not in self.experiments:
                hint = nearest(name, self.experiments)
                raise UserError(f"{key}: no experiments.{name}; {hint}")
            if not isinstance(self.experiments[name].model, LanguageModelParameters):
                raise UserError(f"{key}: {name} is no recurrent language model; leave it out")
            if name in self.vectors or name in KINDS_OF_EMBEDDINGS:
                raise UserError(f"{key}: vectors have the name {name} too; rename one of them")

    def _check_sentences(self, file: Path) -> None:
        """Raise UserError unless sentence encoders have texts to learn from, and vectors."""
        for name, section in self.sentences.items():
            key = f"{file}: sentences.{name}"
            if name in (*self.vectors, *self.encoders, *KINDS_OF_EMBEDDINGS):
                raise UserError(f"{key}: vectors have the name {name} too; rename one of them")
            found = _named("data set", section.dataset, self.datasets, f"{key}.dataset: ")
            self._check_has_no_folds(
                f"{key}.dataset", section.dataset, "an encoder is learned once"
            )
            if found.kind not in ("labelled", "text"):
                raise UserError(
                    f"{key}.dataset: {section.dataset} is {found.kind}; sentences are read from a "
                    "labelled or text data set"
                )
            embeddings = section.embeddings
            if embeddings.kind in self.encoders:
                raise UserError(
                    f"{key}.embeddings.kind: {embeddings.kind} is an encoder; name vectors of the "
                    "section vectors instead"
                )
            if embeddings.contextual is not None:
                raise UserError(
                    f"{key}.embeddings.contextual: sentence encoders read word vectors without "
                    "context; leave it out"
                )
            if isinstance(embeddings, TransferredEmbeddings):
                self._check_embeddings(embeddings, f"{key}.embeddings")

    def _check_pseudo_labelled(self, file: Path) -> None:
        """Raise UserError unless data sets and teachers are there, and of the right kind."""
        for name, dataset in self.pseudo_labelled.items():
            key = f"{file}: pseudo_labelled.{name}"
            if name in self.datasets:
                raise UserError(f"{key}: also named in datasets; rename")
            for part, kind in (("labelled", "labelled"), ("unlabelled", "text")):
                source = getattr(dataset, part)
                found = _named("data set", source, self.datasets, f"{key}.{part}: ").kind
                self._check_has_no_folds(f"{key}.{part}", source, "teachers label once")
                if found != kind:
                    raise UserError(f"{key}.{part}: {source} is {found}, not {kind}")
                if getattr(self.datasets[source], "multi_label", False):
                    raise UserError(
                        f"{key}.{part}: texts of {source} have any number of labels, and teachers "
                        "give one; choose a data set with one label a text"
                    )
            for teacher in dataset.teachers:
                at = f"{key}.teachers: "
                of = _named("experiment", teacher, self.experiments, at).dataset
                if of != dataset.labelled:
                    raise UserError(
                        f"{key}.teachers: {teacher} learns from {of}, not {dataset.labelled}"
                    )

    def _check_trained_model(
        self, name: str, experiment: AnyExperiment, start: StartParameters, key: str
    ) -> None:
        """Raise UserError unless what ``start_from`` names is there, and the network can take over
        its weights as far as the parameters tell."""
        if experiment.embeddings.kind in self.encoders:
            raise UserError(
                f"{key}.embeddings.kind: {experiment.embeddings.kind} is an encoder, and "
                "start_from takes over all layers; leave one of them out"
            )
        if not start.is_folder:
            self._check_ancestors(name, start, f"{key}.start_from")
            source = self.experiment(start.model)
            check_start(experiment, source, key, f"experiments.{start.model}")
        old = self.old_data(start)
        if old is None and start.rehearse is not None:
            raise UserError(
                f"{key}.start_from.dataset: rehearse needs a data set with the old examples; name "
                "one"
            )
        if old is not None:
            kind = _named("data set", old, self.kinds, f"{key}.start_from.dataset: ")
            if kind != (needed := TASK_KINDS[experiment.task].data):
                raise UserError(
                    f"{key}.start_from.dataset: {experiment.task} needs a {needed} data set, but "
                    f"{old} is {kind}"
                )

    def _check_ancestors(self, name: str, start: StartParameters, key: str) -> None:
        """Raise UserError unless the experiments that one starts from, and those that they start
        from, are there and are others."""
        ancestors = [name]
        following: StartParameters | None = start
        while following is not None and not following.is_folder:
            model = following.model
            if model not in self.experiments:
                raise _no_start(key, model, self.experiments)
            if model in ancestors:
                way = " from ".join([*ancestors[ancestors.index(model) :], model])
                raise UserError(f"{key}: {way}: an experiment cannot start from itself")
            ancestors.append(model)
            following = self.experiments[model].start_from

    def _check_encoder(self, name: str, experiment: AnyExperiment, key: str) -> None:
        """Raise UserError unless an experiment's network can start from an encoder's."""
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
        if embeddings.contextual is not None:
            raise UserError(f"{key}.embeddings.contextual: {encoder} reads none; leave it out")
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


def _no_kind(key: str, name: str, vectors: Iterable[str], experiments: Iterable[str]) -> UserError:
    """What is wrong with a kind of embeddings that there is not."""
    hint = nearest(name, [*KINDS_OF_EMBEDDINGS, *vectors])
    if name in experiments:
        hint = "to start from the experiment of that name, list it under encoders"
    return UserError(f"{key}: no such kind '{name}', nor vectors of that name; {hint}")


def _no_start(key: str, name: str, experiments: Iterable[str]) -> UserError:
    """What is wrong with an experiment to start from that there is not."""
    hint = nearest(name, experiments)
    return UserError(f"{key}: no experiment '{name}' (a folder has a / in its path); {hint}")


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


def _tags(discriminator: str, place: str) -> tuple[str, ...]:
    """The valid values of the ``discriminator`` of the section at a place that lacks it."""
    group, _, key = place.partition(".")[0], *place.rpartition(".")[1:]
    unions = {
        "source": AnyDataset,
        "task": AnyExperiment,
        "algorithm": AnySentences if group == "sentences" else AnyVectors,
        "kind": {
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
    if discriminator in section:
        found, valid = section[discriminator], error["ctx"].get("expected_tags", "")
        return f"{key}.{discriminator}: no such {discriminator} {found!r}; " + nearest(
            str(found), re.findall(r"'(\w+)'", valid)
        )
    tags = _tags(discriminator, key)
    close = difflib.get_close_matches(discriminator, [str(name) for name in section], n=1)
    hint = f"unknown parameter '{close[0]}'; did you mean '{discriminator}'?" if close else ""
    return f"{key}: " + (hint or f"needs {discriminator}, one of: {', '.join(tags)}")


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
    return parse(read_yaml(file), file)


def load_part(group: str, name: str, file: Path = PARAMS_FILE) -> Parameters:
    """Read and validate what ``name`` of a group of sections needs, and nothing else.

    So a mistake elsewhere in the file does not stop it.

    Raises:
        UserError: the file is missing, is no YAML, has no such name, or a key that it needs is
            wrong.
    """
    data = read_yaml(file)
    if group == "datasets" and name in _section(data, "pseudo_labelled"):
        group = "pseudo_labelled"
    if name not in (section := _section(data, group)):
        parse(_without_names(data), file)  # a misspelt section has no names
        _named(GROUPS[group], name, section)
    return parse(needed(data, group, name, file), file)


def load_shared(file: Path = PARAMS_FILE) -> Parameters:
    """Read and validate what belongs to no named section: backend, seed, where runs are tracked.

    Raises:
        UserError: the file is missing, is no YAML, or one of these keys is wrong.
    """
    return parse(_without_names(read_yaml(file)), file)


def faults(file: Path = PARAMS_FILE) -> list[UserError]:
    """Everything that is wrong with a parameter file, one error for each name in it at most.

    Raises:
        UserError: the file is missing or is no YAML.
    """
    data = read_yaml(file)
    found: dict[str, UserError] = {}
    parts: list[Callable[[], Parameters]] = [
        partial(parse, _without_names(data), file),
        *(partial(load_part, g, name, file) for g in GROUPS for name in _section(data, g)),
        partial(parse, data, file),
    ]
    for part in parts:
        try:
            part()
        except UserError as error:
            found.setdefault(str(error), error)
    return list(found.values())


def _without_names(data: Any) -> Any:
    """``data`` without the sections whose keys are names."""
    if not isinstance(data, Mapping):
        return data
    return {key: value for key, value in data.items() if key not in (*GROUPS, "encoders")}


def _section(data: Any, group: str) -> Mapping[str, Any]:
    section = data.get(group) if isinstance(data, Mapping) else None
    return section if isinstance(section, Mapping) else {}


def needed(data: Any, group: str, name: str, file: Path = PARAMS_FILE) -> Any:
    """``data`` without the named sections that ``name`` of ``group`` does not need.

    Raises:
        UserError: a section that is needed is not there.
    """
    kept: dict[str, set[str]] = {group: set() for group in GROUPS}
    waiting = [(group, name)]
    while waiting:
        group, name = waiting.pop()
        if name not in kept[group]:
            kept[group].add(name)
            section = _section(data, group)[name]
            waiting += _references(data, group, section, f"{file}: {group}.{name}")
    pruned = {
        group: {name: section for name, section in data[group].items() if name in names}
        for group, names in kept.items()
        if isinstance(data.get(group), Mapping)
    }
    encoders = [name for name in _list(data.get("encoders")) if name in kept["experiments"]]
    return {**data, **pruned, **({"encoders": encoders} if "encoders" in data else {})}


def _list(value: Any) -> list[str]:
    """The strings of a list; none where it is no list, which ``parse`` complains about."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


NAMED_BY = {
    "search": {"experiment": "experiments"},
    "pseudo_labelled": {
        "labelled": "datasets",
        "unlabelled": "datasets",
        "teachers": "experiments",
    },
    "vectors": {"dataset": "datasets"},
    "sentences": {"dataset": "datasets"},
    "experiments": {"dataset": "datasets"},
}
"""Which keys of a named section hold names of others."""


def _references(data: Any, group: str, section: Any, place: str) -> Iterator[tuple[str, str]]:
    """The sections that another one names.

    Args:
        place: where that one stands, for messages.
    """
    if not isinstance(section, Mapping):
        return
    for key, other in NAMED_BY.get(group, {}).items():
        given = section.get(key)
        for name in [given] if isinstance(given, str) else _list(given):
            found = other
            if other == "datasets" and name in _section(data, "pseudo_labelled"):
                found = "pseudo_labelled"
            _named(GROUPS[other], name, _section(data, found), f"{place}.{key}: ")
            yield found, name
    if group == "experiments":
        yield from _start_references(data, section.get("start_from"), f"{place}.start_from")
    embeddings = section.get("embeddings") if group in ("experiments", "sentences") else None
    contextual = embeddings.get("contextual") if isinstance(embeddings, Mapping) else None
    context = contextual.get("vectors") if isinstance(contextual, Mapping) else None
    if isinstance(context, str) and "/" not in context:
        key = f"{place}.embeddings.contextual.vectors: "
        _named("vectors", context, _section(data, "vectors"), key)
        yield "vectors", context
    kind = embeddings.get("kind") if isinstance(embeddings, Mapping) else None
    if isinstance(kind, str) and kind not in KINDS_OF_EMBEDDINGS:
        encoders, vectors = _list(data.get("encoders")), _section(data, "vectors")
        found = "experiments" if kind in encoders else "vectors"
        if kind not in _section(data, found):
            experiments = _section(data, "experiments")
            raise _no_kind(f"{place}.embeddings.kind", kind, [*vectors, *encoders], experiments)
        yield found, kind


def _start_references(data: Any, start: Any, place: str) -> Iterator[tuple[str, str]]:
    """The sections that ``start_from`` of an experiment names; see :func:`_references`."""
    model = start.get("model") if isinstance(start, Mapping) else start
    experiments = _section(data, "experiments")
    if isinstance(model, str) and "/" not in model:
        if model not in experiments:
            raise _no_start(place, model, experiments)
        yield "experiments", model
    dataset = start.get("dataset") if isinstance(start, Mapping) else None
    if isinstance(dataset, str):
        pseudo = dataset in _section(data, "pseudo_labelled")
        found = "pseudo_labelled" if pseudo else "datasets"
        _named(GROUPS["datasets"], dataset, _section(data, found), f"{place}.dataset: ")
        yield found, dataset


def to_yaml(values: Mapping[str, Any]) -> str:
    """``values`` in YAML, in their order."""
    import io

    from ruamel.yaml import YAML

    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.width, yaml.sort_base_mapping_type_on_output = 4096, False  # type: ignore[assignment]
    yaml.dump(values, text)
    return text.getvalue()


def read_yaml(file: Path) -> Any:
    """What a YAML file holds.

    Raises:
        UserError: it is missing, cannot be read or is no YAML.
    """
    require("ruamel", "train", str(file))

    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with file.open(encoding="utf-8") as stream:
            return load_yaml(stream.read(LARGEST + 1))
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; run from the project's folder") from None
    except IsADirectoryError:
        raise UserError(f"{file}: is a folder, not a parameter file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{file}, line {line}: not valid YAML: {error.problem}") from None
    except TooLarge as error:
        raise UserError(f"{file}: holds too much: {error}") from None
    except (YAMLError, ValueError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{file}: not valid YAML: {reason}") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
