"""The control plane knows neither Spark nor the data plane, builds no clients and reads no environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dynamodb_pipeline.emr
from tests.unit.import_graph import PACKAGE, Module

FOLDER = Path(dynamodb_pipeline.emr.__file__).parent
PATHS = sorted(FOLDER.rglob("*.py"))
MODULES = [pytest.param(path, id=path.relative_to(FOLDER).with_suffix("").as_posix()) for path in PATHS]
DATA_PLANE = (
    *("connector", "dynamodb", "exporting", "folders", "importing", "job_main", "passes", "reading", "run", "store"),
    *("verifying", "workers"),
)
# Pure: what DescribeTable says, for the checks before a launch as for the jobs.
ALLOWED = f"{PACKAGE}.dynamodb.table_description"
FORBIDDEN = {"boto3", "pyspark", "py4j", "sandbox", "benchmarks", *(f"{PACKAGE}.{part}" for part in DATA_PLANE)}


def forbidden(module: Module) -> list[str]:
    """What it imports of FORBIDDEN, or out of it."""
    names = [name for name in module.imported if not name.startswith(ALLOWED)]
    return [name for name in names if any(f"{name}.".startswith(f"{word}.") for word in FORBIDDEN)]


def test_every_folder_was_looked_into() -> None:
    """A search that finds nothing would pass everything below."""
    assert {path.parent.name for path in PATHS} >= {"cluster", "request", "calls", "watch", "documents", "commands"}
    assert len(PATHS) > 40


@pytest.mark.parametrize("path", MODULES)
def test_module_imports_nothing_forbidden(path: Path) -> None:
    assert forbidden(Module.read(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import boto3.session",
        "def f():\n    from dynamodb_pipeline.workers.engine import Engines",
        "from dynamodb_pipeline import run",
    ],
)
def test_what_is_forbidden_is_found(source: str) -> None:
    assert forbidden(Module(f"{PACKAGE}.emr.example", source))


@pytest.mark.parametrize("path", MODULES)
def test_module_reads_no_environment_and_never_sleeps_by_itself(path: Path) -> None:
    text = path.read_text()
    assert "os.environ" not in text
    assert "time.sleep" not in text or path.stem == "clock"


@pytest.mark.parametrize("path", MODULES)
def test_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
