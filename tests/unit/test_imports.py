"""
The house's rules: who may import whom, how large a package and a module may be, and that a name stands once.

The graph is read by `import_graph`, the declared order and the exceptions are those of `house_rules`. Every rule says
how many files it looked at, so that none passes by looking at nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import pytest

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
    ROOT,
    WORDS,
    Charter,
    Library,
    Module,
    circles,
    is_counted,
    library,
    with_graph,
)

JOB_MODULES = [f"{PACKAGE}.{job}" for job in house_rules.JOBS]
FEWEST_FILES = 150  # a rule that sees fewer of the library looked in the wrong place

GraphRule = Callable[[Library], Collection[str]]


# Each rule returns what breaks it, in words.


def circles_of_modules(graph: Library) -> list[str]:
    return [" <-> ".join(group) for group in circles(graph.edges)]


def circles_of_packages(graph: Library) -> list[str]:
    return [" <-> ".join(group) for group in circles(graph.package_edges)]


def charter_of(graph: Library, package: str) -> Charter | None:
    module = graph.modules.get(f"{PACKAGE}.{package}")
    return Charter.of(module) if module and module.is_package else None


def words_of(graph: Library, package: str) -> set[str]:
    """The names after "May import:", or those listed for a module beside the packages."""
    charter = charter_of(graph, package)
    return set(charter.may) if charter else BESIDE_THE_PACKAGES.get(package, set())


def allowed(graph: Library, package: str) -> set[str]:
    """The packages that these names stand for."""
    charter = charter_of(graph, package)
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
    known = set(graph.package_edges) | WORDS
    return sorted(f"{home}: {word}" for home in graph.package_edges for word in words_of(graph, home) - known)


def permissions_without_use(graph: Library) -> list[str]:
    """What a package may import and does not: take it out, so that the charters say how it is."""
    given = ((home, word) for home in graph.package_edges for word in words_of(graph, home) - WORDS)
    return sorted(
        f"{home} does not import {word}"
        for home, word in given
        if not any(f"{target}.".startswith(f"{word}.") for target in graph.package_edges[home])
    )


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


# A rule is held by standing here, with a library that breaks it.
BITES: list[tuple[GraphRule, Library]] = [
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
    (permissions_without_use, example(may="aws", rate_a="", aws_b="")),
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
]
RULES = tuple(dict.fromkeys(rule for rule, _ in BITES))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
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


@pytest.mark.parametrize(("rule", "graph"), BITES, ids=lambda value: getattr(value, "__name__", ""))
def test_each_rule_of_the_graph_bites(rule: GraphRule, graph: Library) -> None:
    assert rule(graph)
