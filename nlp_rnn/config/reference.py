"""The reference of ``params.yaml``, written from the sections that validate it."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import get_annotations
from types import ModuleType
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from nlp_rnn.config import (
    data,
    embeddings,
    evaluation,
    experiment,
    memory,
    model,
    parameters,
    pseudo_labels,
    search,
    sentences,
    start,
    training,
    vectors,
)
from nlp_rnn.config.experiment import TaggingExperiment
from nlp_rnn.config.parameters import Parameters
from nlp_rnn.config.schema import either, in_words, keys_of, meanings, prose
from nlp_rnn.config.section import Section
from nlp_rnn.errors import UserError

Place = tuple[str, ...]
"""The keys on the way to a section or a key; ``NAME`` where a user's name stands."""

CHAPTERS: dict[str, ModuleType] = {
    "The file": parameters,
    "Data sets": data,
    "Pseudo-labelled data sets": pseudo_labels,
    "Word vectors": vectors,
    "Sentence encoders": sentences,
    "Experiments": experiment,
    "Going on from a trained model": start,
    "Embeddings": embeddings,
    "Models": model,
    "Training": training,
    "At test time": evaluation,
    "Searches": search,
    "How long networks remember": memory,
}
"""The chapters of the reference, each with the module that declares its sections."""

INTRODUCTION = """\
# The keys of params.yaml

What every key sets, what it may be, and its default. `NAME` stands for a name that you choose: of
a data set, an experiment, a network and so on. The default `{}` of a mapping leaves every key in it
at its own default.

This page is written by `nlp-rnn parameters`, which also explains single keys:
`nlp-rnn parameters model.dropout`. A misspelt key is an error that names the nearest valid one.

`nlp-rnn parameters --schema` prints the same as a JSON Schema,
[params.schema.json](params.schema.json). An editor with a YAML language server completes, checks
and explains keys by it, where `params.yaml` begins with
`# yaml-language-server: $schema=docs/params.schema.json`. The schema knows keys, types and bounds.
Which values go together is checked when a command reads the file.
"""


