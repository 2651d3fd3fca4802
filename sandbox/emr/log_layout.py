"""
Where EMR puts logs under LogUri, and what its controller writes. Names and values only.

Management Guide, "View log files": `<LogUri>/<cluster>/steps/<step>/{controller,syslog,stdout,stderr}.gz` and
`<LogUri>/<cluster>/node/<instance>/bootstrap-actions/<n>/{controller,stdout,stderr}.gz`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from urllib.parse import urlparse

STEP_LOGS = ("controller", "syslog", "stdout", "stderr")
BOOTSTRAP_LOGS = ("controller", "stdout", "stderr")
RUNNER = "hadoop jar /var/lib/aws/emr/step-runner/hadoop-jars/command-runner.jar"
ERROR_LINE = re.compile(r"^(?:Exception in thread .*|Caused by: .*|[A-Za-z_][\w.]*(?:Error|Exception)\b.*)$")
MAX_MESSAGE_CHARACTERS = 512


def split_uri(log_uri: str) -> tuple[str, str]:
    """Return (bucket, key prefix that is empty or ends in a slash) of an s3:// or s3n:// address."""
    parts = urlparse(log_uri)
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


def step_folder(cluster_id: str, step_id: str) -> str:
    """Return a step's log folder, relative to LogUri."""
    return f"{cluster_id}/steps/{step_id}/"


def bootstrap_folder(cluster_id: str, instance_id: str, number: int) -> str:
    """Return a bootstrap action's log folder, relative to LogUri; the first action is 1."""
    return f"{cluster_id}/node/{instance_id}/bootstrap-actions/{number}/"


def log_file(log_uri: str | None, folder: str, name: str, *, suffix: str = ".gz") -> str:
    """Return a log's whole address, empty when the cluster keeps none."""
    return f"{log_uri.rstrip('/')}/{folder}{name}{suffix}" if log_uri else ""


def controller_start(arguments: Sequence[str], *, now_s: float) -> str:
    """Return what the controller log says before the process runs."""
    command = " ".join([RUNNER, *arguments])
    return f"{_stamp(now_s)} INFO StepRunner: Created Runner for step\n{_stamp(now_s)} INFO startExec '{command}'\n"


def controller_end(arguments: Sequence[str], exit_code: int, *, started_s: float, now_s: float) -> str:
    """Return what it says after."""
    took_s = int(now_s - started_s)
    command = " ".join([RUNNER, *arguments])
    verdict = (
        f"INFO Step succeeded with exitCode 0 and took {took_s} seconds"
        if exit_code == 0
        else f"WARN Step failed with exitCode {exit_code} and took {took_s} seconds"
    )
    lines = (
        f"INFO waitProcessCompletion ended with exit code {exit_code} : {command[:60]}...",
        f"INFO total process run time: {took_s} seconds",
        verdict,
    )
    return "".join(f"{_stamp(now_s)} {line}\n" for line in lines)


def _stamp(now_s: float) -> str:
    moment = datetime.fromtimestamp(now_s, tz=timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def failure_message(texts: Sequence[str], *, exit_code: int) -> str:
    """Return the last line of the first text that names an error, else the exit code; cut at 512 characters."""
    for text in texts:
        found = [line for line in text.splitlines() if ERROR_LINE.match(line)]
        if found:
            return found[-1][:MAX_MESSAGE_CHARACTERS]
    return f"Command exiting with ret '{exit_code}'"
