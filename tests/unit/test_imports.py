"""
Who may import whom, read from the syntax trees: the layers of docs/architecture.md.

Imports inside functions and below TYPE_CHECKING count too: what a module may not know it may not name.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

from dynamodb_pipeline.emr.cluster.sizing import SAFETY_CONF
from dynamodb_pipeline.emr.request.bundle import NODE_PARTS
from dynamodb_pipeline.workers.spark_session import REQUIRED_SPARK_CONF

PROJECT = Path(__file__).parents[2]
PACKAGE = "dynamodb_pipeline"
NOT_SHIPPED = {"sandbox", "benchmarks", "tests", "jobs"}
NODE_PYTHON = (3, 9)
NODE_PACKAGES = {"boto3", "botocore", "urllib3", "pyspark", "py4j"}  # urllib3 is botocore's own transport
NEWER_STDLIB = {"tomllib"}  # in this Python, not in 3.9

# The command line knows every part.
UNBOUND = {"", "cli", "launcher_cli", "local_verbs"}
# What each other part may import of the package, itself apart.
LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "formats": {"errors"},
    "runtime": {"errors"},
    "aws_clients": {"errors"},
    "durations": {"errors"},
    "job_settings": set(),
    "transfer": {"errors", "formats", "runtime", "aws_clients", "job_settings"},
    "options": {"errors"},
    "option_checks": {"errors"},
    # the checks of what options name: addresses, percent, run id
    "option_settings": {"durations", "job_settings", "option_checks", "options", "transfer"},
    "job_main": {"errors", "job_settings", "option_checks", "option_settings", "options", "runtime", "transfer"},
    "emr": {"durations", "errors", "formats", "runtime"},
    "report": {"errors", "emr"},  # its S3 addresses, error codes and durations
}
# The part of `transfer` that the options' checks may know: pure checks of texts.
CHECKS_OF_OPTIONS = {"capacity", "run_folder", "run_record", "s3_uri"}


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its text and its syntax tree."""

    name: str
    source: str

    @classmethod
    def read(cls, path: Path) -> Module:
        name = ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        return cls(name, path.read_text(encoding="utf-8"))

    @property
    def part(self) -> str:
        """`formats` of `dynamodb_pipeline.formats.files.lines`; empty for the package itself."""
        return self.name.partition(".")[2].partition(".")[0]

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(ast.parse(self.source, filename=self.name)))

    @cached_property
    def imported(self) -> frozenset[str]:
        """Every dotted name that is imported: modules, and what is taken out of them."""
        return frozenset(name for node in self.nodes for name in _imported(node))

    @property
    def packages(self) -> set[str]:
        """The outermost names of what is imported."""
        return {name.partition(".")[0] for name in self.imported}

    @cached_property
    def literals(self) -> list[str]:
        """String literals that are no docstrings."""
        docs = {id(node.value) for node in self.nodes if isinstance(node, ast.Expr)}
        strings = (node for node in self.nodes if isinstance(node, ast.Constant) and id(node) not in docs)
        return [node.value for node in strings if isinstance(node.value, str)]


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"relative import in line {node.lineno}"
        yield str(node.module)
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


LIBRARY = [Module.read(path) for path in sorted((PROJECT / PACKAGE).rglob("*.py"))]

Rule = Callable[[Module], Collection[str]]


def broken(rule: Rule, *, among: Iterable[Module] = LIBRARY) -> dict[str, Collection[str]]:
    """What the rule finds, by module; empty when all keep it."""
    return {module.name: found for module in among if (found := rule(module))}


def parts_imported(module: Module) -> set[str]:
    """The other parts of the package that the module imports."""
    inner = (name.split(".") for name in module.imported if name.startswith(f"{PACKAGE}."))
    return {words[1] for words in inner if words[1] in LAYERS | dict.fromkeys(UNBOUND)} - {module.part}


def outside_its_layer(module: Module) -> set[str]:
    return set() if module.part in UNBOUND else parts_imported(module) - LAYERS[module.part]


def not_shipped(module: Module) -> set[str]:
    return module.packages & NOT_SHIPPED


def third_party(module: Module) -> set[str]:
    return module.packages - sys.stdlib_module_names - {PACKAGE} | module.packages & NEWER_STDLIB


def not_on_nodes(module: Module) -> set[str]:
    return third_party(module) - NODE_PACKAGES


def spark(module: Module) -> set[str]:
    return module.packages & {"pyspark", "py4j"}


def builds_clients(module: Module) -> list[str]:
    """boto3 itself, and calls that make clients out of a session."""
    calls = (ast.unparse(node.func) for node in module.nodes if isinstance(node, ast.Call))
    made = [text for text in calls if re.search(r"(?i)(session|boto3)\.(client|resource)$|\.create_client$", text)]
    return [*(module.packages & {"boto3"}), *made]


