"""
What a failed S3 call means: worth sending again, or an error of ours that names the object and the remedy.

botocore's own retries are off for objects, so every failure is seen here. Most of them say nothing about whether the
request was carried out; sending a whole-object request again is harmless, since it ends in the same object.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from typing import Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import EXPIRED, THROTTLING, UNFINISHED, error_code
from dynamodb_pipeline.aws.keys import not_had, without_secrets
from dynamodb_pipeline.aws.request_errors import ErrorKind, Throttled, Transient
from dynamodb_pipeline.errors import DeniedError, PipelineError, PreconditionError, StoppedError
from dynamodb_pipeline.store.objects import AlreadyExistsError, ObjectChangedError, ObjectMissingError

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
DENIED_CODES = frozenset({"403", "AccessDenied", "AllAccessDisabled", "AccountProblem", "KMS.AccessDeniedException"})
_RENEW = "renew the credentials; whose they are: `aws sts get-caller-identity`"
# The credentials themselves are refused, whatever they may do.
CREDENTIALS = {
    **dict.fromkeys((*EXPIRED, "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"), _RENEW),
    "SignatureDoesNotMatch": "check the credentials and any proxy that changes headers",
    "RequestTimeTooSkewed": "set this machine's clock (chronyd, ntpd)",
    # The answer to a HEAD has no body and so no code; to a token that has expired S3 says 400:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    "400": f"it says no cause here, which mostly is a session token that has expired: {_RENEW}",
}
MISSING_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
CONFLICT_CODES = frozenset({"412", "PreconditionFailed"})
RACE_CODES = frozenset({"409", "ConditionalRequestConflict", "OperationAborted"})
SLOW_CODES = frozenset({*THROTTLING, "TooManyRequests"})
ALTERED_CODES = frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"})
SLOW_STATUSES = frozenset({429, 503})
SERVER_ERROR = 500


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
RIGHTS = {
    **dict.fromkeys(("get_object", "head_object"), "s3:GetObject"),
    **dict.fromkeys(("list_objects_v2", "head_bucket"), "s3:ListBucket"),
    **{"put_object": "s3:PutObject", "delete_objects": "s3:DeleteObject"},
}


class AlteredOnTheWay(Transient):
    """Bytes were lost or changed between S3 and us; chance, unless it happens again and again."""

    kind = ErrorKind.BAD_REPLY


def incomplete(where: S3Uri, *, operation: str, lacks: str) -> AlteredOnTheWay:
    """The error for a reply that says that all is well and lacks what such a reply must hold."""
    return AlteredOnTheWay(f"S3 {operation} {where}: the reply lacks {lacks}", code="bad reply")


@contextmanager
def s3_errors(operation: str, where: S3Uri, *, refusals: bool = True) -> Iterator[None]:
    """
    Replace whatever botocore raises in this block.

    Args:
        refusals: S3's error replies as well.

    Raises:
        WireError: the call may be sent again (`Throttled`, `Transient`, `AlteredOnTheWay`).
        PipelineError: it may not; names object and remedy.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError  # botocore's own transport

    try:
        yield
    except ClientError as err:
        if not refusals:
            raise
        raise s3_error(err, operation=operation, where=where) from err
    except BotoCoreError as err:
        raise unsent(err, f"S3 {operation} {where}", otherwise=_otherwise(err)) from err
    except (HTTPError, ConnectionError, ResponseParserError) as err:  # botocore: an error reply that broke off
        msg = f"S3 {operation} {where}: {without_secrets(str(err))}"
        raise Transient(msg) from err
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        if not _raised_by_parser(err):
            raise
        raise incomplete(where, operation=operation, lacks=f"sense: {type(err).__name__}") from err
    except RuntimeError as err:  # botocore: "refreshed credentials are still expired"
        msg = f"S3 {operation} {where}: {without_secrets(str(err))}; renew the credentials, then resume the run"
        raise DeniedError(msg) from err


def _raised_by_parser(err: BaseException) -> bool:
    """True when botocore could make nothing of a reply, such as a date that is none: no bug of ours."""
    frames = traceback.walk_tb(err.__traceback__)
    return any(frame.f_globals.get("__name__") == "botocore.parsers" for frame, _ in frames)


def _otherwise(err: Exception) -> type[PipelineError]:
    """`Transient` for what happened on the network, else an error for which sending again is no cure."""
    from botocore import exceptions as known

    passing = (known.HTTPClientError, known.ConnectionError, known.IncompleteReadError)
    return Transient if isinstance(err, passing) else StoppedError


def unsent(err: Exception, what: str, *, otherwise: type[PipelineError] = StoppedError) -> PipelineError:
    """Our error for a request that botocore could not send: `otherwise`, unless credentials are the reason."""
    from botocore import exceptions as known

    credentials = (
        known.NoCredentialsError,
        known.PartialCredentialsError,
        known.CredentialRetrievalError,
        known.TokenRetrievalError,
        known.SSOError,
        known.ProfileNotFound,
    )
    if isinstance(err, credentials):
        return DeniedError(f"{what}: {not_had(err)}, then run the same command again")
    return otherwise(f"{what}: {without_secrets(str(err))}")


def missing_bucket(bucket: str) -> PreconditionError:
    """Our error for a name that S3 does not know, whether it was to be read or written."""
    return PreconditionError(
        f"bucket {bucket!r} does not exist, in any account or region of this partition; check the spelling, and whose "
        "the credentials are: `aws s3 ls` lists the buckets of their account (none is ever made by this tool)"
    )


def s3_error(err: Any, *, operation: str, where: S3Uri) -> PipelineError:
    """The exception that a botocore ClientError of an S3 call stands for."""
    return _refused(error_code(err), operation=operation, where=where) or _failed(err, operation=operation, where=where)


def _refused(code: str, *, operation: str, where: S3Uri) -> PipelineError | None:
    """What S3 will say again however often it is asked; None for anything else."""
    if code == "NoSuchBucket":
        return missing_bucket(where.bucket)
    if code in MISSING_CODES:
        return ObjectMissingError(f"{where} does not exist")
    if code in CONFLICT_CODES:
        if operation == "get_object":
            return ObjectChangedError(f"{where} was replaced since it was checked; start again")
        return AlreadyExistsError(f"{where} exists already")
    if code in CREDENTIALS:
        return DeniedError(f"S3 refuses {operation} on {where} ({code}); {CREDENTIALS[code]}")
    if code in DENIED_CODES:
        return DeniedError(
            f"S3 refuses {operation} on {where} ({code}); grant {RIGHTS.get(operation, 'it')} to this role"
            " (`dynamodb-pipeline policy --help` shows how to print what is needed) or check --bucket-owner"
        )
    if code == "InvalidObjectState":
        command = f"aws s3api restore-object --bucket {where.bucket} --key {quote(where.key)} --restore-request Days=7"
        msg = f"{where} is archived (Glacier); restore a copy, which takes minutes to hours, and start again: {command}"
        return PreconditionError(msg)
    return None


def _failed(err: Any, *, operation: str, where: S3Uri) -> PipelineError:
    """What may go well the next time."""
    code, status = error_code(err), err.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = f"S3 {operation} {where} failed: {code}: {err.response.get('Error', {}).get('Message', '')}"
    if code in ALTERED_CODES:
        return AlteredOnTheWay(f"{where} was altered on its way to S3 and refused ({code})", code=code, status=status)
    if code in SLOW_CODES or status in SLOW_STATUSES:
        return Throttled(text, code=code, status=status)
    if code in RACE_CODES | UNFINISHED or status >= SERVER_ERROR:
        return Transient(text, code=code, status=status)
    return StoppedError(text)
