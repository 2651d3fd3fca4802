"""
Who imports whom in the library, read from the syntax trees: nothing of it is run.

Imports inside functions and below TYPE_CHECKING count as well: what a module may not know it may not name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGE = "dynamodb_pipeline"
ROOT = "(root)"  # the package itself, as a name beside `aws` or `formats.items`

Edges = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its text, and whether it is the `__init__` of a package."""

    name: str
    source: str
    is_package: bool = False

    @classmethod
    def read(cls, path: Path, *, project: Path = PROJECT) -> Module:
        name = ".".join(path.relative_to(project).with_suffix("").parts)
        return cls(name.removesuffix(".__init__"), path.read_text(encoding="utf-8"), path.name == "__init__.py")

    @property
    def package(self) -> str:
        """
        Where it lives, without the outermost name: `formats.files` of `dynamodb_pipeline.formats.files.lines`.

        A module beside the packages (`errors`) is a package of its own here, for each has its own place in the order.
        """
        inner = self.name.partition(".")[2]
        if self.is_package or "." not in inner:
            return inner or ROOT
        return inner.rpartition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, filename=self.name)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @cached_property
    def imported(self) -> frozenset[str]:
        """Every dotted name that is imported: modules, and what is taken out of them."""
        return frozenset(name for node in self.nodes for name in _imported(node))

    @property
    def outermost(self) -> set[str]:
        """The outermost names of what is imported: `boto3`, `json`."""
        return {name.partition(".")[0] for name in self.imported}

    @cached_property
    def defined(self) -> frozenset[str]:
        """Public functions and classes at the top of the module."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return frozenset(n.name for n in self.tree.body if isinstance(n, kinds) and not n.name.startswith("_"))

    @property
    def line_count(self) -> int:
        return len(self.source.splitlines())


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"relative import in line {node.lineno}"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@dataclass(frozen=True)
class Library:
    """Modules by dotted name, and the edges between them."""

    modules: Mapping[str, Module]

    @classmethod
    def of(cls, modules: Iterable[Module]) -> Library:
        return cls({module.name: module for module in modules})

    @cached_property
    def edges(self) -> Edges:
        """The modules each module imports; `from package import submodule` is an edge to the submodule."""
        return {name: frozenset(self._targets(module)) for name, module in self.modules.items()}

    def _targets(self, module: Module) -> Iterator[str]:
        for name in module.imported:
            target = name if name in self.modules else name.rpartition(".")[0]
            if target in self.modules and target != module.name:
                yield target

    @cached_property
    def package_edges(self) -> Edges:
        """The packages each package imports, itself apart."""
        found: dict[str, set[str]] = {module.package: set() for module in self.modules.values()}
        for name, targets in self.edges.items():
            home = self.modules[name].package
            found[home] |= {self.modules[target].package for target in targets} - {home}
        return {package: frozenset(targets) for package, targets in found.items()}

    def behind(self, package: str, target: str) -> list[str]:
        """The single imports that make an edge between two packages, for a message."""
        pairs = ((self.modules[name], self.modules[to]) for name, names in self.edges.items() for to in names)
        return sorted(f"{m.name} -> {to.name}" for m, to in pairs if (m.package, to.package) == (package, target))

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Modules by package; `__init__` and `__main__` are not counted, nor modules beside the packages."""
        homes = [module.package for module in self.modules.values() if is_counted(module)]
        return {m.package: homes.count(m.package) for m in self.modules.values() if m.is_package and m.package != ROOT}

    def closure(self, starts: Iterable[str]) -> set[str]:
        """The modules that importing `starts` can lead to, with the packages they lie in."""
        waiting, seen = list(starts), set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.modules:
                continue
            seen.add(name)
            waiting += [*self.edges[name], name.rpartition(".")[0]]
        return seen


def is_counted(module: Module) -> bool:
    return not module.is_package and not module.name.endswith(".__main__")


def circles(edges: Edges) -> list[list[str]]:
    """Groups of two or more that reach one another, each sorted."""
    reached = {name: _reachable(edges, name) for name in edges}
    groups = {frozenset(to for to in reached[name] if name in reached[to]) for name in edges if name in reached[name]}
    return sorted(sorted(group) for group in groups)


def _reachable(edges: Edges, start: str) -> set[str]:
    waiting, seen = [start], set[str]()
    while waiting:
        for target in edges[waiting.pop()] - seen:
            seen.add(target)
            waiting.append(target)
    return seen


@cache
def library() -> Library:
    return Library.of(Module.read(path) for path in sorted((PROJECT / PACKAGE).rglob("*.py")))


@cache
def jobs() -> tuple[Module, ...]:
    """The scripts that spark-submit is given."""
    return tuple(Module.read(path) for path in sorted((PROJECT / "jobs").glob("*.py")))
