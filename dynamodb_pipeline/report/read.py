"""
Finds the records of a run: `<logs>/runs/<run>/run.json`, and `<logs>/runs/<run>.<table>/run.json` of several tables.

Nothing is guessed: a record that is missing or is no JSON object is an error with its address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.aws.api_errors import denied_error, error_code, is_denied
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.documents import DocumentError, read_object
from dynamodb_pipeline.errors import IntegrityError, PreconditionError, StoppedError
from dynamodb_pipeline.finished import RUN_RECORD
from dynamodb_pipeline.settings.job_options import LOGS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Record:
    """One `run.json`: where it lies and what it says."""

    where: str
    facts: dict[str, Any]


def read_file(path: Path) -> tuple[Record, ...]:
    """
    Return the record in a local file.

    Raises:
        PreconditionError: the file cannot be read. IntegrityError: it is no run record.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        msg = f"{path} cannot be read: {err.strerror}; give the path of a run.json, or a run id with --logs"
        raise PreconditionError(msg) from err
    return (parse_record(data, where=str(path)),)


def read_run(s3: S3Client, run: str, *, logs: str) -> tuple[Record, ...]:
    """
    Return the records of the run, its own first, then those of its tables by name.

    Args:
        s3: client of the log folder's bucket.
        run: run id.
        logs: what the run was given as `--logs`.

    Raises:
        PreconditionError: no record there. DeniedError: not ours to read. IntegrityError: something else lies there.
        StoppedError: S3 did not answer.
    """
    folder = S3Uri.of_folder(logs, option=LOGS.name).child("runs")
    fetched = [_get(s3, folder.child(f"{name}/{RUN_RECORD}")) for name in _run_folders(s3, folder, run)]
    records = tuple(record for record in fetched if record is not None)
    if not records:
        msg = f"no {RUN_RECORD} in {folder.child(run).uri}; check the run id and --logs (`status RUN` finds clusters)"
        raise PreconditionError(msg)
    return records


def read_places(s3: S3Client, places: Iterable[str]) -> tuple[Record, ...]:
    """
    Return the records that are there already, of these addresses.

    Raises:
        PreconditionError: none is. DeniedError, IntegrityError, StoppedError: as `read_run`.
    """
    wanted = [S3Uri.parse(place) for place in places]
    records = tuple(record for place in wanted if (record := _get(s3, place)) is not None)
    if not records:
        msg = f"no {RUN_RECORD} in {wanted[0].uri} yet; the job writes it when it starts"
        raise PreconditionError(msg)
    return records


def parse_record(data: bytes, *, where: str) -> Record:
    """
    Raises:
        IntegrityError: not a JSON object with a run id.
    """
    try:
        facts = read_object(data)
    except DocumentError as err:
        msg = f"{where} is {err}; it is not the record of a run"
        raise IntegrityError(msg) from err
    if "run_id" not in facts:
        msg = f"{where} names no run_id; it is not the record of a run"
        raise IntegrityError(msg)
    return Record(where, facts)


def _run_folders(s3: S3Client, folder: S3Uri, run: str) -> list[str]:
    """Names of the run's folders; one request for each thousand, however much lies in them."""
    prefix = folder.child(run).key
    with _s3_errors(folder.child(run), call="s3:ListBucket"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=prefix, Delimiter="/")
        listed = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    names = (key.rstrip("/").rpartition("/")[2] for key in listed)
    return sorted(name for name in names if name == run or name.startswith(f"{run}."))


def _get(s3: S3Client, place: S3Uri) -> Record | None:
    """The record, or None where a table's folder holds none yet."""
    with _s3_errors(place, call="s3:GetObject"):
        try:
            data = s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None
    return parse_record(data, where=place.uri)


@contextmanager
def _s3_errors(place: S3Uri, *, call: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as err:
        if is_denied(err):
            raise denied_error(err, call=call) from err
        if error_code(err) == "NoSuchBucket":
            msg = f"--logs: bucket {place.bucket!r} does not exist; check the spelling"
            raise PreconditionError(msg) from err
        msg = f"{place.uri} could not be read: {without_secrets(str(err))}; run the same command again"
        raise StoppedError(msg) from err
