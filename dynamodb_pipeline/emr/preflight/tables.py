"""Preflight of tables: they exist, can be read, and an import's target has the export's key schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.dynamodb.table_description import USABLE, TableDescription
from dynamodb_pipeline.emr.preflight.check_result import CheckResult, ExportSource, failed, ok, unknown, warning
from dynamodb_pipeline.errors import PipelineError, counted
from dynamodb_pipeline.formats.exports.layout import TABLE_DEFINITION
from dynamodb_pipeline.formats.exports.table_definition import TableDefinition, differences

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

NOT_COUNTED = "empty, or filled within the last six hours"  # that is how often DynamoDB counts
CREATE_REMEDY = "check --table and --region; an import never creates its table: create it first"


def check_table(dynamodb: DynamoDBClient, table_name: str, *, verb: str, region: str) -> CheckResult:
    """The table exists in this region and can be used."""
    name = f"table {table_name}"
    try:
        table = _described(dynamodb, table_name)
    except dynamodb.exceptions.ResourceNotFoundException:
        return failed(name, f"table {table_name!r} not found in {region}", remedy=CREATE_REMEDY)
    if table.status not in USABLE:
        remedy = "wait until it is ACTIVE, or use another table"
        return failed(name, f"table {table_name!r} is {table.status}", remedy=remedy)
    held = counted(table.item_count, "item") if table.item_count else NOT_COUNTED
    seen = f"{table.status}, {held}, key {table.key_schema.describe()}"
    side_effect = _import_side_effect(table) if verb == "import" else None
    if side_effect:
        return warning(name, f"{seen}; {side_effect}", remedy="expect this, or import into a table without it")
    return ok(name, seen)


def _described(dynamodb: DynamoDBClient, table_name: str) -> TableDescription:
    """The table; errors come as they are, for a check that got no answer is not a check that failed."""
    return TableDescription.from_description(dynamodb.describe_table(TableName=table_name)["Table"])


def key_arns(dynamodb: DynamoDBClient, table_names: Iterable[str]) -> tuple[str, ...]:
    """KMS keys that the tables are encrypted with: DynamoDB uses them in the name of whoever reads or writes items."""
    described = [dynamodb.describe_table(TableName=name)["Table"] for name in table_names]
    keys = [table.get("SSEDescription", {}).get("KMSMasterKeyArn") for table in described]
    return tuple(dict.fromkeys(key for key in keys if key))


def _import_side_effect(table: TableDescription) -> str | None:
    """What writing into this table sets off beside the writes themselves."""
    effects = []
    if table.stream is not None:
        effects.append("its stream will carry every written item")
    if table.replica_regions:
        effects.append("every write is replicated to its other regions")
    if table.global_indexes:
        effects.append(
            f"every write costs units on {counted(len(table.global_indexes), 'index', plural='indexes')} too"
        )
    return "; ".join(effects) or None


def check_key_schema(dynamodb: DynamoDBClient, table_name: str, find: Callable[[], ExportSource]) -> CheckResult:
    """The target's key schema is the export's. Old backups carry none: the job then checks every item's key."""
    try:
        source = find()
    except PipelineError:
        return unknown("key-schema", "nothing was found to compare with", remedy="see the check `manifest`")
    exported = source.key_schema
    if exported is None:
        return unknown("key-schema", f"{source.folder} carries no key", remedy="the job checks every item's key")
    target = _described(dynamodb, table_name).key_schema
    if exported != target:
        detail = f"table {table_name!r} has key {target.describe()}, the export {exported.describe()}"
        return failed("key-schema", detail, remedy="create a table with the same key names, types and roles")
    return ok("key-schema", target.describe())


def check_definition(
    dynamodb: DynamoDBClient, s3: S3Client, table_name: str, find: Callable[[], ExportSource]
) -> CheckResult:
    """How the target is set up otherwise than the exported table was; both work, so it is only said."""
    from botocore.exceptions import ClientError

    try:
        where = S3Uri.parse(find().folder).child(TABLE_DEFINITION)
        data = s3.get_object(Bucket=where.bucket, Key=where.key)["Body"].read()
        exported = TableDefinition.from_bytes(data, where=str(where))
    except PipelineError as err:
        return unknown("definition", f"nothing to compare with: {err}", remedy="the import does not need it")
    except ClientError as err:
        if error_code(err) not in {"NoSuchKey", "404"}:
            raise
        return ok("definition", "the export does not say how its table was set up")
    target: Mapping[str, object] = dynamodb.describe_table(TableName=table_name)["Table"]
    differing = list(differences(exported.table, target))
    if differing:
        remedy = "the import works all the same; {definition} prints the exported table"
        return warning("definition", f"table {table_name!r} differs: {'; '.join(differing)}", remedy=remedy)
    return ok("definition", "billing, class, stream, encryption and indexes are those of the exported table")
