"""The ``dvc.yaml`` of a project, written from its ``params.yaml``.

It has the stages that the parameters need, so a project without word vectors of its own has none of
their stages. DVC expands ``foreach`` itself: another experiment on the same kind of data needs no
other file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_rnn.config import (
    KINDS_OF_EMBEDDINGS,
    ElmoVectors,
    FilesDataset,
    GrammarDataset,
    MemoryDataset,
    PairsDataset,
    Parameters,
    PretrainedEmbeddings,
    read_yaml,
)
from nlp_rnn.config.section import Section
from nlp_rnn.files import whole_file

COMMAND = "nlp-rnn stage {stage}"
"""What runs a stage where this package is installed."""

PLACEHOLDER = """\
Experiments with `embeddings: {{kind: {kind}}}` depend on this file instead of on word vectors
that the project makes, because DVC has no conditional dependencies.
"""

STARTS = ("start/no_model", "start/no_data")
"""The files that stand for a trained model and its data, for experiments that start anew."""

START_PLACEHOLDER = """\
Experiments without `start_from` depend on this file instead of on a trained model and its data,
because DVC has no conditional dependencies.
"""

NO_CONTEXT = "vectors/no_context"
"""The file that stands for contextual word vectors, for experiments that read none."""

CONTEXT_PLACEHOLDER = """\
Experiments without `embeddings.contextual` depend on this file instead of on contextual word
vectors, because DVC has no conditional dependencies.
"""

VARS = """\
# What experiments start from. DVC reads it as a part of params.yaml.
vars:
  - experiments:
"""

RAW = "data/raw"
"""The folder of the data that a project holds itself."""

PLOTS = """\
# Drawn by `dvc plots show`, each folder with a curve or a matrix for every experiment.
plots:
  - plots/loss:
      x: epoch
      y: [train_loss, validation_loss]
      y_label: nats per target
  - plots/confusion:
      template: confusion
      x: predicted
      y: gold
  - plots/calibration:
      x: confidence
      y: accuracy
"""


@dataclass(frozen=True)
class Stage:
    """A stage of ``dvc.yaml``, as DVC's templates write it.

    Attributes:
        name: of the stage, and of the function in :mod:`nlp_rnn.stages`.
        foreach: the section of ``params.yaml`` whose names it runs for; "" for once.
        deps, params, outs: as in ``dvc.yaml``.
        metrics: outputs that DVC shows as metrics.
        persist: outputs that DVC does not restore from its cache of runs.
        always: whether DVC runs it at each ``dvc repro``.
    """

    name: str
    foreach: str = ""
    deps: Sequence[str] = ()
    params: Sequence[str] = ()
    outs: Sequence[str] = ()
    metrics: Sequence[str] = ()
    persist: Sequence[str] = ()
    always: bool = False

    @property
    def argument(self) -> str:
        """What DVC puts behind the command: the name that the stage runs for.

        In quotes, because DVC hands the line to a shell before any name is checked.
        """
        if not self.foreach:
            return ""
        return " '${item}'" if self.foreach in LISTS else " '${key}'"


LISTS = ("encoders", "memory.problems")
"""Sections that are lists of names."""


def stages(parameters: Parameters) -> list[Stage]:
    """The stages that ``parameters`` need, in the order of the data's way."""
    return [
        *_of_data(parameters),
        *_of_vectors(parameters),
        *_of_experiments(parameters),
        *_of_memory(parameters),
    ]


