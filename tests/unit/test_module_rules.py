"""
Rules that every module keeps by itself: what it may name, where clients are built, what runs on nodes.

Every test says how many files it looked at, so that none passes by looking at nothing.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Collection, Iterable
from functools import cache

import pytest

from dynamodb_pipeline.emr.request.bundle import NODE_PARTS
from tests.unit import house_rules
from tests.unit.import_graph import PACKAGE, PROJECT, Module, imported_names, jobs, library

NOT_SHIPPED = {"sandbox", "benchmarks", "tests", "jobs"}
NODE_PYTHON = (3, 9)
NODE_PACKAGES = {"boto3", "botocore", "urllib3", "pyspark", "py4j"}  # urllib3 is botocore's own transport
GUARD = "TYPE_CHECKING"
NEWER_STDLIB = {"tomllib"}  # in this Python, not in 3.9
NOT_ON_NODES = {"cli", "emr", "folders", "report"}
FEWEST_NODE_FILES = 100
FEWEST_FILES = 150  # a rule that sees fewer of the library looked in the wrong place

Rule = Callable[[Module], Collection[str]]


def broken(rule: Rule, *, among: Iterable[Module], fewest: int = FEWEST_FILES) -> dict[str, Collection[str]]:
    """What the rule finds, by module; empty when all of at least `fewest` modules keep it."""
    modules = list(among)
    assert len(modules) >= fewest, f"{len(modules)} files seen"
    return {module.name: found for module in modules if (found := rule(module))}


def not_shipped(module: Module) -> set[str]:
    return module.outermost & NOT_SHIPPED


def untyped(module: Module) -> list[str]:
    """`Any` as a type; items of a table are `Item`, and members that are about to be written `Facts`."""
    return [node.id for node in module.nodes if isinstance(node, ast.Name) and node.id == "Any"]


def is_stub(name: str) -> bool:
    """Types that mypy alone knows: of AWS clients, and its own."""
    return name.startswith(("mypy_boto3_", "_typeshed"))


def stubs_at_runtime(module: Module) -> set[str]:
    """Stubs that are imported elsewhere than below `if TYPE_CHECKING:` at the top of the module."""
    guards = [node for node in module.tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == GUARD]
    guarded = {id(node) for guard in guards for node in guard.body}
    return {name for node in module.nodes if id(node) not in guarded for name in imported_names(node) if is_stub(name)}


def third_party(module: Module) -> set[str]:
    return {name for name in module.outermost if not is_stub(name)} - sys.stdlib_module_names - {
        PACKAGE
    } | module.outermost & NEWER_STDLIB


def not_on_nodes(module: Module) -> set[str]:
    return third_party(module) - NODE_PACKAGES


def spark(module: Module) -> set[str]:
    return module.outermost & {"pyspark", "py4j"}


def builds_clients(module: Module) -> list[str]:
    """boto3 itself, and calls that make clients out of a session."""
    calls = (ast.unparse(node.func) for node in module.nodes if isinstance(node, ast.Call))
    made = [text for text in calls if re.search(r"(?i)(session|boto3)\.(client|resource)$|\.create_client$", text)]
    return [*(module.outermost & {"boto3"}), *made]


def literals(module: Module) -> list[str]:
    """String literals that are no docstrings."""
    docs = {id(node.value) for node in module.nodes if isinstance(node, ast.Expr)}
    strings = (node for node in module.nodes if isinstance(node, ast.Constant) and id(node) not in docs)
    return [node.value for node in strings if isinstance(node.value, str)]


def ends_grants(module: Module) -> list[str]:
    """Calls that take a grant or end one."""
    calls = [node.func for node in module.nodes if isinstance(node, ast.Call)]
    verbs = {"reserve", "settle", "forfeit"}
    return [ast.unparse(call) for call in calls if isinstance(call, ast.Attribute) and call.attr in verbs]


def connector_words(module: Module) -> list[str]:
    """Class names of Hadoop and the connector, written or called through the JVM, and the connector's conf keys."""
    through_jvm = (
        ast.unparse(node) for node in module.nodes if isinstance(node, ast.Attribute) and node.attr == "apache"
    )
    named = [text for text in literals(module) if re.search(r"\borg\.apache\.|^dynamodb\.[a-z]", text)]
    return [*named, *(text for text in through_jvm if text.endswith("org.apache"))]


