"""What a part of a table asks of DynamoDB, and the rate at which an index may be read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.dynamodb.table_description import TableDescription
from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.exporting.job import TableExport
from dynamodb_pipeline.formats.exports.export_record import ExportPart
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from dynamodb_pipeline.rate.capacity import RateChoice
from dynamodb_pipeline.settings.job import ExportSettings
from dynamodb_pipeline.settings.parse import export_settings
from dynamodb_pipeline.settings.parser import job_options
from tests.unit.dynamodb.table_replies import index, on_demand_table, provisioned_table

KEYS = KeySchema((KeyAttribute("Id", "HASH", "S"), KeyAttribute("At", "RANGE", "N")))
LOCAL = {**index("by-size", ItemCount=7, IndexSizeBytes=700), "KeySchema": provisioned_table()["KeySchema"]}
SIZED = index(ItemCount=12, IndexSizeBytes=3400)
UNLIMITED = {"MaxReadRequestUnits": -1}


def export_of(table: dict[str, Any], index_name: str | None, percent: int = 50) -> TableExport:
    part = ExportPart(index=index_name) if index_name else None
    described = TableDescription.from_description(table)
    return TableExport(described, S3Uri("b", "f/"), RateChoice(Decimal(percent)), None, None, part)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "index_name", "units", "words"),
    [
        (provisioned_table(), None, 200, "50% of 400 read units (provisioned)"),
        (provisioned_table(GlobalSecondaryIndexes=[SIZED]), "by-customer", 5, "10 read units of index 'by-customer'"),
        (provisioned_table(LocalSecondaryIndexes=[LOCAL]), "by-size", 200, "50% of 400 read units (provisioned)"),
        (
            on_demand_table(GlobalSecondaryIndexes=[index(OnDemandThroughput={"MaxReadRequestUnits": 60})]),
            "by-customer", 30, "60 read units of index 'by-customer' (on-demand, its own maximum)",
        ),
        (
            on_demand_table(
                OnDemandThroughput={"MaxReadRequestUnits": 9},
                GlobalSecondaryIndexes=[
                    index(OnDemandThroughput=UNLIMITED, WarmThroughput={"ReadUnitsPerSecond": 14_000})
                ],
            ),
            "by-customer", 7000, "(on-demand, warm throughput)",
        ),
        (on_demand_table(GlobalSecondaryIndexes=[index()]), "by-customer", 6000, "as a new table"),
    ],
    ids=["table", "global", "local", "on demand, a maximum", "on demand, warm", "on demand, nothing known"],
)  # fmt: skip
def test_an_index_is_read_at_its_own_capacity(
    table: dict[str, Any], index_name: str | None, units: float, words: str
) -> None:
    rate = export_of(table, index_name).rate
    assert rate.units_per_s == {"table": units}  # the one thing that is read
    assert words in rate.derivation


def test_sizes_are_those_of_what_is_read() -> None:
    table = provisioned_table(GlobalSecondaryIndexes=[SIZED], LocalSecondaryIndexes=[LOCAL])
    read = [export_of(table, name).target for name in (None, "by-customer", "by-size")]
    assert [(one.item_count, one.size_bytes) for one in read] == [(1200, 345_678), (12, 3400), (7, 700)]


def test_a_rate_follows_the_index_while_it_is_there() -> None:
    """Its capacity is raised, then it is deleted: the Scans themselves say so then."""
    export = export_of(provisioned_table(GlobalSecondaryIndexes=[SIZED]), "by-customer")
    raised = index(ProvisionedThroughput={"ReadCapacityUnits": 90, "WriteCapacityUnits": 1})
    now = TableDescription.from_description(provisioned_table(GlobalSecondaryIndexes=[raised]))
    gone = TableDescription.from_description(provisioned_table())
    assert [export.rate_of(table).units_per_s["table"] for table in (now, gone)] == [45, 5]


@pytest.mark.parametrize(
    ("indexes", "said"),
    [
        ([], "its indexes: none"),
        ([index("other")], "its indexes: other"),
        ([index(IndexStatus="CREATING")], "CREATING"),
    ],
    ids=["none", "another", "not yet"],
)
def test_an_index_that_cannot_be_read_is_refused(indexes: list[dict[str, Any]], said: str) -> None:
    table = TableDescription.from_description(provisioned_table(GlobalSecondaryIndexes=indexes))
    with pytest.raises(PreconditionError, match=said):
        table.scanned("by-customer")


@pytest.mark.parametrize(
    ("projection", "names", "asked", "meant"),
    [
        ("a", {}, "a, #key0, #key1", {"#key0": "Id", "#key1": "At"}),
        ("Id, a", {}, "Id, a, #key0", {"#key0": "At"}),
        ("a , At,Id", {}, "a , At,Id", {}),
        ("#i, a.b[0]", {"#i": "Id"}, "#i, a.b[0], #key0", {"#i": "Id", "#key0": "At"}),
        ("#key0", {"#key0": "At"}, "#key0, #key1", {"#key0": "At", "#key1": "Id"}),
    ],
    ids=["no key", "one key", "both", "by a placeholder", "a placeholder of ours"],
)
def test_keys_are_in_every_projection_once(
    projection: str, names: dict[str, str], asked: str, meant: dict[str, str]
) -> None:
    """DynamoDB refuses a projection that names an attribute twice, and names that nobody uses."""
    members = ExportPart(projection=projection, names=names).scan_members(KEYS)
    assert (members["ProjectionExpression"], members.get("ExpressionAttributeNames", {})) == (asked, meant)


def test_nothing_is_asked_that_was_not_given() -> None:
    assert ExportPart(index="i").scan_members(KEYS) == {"IndexName": "i"}
    assert ExportPart(filter="a = b").scan_members(KEYS) == {"FilterExpression": "a = b"}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("a = b", "(a = b)"),
        (" (a = b)", " (a = b)"),
        ("(a = b OR size(c) > d)", "(a = b OR size(c) > d)"),
        ("(a = b) OR (c = d)", "((a = b) OR (c = d))"),
        ("begins_with(a, b)", "(begins_with(a, b))"),
    ],
)
def test_a_filter_with_the_expiry_has_no_needless_parentheses(given: str, asked: str) -> None:
    """DynamoDB: `The expression has redundant parentheses`."""
    members = ExportPart(filter=given, ttl_attribute="ttl", expired_at=1_800_000_000).scan_members(KEYS)
    assert members["FilterExpression"] == f"{asked} AND (NOT (#ttl0 >= :from0 AND #ttl0 < :now0))"


NAMES, VALUES = ("--expression-attribute-names", '{"#a": "b"}'), ("--expression-attribute-values", '{":a": {"N": "1"}}')
BY_LIMITER = ("--rate-control", "connector")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--filter", "a = b", *BY_LIMITER), "--filter and --rate-control connector exclude each other"),
        (("--index", "abc", *BY_LIMITER), "--index and --rate-control connector exclude each other"),
        (("--projection", "a", *BY_LIMITER), "--projection and --rate-control connector exclude each other"),
        (NAMES, "--expression-attribute-names needs --filter or --projection"),
        ((*VALUES, "--projection", "a"), "--expression-attribute-values needs --filter"),
        (("--filter", "a", "--expression-attribute-names", '{"a": "b"}'), "begin with #"),
        (("--filter", "a", "--expression-attribute-names", '{"#a": 1}'), "stands for no attribute"),
        (("--filter", "a", "--expression-attribute-values", '{":a": 1}'), "--expression-attribute-values: ':a'"),
        (
            ("--filter", "a", "--expression-attribute-values", '{":a": {"N": "x"}}'),
            "--expression-attribute-values: ':a'",
        ),
        (("--filter", "a", "--expression-attribute-values", '{":a": {"N": "1"}'), "is not JSON"),
        (("--filter", "a", "--expression-attribute-values", "[]"), "is no JSON object"),
    ],
)
def test_words_that_mean_nothing_together_are_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings_of(words)
    assert said in str(caught.value)


def settings_of(words: tuple[str, ...]) -> ExportSettings:
    options = job_options("export", ("--table", "Forum", "--output", "s3://bucket/out", *words))
    return export_settings(options)


def test_expressions_of_several_lines_are_kept_in_one() -> None:
    """DynamoDB takes white space of any kind; a printed command and a step's argument are one line."""
    values = '{":a": {"N": "1"},\n ":b": {"S": "x  y"}}'
    settings = settings_of(("--filter", "a = :a\n\tAND b = :b", "--expression-attribute-values", values))
    assert (settings.filter, settings.expression_attribute_values[":b"]) == ("a = :a AND b = :b", {"S": "x  y"})
    given = settings.common.given.words()
    assert given[given.index("--filter") + 1] == "a = :a AND b = :b"
    assert given[-1] == '{":a": {"N": "1"}, ":b": {"S": "x  y"}}'


def test_a_line_feed_inside_of_a_text_is_refused_all_the_same() -> None:
    with pytest.raises(UsageError, match="control character"):
        settings_of(("--filter", "a = :a", "--expression-attribute-values", '{":a": {"S": "x\ny"}}'))