def connector_words(module: Module) -> list[str]:
    """Class names of Hadoop and the connector, written or called through the JVM, and the connector's conf keys."""
    through_jvm = (
        ast.unparse(node) for node in module.nodes if isinstance(node, ast.Attribute) and node.attr == "apache"
    )
    named = [text for text in module.literals if re.search(r"\borg\.apache\.|^dynamodb\.[a-z]", text)]
    return [*named, *(text for text in through_jvm if text.endswith("org.apache"))]


def evaluates_annotations(module: Module) -> list[str]:
    """`int | None` in an annotation is an error on Python 3.9 without the future import."""
    annotated = any(isinstance(node, (ast.AnnAssign, ast.FunctionDef)) for node in module.nodes)
    return ["annotations"] if annotated and "__future__.annotations" not in module.imported else []


def parts(*names: str) -> list[Module]:
    return [module for module in LIBRARY if module.part in names]


@cache
def node_modules() -> tuple[Module, ...]:
    """Everything that runs on a cluster: the bundle's part of the library, and the job scripts."""
    roots = [PROJECT / PACKAGE / part for part in NODE_PARTS]
    inner = [path for root in roots for path in ([root] if root.is_file() else sorted(root.rglob("*.py")))]
    return tuple(Module.read(path) for path in [*inner, *sorted((PROJECT / "jobs").glob("*.py"))])


def test_imports_stay_in_their_layer() -> None:
    assert broken(outside_its_layer) == {}


def test_every_part_of_the_package_has_its_layer() -> None:
    assert {module.part for module in LIBRARY} - UNBOUND <= set(LAYERS)


def test_library_never_imports_what_is_not_shipped() -> None:
    assert broken(not_shipped) == {}


def test_formats_know_the_standard_library_only() -> None:
    assert broken(third_party, among=parts("formats", "errors")) == {}


def test_control_plane_never_imports_spark() -> None:
    assert broken(spark, among=parts("emr", "report")) == {}


def test_checks_of_options_know_only_the_checks_of_the_data_plane() -> None:
    (checks,) = parts("option_settings")
    used = {name.split(".")[2] for name in checks.imported if name.startswith(f"{PACKAGE}.transfer.")}
    assert used <= CHECKS_OF_OPTIONS


def test_clients_are_built_in_one_place() -> None:
    assert set(broken(builds_clients)) == {f"{PACKAGE}.aws_clients"}


def test_the_connector_is_named_in_one_place() -> None:
    assert set(broken(connector_words)) == {f"{PACKAGE}.transfer.connector"}


def test_launcher_and_job_agree_on_the_settings_that_keep_reads_whole() -> None:
    """Both hold them, for the launcher must not import the data plane."""
    assert SAFETY_CONF == REQUIRED_SPARK_CONF


def test_node_code_parses_as_python_3_9() -> None:
    for module in node_modules():
        ast.parse(module.source, filename=module.name, feature_version=NODE_PYTHON)


def test_node_code_imports_only_what_nodes_have() -> None:
    assert broken(not_on_nodes, among=node_modules()) == {}


def test_node_code_never_evaluates_its_annotations() -> None:
    assert broken(evaluates_annotations, among=node_modules()) == {}


def test_node_code_holds_no_launcher() -> None:
    """What goes to the cluster cannot start clusters."""
    assert [m.name for m in node_modules() if parts_imported(m) & (UNBOUND | {"emr", "report"})] == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (outside_its_layer, "def f():\n    from dynamodb_pipeline.dynamodb.wire import DynamoDbWire"),
        (outside_its_layer, "from dynamodb_pipeline import options"),
        (not_shipped, "import sandbox.stack"),
        (third_party, "import tomllib"),
        (third_party, "from botocore.auth import SigV4Auth"),
        (not_on_nodes, "import rich"),
        (spark, "def f():\n    from pyspark.sql import SparkSession"),
        (builds_clients, "import boto3"),
        (builds_clients, "def f(session):\n    return session.client('s3')"),
        (builds_clients, "def f(settings):\n    return settings.session.resource('s3')"),
        (builds_clients, "def f(made):\n    return made.create_client('s3')"),
        (connector_words, "KEY = 'dynamodb.throughput.read'"),
        (connector_words, "def f(jvm):\n    return jvm.org.apache.hadoop.mapred.JobConf()"),
        (connector_words, "NAME = 'org.apache.hadoop.io.Text'"),
        (evaluates_annotations, "def f(x: int | None): pass"),
    ],
)
def test_each_rule_bites(rule: Rule, source: str) -> None:
    assert broken(rule, among=[Module(f"{PACKAGE}.formats.example", source)])


@pytest.mark.parametrize("source", ["match x:\n    case 1: pass", "try:\n    f()\nexcept* OSError:\n    pass"])
def test_the_3_9_rule_bites(source: str) -> None:
    with pytest.raises(SyntaxError):
        ast.parse(source, feature_version=NODE_PYTHON)


def test_docstrings_may_speak_of_the_connector() -> None:
    source = '"""Told by `dynamodb.endpoint`, org.apache.hadoop."""\nX = "dynamodb:Scan"'
    assert connector_words(Module(f"{PACKAGE}.emr.example", source)) == []
