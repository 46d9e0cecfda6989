"""The reference of params.yaml is complete, true and up to date; editors get the same rules."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from nlp_rnn.cli import main
from nlp_rnn.config import Parameters, parse, reference
from nlp_rnn.config.schema import in_words, json_schema
from nlp_rnn.config.section import Section
from nlp_rnn.errors import UserError

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "parameters.md"
SCHEMA = PROJECT / "docs" / "params.schema.json"
SECTIONS = list(reference.places())
KEYS = [
    pytest.param(key, id=f"{section.__name__}.{key.name}")
    for section in SECTIONS
    for key in reference.own_keys(section)
]


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@cache
def project() -> dict[str, Any]:
    """The root's parameters, and those of the memory experiment."""
    files = (PROJECT / "params.yaml", PROJECT / "examples/memory/params.yaml")
    root, memory = (read(file.read_text(encoding="utf-8")) for file in files)
    return root | {"memory": memory["memory"]}


def shown(section: type[Section]) -> dict[str, list[str]]:
    """The cells of the table that the page has for a section, by key."""
    page = PAGE.read_text(encoding="utf-8")
    text = page.split(f"### {reference.title(section)}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$", text, re.M)
    return {name: cells for name, *cells in rows}


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_described_in_whole_sentences(key: reference.Key) -> None:
    assert re.fullmatch(r"[A-Z`0-9].*\.", key.meaning), key.meaning
    assert "|" not in key.meaning and ":`" not in key.meaning, "breaks the table, or names code"


