"""
What tests, sandbox and benchmarks take out of the library, by import, by name in a `setattr` or by `-m`, is there.

Most of them run for minutes and are seldom run after a small change; this says at once that a name has moved.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import pytest

from tests.unit.import_graph import PACKAGE, PROJECT

FOLDERS = ("tests", "sandbox", "benchmarks", "jobs")
PATHS = [path for folder in FOLDERS for path in sorted((PROJECT / folder).rglob("*.py")) if "npm" not in path.parts]


def imports(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """Module, name in it, and the name it gets here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{PACKAGE}."):
            yield from ((str(node.module), alias.name, alias.asname or alias.name) for alias in node.names)


def taken(module: str, name: str) -> Any:
    """The value, or the submodule of that name."""
    holder = importlib.import_module(module)
    return getattr(holder, name) if hasattr(holder, name) else importlib.import_module(f"{module}.{name}")


def replaced(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """`setattr(place, "name", ...)` of any object, as place and name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "setattr" and len(node.args) > 1:
            place, name = node.args[:2]
            if isinstance(name, ast.Constant):
                yield ast.unparse(place), str(name.value)


def started(tree: ast.AST) -> Iterator[str]:
    """The modules of this project in commands that are written out: what stands after `"-m"`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)):
            words = [word.value if isinstance(word, ast.Constant) else None for word in node.elts]
            for flag, module in zip(words, words[1:]):
                if flag == "-m" and str(module).partition(".")[0] in (PACKAGE, *FOLDERS):
                    yield str(module)


def can_start(module: str) -> bool:
    """Whether `python -m` takes it: a module, or a package that has a `__main__`."""
    place = PROJECT.joinpath(*module.split("."))
    return place.with_name(f"{place.name}.py").is_file() or (place / "__main__.py").is_file()


def missing(source: str) -> list[str]:
    """Names that the source takes out of the library, replaces in it or starts, and that are not there."""
    tree, here = ast.parse(source), {}
    gone = [f"-m {module}" for module in started(tree) if not can_start(module)]
    for module, name, alias in imports(tree):
        try:
            here[alias] = taken(module, name)
        except ImportError:
            gone.append(f"{module}.{name}")
    for place, name in replaced(tree):
        first, _, rest = place.partition(".")
        if first in here:
            owner = attrgetter(rest)(here[first]) if rest else here[first]
            gone += [] if hasattr(owner, name) else [f"{place}.{name}"]
    return gone


def test_every_folder_was_looked_into() -> None:
    assert {path.relative_to(PROJECT).parts[0] for path in PATHS} == set(FOLDERS)
    assert len(PATHS) > 200


def test_what_is_taken_out_of_the_library_is_there() -> None:
    found = {path.relative_to(PROJECT).as_posix(): missing(path.read_text(encoding="utf-8")) for path in PATHS}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from dynamodb_pipeline.rate import no_such_module",
        "def f():\n    from dynamodb_pipeline.errors import NoSuchError",
        "from dynamodb_pipeline.no_such_room.wire import x",
        "command = [python, '-m', 'dynamodb_pipeline.cli', 'import']",
        "command = (python, '-m', 'benchmarks.no_such_module')",
        "from dynamodb_pipeline.rate import budget\ndef f(patch):\n    patch.setattr(budget, 'no_such_name', 1)",
        "from dynamodb_pipeline.rate.budget import RateBudget as B\ndef f(p):\n    p.setattr(B, 'no_such_name', 1)",
    ],
)
def test_what_is_not_there_is_found(source: str) -> None:
    assert missing(source)


def test_what_is_there_is_not_named() -> None:
    source = "from dynamodb_pipeline.rate import budget\nsetattr(budget, 'RateBudget', 1)\nsetattr(strange, 'y', 1)"
    assert missing(source) == []
    assert missing("[python, '-m', 'pytest'], (python, '-m', 'sandbox'), ['-m', 'dynamodb_pipeline.cli.main']") == []
