"""
Exports of a part of a table: filters, projections and indexes, compared item by item with what Python makes of the same
items; how they are recorded, refused, resumed and rated.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from dynamodb_pipeline.errors import ExitCode
from sandbox.metering_proxy import MeteringProxy
from sandbox.processes import PROJECT
from sandbox.stack import Sandbox
from tests.sandbox.backups import get_objects, put_objects
from tests.sandbox.exported_items import exported_items
from tests.sandbox.in_process import Pipeline
from tests.sandbox.tables import NONE, Table, make_bucket, make_table

pytestmark = pytest.mark.sandbox

KEYS = (("id", "S"), ("n", "N"))
INDEX_UNITS = 40

Item = dict[str, Any]


def made(number: int) -> Item:
    """Items of many shapes: attributes that are missing, of other types, nested, and named by a reserved word."""
    item: Item = {"id": {"S": f"k{number % 50:03d}"}, "n": {"N": str(number)}, "text": {"S": "x" * 800}}
    item |= {"status": {"S": ("open", "closed", "new")[number % 3]}} if number % 7 else {}
    item |= {"created": {"N": str(number * 10)}} if number % 2 else {"created": {"N": "-1"}}
    item |= {
        "info": {"M": {"city": {"S": "Ulm" if number % 4 else "Bonn"}, "codes": {"L": [{"N": "1"}, {"NULL": True}]}}}
    }
    item |= {"tags": {"SS": ["a", f"t{number % 5}"]}} if number % 3 == 0 else {"tags": {"L": []}}
    item |= {"name": {"S": 'quo"te'}, "flag": {"BOOL": number % 2 == 0}}
    return item


ITEMS = [made(number) for number in range(130)]


def text(item: Item, name: str) -> Any:
    return item.get(name, {}).get("S")


@pytest.fixture(scope="module")
def bucket(sandbox: Sandbox) -> str:
    return make_bucket(sandbox)


@pytest.fixture(scope="module")
def table(sandbox: Sandbox) -> Table:
    """With a global index that has its own, lower capacity and projects little, and a local one."""
    table = make_table(
        sandbox,
        KEYS,
        extra_attributes=(("status", "S"), ("created", "N")),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-status",
                "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["flag"]},
                "ProvisionedThroughput": {"ReadCapacityUnits": INDEX_UNITS, "WriteCapacityUnits": 1000},
            },
            {
                "IndexName": "all-of-it",
                "KeySchema": [{"AttributeName": "created", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": INDEX_UNITS, "WriteCapacityUnits": 1000},
            },
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-created",
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "created", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    table.put(ITEMS)
    return table


def comparable(items: list[Item]) -> list[str]:
    ordered = ({n: {"SS": sorted(v["SS"])} if "SS" in v else v for n, v in item.items()} for item in items)
    return sorted(json.dumps(item, sort_keys=True) for item in ordered)


def only(*names: str) -> Callable[[Item], Item]:
    return lambda item: {name: value for name, value in item.items() if name in names}


def nested(item: Item) -> Item:
    """Keys, a member of a map, and the second entry of a list in it."""
    info = item["info"]["M"]
    return {**only("id", "n")(item), "info": {"M": {"city": info["city"], "codes": {"L": info["codes"]["L"][1:]}}}}


WHOLE = dict
CASES: dict[str, tuple[tuple[str, ...], Callable[[Item], bool], Callable[[Item], Item]]] = {
    "equals, a reserved word": (
        ("--filter", "#s = :open", "--expression-attribute-names", '{"#s": "status"}',
         "--expression-attribute-values", '{":open": {"S": "open"}}'),
        lambda item: text(item, "status") == "open",
        WHOLE,
    ),
    "absent or a number below": (
        ("--filter", "attribute_not_exists(#s) OR created < :c", "--expression-attribute-names", '{"#s": "status"}',
         "--expression-attribute-values", '{":c": {"N": "100"}}'),
        lambda item: "status" not in item or int(item["created"]["N"]) < 100,
        WHOLE,
    ),
    "nested, contains, between, not": (
        ("--filter", "info.city = :ulm AND (contains(tags, :a) OR created BETWEEN :x AND :y) AND NOT flag = :yes",
         "--expression-attribute-values",
         '{":ulm": {"S": "Ulm"}, ":a": {"S": "a"}, ":x": {"N": "500"}, ":y": {"N": "900"}, ":yes": {"BOOL": true}}'),
        lambda item: item["info"]["M"]["city"]["S"] == "Ulm"
        and ("a" in item["tags"].get("SS", ()) or 500 <= int(item["created"]["N"]) <= 900)
        and not item["flag"]["BOOL"],
        WHOLE,
    ),
    "a type": (
        ("--filter", "attribute_type(tags, :l)", "--expression-attribute-values", '{":l": {"S": "L"}}'),
        lambda item: "L" in item["tags"],
        WHOLE,
    ),
    "nothing": (
        ("--filter", "created = :c", "--expression-attribute-values", '{":c": {"N": "7"}}'), lambda item: False, WHOLE
    ),
    "a projection without keys": (("--projection", "created"), lambda item: True, only("id", "n", "created")),
    "a projection with one key by its placeholder": (
        ("--projection", "#n, #key0", "--expression-attribute-names", '{"#n": "name", "#key0": "n"}'),
        lambda item: True,
        only("id", "n", "name"),
    ),
    "a nested projection": (("--projection", "info.city, info.codes[1], id"), lambda item: True, nested),
    "filter and projection": (
        ("--filter", "n >= :n", "--projection", "flag", "--expression-attribute-values", '{":n": {"N": "120"}}'),
        lambda item: int(item["n"]["N"]) >= 120,
        only("id", "n", "flag"),
    ),
    "a global index": (
        ("--index", "by-status"), lambda item: "status" in item, only("id", "n", "status", "flag")
    ),
    "a local index, filtered": (
        ("--index", "by-created", "--filter", "created > :c", "--expression-attribute-values", '{":c": {"N": "1000"}}'),
        lambda item: int(item["created"]["N"]) > 1000,
        WHOLE,
    ),
}  # fmt: skip


QUICK = {"nested, contains, between, not", "a projection with one key by its placeholder", "a global index"}
SLOW = pytest.mark.slow


@pytest.mark.parametrize("case", [pytest.param(each, marks=() if each in QUICK else SLOW) for each in CASES])
def test_what_is_exported_is_what_python_says(sandbox: Sandbox, table: Table, bucket: str, case: str) -> None:
    words, meets, shown = CASES[case]
    folder = f"s3://{bucket}/{case.replace(' ', '-')}"
    done = Pipeline(sandbox).export(table, folder, *words)
    assert done.code == ExitCode.DONE, done.text
    expected = [shown(item) for item in ITEMS if meets(item)]
    assert comparable(exported_items(sandbox, folder)) == comparable(expected)
    (result,) = done.result["tables"]
    assert (result["items"], result["manifest"]) == (len(expected), f"{folder}/_part_manifest")
    of_index = "by-status" in words
    assert result["items_read"] == (sum("status" in item for item in ITEMS) if of_index else len(ITEMS))


FILTERED = ("--filter", "created = :c", "--expression-attribute-values", '{":c": {"N": "-1"}}')


@pytest.fixture(scope="module")
def folders(sandbox: Sandbox, table: Table, bucket: str) -> tuple[str, str]:
    """A whole export, and a later one of a part, below one parent."""
    for name, words in (("1-whole", ()), ("2-part", (*FILTERED, "--projection", "created"))):
        done = Pipeline(sandbox).export(table, f"s3://{bucket}/both/{name}", *words)
        assert done.code == ExitCode.DONE, done.text
    return f"s3://{bucket}/both/1-whole", f"s3://{bucket}/both/2-part"


WORDS = {"index": None, "filter": "created = :c", "projection": "created", "values": {":c": {"N": "-1"}}}


def test_the_record_says_which_part_it_is_in_a_format_of_its_own(sandbox: Sandbox, folders: tuple[str, str]) -> None:
    """Other tools look for `manifest`, and for a record of version 1."""
    whole, part = (get_objects(sandbox, folder) for folder in folders)
    assert set(part) - {"_part_manifest"} > {"_export.json", "_SUCCESS", "_table.json", "_claim.json"}
    assert "manifest" not in part
    assert "_part_manifest" not in whole
    record = json.loads(part["_export.json"])
    assert record["format_version"] == 2
    assert {name: record["part"][name] for name in WORDS} == WORDS
    assert (record["items_read"], record["totals"]["item_count"]) == (130, 65)
    assert json.loads(whole["_export.json"])["format_version"] == 1
    assert {"part", "items_read"}.isdisjoint(json.loads(whole["_export.json"]))


@pytest.mark.parametrize(
    "mode", [("--mirror", "--yes"), pytest.param(("--only-changes",), marks=SLOW)], ids=lambda mode: mode[0]
)
def test_a_part_is_refused_where_a_whole_is_needed(
    sandbox: Sandbox, table: Table, folders: tuple[str, str], mode: tuple[str, ...]
) -> None:
    done = Pipeline(sandbox).import_into(table, folders[1], *mode)
    assert done.code == ExitCode.PRECONDITION
    assert "holds a part of its table (filter 'created = :c', projection 'created')" in done.result["error"]
    assert mode[0] in done.result["error"]


def test_a_part_proves_itself_and_nothing_about_a_table(
    sandbox: Sandbox, table: Table, folders: tuple[str, str]
) -> None:
    assert Pipeline(sandbox).verify(folders[1]).code == ExitCode.DONE
    against = Pipeline(sandbox).verify(folders[1], table=table)
    assert against.code == ExitCode.PRECONDITION
    assert "cannot be compared" in against.result["error"]


def test_a_part_is_imported_as_what_it_is(sandbox: Sandbox, folders: tuple[str, str]) -> None:
    target = make_table(sandbox, KEYS)
    done = Pipeline(sandbox).import_into(target, folders[1])
    assert done.code == ExitCode.DONE, done.text
    assert "note: it holds a part of its table" in done.text
    assert "replaces whole items" in done.text
    shown = only("id", "n", "created")
    assert target.differences([shown(item) for item in ITEMS if item["created"] == {"N": "-1"}]) == NONE


def test_the_latest_is_a_whole_one(sandbox: Sandbox, table: Table, folders: tuple[str, str]) -> None:
    """The part is the newer one."""
    parent = folders[0].rpartition("/")[0]
    done = Pipeline(sandbox).import_into(table, parent, "--latest", "--dry-run")
    assert done.code == ExitCode.DONE, done.text
    assert done.result["input"].rstrip("/") == folders[0]


@pytest.mark.slow
def test_list_and_inspect_show_what_it_is(sandbox: Sandbox, folders: tuple[str, str]) -> None:
    listed = Pipeline(sandbox).run("list", folders[0].rpartition("/")[0])
    kinds = {backup["folder"].rstrip("/"): (backup["kind"], backup["note"]) for backup in listed.result["backups"]}
    assert kinds[folders[0]] == ("full", None)
    assert kinds[folders[1]][0] == "filtered"
    assert "filter 'created = :c'" in kinds[folders[1]][1]
    shown = Pipeline(sandbox).run("inspect", folders[1])
    assert any("filter 'created = :c'" in note for note in shown.result["notes"])


@pytest.mark.slow
def test_a_part_is_not_converted_into_a_whole(sandbox: Sandbox, bucket: str, folders: tuple[str, str]) -> None:
    done = Pipeline(sandbox).run("convert", folders[1], f"s3://{bucket}/converted")
    assert done.code == ExitCode.PRECONDITION
    assert "would pass for the whole table" in done.result["error"]


@pytest.mark.parametrize(
    ("old", "new"), [(1, 0), pytest.param(0, 1, marks=SLOW)], ids=["a part as a whole", "a whole as a part"]
)
def test_a_renamed_manifest_is_noticed(
    sandbox: Sandbox, table: Table, bucket: str, folders: tuple[str, str], old: int, new: int
) -> None:
    names = ("manifest", "_part_manifest")
    objects = get_objects(sandbox, folders[old])
    objects[names[new]] = objects.pop(names[old])
    put_objects(sandbox, f"s3://{bucket}/renamed-{old}", objects)
    done = Pipeline(sandbox).import_into(table, f"s3://{bucket}/renamed-{old}", "--dry-run")
    assert done.code == ExitCode.INTEGRITY
    assert f"must be {names[old]}, not {names[new]}" in done.result["error"]


BAD = {
    "syntax": (("--filter", "created =="), "Syntax error"),
    "an undefined value": (("--filter", "created = :c"), ":c"),
    "an undefined name": (("--projection", "#x"), "#x"),
    "an unused name": (("--projection", "a", "--expression-attribute-names", '{"#x": "y"}'), "#x"),
    "a reserved word": (("--projection", "status"), "reserved"),
    "no such index": (("--index", "by-size"), "its indexes: all-of-it, by-created, by-status"),
    "strong reads of a global index": (
        ("--index", "by-status", "--consistent-read", "--reader", "direct"), "eventually consistent only",
    ),
}  # fmt: skip


QUICK_BAD = {"syntax", "no such index", "strong reads of a global index"}


@pytest.mark.parametrize("case", [pytest.param(each, marks=() if each in QUICK_BAD else SLOW) for each in BAD])
def test_what_cannot_be_read_is_said_before_anything_is_claimed(
    sandbox: Sandbox, table: Table, bucket: str, case: str
) -> None:
    words, said = BAD[case]
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).export(table, f"s3://{bucket}/bad", *words)
        assert len(proxy.of("Scan")) <= 1
    assert done.code in (ExitCode.USAGE, ExitCode.PRECONDITION), done.text
    assert said in done.result["error"]
    assert any(option in done.result["error"] for option in ("--filter", "its indexes", "--consistent-read"))
    assert get_objects(sandbox, f"s3://{bucket}/bad") == {}


def test_the_pages_words_are_such_as_dynamodb_takes(sandbox: Sandbox, table: Table) -> None:
    """The names that it reserves are given as placeholders."""
    example = (PROJECT / "docs" / "parts.md").read_text().split("```sh\n")[1].split("```")[0]
    given = shlex.split(example)
    words = dict(zip(given, given[1:]))
    sandbox.client("dynamodb").scan(
        TableName=table.name,
        FilterExpression=words["--filter"],
        ExpressionAttributeNames=json.loads(words["--expression-attribute-names"]),
        ExpressionAttributeValues=json.loads(words["--expression-attribute-values"]),
    )


def test_pages_without_an_item_lead_on_to_those_with_some(sandbox: Sandbox, table: Table, bucket: str) -> None:
    """At 5 units/s a page has room for few of the 130 items, and one of them is wanted."""
    words = ("--filter", "n = :n", "--expression-attribute-values", '{":n": {"N": "123"}}', "--segments", "1")
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        pipeline = Pipeline(sandbox, proxy.url)
        done = pipeline.run(
            "export", "--table", table.name, "--output", f"s3://{bucket}/sparse", "--exact-output", "--local",
            "--engine", "process", "--read-units", "5", *words,
        )  # fmt: skip
        assert done.code == ExitCode.DONE, done.text
        assert len(proxy.of("Scan")) > 4
        # what a filter leaves out is paid all the same
        assert proxy.units(operation="Scan") >= sum(len(json.dumps(item)) for item in ITEMS) / 2 / 8192
    assert comparable(exported_items(sandbox, f"s3://{bucket}/sparse")) == comparable([ITEMS[123]])


@pytest.mark.slow
def test_an_index_is_read_at_a_share_of_its_own_capacity(sandbox: Sandbox, bucket: str, table: Table) -> None:
    done = Pipeline(sandbox).export(table, f"s3://{bucket}/rated", "--index", "by-status")
    (result,) = done.result["tables"]
    assert result["read_units_per_s_allowed"] == INDEX_UNITS
    assert result["rate"] == f"100% of {INDEX_UNITS} read units of index 'by-status' (provisioned) = {INDEX_UNITS}/s"
    local = Pipeline(sandbox).export(table, f"s3://{bucket}/rated-local", "--index", "by-created")
    assert local.result["tables"][0]["rate"] == "100% of 1,000 read units (provisioned) = 1,000/s"


def test_a_part_is_gone_on_with_under_the_same_words_only(sandbox: Sandbox, table: Table, bucket: str) -> None:
    """The run is as one that was killed before it published: resumed, it reads nothing again."""
    folder = f"s3://{bucket}/resumed"
    state = ("--logs", f"s3://{bucket}/logs", "--run-id", "part-1")
    first = Pipeline(sandbox).export(table, folder, *FILTERED, *state)
    assert first.code == ExitCode.DONE, first.text
    s3 = sandbox.client("s3")
    for name in ("_export.json", "_part_manifest", "_SUCCESS"):
        s3.delete_object(Bucket=bucket, Key=f"resumed/{name}")
    for words in ((), ("--filter", "created = :c", "--expression-attribute-values", '{":c": {"N": "1"}}')):
        refused = Pipeline(sandbox).export(table, folder, *words, *state)
        assert refused.code == ExitCode.PRECONDITION
        assert "part: was" in refused.result["error"]
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        again = Pipeline(sandbox, proxy.url).export(table, folder, *FILTERED, *state)
        assert [call.operation for call in proxy.of("Scan")] == ["Scan"]  # the question whether it is understood
    assert again.code == ExitCode.DONE, again.text
    before, after = first.result["tables"][0], again.result["tables"][0]
    assert (after["items"], after["items_read"]) == (before["items"], before["items_read"]) == (65, 130)


@pytest.mark.slow
def test_clean_keeps_a_finished_part(sandbox: Sandbox, table: Table, bucket: str) -> None:
    folder, state = f"s3://{bucket}/kept", ("--logs", f"s3://{bucket}/logs", "--run-id", "part-kept")
    assert Pipeline(sandbox).export(table, folder, *FILTERED, *state).code == ExitCode.DONE
    before = get_objects(sandbox, folder)
    Pipeline(sandbox).run("clean", folder, "--logs", f"s3://{bucket}/logs", "--yes")
    assert get_objects(sandbox, folder) == before


def test_an_index_is_read_no_faster_than_its_share_whatever_the_table_could_take(
    sandbox: Sandbox, bucket: str, table: Table
) -> None:
    """10 % of 1,000 units for the table, 10 % of 40 for the index, which holds all of it: 4 units/s."""
    words = ("--index", "all-of-it", "--throughput-percent", "10")
    with MeteringProxy(sandbox.dynamodb_url) as proxy:
        done = Pipeline(sandbox, proxy.url).run(
            "export", "--table", table.name, "--output", f"s3://{bucket}/slow", "--exact-output", "--local",
            "--engine", "process", "--tasks", "4", *words,
        )  # fmt: skip
        assert done.code == ExitCode.DONE, done.text
        assert proxy.units(operation="Scan") > 4 * 2 * 2, "too little to bind"
        assert proxy.most_ahead(4, operation="Scan") <= 2
