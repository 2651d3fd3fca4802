"""What DescribeTable's reply means, what is refused, and which error a failing call becomes."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError, EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber

from dynamodb_pipeline.dynamodb.table import (
    TableBusyError,
    TableDescription,
    TableMissingError,
    TableUnreachableError,
    describe,
    refuse_changed,
    refuse_unusable,
)
from dynamodb_pipeline.errors import DeniedError, ExitCode, IntegrityError, PipelineError, PreconditionError, UsageError
from dynamodb_pipeline.rate.capacity import Throughput
from tests.unit.dynamodb.table_replies import index, on_demand_table, provisioned_table


def table(**changes: Any) -> TableDescription:
    return TableDescription.from_description(provisioned_table(**changes))


def dynamodb() -> Any:
    return boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


def described(**reply: Any) -> TableDescription:
    client = dynamodb()
    with Stubber(client) as stub:
        stub.add_response("describe_table", {"Table": provisioned_table(**reply)}, {"TableName": "orders"})
        return describe(client, "orders")


def failing(code: str, message: str = "", *, status: int = 400, name: str = "orders") -> PipelineError:
    client = dynamodb()
    with Stubber(client) as stub:
        stub.add_client_error("describe_table", code, message, http_status_code=status)
        with pytest.raises(PipelineError) as caught:
            describe(client, name)
    return caught.value


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


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/index/by-customer",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2024-01-01T00:00:00.000",
        "arn:aws:s3:::orders",
        "arn:aws:dynamodb:eu-west-1:123456789012",
    ],
)
def test_the_arn_of_something_else_is_refused_before_any_call(arn: str) -> None:
    client = dynamodb()
    with Stubber(client), pytest.raises(UsageError, match="is not a table"):
        describe(client, arn)


# the call


def test_describe_asks_once() -> None:
    assert described().name == "orders"


def test_the_arn_of_a_table_is_passed_on() -> None:
    client, arn = dynamodb(), provisioned_table()["TableArn"]
    with Stubber(client) as stub:
        stub.add_response("describe_table", {"Table": provisioned_table()}, {"TableName": arn})
        assert describe(client, arn).name == "orders"


def test_a_missing_table_names_region_and_remedy() -> None:
    error = failing("ResourceNotFoundException", "Requested resource not found: Table: orders not found")
    assert isinstance(error, TableMissingError)
    assert error.exit_code is ExitCode.PRECONDITION
    assert str(error) == "table 'orders' not found in eu-west-1; check --region or the spelling"


def test_a_missing_permission_names_action_and_resource() -> None:
    error = failing(
        "AccessDeniedException",
        "User: arn:aws:sts::123456789012:assumed-role/job/i-1 is not authorized to perform: dynamodb:DescribeTable on "
        "resource: arn:aws:dynamodb:eu-west-1:123456789012:table/orders because no identity-based policy allows it",
    )
    assert isinstance(error, DeniedError)
    assert "dynamodb:DescribeTable on arn:aws:dynamodb:eu-west-1:123456789012:table/orders is not allowed" in str(error)


def test_a_missing_permission_without_details_still_names_the_table() -> None:
    assert "arn:aws:dynamodb:eu-west-1:*:table/orders" in str(failing("AccessDeniedException"))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredTokenException", DeniedError),
        ("UnrecognizedClientException", DeniedError),
        ("InvalidSignatureException", DeniedError),
        ("ThrottlingException", TableBusyError),
        ("LimitExceededException", TableBusyError),
        ("ValidationException", UsageError),
        ("InternalServerError", TableUnreachableError),
        ("SomethingNew", TableUnreachableError),
    ],
)
def test_each_failure_is_of_its_kind_and_named(code: str, kind: type[PipelineError]) -> None:
    error = failing(code, "Signature not yet current" if code == "InvalidSignatureException" else "")
    assert type(error) is kind
    assert code in str(error) or "no table name" in str(error)
    assert error.__cause__ is not None


@pytest.mark.parametrize(
    ("raised", "kind", "told"),
    [
        (EndpointConnectionError(endpoint_url="https://x"), TableUnreachableError, "check --region, network and proxy"),
        (NoCredentialsError(), DeniedError, "no usable AWS credentials"),
        (CredentialRetrievalError(provider="sso", error_msg="expired"), DeniedError, "expired"),
    ],
    ids=["endpoint", "none", "sso"],
)
def test_a_call_that_was_never_answered(raised: Exception, kind: type[PipelineError], told: str) -> None:
    client = dynamodb()

    def fail(**_: Any) -> None:
        raise raised

    client.meta.events.register("before-send", fail)
    with pytest.raises(kind, match=told):
        describe(client, "orders")


def test_an_endpoint_where_nobody_listens_is_told_at_once() -> None:
    client = boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        endpoint_url="http://127.0.0.1:9",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2),
    )
    with pytest.raises(TableUnreachableError, match=r"http://127\.0\.0\.1:9 did not answer"):
        describe(client, "orders")


def test_no_name_is_no_table() -> None:
    with pytest.raises(UsageError, match="no table name"):
        describe(dynamodb(), "")
