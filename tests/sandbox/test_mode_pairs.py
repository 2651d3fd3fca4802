"""Every pair of modes of an import that goes together, done once: the table holds what both of them mean."""

from __future__ import annotations

import json
import time
from itertools import combinations
from typing import Any

import pytest

from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.settings.parse import MODES, REFUSED_TOGETHER
from sandbox.metering_proxy import MeteringProxy
from sandbox.stack import Sandbox
from tests.sandbox.backups import connector_lines, put_backup, put_objects
from tests.sandbox.in_process import FULL_RATE, LOCAL, Pipeline
from tests.sandbox.tables import NONE, make_bucket, make_table
from tests.sandbox.test_chain import history, put_chain
from tests.unit.chain.histories import item as chained_item

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

Item = dict[str, Any]
KEYS = (("id", "S"), ("at", "S"))
NOW = int(time.time())
TTL = {"DescribeTimeToLive": {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}}}
NAMES = [mode.name for mode in MODES]
REFUSED = {frozenset((one.name, other.name)) for one, other, _ in REFUSED_TOGETHER}
ALLOWED = [pair for pair in combinations(NAMES, 2) if frozenset(pair) not in REFUSED]


def made(number: int, **more: Any) -> Item:
    """Keys of two beginnings each; every seventh item has expired."""
    item: Item = {"id": {"S": f"{'ab'[number % 2]}{number:03d}"}, "at": {"S": f"{'xy'[number // 2 % 2]}{number % 5}"}}
    expired = {"ttl": {"N": str(NOW - 3600)}} if number % 7 == 0 else {}
    return {**item, "n": {"N": str(number)}, **expired, **more}


def key_of(item: Item) -> tuple[str, str]:
    return item["id"]["S"], item["at"]["S"]


BACKUP = [made(number) for number in range(40)]
OLDER = [made(number, old={"BOOL": True}) for number in (3, 4)]  # of the same keys, further ahead
BAD: Item = {"id": {"S": ""}, "at": {"S": "x"}}
# What the table holds: the first half, five others changed by the application, and four that the backup lacks.
HELD = [*BACKUP[:20], *(made(number, mine={"S": "x"}) for number in range(20, 25)), *map(made, range(100, 104))]
WANTED = [BACKUP[number] for number in (0, 7, 22, 30)]


def wanted(pair: tuple[str, ...]) -> list[Item]:
    """What the table must hold afterwards."""
    chosen = WANTED if "--keys" in pair else BACKUP
    chosen = [item for item in chosen if "--key-prefix" not in pair or key_of(item)[0].startswith("a")]
    chosen = [item for item in chosen if "--sort-key-prefix" not in pair or key_of(item)[1].startswith("x")]
    chosen = [item for item in chosen if "--skip-expired" not in pair or "ttl" not in item]
    held = {key_of(item): item for item in HELD}
    if "--mirror" in pair:
        held = {}
    written = {key_of(item): item for item in chosen}
    held = {**written, **held} if "--skip-existing" in pair else {**held, **written}
    return HELD if "--dry-run" in pair else list(held.values())


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


def words_of(sandbox: Sandbox, bucket: str, folder: str, pair: tuple[str, ...]) -> list[str]:
    """The modes with their values; `--chain` has its own place."""
    keys = b"".join(json.dumps({name: item[name] for name in ("id", "at")}).encode() + b"\n" for item in WANTED)
    put_objects(sandbox, f"s3://{bucket}/keys", {"keys": keys})
    values = {
        "--keys": f"s3://{bucket}/keys/keys",
        "--key-prefix": "a",
        "--sort-key-prefix": "x",
        "--set-aside": f"s3://{bucket}/aside/{folder}",
        "--duplicates": "last-wins",
    }
    words = [word for mode in pair if mode != "--chain" for word in (mode, values.get(mode)) if word]
    return [*words, *(("--yes", "--max-deletions", "100%") if "--mirror" in pair else ())]


@pytest.mark.parametrize("pair", [pair for pair in ALLOWED if "--chain" not in pair], ids=" and ".join)
def test_two_modes_do_what_both_mean(sandbox: Sandbox, bucket: str, pair: tuple[str, ...]) -> None:
    table, name = make_table(sandbox, KEYS), "".join(pair).strip("-")
    table.put(HELD)
    first = [*OLDER, *BACKUP[:20]] if "--duplicates" in pair else BACKUP[:20]
    second = [*BACKUP[20:], BAD] if "--set-aside" in pair else BACKUP[20:]
    folder = put_backup(sandbox, f"s3://{bucket}/{name}", {"a": connector_lines(first), "b": connector_lines(second)})
    words = ("--from-table", "unknown", *words_of(sandbox, bucket, name, pair))
    with MeteringProxy(sandbox.dynamodb_url, answers=TTL if "--skip-expired" in pair else {}) as proxy:
        done = Pipeline(sandbox, proxy.url).import_into(table, folder, *words)
        written = proxy.of("BatchWriteItem") + proxy.of("PutItem")
    is_aside = "--set-aside" in pair and "--dry-run" not in pair
    assert done.code == (ExitCode.SET_ASIDE if is_aside else ExitCode.DONE), done.text
    assert table.differences(wanted(pair)) == NONE
    assert bool(written) is ("--dry-run" not in pair)


@pytest.mark.parametrize("pair", [pair for pair in ALLOWED if "--chain" in pair], ids=" and ".join)
def test_a_chain_goes_with_what_it_goes_with(sandbox: Sandbox, bucket: str, pair: tuple[str, ...]) -> None:
    model, name, table = history(), "".join(pair).strip("-"), make_table(sandbox)
    foreign = chained_item("foreign", 9)
    before, after = [*model.table(10).values(), foreign], list(model.table(30).values())
    table.put(before)
    place = put_chain(sandbox, f"s3://{bucket}/{name}", model)
    chain = ("--chain", place, "--from-table", "Tab", "--logs", f"s3://{bucket}/logs", "--yes")
    words = words_of(sandbox, bucket, name, pair)
    done = Pipeline(sandbox).run("import", "--table", table.name, *chain, *words, *LOCAL, *FULL_RATE)
    assert done.code == ExitCode.DONE, done.text
    kept = [] if "--mirror" in pair else [foreign]
    assert table.differences(before if "--dry-run" in pair else [*after, *kept]) == NONE
