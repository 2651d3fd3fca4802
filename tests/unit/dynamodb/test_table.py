"""What DescribeTable's reply means, what is refused, and which error a failing call becomes."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import CredentialRetrievalError, EndpointConnectionError, NoCredentialsError
from moto import mock_aws

from dynamodb_pipeline.dynamodb.credentials import Credentials
from dynamodb_pipeline.dynamodb.table import (
    TableDescription,
    TableMissingError,
    Tables,
    TableUnreachableError,
    matching_tables,
    refuse_changed,
    refuse_unusable,
)
from dynamodb_pipeline.errors import (
    DeniedError,
    ExitCode,
    IntegrityError,
    PipelineError,
    PreconditionError,
    StoppedError,
    UsageError,
)
from dynamodb_pipeline.rate.capacity import Throughput
from tests.unit.dynamodb.scripted_server import Answer, cut, error, reply, reply_bytes, reset
from tests.unit.dynamodb.table_replies import index, on_demand_table, provisioned_table
from tests.unit.dynamodb.wire_fixtures import consumed, wire_to

FOUND = reply({"Table": provisioned_table()})


def table(**changes: Any) -> TableDescription:
    return TableDescription.from_description(provisioned_table(**changes))


def described(*script: Answer, name: str = "orders") -> TableDescription:
    """What `Tables` makes of a server's answers, without waiting between them."""
    with wire_to(*script) as (wire, _):
        return Tables(wire, sleep=lambda _: None).describe(name)


def failing(*script: Answer, name: str = "orders") -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        described(*script, name=name)
    return caught.value


class MotoClients:
    """Clients of an account in this process."""

    region, bucket_owner = "eu-west-1", None

    def __init__(self) -> None:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        self.dynamodb = boto3.client("dynamodb", region_name=self.region, **keys)

    def client(self, service: str, **_: Any) -> Any:
        assert service == "dynamodb"
        return self.dynamodb


def test_tables_are_found_beyond_the_first_page() -> None:
    """ListTables gives 100 names a page."""
    with mock_aws():
        clients = MotoClients()
        for number in range(103):
            clients.dynamodb.create_table(
                TableName=f"t-{number:03d}", BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            )  # fmt: skip
        found = matching_tables(clients, ["t-10?", "t-000", "x"], exclude=["*1"], tags=())  # type: ignore[arg-type]
        assert found == ("t-000", "t-100", "t-102")


# the description


def test_a_provisioned_table() -> None:
    found = table()
    assert (found.name, found.region, found.status) == ("orders", "eu-west-1", "ACTIVE")
    assert found.arn.endswith(":table/orders")
    assert found.table_id == "6f1a1f5e-0000-4000-8000-000000000001"
    assert found.key_schema.describe() == "Id (S, HASH), At (N, RANGE)"
    assert not found.on_demand
    assert found.capacity.provisioned == Throughput(400.0, 100.0)
    assert (found.item_count, found.size_bytes) == (1200, 345_678)
    assert (found.global_indexes, found.stream, found.replica_regions) == ((), None, ())
    assert found.import_warnings == []


def test_an_on_demand_table() -> None:
    found = TableDescription.from_description(
        on_demand_table(
            OnDemandThroughput={"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": -1},
            WarmThroughput={"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
        )
    )
    assert found.on_demand
    assert found.capacity.provisioned == Throughput()
    assert found.capacity.maximum == Throughput(100.0, None)
    assert found.capacity.warm == Throughput(12_000.0, 4000.0)


def test_an_old_sdk_leaves_fields_out() -> None:
    """A reply with the fields every DescribeTable has is enough."""
    found = table(TableId=None, TableArn=None, ItemCount=None, TableSizeBytes=None)
    assert (found.table_id, found.region, found.item_count, found.size_bytes) == ("", "", 0, 0)


def test_a_table_without_billing_mode_and_units_is_on_demand() -> None:
    assert table(ProvisionedThroughput={"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}).on_demand


def test_indexes() -> None:
    local = {"IndexName": "recent", "KeySchema": provisioned_table()["KeySchema"]}
    found = table(
        GlobalSecondaryIndexes=[index(write=8), index("leaving", IndexStatus="DELETING")],
        LocalSecondaryIndexes=[local],
    )
    assert [each.name for each in found.global_indexes] == ["by-customer", "leaving"]
    assert found.index_capacities["by-customer"].provisioned.write == 8.0
    assert "leaving" not in found.index_capacities
    assert {each.index_name for each in found.index_keys} == {"by-customer", "leaving", "recent"}


def test_importing_warns_of_everything_that_happens_besides() -> None:
    found = table(
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Replicas=[{"RegionName": "eu-west-1"}, {"RegionName": "us-east-1"}],
        GlobalSecondaryIndexes=[index()],
    )
    assert found.stream == "NEW_IMAGE"
    assert found.replica_regions == ("us-east-1",)
    stream, replicas, indexes = found.import_warnings
    assert "stream" in stream
    assert "replicated to us-east-1" in replicas
    assert "by-customer" in indexes


def test_a_stream_that_is_off_is_no_stream() -> None:
    assert table(StreamSpecification={"StreamEnabled": False}).stream is None


# refusals


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING"])
def test_a_table_that_autoscaling_is_changing_is_usable(status: str) -> None:
    refuse_unusable(table(TableStatus=status), purpose="export")


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("CREATING", "wait until it is ACTIVE"),
        ("DELETING", "going away"),
        ("ARCHIVED", "restore it from its backup"),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "KMS key"),
        ("A_STATUS_OF_TOMORROW", "wait until it is ACTIVE"),
    ],
)
def test_another_status_is_refused_with_its_remedy(status: str, remedy: str) -> None:
    with pytest.raises(PreconditionError, match=f"'orders' is {status}, so import would fail: .*{remedy}"):
        refuse_unusable(table(TableStatus=status), purpose="import")


