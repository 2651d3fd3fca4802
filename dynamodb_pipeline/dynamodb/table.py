"""
Asks DynamoDB about a table and turns what can go wrong into our errors: the thin edge of table_description.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.aws.keys import not_had, without_secrets
from dynamodb_pipeline.aws.request_errors import ClockSkewed, Denied, ExpiredCredentials, Gone, Throttled, WireError
from dynamodb_pipeline.dynamodb.error_replies import row_of
from dynamodb_pipeline.dynamodb.table_description import TableDescription, gone, refuse_changed, refuse_unusable
from dynamodb_pipeline.errors import DeniedError, PipelineError, PreconditionError, StoppedError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "TableBusyError",
    "TableDescription",
    "TableMissingError",
    "TableUnreachableError",
    "describe",
    "describe_again",
    "holds_an_item",
    "refuse_changed",
    "refuse_unusable",
    "table_name_of",
]

_RESOURCE = re.compile(r"on resource: (arn:\S+)")  # in an AccessDeniedException's message


class TableMissingError(PreconditionError):
    """There is no such table in the region."""


class TableUnreachableError(PreconditionError):
    """DynamoDB did not answer."""


class TableBusyError(StoppedError):
    """DescribeTable itself is throttled (it has its own quota)."""


_REFUSALS: dict[type[WireError], tuple[type[PipelineError], str]] = {
    Gone: (TableMissingError, "table {name!r} not found in {region}; check --region or the spelling"),
    Denied: (DeniedError, "dynamodb:DescribeTable on {arn} is not allowed"),
    ExpiredCredentials: (DeniedError, "DynamoDB in {region} does not accept the credentials"),
    ClockSkewed: (DeniedError, "DynamoDB in {region} does not accept the time of this machine"),
    Throttled: (TableBusyError, "DescribeTable of {name!r} is throttled"),
}


def describe(client: DynamoDBClient, name: str) -> TableDescription:
    """
    Ask DynamoDB about a table.

    Raises:
        UsageError: the ARN of an index or stream was given.
        PreconditionError: no such table in the region, or DynamoDB cannot be reached.
        DeniedError: no usable credentials, or dynamodb:DescribeTable is not allowed.
        TableBusyError: DescribeTable is throttled.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    table_name = table_name_of(name)
    where = str(client.meta.region_name)
    try:
        reply = client.describe_table(TableName=table_name)
    except ClientError as err:
        raise _refusal(err.response, table_name, where) from err
    except BotoCoreError as err:
        raise _unsent(err, client.meta.endpoint_url) from err
    return TableDescription.from_description(reply["Table"])


def describe_again(client: DynamoDBClient, pinned: TableDescription) -> TableDescription:
    """
    Ask DynamoDB about the table that the run began with.

    Raises:
        IntegrityError: it is gone, going, or another one by the same name.
        PipelineError: as `describe`.
    """
    try:
        now = describe(client, pinned.name)
    except TableMissingError as err:
        raise gone(pinned.name) from err
    refuse_changed(pinned, now)
    return now


def holds_an_item(client: DynamoDBClient, name: str) -> bool:
    """
    True when one Scan for one item finds one.

    Raises:
        StoppedError: DynamoDB does not answer that.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        reply = client.scan(TableName=name, Limit=1, ConsistentRead=True)
    except (BotoCoreError, ClientError) as err:
        msg = f"could not find out whether table {name!r} is empty: {without_secrets(str(err))}; resume the run"
        raise StoppedError(msg) from err
    return bool(reply["Items"])


def table_name_of(name: str) -> str:
    """
    The table's name or ARN; the ARN of one of its indexes or streams is refused.

    Raises:
        UsageError: an ARN of something else than a table.
    """
    if not name.startswith("arn:"):
        return name
    parts = name.split(":", 5)
    resource = parts[5] if len(parts) == 6 else ""
    if len(parts) != 6 or parts[2] != "dynamodb" or not resource.startswith("table/") or resource.count("/") != 1:
        msg = f"{name} is not a table (an index, a stream?); give the table's name"
        raise UsageError(msg)
    return name


def _refusal(response: Mapping[str, Any], name: str, region: str) -> PipelineError:
    """Our error for DynamoDB's error reply."""
    error = response.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    row = row_of(code, status=response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0), message=message)
    kind, text = _REFUSALS.get(row.raises, (TableUnreachableError, "table {name!r} could not be described in {region}"))
    if code == "ValidationException":
        return UsageError(f"{name!r} is no table name: 3 to 255 letters, digits, '_', '-' and '.'")
    resource = _RESOURCE.search(message)
    arn = resource[1] if resource else f"arn:aws:dynamodb:{region}:*:table/{name}"
    worded = text.format(name=name, region=region, arn=arn)
    return kind(worded if kind is TableMissingError else f"{worded} ({code}): {row.remedy}")


def _unsent(err: Exception, endpoint: str) -> PipelineError:
    """Our error for a request that got no reply."""
    from botocore.exceptions import ConnectionError as NoConnectionError
    from botocore.exceptions import HTTPClientError, ParamValidationError

    if isinstance(err, (HTTPClientError, NoConnectionError)):
        msg = f"DynamoDB at {endpoint} did not answer; check --region, network and proxy: {without_secrets(str(err))}"
        return TableUnreachableError(msg)
    if isinstance(err, ParamValidationError):
        return UsageError(f"no table name: {err}")
    return DeniedError(f"no usable AWS credentials for {endpoint}: {not_had(err)}")
