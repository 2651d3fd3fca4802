"""The control plane knows neither Spark nor the data plane, builds no clients and reads no environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dynamodb_pipeline.emr

MODULES = sorted(Path(dynamodb_pipeline.emr.__file__).parent.glob("*.py"))
FORBIDDEN = (
    "pyspark",
    "py4j",
    "dynamodb_pipeline.transfer",
    "dynamodb_pipeline.settings.options",
    "sandbox",
    "benchmarks",
)


def imported(path: Path) -> set[str]:
    """Every module named in an import statement, wherever it stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_imports_nothing_forbidden(path: Path) -> None:
    assert [name for name in imported(path) if name.startswith(FORBIDDEN) or name == "boto3"] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_reads_no_environment_and_never_sleeps_by_itself(path: Path) -> None:
    text = path.read_text()
    assert "os.environ" not in text
    assert "time.sleep" not in text or path.stem == "clock"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