def test_a_table_made_anew_under_its_name_is_noticed() -> None:
    with pytest.raises(IntegrityError, match=r"deleted and created again .* is 6f1a1f5e-.*-2\)"):
        refuse_changed(table(), table(TableId="6f1a1f5e-0000-4000-8000-000000000001-2"))


def test_a_table_that_is_going_away_is_noticed() -> None:
    with pytest.raises(IntegrityError, match="being deleted"):
        refuse_changed(table(), table(TableStatus="DELETING"))


def test_other_changes_are_no_matter() -> None:
    refuse_changed(table(), table(TableStatus="UPDATING", ItemCount=5))
    refuse_changed(table(TableId=None), table())


# the call

THEIRS = "arn:aws:dynamodb:eu-west-1:210987654321:table/orders"


def test_a_table_that_is_asked_for_by_its_arn_is_asked_for_by_it_again() -> None:
    """By its name another one, of the caller's own account, would answer."""
    with wire_to(FOUND, FOUND) as (wire, server):
        table = Tables(wire).describe(THEIRS)
        assert (table.name, table.address) == ("orders", THEIRS)
        Tables(wire).describe_again(table)
        assert [json.loads(request.body) for request in server.requests] == [{"TableName": THEIRS}] * 2
    assert any("DescribeTimeToLive" in warning for warning in table.import_warnings)


def test_describe_asks_once_and_leaves_no_connection() -> None:
    with wire_to(FOUND, FOUND) as (wire, server):
        tables = Tables(wire)
        assert tables.describe("orders").name == tables.describe("orders").name == "orders"
        assert [json.loads(request.body) for request in server.requests] == [{"TableName": "orders"}] * 2
        assert server.connection_count == 2


def test_the_arn_of_a_table_is_passed_on() -> None:
    arn = provisioned_table()["TableArn"]
    with wire_to(FOUND) as (wire, server):
        assert Tables(wire).describe(arn).name == "orders"
        assert json.loads(server.requests[0].body) == {"TableName": arn}


def without(*names: str) -> dict[str, Any]:
    return {"Table": provisioned_table(**dict.fromkeys(names))}


DAMAGED = {
    "empty": reply({}),
    "no table": reply({"Table": None}),
    "a list": reply({"Table": [1]}),
    "no status": reply(without("TableStatus")),
    "no keys": reply(without("KeySchema")),
    "no key at all": reply({"Table": provisioned_table(KeySchema=[])}),
    "no types": reply(without("AttributeDefinitions")),
    "an index without keys": reply({"Table": provisioned_table(GlobalSecondaryIndexes=[{"IndexName": "i"}])}),
    "counts that are none": reply({"Table": provisioned_table(ItemCount="many")}),
    "another table": reply({"Table": provisioned_table(TableName="others")}),
    "html": reply(b"<html></html>"),
    "cut": reply(reply_bytes({"Table": provisioned_table()})[-40:], crc=False),
    "flipped": reply({"Table": provisioned_table()}, crc=1),
}
PASSING = {
    "5xx": error("InternalServerError", status=500),
    "gateway": reply(b"<html></html>", status=503, crc=False),
    "throttled": error("ThrottlingException"),
    "its own quota": error("LimitExceededException"),
    "reset": reset(),
    "reset within": reset(reply_bytes({"Table": provisioned_table()}), at=60),
    "cut on the wire": cut(reply_bytes({"Table": provisioned_table()}), at=200),
}


@pytest.mark.parametrize("answer", {**DAMAGED, **PASSING}.values(), ids={**DAMAGED, **PASSING})
def test_what_passes_is_asked_again_and_never_taken_for_an_answer(answer: Answer) -> None:
    assert described(answer, answer, FOUND).name == "orders"


@pytest.mark.parametrize("answer", DAMAGED.values(), ids=DAMAGED)
def test_damage_without_end_can_be_resumed(answer: Answer) -> None:
    failure = failing(*[answer] * 8)
    assert failure.exit_code is ExitCode.STOPPED
    assert "damaged replies" in str(failure)