def words_of_our_own(module: Module) -> set[str]:
    """Names that no manual of DynamoDB or Spark knows, or that say nothing of what they hold."""
    stored = (n.id for n in module.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    parameters = (node.arg for node in module.nodes if isinstance(node, ast.arg))
    attributes = (node.attr for node in module.nodes if isinstance(node, ast.Attribute))
    kinds = (ast.FunctionDef, ast.ClassDef)
    defined = (node.name for node in module.nodes if isinstance(node, kinds))
    names = {*stored, *parameters, *attributes, *defined}
    return {name for name in names if name.strip("_").lower() in house_rules.WORDS_OF_OUR_OWN}


def evaluates_annotations(module: Module) -> list[str]:
    """`int | None` in an annotation is an error on Python 3.9 without the future import."""
    annotated = any(isinstance(node, (ast.AnnAssign, ast.FunctionDef)) for node in module.nodes)
    return ["annotations"] if annotated and "__future__.annotations" not in module.imported else []


def launcher_parts(module: Module) -> set[str]:
    """The parts of the library that are not on nodes, as far as the module imports them."""
    inner_names = (name.split(".") for name in module.imported if name.startswith(f"{PACKAGE}."))
    return {words[1] for words in inner_names} & NOT_ON_NODES


def all_modules() -> list[Module]:
    return list(library().modules.values())


def parts(*names: str) -> list[Module]:
    """The modules of these packages, and of the packages inside them."""
    return [module for module in all_modules() if module.package.partition(".")[0] in names]


@cache
def node_modules() -> tuple[Module, ...]:
    """Everything that runs on a cluster: the bundle's part of the library, and the job scripts."""
    roots = [PROJECT / PACKAGE / part for part in NODE_PARTS]
    paths = [path for root in roots for path in ([root] if root.is_file() else sorted(root.rglob("*.py")))]
    return (*map(Module.read, paths), *jobs())


def test_library_never_imports_what_is_not_shipped() -> None:
    assert broken(not_shipped, among=all_modules()) == {}


def test_stubs_are_for_type_checking_alone() -> None:
    assert broken(stubs_at_runtime, among=[*all_modules(), *jobs()]) == {}


def test_the_engine_passes_on_what_has_a_type() -> None:
    engine = parts("exporting", "importing", "verifying", "run", "workers", "passes")
    assert broken(untyped, among=engine, fewest=40) == {}


def test_formats_know_the_standard_library_only() -> None:
    assert broken(third_party, among=parts("formats", "errors"), fewest=30) == {}


def test_control_plane_never_imports_spark() -> None:
    assert broken(spark, among=parts("emr", "report"), fewest=50) == {}


def test_clients_are_built_in_one_place() -> None:
    assert set(broken(builds_clients, among=all_modules())) == {f"{PACKAGE}.aws.clients"}


def test_requests_are_metered_in_one_place() -> None:
    """`metered` alone takes and ends grants; the dispatcher is the other end of the line."""
    places = {f"{PACKAGE}.workers.{name}" for name in ("contract", "dispatcher")}
    assert set(broken(ends_grants, among=all_modules())) == places


def test_the_connector_is_named_in_one_place() -> None:
    assert set(broken(connector_words, among=all_modules())) == {f"{PACKAGE}.connector.read"}


def test_names_are_the_fields_words() -> None:
    assert broken(words_of_our_own, among=all_modules()) == {}


def test_node_code_parses_as_python_3_9() -> None:
    assert len(node_modules()) >= FEWEST_NODE_FILES
    for module in node_modules():
        ast.parse(module.source, filename=module.name, feature_version=NODE_PYTHON)


def test_node_code_imports_only_what_nodes_have() -> None:
    assert broken(not_on_nodes, among=node_modules(), fewest=FEWEST_NODE_FILES) == {}


def test_node_code_never_evaluates_its_annotations() -> None:
    assert broken(evaluates_annotations, among=node_modules(), fewest=FEWEST_NODE_FILES) == {}


def test_node_code_holds_no_launcher() -> None:
    """What goes to the cluster cannot start clusters."""
    assert broken(launcher_parts, among=node_modules(), fewest=FEWEST_NODE_FILES) == {}


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (launcher_parts, "def f():\n    from dynamodb_pipeline.emr.cluster.sizing import MAX_DRIVER_MB"),
        (launcher_parts, "from dynamodb_pipeline import cli"),
        (not_shipped, "import sandbox.stack"),
        (third_party, "import tomllib"),
        (third_party, "from botocore.auth import SigV4Auth"),
        (not_on_nodes, "import rich"),
        (untyped, "def f(x: Any): pass"),
        (untyped, "class C:\n    x: dict[str, Any]"),
        (untyped, "Job = Callable[[Any], None]"),
        (stubs_at_runtime, "from mypy_boto3_s3 import S3Client"),
        (stubs_at_runtime, "def f():\n    import mypy_boto3_s3.client"),
        (stubs_at_runtime, "if TYPE_CHECKING:\n    pass\nelse:\n    import mypy_boto3_emr"),
        (spark, "def f():\n    from pyspark.sql import SparkSession"),
        (builds_clients, "import boto3"),
        (builds_clients, "def f(session):\n    return session.client('s3')"),
        (builds_clients, "def f(settings):\n    return settings.session.resource('s3')"),
        (builds_clients, "def f(made):\n    return made.create_client('s3')"),
        (ends_grants, "def f(grants):\n    grants.settle(grants.reserve({}), {})"),
        (connector_words, "KEY = 'dynamodb.throughput.read'"),
        (connector_words, "def f(jvm):\n    return jvm.org.apache.hadoop.mapred.JobConf()"),
        (connector_words, "NAME = 'org.apache.hadoop.io.Text'"),
        (evaluates_annotations, "def f(x: int | None): pass"),
        (words_of_our_own, "found = 1"),
        (words_of_our_own, "class Desk: pass"),
        (words_of_our_own, "def f(told): pass"),
        (words_of_our_own, "def f(self): self._desk.close()"),
    ],
)
def test_each_rule_bites(rule: Rule, source: str) -> None:
    assert broken(rule, among=[Module(f"{PACKAGE}.formats.example", source)], fewest=1)


@pytest.mark.parametrize("source", ["match x:\n    case 1: pass", "try:\n    f()\nexcept* OSError:\n    pass"])
def test_the_3_9_rule_bites(source: str) -> None:
    with pytest.raises(SyntaxError):
        ast.parse(source, feature_version=NODE_PYTHON)


def test_docstrings_may_speak_of_the_connector() -> None:
    source = '"""Told by `dynamodb.endpoint`, org.apache.hadoop."""\nX = "dynamodb:Scan"'
    assert connector_words(Module(f"{PACKAGE}.emr.example", source)) == []
