"""The house: imports run downward from floor to floor, and never in a circle.

An import inside a function counts like one at the head of a module. Imports for type checkers alone
do not: they do not run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "nlp_rnn"

FLOORS = (
    ("cli",),
    ("commands",),
    ("serving",),
    ("loading", "stages"),
    (
        *("browser", "engines", "explanation", "labelling", "memory", "projects", "quality"),
        *("search", "self_training", "sentences", "tasks", "tracking"),
    ),
    ("adaptation", "baselines", "inference", "inspection", "reporting"),
    ("evaluation",),
    ("runtime", "training"),
    ("models",),
    ("layers",),
    ("embeddings", "ngrams", "linear_chain"),
    ("text",),
    ("corpora",),
    ("config",),
    ("backend", "drawing", "task_kinds"),
    (
        "arrays",
        "chunks",
        "example",
        "files",
        "limits",
        "markdown",
        "paths",
        "process",
        "progress",
        "web",
    ),
    ("extras", "hints"),
    ("bounded_yaml", "errors"),
)
"""The rooms of the package from the top floor to the ground. A room uses those of lower floors."""

FACE = ("errors", "loading")
"""What ``nlp_rnn/__init__.py`` shows of the house."""

LEVEL = {room: level for level, rooms in enumerate(reversed(FLOORS)) for room in rooms}


def module_name(file: Path) -> str:
    """``text.batches`` for ``text/batches.py``, ``text`` for ``text/__init__.py``."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def that_run(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes inside ``node`` but those for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from that_run(child)


def imported(module: str) -> Iterator[str]:
    """The modules of the package that one imports."""
    for node in that_run(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("nlp_rnn."):
            origin = str(node.module).removeprefix("nlp_rnn").removeprefix(".")
            for alias in node.names:
                inner = f"{origin}.{alias.name}".removeprefix(".")
                yield inner if inner in modules() else origin
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            yield from (n.removeprefix("nlp_rnn.") for n in names if n.startswith("nlp_rnn."))


def room(module: str) -> str:
    return module.partition(".")[0]


def test_every_room_has_a_floor() -> None:
    rooms = {room(module) for module in modules() if module}
    assert rooms == set(LEVEL)


@pytest.mark.parametrize("upper", sorted(LEVEL))
def test_imports_run_downward(upper: str) -> None:
    upward = {
        f"{module} imports {other}"
        for module in modules()
        if module and room(module) == upper
        for other in imported(module)
        if room(other) != upper and LEVEL[room(other)] >= LEVEL[upper]
    }
    assert not upward


def test_the_face_shows_little() -> None:
    assert {room(module) for module in imported("")} == set(FACE)


@pytest.mark.slow
def test_no_imports_in_a_circle() -> None:
    below = {module: set(imported(module)) - {module} for module in modules()}
    while leaves := {module for module, others in below.items() if not others & below.keys()}:
        below = {module: others for module, others in below.items() if module not in leaves}
    assert not below, "these modules are part of a circle or use one"
