"""Preflight of tables: they exist, can be read, and an import's target has the export's key schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.addresses import table_name as table_name_of
from dynamodb_pipeline.aws.api_errors import DENIED, error_code
from dynamodb_pipeline.dynamodb.table_description import USABLE, TableDescription
from dynamodb_pipeline.emr.preflight.check_result import (
    LOOK_REMEDY,
    TRY_AGAIN,
    CheckResult,
    ExportSource,
    ImportInput,
    failed,
    ok,
    skipped,
    unknown,
    warning,
)
from dynamodb_pipeline.errors import DeniedError, PipelineError, StoppedError, counted
from dynamodb_pipeline.formats.exports.layout import TABLE_DEFINITION
from dynamodb_pipeline.formats.exports.table_definition import TableDefinition, differences
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.settings.run_commands import folder_command

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

NOT_COUNTED = "empty, or filled within the last six hours"  # that is how often DynamoDB counts
KEY_REMEDY = "create a table with the same key names, types and roles"
NAME_REMEDY = "check --table and --region"
CREATE_REMEDY = f"{NAME_REMEDY}; an import never creates its table: create it first"


def check_table(dynamodb: DynamoDBClient, table_name: str, *, verb: str, region: str) -> CheckResult:
    """The table exists in this region and can be used."""
    name = f"table {table_name}"
    try:
        described = dynamodb.describe_table(TableName=table_name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        remedy = CREATE_REMEDY if verb == "import" else NAME_REMEDY
        return failed(name, f"table {table_name!r} not found in {region}", remedy=remedy)
    table = TableDescription.from_description(described)
    if table.status not in USABLE:
        remedy = "wait until it is ACTIVE, or use another table"
        return failed(name, f"table {table_name!r} is {table.status}", remedy=remedy)
    held = counted(table.item_count, "item") if table.item_count else NOT_COUNTED
    seen = f"{table.status}, {held}, key {table.key_schema.describe()}"
    key = _key_of(described) if is_of_another_account(table_name) else None
    if key:
        remedy = "a customer-managed key takes what this prints, with --for-account and in its account: {policy key}"
        text = f"{seen}; under {key}, whose own policy must allow it too, which AWS's own key aws/dynamodb cannot"
        return warning(name, text, remedy=remedy)
    side_effect = _import_side_effect(table) if verb == "import" else None
    if side_effect:
        return warning(name, f"{seen}; {side_effect}", remedy="expect this, or import into a table without it")
    return ok(name, seen)


def is_of_another_account(table: str) -> bool:
    """Whether it is named by its ARN."""
    return table != table_name_of(table)


def _key_of(described: Mapping[str, Any]) -> str | None:
    key = described.get("SSEDescription", {}).get("KMSMasterKeyArn")
    return None if key is None else str(key)


def may_not_look(err: Exception, table: str) -> bool:
    """Whether a table of another account was refused, for which a check of its own has failed."""
    return isinstance(err, DeniedError) or (is_of_another_account(table) and error_code(err) in DENIED)


def key_arns(dynamodb: DynamoDBClient, table_names: Iterable[str]) -> tuple[str, ...]:
    """KMS keys that the tables are encrypted with: DynamoDB uses them in the name of whoever reads or writes items."""
    keys = [_key_arn(dynamodb, name) for name in table_names]
    return tuple(dict.fromkeys(key for key in keys if key))


def _key_arn(dynamodb: DynamoDBClient, table_name: str) -> str | None:
    """None of a table without a key of its own, or of one that is not seen, which a check of its own says."""
    from botocore.exceptions import ClientError

    try:
        return _key_of(dynamodb.describe_table(TableName=table_name)["Table"])
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    except (ClientError, DeniedError) as err:
        if not may_not_look(err, table_name):
            raise
        return None


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


@dataclass(frozen=True)
class ImportTarget:
    """The table that an import writes, and what it will read."""

    dynamodb: DynamoDBClient
    table_name: str
    source: ImportInput
    region: str

    def check(self, name: str, compare: Callable[[ExportSource, Mapping[str, Any]], CheckResult]) -> CheckResult:
        """Compare DescribeTable's `Table` with the export; skipped where one of them is not there."""
        from botocore.exceptions import ClientError

        try:
            source = self.source.find()
        except StoppedError as err:
            return unknown(name, str(err), remedy=TRY_AGAIN)
        except PipelineError:
            return skipped(name, "nothing was found to compare with", see="manifest")
        try:
            table = self.dynamodb.describe_table(TableName=self.table_name)["Table"]
        except self.dynamodb.exceptions.ResourceNotFoundException:
            return skipped(name, f"table {self.table_name!r} does not exist", see=f"table {self.table_name}")
        except (ClientError, DeniedError) as err:
            if not may_not_look(err, self.table_name):
                raise
            return skipped(name, f"table {self.table_name!r} may not be described", see=f"table {self.table_name}")
        return compare(source, table)