def _of_data(parameters: Parameters) -> Iterator[Stage]:
    datasets = parameters.datasets.values()
    elsewhere = any(map(_lies_elsewhere, datasets))
    if elsewhere:
        yield Stage(
            "download",
            "datasets",
            params=["datasets.${key}"],
            outs=["data/checksums/${key}.json"],
            always=True,
        )
    raw = [RAW] if any(map(_lies_in_the_project, datasets)) else []
    checksums = ["data/checksums/${key}.json"] if elsewhere else []
    if datasets:
        yield Stage(
            "prepare",
            "datasets",
            deps=raw + checksums,
            params=["datasets.${key}"],
            outs=["data/prepared/${key}"],
        )
    if parameters.pseudo_labelled:
        yield Stage(
            "pseudo_label",
            "pseudo_labelled",
            deps=[
                "data/prepared/${item.labelled}",
                "data/prepared/${item.unlabelled}",
                "models/${item.teachers[0]}",
                "models/${item.teachers[1]}",
            ],
            params=["pseudo_labelled.${key}"],
            outs=["data/prepared/${key}"],
        )
    for name, section in (("baselines", "datasets"), ("pseudo_baselines", "pseudo_labelled")):
        if getattr(parameters, section):
            yield Stage(
                name,
                section,
                deps=["data/prepared/${key}"],
                outs=["figures/baselines/${key}.json", "predictions/baselines/${key}"],
            )


def _of_vectors(parameters: Parameters) -> Iterator[Stage]:
    if parameters.vectors:
        yield Stage(
            "vectors",
            "vectors",
            deps=["data/prepared/${item.dataset}"],
            params=[*["backend"] * learns_context(parameters), "seed", "vectors.${key}"],
            outs=["vectors/${key}"],
        )
    if parameters.encoders:
        yield Stage("encoder", "encoders", deps=["models/${item}"], outs=["vectors/${item}"])
    if parameters.sentences:
        starts = _data_and_vectors(parameters)
        if any(map(_reads_a_file, parameters.sentences.values())):
            checksum = _checksum("sentence_vector_file", "sentences", "sentences")
            starts += checksum.outs
            yield checksum
        yield Stage(
            "sentences",
            "sentences",
            deps=starts,
            params=["backend", "seed", "sentences.${key}"],
            outs=["vectors/${key}"],
        )


def _checksum(name: str, section: str, folder: str) -> Stage:
    """The stage that notes the checksum of the file of word vectors from which what a section lists
    starts."""
    return Stage(
        name,
        section,
        params=[f"{section}.${{key}}.embeddings"],
        outs=[f"data/checksums/{folder}/${{key}}.json"],
        always=True,
    )


def _data_and_vectors(parameters: Parameters) -> list[str]:
    """What a stage with ``dataset`` and ``embeddings`` depends on."""
    of_vectors = ["vectors/${item.embeddings.kind}"] if makes_vectors(parameters) else []
    return ["data/prepared/${item.dataset}", *of_vectors]


def _of_experiments(parameters: Parameters) -> Iterator[Stage]:
    if not parameters.experiments:
        return
    starts = _data_and_vectors(parameters)
    if reads_context(parameters):
        starts.append("${item.start.context}")
    if any(map(_reads_a_file, parameters.experiments.values())):
        checksum = _checksum("vector_file", "experiments", "vectors")
        starts += checksum.outs
        yield checksum
    yield Stage(
        "embed",
        "experiments",
        deps=starts,
        params=["seed", "experiments.${key}.dataset", "experiments.${key}.embeddings"],
        outs=["embeddings/${key}"],
    )
    # All of the experiment but `evaluation`, which trains nothing.
    parts = ("task", "dataset", "embeddings", "model", "training")
    with_start = starts_from_models(parameters)
    start = ["${item.start.model}", "${item.start.data}"] if with_start else []
    yield Stage(
        "train",
        "experiments",
        deps=["data/prepared/${item.dataset}", "embeddings/${key}", *start],
        params=[
            *("backend", "seed", *(f"experiments.${{key}}.{part}" for part in parts)),
            *(["${item.start.parameters}"] if with_start else []),
        ],
        outs=[
            "models/${key}",
            "runs/${key}.json",
            "plots/loss/${key}.csv",
            "plots/training/${key}",
        ],
    )
    yield _evaluation(start)
    yield Stage("report", deps=["figures"], outs=["reports"])