@pytest.mark.parametrize("name", ["5xx", "gateway", "throttled", "its own quota"])
def test_an_answer_that_is_none_can_be_resumed(name: str) -> None:
    assert failing(*[PASSING[name]] * 300).exit_code is ExitCode.STOPPED


def test_at_the_first_word_silence_means_that_nothing_was_started() -> None:
    failure = failing(*[PASSING["reset"]] * 300)
    assert isinstance(failure, TableUnreachableError)
    assert failure.exit_code is ExitCode.PRECONDITION
    assert "check --region, network and proxy" in str(failure)


def test_in_mid_run_silence_stops_the_run() -> None:
    with wire_to(FOUND, *[reset()] * 300) as (wire, _):
        tables = Tables(wire, sleep=lambda _: None)
        pinned = tables.describe("orders")
        with pytest.raises(StoppedError, match="resume the run") as caught:
            tables.describe_again(pinned)
    assert caught.value.exit_code is ExitCode.STOPPED


def test_a_table_that_is_gone_in_mid_run_is_no_wrong_name() -> None:
    with wire_to(FOUND, error("ResourceNotFoundException")) as (wire, _):
        tables = Tables(wire)
        with pytest.raises(IntegrityError, match="deleted during the run"):
            tables.describe_again(tables.describe("orders"))


def test_a_missing_table_names_region_and_remedy() -> None:
    failure = failing(error("ResourceNotFoundException", "Requested resource not found: Table: orders not found"))
    assert isinstance(failure, TableMissingError)
    assert failure.exit_code is ExitCode.PRECONDITION
    assert str(failure) == "table 'orders' not found in eu-west-1; check --region or the spelling"


def test_a_missing_permission_names_action_and_resource() -> None:
    failure = failing(
        error(
            "AccessDeniedException",
            "User: arn:aws:sts::123456789012:assumed-role/job/i-1 is not authorized to perform: dynamodb:DescribeTable "
            "on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/orders because no identity-based policy allows",
        )
    )
    assert isinstance(failure, DeniedError)
    assert "dynamodb:DescribeTable on arn:aws:dynamodb:eu-west-1:123456789012:table/orders is not allowed" in str(
        failure
    )


def test_a_missing_permission_without_details_still_names_the_table() -> None:
    assert "arn:aws:dynamodb:eu-west-1:*:table/orders" in str(failing(error("AccessDeniedException")))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredTokenException", DeniedError),
        ("UnrecognizedClientException", DeniedError),
        ("InvalidSignatureException", DeniedError),
        ("ValidationException", UsageError),
        ("SomethingNew", PreconditionError),
    ],
)
def test_each_refusal_is_of_its_kind_and_named(code: str, kind: type[PipelineError]) -> None:
    message = "Signature not yet current" if code == "InvalidSignatureException" else ""
    failure = failing(*[error(code, message)] * 3)
    assert type(failure) is kind
    assert code in str(failure) or "no table name" in str(failure)
    assert failure.__cause__ is not None


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (EndpointConnectionError(endpoint_url="https://sts"), TableUnreachableError),
        (NoCredentialsError(), DeniedError),
        (CredentialRetrievalError(provider="sso", error_msg="expired"), DeniedError),
    ],
    ids=["endpoint", "none", "sso"],
)
def test_keys_that_cannot_be_renewed(raised: Exception, kind: type[PipelineError]) -> None:
    """Of a network that fails while they are renewed the next attempt may know nothing."""

    def frozen() -> Any:
        raise raised

    keys = Credentials(lambda: SimpleNamespace(get_frozen_credentials=frozen))
    with wire_to(FOUND, keys=keys) as (wire, _), pytest.raises(kind):
        Tables(wire, sleep=lambda _: None).describe("orders")


# is it empty?


def page(count: int, *, key: bool) -> Answer:
    fields = {"Count": count, "ScannedCount": count, "Items": [{"Id": {"S": "a"}}] * count}
    more = {"LastEvaluatedKey": {"Id": {"S": "a"}}} if key else {}
    return reply({**fields, **more, "ConsumedCapacity": consumed(0.5)})


@pytest.mark.parametrize(
    ("script", "holds"),
    [
        ([page(1, key=True)], True),
        ([page(0, key=False)], False),
        ([page(0, key=True), page(1, key=True)], True),
        ([reply({}), PASSING["reset"], PASSING["throttled"], page(1, key=True)], True),
    ],
    ids=["an item", "none", "an empty page first", "through faults"],
)
def test_one_item_is_looked_for(script: list[Answer], holds: bool) -> None:
    with wire_to(*script) as (wire, _):
        assert Tables(wire, sleep=lambda _: None).holds_an_item("orders") is holds


def test_a_look_for_items_that_stays_unanswered_stops_the_run() -> None:
    with wire_to(*[reset()] * 300) as (wire, _), pytest.raises(PipelineError) as caught:
        Tables(wire, sleep=lambda _: None).holds_an_item("orders")
    assert caught.value.exit_code is ExitCode.STOPPED
