"""Random filters, projections and indexes: what is exported is what the manual says, worked out in Python."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.demo_check import differences, items_by_key
from sandbox.stack import Sandbox
from tests.sandbox.cli import Outcome, run_cli
from tests.sandbox.exported_items import exported_items
from tests.sandbox.in_process import Pipeline
from tests.sandbox.scan_words import Item, Path, Words, a_filter, a_projection, an_item, options_of, shown
from tests.sandbox.tables import NONE, Table, make_bucket, make_table

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

KEYS = (("id", "S"), ("n", "N"))
ITEM_COUNT = 120
CASES_DIRECT, CASES_CONNECTOR = 40, 2
INCLUDED = ("txt", "num")
# Each index by name: the attributes that an item must have to be in it, and those that it holds (None: all).
INDEXES: dict[str, tuple[tuple[str, ...], tuple[str, ...] | None]] = {
    "by-status": (("status",), ("id", "n", "status", *INCLUDED)),
    "by-created": (("created", "status"), ("id", "n", "created", "status")),
    "local": (("created",), None),
}


@dataclass(frozen=True)
class Case:
    """Words of an export and the items that it must hold."""

    options: tuple[str, ...]
    expected: list[Item]


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


@pytest.fixture(scope="module")
def items() -> list[Item]:
    rng = random.Random(20261130)
    return [an_item(rng, number) for number in range(ITEM_COUNT)]


@pytest.fixture(scope="module")
def table(sandbox: Sandbox, items: list[Item]) -> Table:
    units = {"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000}
    table = make_table(
        sandbox,
        KEYS,
        extra_attributes=(("status", "S"), ("created", "N")),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-status",
                "KeySchema": keys("status"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(INCLUDED)},
                "ProvisionedThroughput": units,
            },
            {
                "IndexName": "by-created",
                "KeySchema": keys("created", "status"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": units,
            },
        ],
        LocalSecondaryIndexes=[
            {"IndexName": "local", "KeySchema": keys("id", "created"), "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    table.put(items)
    return table


def keys(*names: str) -> list[dict[str, Any]]:
    return [{"AttributeName": name, "KeyType": role} for name, role in zip(names, ("HASH", "RANGE"))]


def case_of(seed: int, items: list[Item]) -> Case:
    """Filter, projection and index, at least one of them; what a filter looks at is what the index holds."""
    rng = random.Random(seed)
    words = Words(rng)
    index = rng.choice((None, None, *INDEXES))
    seen = [of_index(item, index) for item in items if is_in(item, index)] if index else items
    wants = rng.choice(("filter", "projection", "both", "none" if index else "filter"))
    expression, meets, projection, paths = None, always, None, None
    if wants in ("filter", "both"):
        expression, meets = a_filter(rng, words, seen)
    if wants in ("projection", "both") and index in (None, "local"):
        projection, paths = a_projection(rng, words)
    index_words = ("--index", index) if index else ()
    if (expression, projection, index) == (None, None, None):
        projection, paths = a_projection(rng, words)
    options = (*index_words, *options_of(words, expression=expression, projection=projection))
    return Case(options, [part_of(item, paths) for item in seen if meets(item)])


def always(_item: Item) -> bool:
    return True


def is_in(item: Item, index: str) -> bool:
    return set(INDEXES[index][0]) <= item.keys()


def of_index(item: Item, index: str) -> Item:
    names = INDEXES[index][1]
    return item if names is None else {name: value for name, value in item.items() if name in names}


def part_of(item: Item, paths: list[Path] | None) -> Item:
    """The table's keys come with every projection."""
    if paths is None:
        return item
    return shown(item, [*[path for path in paths if path not in (("id",), ("n",))], ("id",), ("n",)])


def judge(sandbox: Sandbox, folder: str, done: Outcome, case: Case) -> None:
    assert done.code == ExitCode.DONE, (case.options, done.text)
    found = items_by_key(exported_items(sandbox, folder), ("id", "n"))
    assert differences(items_by_key(case.expected, ("id", "n")), found) == NONE, case.options
    assert done.result["tables"][0]["items"] == len(case.expected)


@pytest.mark.parametrize("seed", range(CASES_DIRECT))
def test_the_direct_reader_exports_what_the_manual_says(
    sandbox: Sandbox, table: Table, items: list[Item], bucket: str, seed: int
) -> None:
    case, rng = case_of(seed, items), random.Random(seed)
    more = ("--compression", rng.choice(("none", "gzip")), "--null-tag", rng.choice(("nULL", "nULLValue")))
    folder = f"s3://{bucket}/direct-{seed}"
    judge(sandbox, folder, Pipeline(sandbox).export(table, folder, *case.options, *more), case)


@pytest.mark.spark
@pytest.mark.parametrize("seed", range(1000, 1000 + CASES_CONNECTOR))
def test_the_connector_exports_what_the_manual_says(
    sandbox: Sandbox, table: Table, items: list[Item], bucket: str, seed: int
) -> None:
    case, folder = case_of(seed, items), f"s3://{bucket}/connector-{seed}"
    words = (
        "--table",
        table.name,
        "--output",
        folder,
        "--exact-output",
        "--local",
        "--engine",
        "spark",
        "--tasks",
        "2",
    )
    done = run_cli(["export", *words, "--throughput-percent", "100", *case.options], env=sandbox.process_env())
    judge(sandbox, folder, done, case)