def _evaluation(start: Sequence[str]) -> Stage:
    """The stage that judges an experiment, which may depend on what it starts from."""
    return Stage(
        "evaluate",
        "experiments",
        deps=[
            "data/prepared/${item.dataset}",
            "figures/baselines/${item.dataset}.json",
            "models/${key}",
            "runs/${key}.json",
            *start,
        ],
        params=["experiments.${key}"],
        metrics=["metrics/${key}.json"],
        outs=[
            "figures/${key}.json",
            "plots/evaluation/${key}",
            "plots/confusion/${key}",
            "plots/calibration/${key}",
        ],
        # A stage that DVC restores runs no code, and the registry's alias `current` would stay at
        # another model than that in models/.
        persist=["predictions/${key}.jsonl"],
    )


def starts(parameters: Parameters) -> dict[str, dict[str, str]]:
    """What each experiment depends on beside its own data and its word vectors; empty in a project
    in which none starts from a trained model or reads contextual word vectors.

    Data that an experiment is trained on anyway are not named again, since DVC wants each
    dependency once.
    """
    with_start = starts_from_models(parameters)
    found: dict[str, dict[str, str]] = {}
    for name, experiment in parameters.experiments.items():
        of_each: dict[str, str] = {}
        if with_start:
            model, data = STARTS
            named = "seed"
            if experiment.start_from is not None:
                model, named = experiment.start_from.folder, f"experiments.{name}.start_from"
                old = parameters.old_data(experiment.start_from)
                data = data if old in (None, experiment.dataset) else f"data/prepared/{old}"
            of_each |= {"model": model, "data": data, "parameters": named}
        if reads_context(parameters):
            context = experiment.embeddings.contextual
            of_each["context"] = NO_CONTEXT if context is None else context.folder
        if of_each:
            found[name] = of_each
    return found


def starts_from_models(parameters: Parameters) -> bool:
    """Whether an experiment starts from a trained model."""
    return any(each.start_from for each in parameters.experiments.values())


def learns_context(parameters: Parameters) -> bool:
    """Whether the project learns contextual word vectors."""
    return any(isinstance(each, ElmoVectors) for each in parameters.vectors.values())


def reads_context(parameters: Parameters) -> bool:
    """Whether an experiment reads contextual word vectors."""
    return any(each.embeddings.contextual for each in parameters.experiments.values())


def _of_memory(parameters: Parameters) -> Iterator[Stage]:
    if parameters.memory is not None:
        yield Stage(
            "memory",
            "memory.problems",
            params=["backend", "seed", "memory"],
            outs=["figures/memory/${item}.json", "plots/memory/${item}"],
        )


def makes_vectors(parameters: Parameters) -> bool:
    """Whether the project makes vectors that an experiment may start from."""
    return bool(parameters.vectors or parameters.encoders)


def _files(dataset: Any) -> list[str]:
    """The paths of a data set in files."""
    if not isinstance(dataset, FilesDataset):
        return []
    given = (dataset.train, dataset.validation, dataset.test)
    return [path for each in given for path in ([each] if isinstance(each, str) else each or ())]


def _lies_in_the_project(dataset: Any) -> bool:
    return any(path.startswith(f"./{RAW}/") for path in _files(dataset))


def _lies_elsewhere(dataset: Any) -> bool:
    built_in = isinstance(dataset, GrammarDataset | MemoryDataset | PairsDataset)
    return not built_in and not _lies_in_the_project(dataset)


def _reads_a_file(section: Any) -> bool:
    """Whether an experiment or a sentence encoder starts from a file of word vectors."""
    return isinstance(section.embeddings, PretrainedEmbeddings)


# --- as text ------------------------------------------------------------------------