def check_key_schema(target: ImportTarget) -> CheckResult:
    """The target's key schema is the export's; of an old backup, which carries none, that of an item in it."""

    def compare(source: ExportSource, described: Mapping[str, Any]) -> CheckResult:
        exported, keys = source.key_schema, KeySchema.from_description(described)
        if exported is None:
            return _check_sample(target, keys, folder=source.folder)
        if exported != keys:
            detail = f"table {target.table_name!r} has key {keys.describe()}, the export {exported.describe()}"
            return failed("key-schema", detail, remedy=KEY_REMEDY)
        return ok("key-schema", keys.describe())

    return target.check("key-schema", compare)


def _check_sample(target: ImportTarget, keys: KeySchema, *, folder: str) -> CheckResult:
    try:
        sample = target.source.sample(keys)
    except StoppedError as err:
        return unknown("key-schema", str(err), remedy=TRY_AGAIN)
    except PipelineError as err:
        command = folder_command("inspect", folder, region=target.region)
        remedy = LOOK_REMEDY if isinstance(err, DeniedError) else f"{command} says what its files hold"
        return failed("key-schema", str(err), remedy=remedy, exit_code=err.exit_code)
    start = f"{folder} carries no key schema"
    if sample.problem is None:
        return ok("key-schema", f"{start}; {sample.seen}; the job checks every item before its first write")
    if sample.may_be_bad:
        return warning("key-schema", f"{start}; {sample.problem}", remedy="--set-aside puts such items aside")
    detail = f"{start}, and an item of it does not fit table {target.table_name!r}: {sample.problem}"
    return failed("key-schema", detail, remedy=f"{KEY_REMEDY}; or give --set-aside for such items")


def check_definition(target: ImportTarget, s3: S3Client) -> CheckResult:
    """How the target is set up otherwise than the exported table was; both work, so it is only said."""
    from botocore.exceptions import ClientError

    def compare(source: ExportSource, described: Mapping[str, Any]) -> CheckResult:
        where = S3Uri.parse(source.folder).child(TABLE_DEFINITION)
        try:
            data = s3.get_object(Bucket=where.bucket, Key=where.key)["Body"].read()
            exported = TableDefinition.from_bytes(data, where=str(where))
        except PipelineError as err:
            return warning("definition", f"cannot be compared: {err}", remedy="the import does not need it")
        except ClientError as err:
            if error_code(err) not in {"NoSuchKey", "404"}:
                raise
            return ok("definition", "the export does not say how its table was set up")
        differing = list(differences(exported.table, described))
        if differing:
            command = folder_command("definition", source.folder, region=target.region)
            remedy = f"the import works all the same; {command} prints the exported table"
            return warning("definition", f"table {target.table_name!r} differs: {'; '.join(differing)}", remedy=remedy)
        return ok("definition", "billing, class, stream, encryption and indexes are those of the exported table")

    return target.check("definition", compare)
