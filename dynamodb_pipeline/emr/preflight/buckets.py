"""Preflight of buckets and folders: missing, forbidden, somebody else's, in another region, public."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import error_code
from dynamodb_pipeline.aws.clients import expected_owner
from dynamodb_pipeline.emr.preflight.check_result import (
    LOOK_REMEDY,
    TRY_AGAIN,
    CheckResult,
    ExportSource,
    failed,
    ok,
    skipped,
    unknown,
    warning,
)
from dynamodb_pipeline.emr.preflight.permissions import Caller, Question, refusals, refused_text
from dynamodb_pipeline.emr.request.launch_settings import log_folder_problem
from dynamodb_pipeline.errors import DeniedError, ExitCode, PipelineError, StoppedError, counted

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

LIST_REMEDY = "{list} shows which backups there are; give the folder of one"
MISSING_BUCKET = {"404", "NoSuchBucket"}
PROBE_NAME = "_dynamodb_pipeline_probe"
PROBE_REMEDY = "{policy launcher} prints the statements; the bucket's own policy must allow it too"
BLOCKED = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"


def check_bucket(s3: S3Client, place: S3Uri, *, region: str, owner: str | None) -> CheckResult:
    """The bucket exists, belongs to the expected account and may be used by the caller; 404 and 403 told apart."""
    from botocore.exceptions import ClientError

    name = f"bucket {place.bucket}"
    expected = expected_owner(owner)
    try:
        reply = s3.head_bucket(Bucket=place.bucket, **expected)
    except ClientError as err:
        refused = _bucket_failure(name, place, code=error_code(err), owner=owner)
        if refused is None:
            raise
        return refused
    where = reply.get("BucketRegion") or reply["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", region)
    if where != region:
        remedy = "data crosses regions and is charged for it; intended for a cross-region copy"
        return warning(name, f"in {where}, the run is in {region}", remedy=remedy)
    return ok(name, f"in {where}")


def _bucket_failure(name: str, place: S3Uri, *, code: str, owner: str | None) -> CheckResult | None:
    """What HeadBucket's answer says of the bucket, None for one that says nothing of it."""
    if code in MISSING_BUCKET:
        remedy = "check the name; `aws s3 ls` lists the account's buckets, and none is ever made by this tool"
        return failed(name, f"bucket {place.bucket} does not exist", remedy=remedy)
    if code in {"403", "AccessDenied"}:
        whose = f" or does not belong to account {owner}" if owner else ""
        detail = f"bucket {place.bucket} is forbidden to the caller{whose}"
        return failed(name, detail, remedy=PROBE_REMEDY, exit_code=ExitCode.DENIED)
    return None


def check_public_access(s3: S3Client, place: S3Uri, *, owner: str | None) -> CheckResult:
    """The bucket blocks public access; an export is the whole table."""
    from botocore.exceptions import ClientError

    name = f"public access {place.bucket}"
    remedy = f"aws s3api put-public-access-block --bucket {place.bucket} --public-access-block-configuration {BLOCKED}"
    expected = expected_owner(owner)
    try:
        block = s3.get_public_access_block(Bucket=place.bucket, **expected)["PublicAccessBlockConfiguration"]
    except ClientError as err:
        if error_code(err) in MISSING_BUCKET:
            return skipped(name, f"bucket {place.bucket} does not exist", see=f"bucket {place.bucket}")
        if error_code(err) != "NoSuchPublicAccessBlockConfiguration":
            raise
        return warning(name, "the bucket does not block public access itself", remedy=remedy)
    if not all(block.values()):
        return warning(name, "the bucket blocks public access only in part", remedy=remedy)
    return ok(name, "blocked")


def check_logs_uri(logs_uri: str, *, data_uris: tuple[str, ...]) -> CheckResult:
    """Logs go to a folder, never to a bucket's top level nor into data."""
    problem = log_folder_problem(logs_uri, data_uris=data_uris)
    if problem:
        return failed("log-folder", problem, remedy="give --logs s3://bucket/folder", exit_code=ExitCode.USAGE)
    return ok("log-folder", logs_uri)


def check_launcher_objects(iam: IAMClient, caller: Caller, *, code: S3Uri, logs: S3Uri) -> CheckResult:
    """The caller may store the code and read what runs leave; a bucket's own policy is not asked, and may be enough."""

    def things(*places: S3Uri) -> tuple[str, ...]:
        arns = (f"arn:{caller.partition}:s3:::{place.bucket}/{place.child('example').key}" for place in places)
        return tuple(dict.fromkeys(arns))

    store, read = Question(("s3:PutObject",), things(code)), Question(("s3:GetObject",), things(code, logs))
    missing = refusals(iam, caller.source_arn, [store, read])
    if missing:
        remedy = "unless the bucket's own policy allows it, the caller needs what this prints: {policy launcher}"
        return warning("launcher-files", f"the caller is not allowed {refused_text(missing)}", remedy=remedy)
    return ok("launcher-files", f"the caller may store the code in {code.uri} and read below {logs.uri}")


def check_manifest(find: Callable[[], ExportSource]) -> CheckResult:
    """What the import will read, chosen and judged as the job does it; a manifest never has to be edited."""
    try:
        source = find()
    except StoppedError as err:  # no answer, or none that could be used
        return unknown("manifest", str(err), remedy=TRY_AGAIN)
    except PipelineError as err:
        detail = " ".join((str(err), *err.rows))
        remedy = LOOK_REMEDY if isinstance(err, DeniedError) else LIST_REMEDY
        return failed("manifest", detail, remedy=remedy, exit_code=err.exit_code)
    seen = f"{source.folder}: {counted(len(source.files), 'file')}, {source.origin}"
    if source.notes:
        remedy = "nothing to edit; --allow-bucket NAME reads from another bucket that the manifest names"
        return warning("manifest", f"{seen}; {'; '.join(source.notes)}", remedy=remedy)
    return ok("manifest", seen)


def check_probe_write(s3: S3Client, folder: S3Uri, *, owner: str | None) -> CheckResult:
    """Puts a tiny object and removes it again; only on request."""
    from botocore.exceptions import ClientError

    place = folder.child(PROBE_NAME)
    expected = expected_owner(owner)
    try:
        s3.put_object(Bucket=place.bucket, Key=place.key, Body=b"", **expected)
        s3.delete_object(Bucket=place.bucket, Key=place.key, **expected)
    except ClientError as err:
        detail = f"{place.uri}: {error_code(err)}"
        return failed(f"write {folder.uri}", detail, remedy=PROBE_REMEDY, exit_code=ExitCode.DENIED)
    return ok(f"write {folder.uri}", "an object was put and removed")