@pytest.mark.parametrize("key", KEYS)
def test_every_default_that_is_shown_is_the_real_one(key: reference.Key) -> None:
    _, default, _ = shown(key.section)[key.name]
    if default == "required":
        assert key.field.is_required()
    elif default == "from other keys":
        assert (key.section.__name__, key.name) == ("FilesDataset", "kind")
    else:
        real = key.field.get_default(call_default_factory=True)
        value = read(default.strip("`"))
        if isinstance(real, Section):
            value = type(real).model_validate(value)
        assert value == (list(real) if isinstance(real, tuple) else real)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "options"), [(PAGE, []), (SCHEMA, ["--schema"])], ids=["page", "schema"]
)
def test_the_documents_are_what_the_command_writes(
    file: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parameters", *options]) == 0
    command = " ".join(["nlp-rnn parameters", *options, ">", str(file.relative_to(PROJECT))])
    same = capsys.readouterr().out == file.read_text(encoding="utf-8")
    assert same, f"the configuration has changed; run: {command}"


def test_every_section_is_in_one_chapter_under_a_heading_of_its_own() -> None:
    chapters = reference.sections_by_chapter()
    in_chapters = [section for sections in chapters.values() for section in sections]
    assert sorted(map(repr, in_chapters)) == sorted(map(repr, SECTIONS))
    headings = [*chapters, *map(reference.title, SECTIONS)]
    assert len({heading.lower() for heading in headings}) == len(headings)


def test_every_link_of_the_page_leads_to_a_heading() -> None:
    page = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^##+ (.*)$", page, re.M)
    anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\(#([^)]*)\)", page)) == anchors


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "exclusiveMinimum": 0}, "a whole number of 1 or more"),
        ({"type": "integer"}, "a whole number"),
        (
            {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            "a number of 0 or more and below 1",
        ),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "a number above 0 and at most 1"),
        ({"enum": ["a", "b", "c"], "type": "string"}, "one of `a`, `b` or `c`"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, "a string, or `null`"),
        (
            {"anyOf": [{"const": "gru"}, {"oneOf": [{"$ref": "A"}, {"$ref": "B"}]}]},
            "`gru`, or a mapping: A or B",
        ),
        (
            {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
            "a list of 2, each a whole number",
        ),
        ({"type": "array", "items": {}, "minItems": 1}, "a list of 1 or more values"),
        (
            {"type": "object", "additionalProperties": {"$ref": "A"}, "minProperties": 1},
            "1 or more names, and under each of them a mapping: A",
        ),
    ],
)
def test_values_are_in_plain_words(schema: dict[str, Any], words: str) -> None:
    assert in_words(schema, str) == words


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("seed", ["seed (All of params.yaml)", "datasets.NAME.seed (Every data set)"]),
        ("model.dropout", ["experiments.NAME.model.dropout (Every model)", "default: `0.0`"]),
        ("experiments.pos-bilstm.training.epochs", ["a whole number of 1 or more", "`10`"]),
        ("datasets.imdb.train", ["datasets.NAME.train (Your own files)", "required"]),
        ("cell.forget_bias", ["memory.networks.NAME.cell.forget_bias (LSTM)", "(Phased LSTM)"]),
        ("training.schedule", ["Learning-rate schedule: kind, warmup, decay, start"]),
    ],
)
def test_one_key_is_explained(
    asked: str, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parameters", asked]) == 0
    printed = capsys.readouterr().out
    assert all(words in printed for words in expected), printed


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("training.dropout", "nearest: training.word_dropout, model.dropout, "),
        ("model.unit", "nearest: model.units, "),
        ("qqq", "nlp-rnn parameters lists all"),
    ],
)
def test_an_unknown_key_names_the_nearest(
    asked: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parameters", asked]) == 2
    error = capsys.readouterr().err
    assert f"no key '{asked}'; {expected}" in error and error.count("\n") == 1


@pytest.mark.slow
def test_the_schema_is_one_and_accepts_the_parameters_of_this_project() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(project(), json.loads(SCHEMA.read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("experiments.lm-lstm.model.output", "sampled_softmax"),
        ("experiments.lm-lstm.model", {"kind": "feed_forward", "inputs": "average"}),
        ("experiments.pos-bilstm.model.cell", {"kind": "gru", "reset_after": False}),
        ("experiments.pos-bilstm.embeddings", {"kind": "grammar-pmi", "dimension": 50}),
        ("experiments.lm-lstm.training.scheduled_sampling", {}),
    ],
)
def test_the_schema_accepts_what_is_written_short(key: str, value: Any) -> None:
    parse(changed := with_value(key, value), Path("params.yaml"))
    validator().validate(changed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("experiment", {}),
        ("experiments.pos-bilstm.model.unit", 64),
        ("experiments.pos-bilstm.model.units", "many"),
        ("experiments.pos-bilstm.model.units", 0),
        ("experiments.pos-bilstm.model.cell", "gruu"),
        ("experiments.pos-bilstm.task", "parsing"),
        ("experiments.pos-bilstm.embeddings", {"kind": "pretrained", "dimension": 50}),
        ("experiments.lm-lstm.model.output", "adaptive_softmax"),
        ("experiments.lm-lstm.training.batching", "sorted"),
        ("datasets.grammar-text.source", "grammars"),
        ("datasets.grammar-text.tokenizer.lowercase", "no"),
        ("search.sentiment.space", {}),
        ("memory.overrides.adding.batch", 10),
    ],
)
def test_the_schema_refuses_what_is_refused_when_it_is_read(key: str, value: Any) -> None:
    changed = with_value(key, value)
    with pytest.raises(UserError):
        parse(changed, Path("params.yaml"))
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(changed)


@cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema())


def with_value(key: str, value: Any) -> dict[str, Any]:
    """The parameters of this project with another value of one key."""
    changed = copy.deepcopy(project())
    section = changed
    *parents, last = key.split(".")
    for parent in parents:
        section = section[parent]
    section[last] = value
    return changed


def test_the_schema_has_each_key_with_its_description() -> None:
    schema = json_schema()
    reachable = [section for section in SECTIONS if section.__name__ in schema["$defs"]]
    assert len(reachable) > 50
    for section in reachable:
        described = schema["$defs"][section.__name__]["properties"]
        assert described.keys() == section.model_fields.keys()
        assert all(part["description"] for part in described.values()), section
    units = schema["$defs"]["ClassifierParameters"]["properties"]["units"]
    assert units["description"] == "The width of one direction of one layer."
    assert schema["properties"].keys() == Parameters.model_fields.keys()
