"""
The house's rules: who may import whom, how large a package and a module may be, and that a name stands once.

The graph is read by `import_graph`, the declared order and the exceptions are those of `house_rules`. Every rule says
how many files it looked at, so that none passes by looking at nothing.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Collection, Iterable
from functools import cache

import pytest

from dynamodb_pipeline.emr.cluster.sizing import SAFETY_CONF
from dynamodb_pipeline.emr.request.bundle import NODE_PARTS
from dynamodb_pipeline.workers.spark_session import REQUIRED_SPARK_CONF
from tests.unit import house_rules
from tests.unit.house_rules import (
    BESIDE_THE_PACKAGES,
    LINES_AT_LEAST,
    LINES_AT_MOST,
    MODULE_CEILING,
    ORDER,
    REACHED_AT_MOST,
)
from tests.unit.import_graph import (
    PACKAGE,
    PAGE,
    PROJECT,
    ROOT,
    WORDS,
    Charter,
    Library,
    Module,
    circles,
    is_counted,
    jobs,
    library,
    with_graph,
)

NOT_SHIPPED = {"sandbox", "benchmarks", "tests", "jobs"}
NODE_PYTHON = (3, 9)
NODE_PACKAGES = {"boto3", "botocore", "urllib3", "pyspark", "py4j"}  # urllib3 is botocore's own transport
NEWER_STDLIB = {"tomllib"}  # in this Python, not in 3.9
NOT_ON_NODES = {"cli", "emr", "folders", "report"}
FEWEST_NODE_FILES = 100
JOB_MODULES = [f"{PACKAGE}.{job}" for job in house_rules.JOBS]
FEWEST_FILES = 150  # a rule that sees fewer of the library looked in the wrong place

Rule = Callable[[Module], Collection[str]]
GraphRule = Callable[[Library], Collection[str]]


# Rules for the whole graph: each returns what breaks it, in words.


def circles_of_modules(graph: Library) -> list[str]:
    return [" <-> ".join(group) for group in circles(graph.edges)]


def circles_of_packages(graph: Library) -> list[str]:
    return [" <-> ".join(group) for group in circles(graph.package_edges)]


def allowed(graph: Library, package: str) -> set[str]:
    """What a package may import: by its charter, or by the list of the modules beside the packages."""
    module = graph.modules.get(f"{PACKAGE}.{package}")
    charter = Charter.of(module) if module and module.is_package else None
    return charter.may_import(graph.package_edges) if charter else BESIDE_THE_PACKAGES.get(package, set())


def imports_beyond_the_charter(graph: Library) -> list[str]:
    strange = ((home, to) for home, tos in graph.package_edges.items() for to in tos - allowed(graph, home))
    return [f"{home} may not import {to}: {'; '.join(graph.behind(home, to))}" for home, to in sorted(strange)]


def imports_upwards(graph: Library) -> list[str]:
    """What is imported or allowed although it stands higher in ORDER."""
    height = {package: place for place, package in enumerate(ORDER)}
    pairs = ((home, to) for home, tos in graph.package_edges.items() for to in tos | allowed(graph, home) - {home})
    return sorted(f"{home} -> {to}" for home, to in pairs if height.get(to, 0) > height.get(home, 0))


def packages_without_place(graph: Library) -> set[str]:
    return set(graph.package_edges) - set(ORDER)


def packages_without_charter(graph: Library) -> list[str]:
    """What lives here, "May import:" and "Must not know:" in the docstring of `__init__.py`."""
    inits = (module for module in graph.modules.values() if module.is_package and module.package != ROOT)
    return [module.package for module in inits if not Charter.of(module)]


def charters_that_name_nothing(graph: Library) -> list[str]:
    """Names after "May import:" that are no packages."""
    named = ((name, Charter.of(module)) for name, module in graph.modules.items() if module.is_package)
    words = {(name, word) for name, charter in named if charter for word in charter.may}
    known = set(graph.package_edges) | WORDS
    return sorted(f"{name}: {word}" for name, word in words if word not in known)


def packages_of_wrong_size(graph: Library) -> list[str]:
    holders = {name.rpartition(".")[0] for name in graph.sizes}  # packages that hold packages may hold only these
    return [
        f"{package} has {count} modules"
        for package, count in graph.sizes.items()
        if (count > 0 if package in holders else count not in house_rules.MODULES_PER_PACKAGE)
    ]


def modules_too_long(graph: Library) -> list[str]:
    return [
        f"{m.name}: {m.line_count} lines, at most {LINES_AT_MOST}"
        for m in graph.modules.values()
        if m.line_count > LINES_AT_MOST
    ]


def short_modules(graph: Library) -> set[str]:
    return {
        inner(module) for module in graph.modules.values() if is_counted(module) and module.line_count < LINES_AT_LEAST
    }


def short_without_reason(graph: Library) -> set[str]:
    return short_modules(graph) - set(house_rules.SHORT_MODULES)


def too_many_modules(graph: Library) -> list[str]:
    count = sum(map(is_counted, graph.modules.values()))
    return [f"{count} modules, at most {MODULE_CEILING}"] if count > MODULE_CEILING else []


def jobs_that_reach_too_much(graph: Library) -> list[str]:
    """Each job knows its own part and the engine, not the other jobs: lazy and type-only imports count as well."""
    counts = {job: sum(map(is_counted, map(graph.modules.__getitem__, graph.closure([job])))) for job in JOB_MODULES}
    return [f"{job} reaches {count} modules" for job, count in counts.items() if count > REACHED_AT_MOST]


def names_defined_twice(graph: Library) -> set[str]:
    """Public functions and classes of two modules of which another module imports at least one."""
    homes: dict[str, list[str]] = {}
    for module in graph.modules.values():
        for name in module.defined:
            homes.setdefault(name, []).append(module.name)
    taken = {name for module in graph.modules.values() for name in module.imported}
    return {name for name, of in homes.items() if len(of) > 1 and taken & {f"{home}.{name}" for home in of}}


def imported_by_nobody(graph: Library) -> set[str]:
    imported = frozenset[str]().union(*graph.edges.values())
    return {inner(module) for name, module in graph.modules.items() if is_counted(module) and name not in imported}


def without_user(graph: Library) -> set[str]:
    return imported_by_nobody(graph) - set(house_rules.ENTRY_POINTS)


def inner(module: Module) -> str:
    return module.name.partition(".")[2] or ROOT


# Rules for one module.


def broken(rule: Rule, *, among: Iterable[Module], fewest: int = FEWEST_FILES) -> dict[str, Collection[str]]:
    """What the rule finds, by module; empty when all of at least `fewest` modules keep it."""
    modules = list(among)
    assert len(modules) >= fewest, f"{len(modules)} files seen"
    return {module.name: found for module in modules if (found := rule(module))}


def not_shipped(module: Module) -> set[str]:
    return module.outermost & NOT_SHIPPED


def third_party(module: Module) -> set[str]:
    return module.outermost - sys.stdlib_module_names - {PACKAGE} | module.outermost & NEWER_STDLIB


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


GRAPH_RULES: tuple[GraphRule, ...] = (
    *(circles_of_modules, circles_of_packages, imports_beyond_the_charter, imports_upwards, packages_without_place),
    *(packages_without_charter, charters_that_name_nothing, packages_of_wrong_size, too_many_modules),
    *(modules_too_long, short_without_reason, names_defined_twice, without_user, jobs_that_reach_too_much),
)


@pytest.mark.parametrize("rule", GRAPH_RULES, ids=lambda rule: rule.__name__)
def test_the_library_keeps_its_rules(rule: GraphRule) -> None:
    assert len(library().modules) >= FEWEST_FILES
    assert list(rule(library())) == []


def test_the_page_shows_the_packages_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_graph(page, library()) == page, "run `make graph`"


@pytest.mark.parametrize(
    ("listed", "now"),
    [
        (set(ORDER), lambda graph: set(graph.package_edges)),
        (set(BESIDE_THE_PACKAGES), lambda graph: set(graph.package_edges)),
        (set(house_rules.SHORT_MODULES), short_modules),
        (set(house_rules.ENTRY_POINTS), imported_by_nobody),
    ],
    ids=["order", "beside the packages", "short modules", "entry points"],
)
def test_no_entry_of_a_list_is_stale(listed: set[str], now: Callable[[Library], set[str]]) -> None:
    """Take out of house_rules.py what the code no longer has."""
    assert listed - now(library()) == set()


def test_every_exception_has_a_reason() -> None:
    reasons = (house_rules.SHORT_MODULES, house_rules.ENTRY_POINTS)
    assert [name for listed in reasons for name, reason in listed.items() if len(reason) < 10] == []


def test_library_never_imports_what_is_not_shipped() -> None:
    assert broken(not_shipped, among=all_modules()) == {}


def test_formats_know_the_standard_library_only() -> None:
    assert broken(third_party, among=parts("formats", "errors"), fewest=30) == {}


def test_control_plane_never_imports_spark() -> None:
    assert broken(spark, among=parts("emr", "report"), fewest=50) == {}


def test_clients_are_built_in_one_place() -> None:
    assert set(broken(builds_clients, among=all_modules())) == {f"{PACKAGE}.aws.clients"}


def test_the_connector_is_named_in_one_place() -> None:
    assert set(broken(connector_words, among=all_modules())) == {f"{PACKAGE}.connector.read"}


def test_names_are_the_fields_words() -> None:
    assert broken(words_of_our_own, among=all_modules()) == {}


def test_launcher_and_job_agree_on_the_settings_that_keep_reads_whole() -> None:
    """Both hold them, for the launcher must not import the data plane."""
    assert SAFETY_CONF == REQUIRED_SPARK_CONF


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
        (launcher_parts, "def f():\n    from dynamodb_pipeline.emr.cluster.sizing import SAFETY_CONF"),
        (launcher_parts, "from dynamodb_pipeline import cli"),
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
        (words_of_our_own, "found = 1"),
        (words_of_our_own, "class Desk: pass"),
        (words_of_our_own, "def f(told): pass"),
        (words_of_our_own, "def f(self): self._desk.close()"),
    ],
)
def test_each_rule_bites(rule: Rule, source: str) -> None:
    assert broken(rule, among=[Module(f"{PACKAGE}.formats.example", source)], fewest=1)


def charter(may: str) -> str:
    return f'"""What lives here.\n\nMay import: {may}.\nMust not know: the rest.\n"""'


def example(*, packages: Iterable[str] = (), may: str = "nothing", **sources: str) -> Library:
    """A library out of sources by dotted name (`_` for the dot), with the packages they lie in and their charter."""
    modules = {name.replace("_", "."): text for name, text in sources.items()}
    homes = {ROOT, *packages, *(name.rpartition(".")[0] or ROOT for name in modules)}
    inits = [Module(f"{PACKAGE}.{home}".removesuffix(f".{ROOT}"), charter(may), is_package=True) for home in homes]
    return Library.of([*inits, *(Module(f"{PACKAGE}.{name}", text) for name, text in modules.items())])


LAZY = "def f():\n    from {} import {}"
TYPE_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {} import {}"


@pytest.mark.parametrize(
    ("rule", "graph"),
    [
        (
            circles_of_modules,
            example(
                rate_a=LAZY.format("dynamodb_pipeline.rate.b", "x"),
                rate_b=TYPE_ONLY.format("dynamodb_pipeline.rate.a", "y"),
            ),
        ),
        (
            circles_of_modules,
            example(rate_a="from dynamodb_pipeline.rate import b", rate_b="import dynamodb_pipeline.rate.a"),
        ),
        (
            circles_of_packages,
            example(rate_a="from dynamodb_pipeline.aws import b", aws_b="", aws_c="import dynamodb_pipeline.rate.a"),
        ),
        (imports_beyond_the_charter, example(errors=LAZY.format("dynamodb_pipeline.rate", "a"), rate_a="")),
        (imports_beyond_the_charter, example(rate_a="from dynamodb_pipeline.aws.b import c", aws_b="c = 1")),
        (imports_beyond_the_charter, example(may="formats", rate_a="import dynamodb_pipeline.aws.b", aws_b="")),
        (imports_upwards, example(report_a="from dynamodb_pipeline.cli.b import c", cli_b="c = 1")),
        (imports_upwards, example(may="cli", report_a="", cli_b="")),
        (packages_without_place, example(drawer_a="")),
        (packages_without_charter, Library.of([Module(f"{PACKAGE}.rate", "", is_package=True)])),
        (packages_without_charter, Library.of([Module(f"{PACKAGE}.rate", '"""Rates."""', is_package=True)])),
        (charters_that_name_nothing, example(may="aws, drawer", aws_b="")),
        (packages_of_wrong_size, example(rate_a="", rate_b="")),
        (packages_of_wrong_size, example(**{f"rate_{letter}": "" for letter in "abcdefghijklm"})),
        (packages_of_wrong_size, example(packages=["emr.plan"], emr_a="", emr_b="", emr_c="")),
        (too_many_modules, example(**{f"rate_{n}": "" for n in range(MODULE_CEILING + 1)})),
        (
            jobs_that_reach_too_much,
            example(
                exporting_tables=TYPE_ONLY.format("dynamodb_pipeline.rate", "m0"),
                **{f"rate_m{n}": f"import dynamodb_pipeline.rate.m{n + 1}" for n in range(REACHED_AT_MOST)},
                **{f"rate_m{REACHED_AT_MOST}": ""},
            ),
        ),
        (modules_too_long, example(rate_a="x = 1\n" * (LINES_AT_MOST + 1))),
        (short_without_reason, example(rate_a="x = 1\n" * (LINES_AT_LEAST - 1))),
        (
            names_defined_twice,
            example(
                rate_a="def only_here(): pass",
                rate_b="class only_here: pass",
                aws_c="def g():\n    from dynamodb_pipeline.rate.a import only_here",
            ),
        ),
        (without_user, example(rate_a="import dynamodb_pipeline.rate.b", rate_b="")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_rule_of_the_graph_bites(rule: GraphRule, graph: Library) -> None:
    assert rule(graph)


@pytest.mark.parametrize("source", ["match x:\n    case 1: pass", "try:\n    f()\nexcept* OSError:\n    pass"])
def test_the_3_9_rule_bites(source: str) -> None:
    with pytest.raises(SyntaxError):
        ast.parse(source, feature_version=NODE_PYTHON)


def test_docstrings_may_speak_of_the_connector() -> None:
    source = '"""Told by `dynamodb.endpoint`, org.apache.hadoop."""\nX = "dynamodb:Scan"'
    assert connector_words(Module(f"{PACKAGE}.emr.example", source)) == []