@dataclass(frozen=True)
class Key:
    """A key, in the section that declares it."""

    section: type[Section]
    name: str

    @property
    def field(self) -> FieldInfo:
        return self.section.model_fields[self.name]

    @property
    def places(self) -> list[Place]:
        """Where the key may stand."""
        return [(*place, self.name) for place in places()[self.section]]

    @property
    def meaning(self) -> str:
        return meanings(self.section).get(self.name, "")

    @property
    def default(self) -> str:
        """The default as YAML, or why there is none to show."""
        if self.field.is_required():
            return "required"
        if self.field.default_factory_takes_validated_data:
            return "from other keys"
        value = self.field.get_default(call_default_factory=True)
        given = value.model_dump(exclude_unset=True) if isinstance(value, Section) else value
        return f"`{flow(given)}`"

    def values(self, of_section: Mapping[str, str]) -> str:
        """What the value may be, in words.

        Args:
            of_section: how each section is mentioned, by the name of its class.
        """
        return in_words(keys_of(self.section)[self.name], of_section.__getitem__)


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def sections_of(annotation: Any) -> Iterator[type[Section]]:
    """The sections that a value of this type may be, or hold under names."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from sections_of(part)


@cache
def places() -> dict[type[Section], list[Place]]:
    """Every section and where it may stand; one that others extend stands where they do."""
    found: dict[type[Section], list[Place]] = {}

    def visit(section: type[Section], place: Place) -> None:
        for declaring in (section, *_extended(section)):
            if place not in found.setdefault(declaring, []):
                found[declaring].append(place)
        for name, field in section.model_fields.items():
            named = ("NAME",) if get_origin(field.annotation) is dict else ()
            for inner in sections_of(field.annotation):
                visit(inner, (*place, name, *named))

    visit(Parameters, ())
    return found


def _extended(section: type[Section]) -> list[type[Section]]:
    """The sections whose keys a section has beside its own."""
    return [
        base
        for base in section.__mro__[1:]
        if issubclass(base, Section) and base is not Section and own_keys(base)
    ]


def own_keys(section: type[Section]) -> list[Key]:
    """The keys that a section declares itself."""
    return [Key(section, name) for name in get_annotations(section) if name in section.model_fields]


def title(section: type[Section]) -> str:
    """What a section is called."""
    return str(section.model_config["title"])


def sections_by_chapter() -> dict[str, list[type[Section]]]:
    """The sections of each chapter, those nearest to the top of the file first."""
    return {chapter: _sections_in(module) for chapter, module in CHAPTERS.items()}


def _sections_in(module: ModuleType) -> list[type[Section]]:
    sections = [value for value in vars(module).values() if isinstance(value, type)]
    declared = [s for s in sections if s in places() and s.__module__ == module.__name__]
    return sorted(declared, key=lambda section: min(map(len, places()[section])))


def page() -> str:
    """The reference as Markdown."""
    chapters = sections_by_chapter()
    contents = [
        f"- {_link(chapter)}: {', '.join(_link(title(section)) for section in sections)}"
        for chapter, sections in chapters.items()
    ]
    parts = [INTRODUCTION, "\n".join(contents) + "\n"]
    for chapter, sections in chapters.items():
        parts += [f"## {chapter}\n", *map(_section, sections)]
    return "\n".join(parts)


def _link(heading: str) -> str:
    """A link to a heading of the page, by the anchor that its words give."""
    anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    return f"[{heading}](#{anchor})"


def _section(section: type[Section]) -> str:
    """What the page says of one section."""
    links = {other.__name__: _link(title(other)) for other in places()}
    rows = [
        f"| `{key.name}` | {key.values(links)} | {key.default} | {key.meaning} |"
        for key in own_keys(section)
    ]
    table = ["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""] if rows else []
    description = prose(section.__doc__ or "")
    return "\n".join([f"### {title(section)}", "", f"{description}{_where(section)}", "", *table])


def _where(section: type[Section]) -> str:
    """Where a section stands, and which keys it has from others."""
    spots = [".".join(place) for place in places()[section] if place]
    sentences = [f" Stands at {either([f'`{spot}`' for spot in spots])}."] if spots else []
    if bases := [base for base in section.__bases__ if base in places()]:
        links = " and of ".join(_link(title(base)) for base in bases)
        sentences.append(f" It has the keys of {links} too.")
    return "".join(sentences)


def explanation(name: str) -> str:
    """What the reference says of the keys called ``name``: the end of their place, or all of it.

    Raises:
        UserError: there is no such key; it names those that are nearest.
    """
    asked = tuple(name.split("."))
    keys = [key for section in places() for key in own_keys(section)]
    found = {key: [p for p in key.places if _ends_with(p, asked)] for key in keys}
    if not any(found.values()):
        raise UserError(f"params.yaml has no key '{name}'; {_nearest(asked, keys)}")
    return "\n\n".join(_entry(key, at) for key, at in found.items() if at)


def _ends_with(place: Place, asked: Place) -> bool:
    """Whether the last keys of a place are those asked for; any name may stand for ``NAME``, but
    ``model`` and other sections of an experiment are not taken for one of a group's names."""
    end = place[-len(asked) :]
    if len(end) != len(asked) or (end[0] == "NAME" and asked[0] in TaggingExperiment.model_fields):
        return False
    return all(part in ("NAME", sought) for part, sought in zip(end, asked, strict=True))


def _nearest(asked: Place, keys: list[Key]) -> str:
    """A hint that names keys written nearly so, then those of the same name elsewhere."""
    known = [place for key in keys for place in key.places]
    ends = {".".join(place[-len(asked) :]): place[-1] for place in known}
    near = difflib.get_close_matches(".".join(asked), ends, cutoff=0.8)
    near += [end for end, last in ends.items() if last == asked[-1] and end not in near]
    return f"nearest: {', '.join(near)}" if near else "nlp-rnn parameters lists all"


def _entry(key: Key, at: list[Place]) -> str:
    """A key as the command explains it."""
    titles = {section.__name__: title(section) for section in places()}
    default = key.default if key.field.is_required() else f"default: {key.default}"
    lines = [
        f"{', '.join('.'.join(place) for place in at)} ({title(key.section)})",
        *_indented(f"{key.values(titles)}; {default}"),
        *_indented(key.meaning),
    ]
    for section in sections_of(key.field.annotation):
        lines += _indented(f"{title(section)}: {', '.join(section.model_fields)}")
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, 98, initial_indent="  ", subsequent_indent="  ")
