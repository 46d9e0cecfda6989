"""Which code of the package a function can reach, found from its source alone.

This is rapid type analysis (Bacon and Sweeney, OOPSLA 1996). A function reaches what its names
refer to, through imports at the head of a module or inside a function. A method is reached if its
class is and if reached code has an attribute of its name anywhere, whatever object that is of. So
the answer may hold code that never runs, but lacks none, except what is called by a name that is
only made at run time (``getattr(object, name)``).

Annotations do not count, because they compute nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef | ast.stmt

PASSIVE_BASES = {"ABC", "Generic", "NamedTuple", "Protocol", "Exception", "Enum", "object"}
"""Bases from outside the package that call no method of their own accord; Keras's do."""


class Target(NamedTuple):
    """What a name refers to: a module of the package, or a definition in one."""

    module: str
    name: str | None = None


@dataclass
class Module:
    """The top-level names of a module of the package."""

    name: str
    file: Path
    definitions: dict[str, Definition] = field(default_factory=dict)
    imports: dict[str, Target] = field(default_factory=dict)
    statements: list[ast.stmt] = field(default_factory=list)


class CallGraph:
    """The modules of a package, and what its functions reach.

    Args:
        package: its folder.
        ignored: files and folders, relative to the package's parent, whose code is not followed.
    """

    def __init__(self, package: Path, ignored: Collection[str] = ()) -> None:
        self._root = package.parent
        self._modules: dict[str, Module] = {}
        files = sorted(package.rglob("*.py"))
        names = {self._name(file): file for file in files}
        for name, file in names.items():
            inside = file.relative_to(self._root)
            if not {str(inside), *map(str, inside.parents)} & set(ignored):
                self._modules[name] = _read(name, file, names)
        self._all = names

    def _name(self, file: Path) -> str:
        parts = file.relative_to(self._root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def files(self, module: str, function: str) -> set[str]:
        """The files, relative to the package's parent, that hold code which a function reaches."""
        search = _Search(self._modules, self._all)
        search.run(Target(module, function))
        return {str(self._modules[m].file.relative_to(self._root)) for m in search.modules}


class _Search:
    """One traversal: definitions reached, attributes seen, methods that wait for their name."""

    def __init__(self, modules: dict[str, Module], names: dict[str, Path]) -> None:
        self._known = modules
        self._names = names
        self.modules: set[str] = set()
        self._reached: set[Target] = set()
        self._waiting: dict[str, list[tuple[Module, Function]]] = {}
        self._attributes: set[str] = set()
        self._to_do: list[tuple[Module, ast.AST]] = []

    def run(self, start: Target) -> None:
        self._reach(start)
        while self._to_do:
            module, node = self._to_do.pop()
            _Body(self, module).visit(node)

    def _reach(self, target: Target) -> None:
        if target in self._reached or target.module not in self._known:
            return
        self._reached.add(target)
        module = self._known[target.module]
        if target.name is None:
            return
        if target.name in module.imports:
            self.modules.add(module.name)
            self._reach(module.imports[target.name])
            return
        definition = module.definitions.get(target.name)
        if definition is None:
            return
        if module.name not in self.modules:
            self.modules.add(module.name)
            self._to_do += [(module, statement) for statement in module.statements]
        if isinstance(definition, ast.ClassDef):
            self._reach_class(module, definition)
        else:
            self._to_do.append((module, definition))

    def _reach_class(self, module: Module, definition: ast.ClassDef) -> None:
        called_from_outside = self._has_active_base(module, definition)
        self._to_do += [(module, node) for node in (*definition.bases, *definition.decorator_list)]
        for statement in definition.body:
            if not isinstance(statement, Function):
                self._to_do.append((module, statement))
                continue
            name = statement.name
            special = name.startswith("__") and name.endswith("__")
            if called_from_outside or special or name in self._attributes:
                self._to_do.append((module, statement))
            else:
                self._waiting.setdefault(name, []).append((module, statement))

    def _has_active_base(self, module: Module, definition: ast.ClassDef) -> bool:
        for base in definition.bases:
            inner = base.value if isinstance(base, ast.Subscript) else base
            if isinstance(inner, ast.Name):
                if inner.id in PASSIVE_BASES:
                    continue
                found = self._definition(module, inner.id)
                if found is None or self._has_active_base(*found):
                    return True
            elif not (isinstance(inner, ast.Attribute) and inner.attr in PASSIVE_BASES):
                return True
        return False

    def _definition(self, module: Module, name: str) -> tuple[Module, ast.ClassDef] | None:
        target = module.imports.get(name, Target(module.name, name))
        if target.module not in self._known or target.name is None:
            return None
        there = self._known[target.module]
        if target.name in there.imports:
            return self._definition(there, target.name)
        found = there.definitions.get(target.name)
        return (there, found) if isinstance(found, ast.ClassDef) else None

    def name(self, module: Module, name: str, local: dict[str, Target]) -> Target | None:
        """Follow a name; returns the module that it refers to, if it does to one."""
        target = local.get(name) or module.imports.get(name) or Target(module.name, name)
        self._reach(target)
        return target if target.name is None else None

    def attribute(self, name: str, of: Target | None) -> Target | None:
        """Follow an attribute, of a module if ``of`` is one; returns the submodule that it is."""
        if of is not None:
            inner = f"{of.module}.{name}"
            if inner in self._names:
                return Target(inner)
            self._reach(Target(of.module, name))
            return None
        if name not in self._attributes:
            self._attributes.add(name)
            self._to_do += self._waiting.pop(name, [])
        return None

    def imported(self, node: ast.Import | ast.ImportFrom, within: Module) -> dict[str, Target]:
        """What an import inside a function binds."""
        return _imports(node, within, self._names)


class _Body(ast.NodeVisitor):
    """Follows the names of one definition, with the scopes of the functions in it."""

    def __init__(self, search: _Search, module: Module) -> None:
        self._search = search
        self._module = module
        self._scopes: list[tuple[set[str], dict[str, Target]]] = []

    def visit_FunctionDef(self, node: Function | ast.Lambda) -> None:
        arguments = node.args
        defaults = [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
        for default in (*defaults, *getattr(node, "decorator_list", ())):
            self.visit(default)
        body = node.body if isinstance(node.body, list) else [node.body]
        imports: dict[str, Target] = {}
        bound = {a.arg for a in ast.walk(arguments) if isinstance(a, ast.arg)}
        for inner in _within_scope(body):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                imports |= self._search.imported(inner, self._module)
            elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                bound.add(inner.id)
            elif isinstance(inner, Function | ast.ClassDef):
                bound.add(inner.name)
        self._scopes.append((bound, imports))
        for statement in body:
            self.visit(statement)
        self._scopes.pop()

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if not _only_for_types(node):
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self._module_of(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._module_of(node)

    def _module_of(self, node: ast.expr) -> Target | None:
        """Follow an expression; returns the module of the package that it is, if it is one."""
        if isinstance(node, ast.Attribute):
            return self._search.attribute(node.attr, self._module_of(node.value))
        if not isinstance(node, ast.Name):
            self.visit(node)
            return None
        local: dict[str, Target] = {}
        for bound, imports in reversed(self._scopes):
            if node.id in imports:
                local = imports
                break
            if node.id in bound:
                return None
        return self._search.name(self._module, node.id, local)


def _read(name: str, file: Path, names: Collection[str]) -> Module:
    module = Module(name, file)
    for statement in _statements(ast.parse(file.read_text(encoding="utf-8")).body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            module.imports |= _imports(statement, module, names)
        elif isinstance(statement, Function | ast.ClassDef):
            module.definitions[statement.name] = statement
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                for node in ast.walk(target):
                    if isinstance(node, ast.Name):
                        module.definitions[node.id] = statement
        else:
            module.statements.append(statement)
    return module


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Those of a module that run, with what ``try`` and ``if`` hold."""
    for statement in body:
        if isinstance(statement, ast.If) and _only_for_types(statement):
            continue
        if isinstance(statement, ast.If | ast.Try):
            handlers = getattr(statement, "handlers", ())
            inner = [*statement.body, *statement.orelse]
            yield from _statements([*inner, *(s for handler in handlers for s in handler.body)])
        else:
            yield statement


def _within_scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes but those inside inner functions and classes."""
    for node in body:
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            yield from _within_scope(ast.iter_child_nodes(node))


def _only_for_types(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _imports(
    node: ast.Import | ast.ImportFrom, within: Module, names: Collection[str]
) -> dict[str, Target]:
    """The names that an import ``within`` a module binds to parts of the package."""
    if isinstance(node, ast.Import):
        bound = {a.asname or a.name: a.name for a in node.names}
        return {name: Target(module) for name, module in bound.items() if module in names}
    origin = f"{_ancestor(within, node.level)}.{node.module or ''}".strip(".")
    if origin not in names:
        return {}
    found = {}
    for alias in node.names:
        inner = f"{origin}.{alias.name}"
        target = Target(inner) if inner in names else Target(origin, alias.name)
        found[alias.asname or alias.name] = target
    return found


def _ancestor(module: Module, level: int) -> str:
    """The package that a relative import with ``level`` dots starts from; "" for an absolute."""
    if not level:
        return ""
    parts = module.name.split(".") + ["__init__"] * (module.file.name == "__init__.py")
    return ".".join(parts[:-level])