def dvc_yaml(
    parameters: Parameters,
    command: str = COMMAND,
    code: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The text of ``dvc.yaml``.

    Args:
        command: runs a stage; ``{stage}`` stands for its name.
        code: files that each stage depends on beside its data.
    """
    needed = stages(parameters)
    way = " -> ".join(stage.name for stage in needed)
    parts = [f"# {way}", "# Written by `nlp-rnn pipeline` from params.yaml."]
    if found := starts(parameters):
        of_each = (f"      {name}: {{start: {_flow(start)}}}" for name, start in found.items())
        parts.append(VARS + "\n".join(of_each))
    parts.append("stages:")
    for stage in needed:
        own = (code or {}).get(_function(stage), ())
        parts += [*_lines(stage, command.format(stage=_function(stage)), own), ""]
    if parameters.experiments:
        parts.append(PLOTS)
    return "\n".join(parts).rstrip() + "\n"


def _flow(values: Mapping[str, str]) -> str:
    """A mapping of texts on one line of YAML."""
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in values.items()) + "}"


def _function(stage: Stage) -> str:
    """The function of :mod:`nlp_rnn.stages` that a stage runs."""
    return "baselines" if stage.name == "pseudo_baselines" else stage.name


def _lines(stage: Stage, command: str, code: Sequence[str]) -> Iterator[str]:
    yield f"  {stage.name}:"
    indent = "    "
    if stage.foreach:
        yield f"    foreach: ${{{stage.foreach}}}"
        yield "    do:"
        indent = "      "
    yield f"{indent}cmd: {command}{stage.argument}"
    if stage.always:
        yield f"{indent}always_changed: true # so that a changed file of yours is noticed"
    for key, entries in (
        ("deps", [*code, *stage.deps]),
        ("params", stage.params),
        ("metrics", stage.metrics),
        ("outs", stage.outs),
    ):
        if entries:
            yield f"{indent}{key}:"
            yield from (f"{indent}  - {entry}" for entry in entries)
    for entry in stage.persist:
        yield f"{indent}  - {entry}:"
        yield f"{indent}      persist: true"


def placeholders(parameters: Parameters, project: Path) -> dict[Path, str]:
    """The files that stand for vectors and trained models, for experiments that start from none of
    the project's, and their text.

    DVC has no conditional dependencies.
    """
    found = {}
    if makes_vectors(parameters):
        folder = project / "vectors"
        found = {folder / kind: PLACEHOLDER.format(kind=kind) for kind in KINDS_OF_EMBEDDINGS}
    if starts_from_models(parameters):
        found |= {project / file: START_PLACEHOLDER for file in STARTS}
    if reads_context(parameters):
        found[project / NO_CONTEXT] = CONTEXT_PLACEHOLDER
    return found


def write_pipeline(parameters: Parameters, project: Path) -> None:
    """Write ``dvc.yaml`` and the files that it depends on into a project's folder."""
    with whole_file(project / "dvc.yaml") as partial:
        partial.write_text(dvc_yaml(parameters), encoding="utf-8")
    for file, text in placeholders(parameters, project).items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")


def missing_keys(parameters: Parameters, project: Path) -> dict[str, Any]:
    """The keys that stages name and the project's ``params.yaml`` leaves to their defaults, which
    DVC does not know; each with its default."""
    written = read_yaml(project / "params.yaml")
    named = {key for stage in stages(parameters) for key in stage.params if "." not in key}
    return {
        key: getattr(parameters, key)
        for key in sorted(named)
        if key not in written and not isinstance(getattr(parameters, key), Section)
    }


def missing_stages(parameters: Parameters, project: Path) -> list[str]:
    """The stages that ``parameters`` need and the project's ``dvc.yaml`` lacks.

    Raises:
        UserError: there is no ``dvc.yaml``, or it is no YAML.
    """
    found = read_yaml(project / "dvc.yaml")
    there = found.get("stages") if isinstance(found, dict) else None
    return [stage.name for stage in stages(parameters) if stage.name not in (there or ())]


def knows_starts(parameters: Parameters, project: Path) -> bool:
    """Whether the project's ``dvc.yaml`` says what experiments start from as ``parameters`` do.

    Raises:
        UserError: there is no ``dvc.yaml``, or it is no YAML.
    """
    found = read_yaml(project / "dvc.yaml")
    listed = found.get("vars") if isinstance(found, dict) else None
    written = [each["experiments"] for each in listed or () if "experiments" in each]
    of_each = {name: {"start": start} for name, start in starts(parameters).items()}
    return written == ([of_each] if of_each else [])
