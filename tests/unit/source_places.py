"""Where the library's source says something: the texts of a module that are no docstrings, and the function around."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.processes import PROJECT

LIBRARY = PROJECT / "dynamodb_pipeline"


@dataclass(frozen=True)
class Source:
    """A module of the library, parsed."""

    module: str
    tree: ast.Module

    @classmethod
    def of(cls, path: Path) -> Source:
        module = ".".join(path.relative_to(LIBRARY).with_suffix("").parts)
        return cls(module, ast.parse(path.read_text(encoding="utf-8")))

    def nodes(self) -> Iterator[tuple[ast.AST, str | None]]:
        """Every node, with its text where it is one and no docstring."""
        holders = (ast.Module, ast.ClassDef, ast.FunctionDef)
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(self.tree) if isinstance(node, holders)}
        for node in ast.walk(self.tree):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docs
            yield node, str(node.value) if is_text else None  # type: ignore[attr-defined]

    def function_around(self, line: int) -> str:
        functions = [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]
        around = [one for one in functions if one.lineno <= line <= (one.end_lineno or 0)]
        return max(around, key=lambda one: one.lineno).name if around else "(constants)"
