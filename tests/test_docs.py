"""What the documents name is there: tests, parameters, examples."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from inspect import get_annotations
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from nlp_rnn.config import Parameters, model, parse, training
from nlp_rnn.config.section import Section
from nlp_rnn.errors import UserError

PROJECT = Path(__file__).parents[1]
DOCUMENTS = sorted((PROJECT / "docs").glob("*.md"))
LAYERS = (PROJECT / "docs" / "layers.md").read_text(encoding="utf-8")

SECTIONS: list[type[Section]] = [
    model.ClassifierParameters,
    model.AveragedParameters,
    model.WindowClassifierParameters,
    model.ConvolutionalClassifierParameters,
    model.TaggerParameters,
    model.LanguageModelParameters,
    model.FeedForwardParameters,
    model.JointParameters,
    model.RoleTaggerParameters,
    model.EncoderDecoderParameters,
    training.BatchTrainingParameters,
    training.ClassificationTrainingParameters,
    training.JointTrainingParameters,
    training.LanguageModelTrainingParameters,
    training.EncoderDecoderTrainingParameters,
]
"""Where the lines of an experiment's ``model:`` and ``training:`` may stand."""

DATASETS = {
    "classification": "grammar-reviews",
    "tagging": "grammar-entities",
    "language_modelling": "grammar-text",
    "sequence_to_sequence": "translation-pairs",
}


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def in_column(name: str) -> list[str]:
    """The pieces of code in the column ``name`` of every table of ``layers.md`` that has one."""
    found, column = [], None
    for line in LAYERS.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 1:
            column = None
        elif column is None:
            column = cells.index(name) if name in cells else -1
        elif column > 0:
            found += re.findall(r"`([^`]+)`", cells[column])
    return found


def outcomes(lines: str) -> Iterator[Section | str]:
    """What each section makes of lines of YAML in flow style: itself, or what is wrong."""
    for section in SECTIONS:
        try:
            yield section.model_validate(read(f"{{{lines}}}"))
        except ValidationError as error:
            yield error.errors()[0]["msg"]


def given(section: Section) -> Iterator[tuple[str, str]]:
    """The options that were set, each with the class that declares it."""
    for option in section.model_fields_set:
        declaring = (c for c in type(section).__mro__ if option in get_annotations(c))
        yield next(declaring).__name__, option
        value = getattr(section, option)
        if isinstance(value, Section):
            yield from given(value)


def valid(lines: str) -> list[Section]:
    return [outcome for outcome in outcomes(lines) if isinstance(outcome, Section)]


@pytest.mark.slow
def test_every_test_that_is_named_exists() -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for file, name in re.findall(r"([\w/.]+\.py)::(\w+)", text):
            source = (PROJECT / "tests" / file).read_text(encoding="utf-8")
            defined = {
                n.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)
            }
            assert name in defined, f"{document.name}: {file}::{name}"


@pytest.mark.parametrize("lines", sorted(set(in_column("parameter"))))
def test_every_parameter_of_a_table_is_valid(lines: str) -> None:
    assert valid(lines), list(outcomes(lines))


@pytest.mark.slow
def test_every_option_is_in_a_table() -> None:
    options = {
        (section.__name__, option)
        for module in (model, training)
        for section in vars(module).values()
        if isinstance(section, type) and section.__module__ == module.__name__
        for option in get_annotations(section)
    }
    shown = {
        option for lines in in_column("parameter") for s in valid(lines) for option in given(s)
    }
    assert options <= shown, options - shown


@pytest.mark.parametrize("lines", in_column("refused"))
def test_what_does_not_combine_is_refused(lines: str) -> None:
    assert not valid(lines)
    reasons = [reason for reason in outcomes(lines) if isinstance(reason, str)]
    assert any(not reason.startswith("unknown parameter") for reason in reasons)


def examples() -> Iterator[Any]:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)):
            yield pytest.param(read(block), id=f"{document.stem}-{number}")


def projects_with(example: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Parameter files with an example in it: keys of the file, or of one experiment in it."""
    project = read((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    datasets = project["datasets"]
    if example.keys() <= Parameters.model_fields.keys():
        groups = ("datasets", "experiments")
        yield example | {group: project[group] | example.get(group, {}) for group in groups}
        return
    for task, dataset in DATASETS.items():
        experiment = {
            "task": task,
            "dataset": dataset,
            "embeddings": {"kind": "learned"},
            "model": {},
            "training": {},
        }
        if example.get("task", task) == task:
            yield {"datasets": datasets, "experiments": {"example": experiment | example}}


@pytest.mark.parametrize("example", examples())
def test_every_example_in_yaml_is_valid(example: dict[str, Any]) -> None:
    faults = []
    for project in projects_with(example):
        try:
            parse(project, Path("params.yaml"))
        except UserError as fault:
            faults.append(str(fault))
        else:
            return
    pytest.fail("\n".join(faults))
