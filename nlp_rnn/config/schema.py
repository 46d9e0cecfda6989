"""``params.yaml`` as a JSON Schema, for editors, and the values of its keys in plain words."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from nlp_rnn.config.parameters import Parameters
from nlp_rnn.config.section import Section

Schema = Mapping[str, Any]
"""A JSON Schema, or a part of one."""

NULL: Schema = {"type": "null"}

Link = Callable[[str], str]
"""How the section of a class is mentioned, by the name of the class."""


class _Generator(GenerateJsonSchema):
    """JSON Schema without what pydantic makes up: titles of keys, defaults of defaults."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def encode_default(self, dft: Any) -> Any:
        """A value in which a section keeps only what differs from its defaults."""
        if isinstance(dft, Section):
            return dft.model_dump(mode="json", exclude_unset=True)
        return super().encode_default(dft)


def prose(docstring: str) -> str:
    """A docstring as Markdown on one line."""
    return " ".join(docstring.split()).replace("``", "`")


def _readable(part: Any) -> Any:
    """A part of a schema whose descriptions are Markdown, as editors show them."""
    if isinstance(part, list):
        return [_readable(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        key: prose(value) if key == "description" and isinstance(value, str) else _readable(value)
        for key, value in part.items()
    }


@cache
def meanings(section: type[Section]) -> dict[str, str]:
    """What each key of a section sets: the docstring below its field.

    It is read from the source, and only for people: pydantic would read it at every start.
    """
    found: dict[str, str] = {}
    for part in reversed(section.__mro__):
        if not issubclass(part, Section):
            continue
        (tree,) = ast.parse(inspect.getsource(part)).body
        assert isinstance(tree, ast.ClassDef)
        for field, below in pairwise(tree.body):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = prose(text)
    return found


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``params.yaml``: its keys, types and bounds.

    Which parameters go together is not in it; :func:`nlp_rnn.config.parse` checks that.
    """
    schema = _readable(Parameters.model_json_schema(schema_generator=_Generator))
    _describe(schema, Parameters)
    for section in _sections(Section):
        if section.__name__ in schema["$defs"]:
            _describe(schema["$defs"][section.__name__], section)
    return {"$schema": _Generator.schema_dialect, **schema}


def _describe(schema: dict[str, Any], section: type[Section]) -> None:
    """Add the meaning of each key to the schema of its section."""
    for name, meaning in meanings(section).items():
        schema["properties"][name] = {"description": meaning, **schema["properties"][name]}


def _sections(above: type[Section]) -> Iterator[type[Section]]:
    """All sections that are declared from another."""
    for section in above.__subclasses__():
        yield section
        yield from _sections(section)


def keys_of(section: type[Section]) -> dict[str, Any]:
    """The JSON Schema of each key of a section; it names other sections by their classes."""
    schema = section.model_json_schema(schema_generator=_Generator, ref_template="{model}")
    keys: dict[str, Any] = _readable(schema["properties"])
    return keys


def in_words(schema: Schema, link: Link) -> str:
    """What a value may be, in plain words."""
    choices = list(_choices(schema))
    sections = [link(choice["$ref"]) for choice in choices if "$ref" in choice]
    others = [choice for choice in choices if "$ref" not in choice and choice != NULL]
    words = [_single(choice, link) for choice in others]
    if sections:
        words.append(f"a mapping: {either(sections)}")
    if NULL in choices:
        words.append("`null`")
    return ", or ".join(words)


def _choices(schema: Schema) -> Iterator[Schema]:
    """The alternatives that a schema is made of."""
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives is None:
        yield schema
    else:
        for alternative in alternatives:
            yield from _choices(alternative)


def _single(schema: Schema, link: Link) -> str:
    """A value that is neither a section nor one of several, in words."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        values = [f"`{value}`" for value in schema["enum"]]
        return "one of " * (len(values) > 2) + either(values)
    match schema["type"]:
        case "integer" | "number":
            return _number(schema)
        case "array":
            return _list(schema, link)
        case "object":
            return _names(schema, link)
        case "boolean":
            return "`true` or `false`"
        case _:
            return "a string"


def _number(schema: Schema) -> str:
    whole = schema["type"] == "integer"
    least, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    if whole and above is not None:
        least, above = above + 1, None
    bounds = {
        "of {:g} or more": least,
        "above {:g}": above,
        "at most {:g}": schema.get("maximum"),
        "below {:g}": schema.get("exclusiveMaximum"),
    }
    words = " and ".join(text.format(n) for text, n in bounds.items() if n is not None)
    return f"a {'whole ' * whole}number {words}".rstrip()


def _list(schema: Schema, link: Link) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    length = f" of {least}" + " or more" * (most != least) if least else ""
    items = schema["items"]
    return f"a list{length}, each {in_words(items, link)}" if items else f"a list{length} values"


def _names(schema: Schema, link: Link) -> str:
    """A mapping whose keys are names, in words."""
    names = f"{least} or more names" if (least := schema.get("minProperties")) else "names"
    if "propertyNames" in schema:
        names += f", each {in_words(schema['propertyNames'], link)}"
    return f"{names}, and under each of them {in_words(schema['additionalProperties'], link)}"


def either(words: Sequence[str]) -> str:
    """Words as a choice: ``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
