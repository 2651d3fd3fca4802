"""
Finds what a step or a bootstrap action printed, in the logs EMR stores in S3.

EMR stores logs every five minutes and at the cluster's end; names vary (`stderr.gz`, `stderr.txt.gz`, rotated ones
with a time), so the prefix is listed and names are never built.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_pipeline.addresses import S3Uri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Client mode: the job's own stderr arrives on spark-submit's stdout, so both are looked at.
STEP_FILES = ("stderr", "stdout")
BOOTSTRAP_FOLDER = re.compile(r"/node/[^/]+/bootstrap-actions/")
MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_TEXT_CHARACTERS = 2_000_000
TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(?P<last>\S.*)", re.MULTILINE)
# What Spark, YARN and EMR say of themselves, a line or the tab-indented rest of one (`\t user: root`).
CHATTER = re.compile(
    r"^\S+ \S+ (INFO|WARN|DEBUG) |^Command exiting with ret|^\t"
    r"|^\s*(client token|diagnostics: N/A|ApplicationMaster host"
    r"|ApplicationMaster RPC port|queue|start time|final status|tracking URL|user): "
    r"|^(WARNING|INFO): |^SLF4J: |^Warning: |^Picked up |^\d\d/\d\d/\d\d \S+ (INFO|WARN)"
)
OF_ERROR = re.compile(
    r"(?i)error|exception|fatal|fail|denied|refused|cannot|unable|not found|no such|killed"
    r"|out of memory|invalid|missing"
)
JOB_ERROR = re.compile(r"^ERROR (?P<code>\d+) \((?P<meaning>[^)]*)\): (?P<message>.*)", re.MULTILINE)


@dataclass(frozen=True)
class LogFile:
    """One log file: where it is and its text (the end of it when it is very long)."""

    location: S3Uri
    text: str


def log_prefix(log_uri: str, cluster_id: str) -> S3Uri:
    """The cluster's log folder; DescribeCluster answers with `s3n://`."""
    return S3Uri.of_folder(log_uri, option="LogUri").child(cluster_id)


def step_log_files(s3: S3Client, log_uri: str, *, cluster_id: str, step_id: str) -> list[LogFile]:
    """stderr and stdout of a step, stderr first, each kind oldest first; empty when nothing has arrived yet."""
    keys = list(_keys(s3, log_prefix(log_uri, cluster_id).child(f"steps/{step_id}")))
    wanted = [(kind, key) for kind in STEP_FILES for key in keys if _name(key).startswith(kind)]
    return [_read(s3, S3Uri(_bucket(log_uri), key)) for _, key in wanted]


def bootstrap_log_files(s3: S3Client, log_uri: str, *, cluster_id: str) -> list[LogFile]:
    """stderr of every bootstrap action that printed something."""
    keys = _keys(s3, log_prefix(log_uri, cluster_id).child("node"))
    wanted = [key for key in keys if BOOTSTRAP_FOLDER.search(f"/{key}") and _name(key).startswith("stderr")]
    files = [_read(s3, S3Uri(_bucket(log_uri), key)) for key in wanted]
    return [file for file in files if file.text.strip()]


def last_traceback(text: str) -> str | None:
    """The last Python traceback with its closing line, or None."""
    matches = list(TRACEBACK.finditer(f"{text}\n"))
    return matches[-1].group(0).rstrip() if matches else None


def job_error_line(text: str) -> str | None:
    """The job's own last word, `ERROR 3 (...): message`, or None."""
    matches = list(JOB_ERROR.finditer(text))
    return matches[-1].group(0).strip() if matches else None


def printed_result(text: str) -> dict[str, Any]:
    """The JSON result a job prints last, empty when it printed none."""
    for line in reversed(text.splitlines()):
        if line.startswith("{") and '"exit_code"' in line:
            try:
                result = json.loads(line)
            except ValueError:
                continue
            if isinstance(result, dict):
                return result
    return {}


def last_lines(text: str, *, count: int = 40) -> str:
    """The last lines that say something: no blank ones, no Spark chatter, no bare exit code."""
    lines = [line for line in text.splitlines() if line.strip() and not CHATTER.search(line)]
    return "\n".join(lines[-count:])


def lines_about_errors(text: str, *, count: int = 40) -> str:
    """Those of the last lines that speak of an error; no other line of a log is a cause."""
    return "\n".join(line for line in last_lines(text, count=count).splitlines() if OF_ERROR.search(line))


def _bucket(log_uri: str) -> str:
    return S3Uri.of_folder(log_uri, option="LogUri").bucket


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _keys(s3: S3Client, folder: S3Uri) -> Iterator[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.folder.key)
    for page in pages:
        yield from (entry["Key"] for entry in page.get("Contents", []))


def _read(s3: S3Client, location: S3Uri) -> LogFile:
    data = s3.get_object(Bucket=location.bucket, Key=location.key)["Body"].read(MAX_FILE_BYTES)
    plain = _gunzipped(data) if data.startswith(b"\x1f\x8b") else data
    return LogFile(location, plain.decode("utf-8", errors="replace")[-MAX_TEXT_CHARACTERS:])


def _gunzipped(data: bytes) -> bytes:
    """All members that are whole, and what a cut one still gives: a log is read, not judged."""
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error):
        return zlib.decompressobj(wbits=31).decompress(data)
