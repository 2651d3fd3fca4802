"""
Who imports whom in the library, read from the syntax trees: nothing of it is run.

Imports inside functions and below TYPE_CHECKING count as well: what a module may not know it may not name.

`make graph` writes what is read here into docs/architecture.md: a picture of the packages, and their charters.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGE = "dynamodb_pipeline"
ROOT = "(root)"  # the package itself, as a name beside `aws` or `formats.items`
PAGE = PROJECT / "docs" / "architecture.md"
EVERYTHING = "every part"
WORDS = {EVERYTHING, "nothing"}  # in place of a charter's list
CHARTER = re.compile(r"(?P<what>.+?)\n\n.*?May import: (?P<may>[^:]+)\.\nMust not know: (?P<must_not>.+)", re.DOTALL)

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
        Where it lives, without the outermost name: `formats.files` of `dynamodb_pipeline.formats.files.text`.

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
        return frozenset(name for node in self.nodes for name in imported_names(node))

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


def imported_names(node: ast.AST) -> Iterator[str]:
    """The dotted names that one import statement brings in; nothing of other nodes."""
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


@dataclass(frozen=True)
class Charter:
    """The docstring of a package's `__init__.py`: what lives there, what it may import, what it must not know."""

    what: str
    may: tuple[str, ...]
    must_not: str

    @classmethod
    def of(cls, module: Module) -> Charter | None:
        """None when there is none, or when one of the three is missing."""
        found = CHARTER.fullmatch(ast.get_docstring(module.tree) or "")
        if not found:
            return None
        what, may, must_not = (" ".join(text.split()) for text in found.group("what", "may", "must_not"))
        return cls(what, tuple(may.split(", ")), must_not)

    def may_import(self, packages: Iterable[str]) -> set[str]:
        """Which of `packages` it allows; a package that holds packages stands for all of them."""
        if self.may == (EVERYTHING,):
            return set(packages)
        return {name for name in packages if any(f"{name}.".startswith(f"{allowed}.") for allowed in self.may)}


@cache
def library() -> Library:
    """Every module but the package's own `__main__`, which starts `cli.main` and is no part of it."""
    paths = sorted((PROJECT / PACKAGE).rglob("*.py"))
    return Library.of(Module.read(path) for path in paths if path != PROJECT / PACKAGE / "__main__.py")


@cache
def jobs() -> tuple[Module, ...]:
    """The scripts that spark-submit is given."""
    return tuple(Module.read(path) for path in sorted((PROJECT / "jobs").glob("*.py")))


def without_detours(edges: Edges) -> dict[str, list[str]]:
    """The edges that say something: none to what another of its own edges leads to. No circle may be in them."""
    far = {name: _reachable(edges, name) for name in edges}
    return {
        name: sorted(to for to in targets if not any(to in far[other] for other in targets))
        for name, targets in edges.items()
    }


def picture(graph: Library) -> str:
    """The packages from the top down, as Mermaid; an arrow that another way already implies is left out."""
    edges = without_detours(graph.package_edges)
    far = {name: len(_reachable(graph.package_edges, name)) for name in edges}
    drawn = sorted((name for name in edges if edges[name]), key=lambda name: (-far[name], name))
    arrows = [f"    {_node(name)} --> {' & '.join(_node(to) for to in edges[name] if to != ROOT)}" for name in drawn]
    return "\n".join(["```mermaid", "flowchart TB", *arrows, "```"])


def _node(package: str) -> str:
    return package.replace(".", "/")


def charters(graph: Library) -> str:
    """The packages with their charters, as a table; what they may import is in the picture."""
    rows = ["| Part | What lives there | Must not know |", "|---|---|---|"]
    for module in graph.modules.values():
        charter = Charter.of(module) if module.is_package and module.package != ROOT else None
        if charter:
            rows.append(f"| `{_node(module.package)}` | {charter.what} | {charter.must_not} |")
    return "\n".join(rows)


def with_graph(page: str, graph: Library) -> str:
    """The page with its generated parts written anew."""
    for name, text in {"picture": picture(graph), "charters": charters(graph)}.items():
        begin, end = f"<!-- {name}, by `make graph` -->\n", f"\n<!-- end of {name} -->"
        assert page.count(begin) == page.count(end) == 1, f"{begin!r} and {end!r} must stand once in {PAGE}"
        page = page[: page.index(begin) + len(begin)] + text + page[page.index(end) :]
    return page


if __name__ == "__main__":
    PAGE.write_text(with_graph(PAGE.read_text(encoding="utf-8"), library()), encoding="utf-8")
