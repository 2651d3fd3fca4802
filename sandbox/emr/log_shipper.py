"""
Bring a node's log files to S3, gzipped, and a step's to CloudWatch Logs where the cluster is told so: now and again
while a process runs, and when it has ended.
"""

from __future__ import annotations

import gzip
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.emr.log_layout import log_file, split_uri


@dataclass(frozen=True)
class LogShipment:
    """
    The logs `names` in the local `source`, on their way to `folder` below `log_uri` (None: no logs are kept).

    `is_cut`: whether the node is gone, and its logs with it.
    """

    client: Any
    log_uri: str | None
    folder: str
    source: Path
    names: Sequence[str]
    suffix: str = ".gz"
    is_cut: Callable[[], bool] = bool
    sent_bytes: dict[str, int] = field(default_factory=dict)

    def address(self, name: str) -> str:
        """Return where a log lies once it is sent, empty when none are kept."""
        return log_file(self.log_uri, self.folder, name, suffix=self.suffix)

    def send(self) -> None:
        """
        Put every log that has grown since it was last sent.

        As on EMR a log that cannot be written does not fail the step: the server's own log says why.
        """
        if not self.log_uri or self.is_cut():
            return
        for name in self.names:
            file = self.source / name
            if file.exists() and file.stat().st_size != self.sent_bytes.get(name):
                self._put(name, file.read_bytes())

    def _put(self, name: str, content: bytes) -> None:
        bucket, prefix = split_uri(self.log_uri or "")
        key = f"{prefix}{self.folder}{name}{self.suffix}"
        try:
            self.client.put_object(Bucket=bucket, Key=key, Body=gzip.compress(content, mtime=0))
        except (BotoCoreError, ClientError) as error:
            print(f"log s3://{bucket}/{key} not written: {error}", file=sys.stderr, flush=True)
            return
        self.sent_bytes[name] = len(content)


@dataclass
class LogEvents:
    """
    Sends the new lines of a step's logs to CloudWatch Logs, as the agent on a node does.

    Args:
        config: the cluster's CloudWatchLogConfiguration.
        stream: what the stream's name has after its prefix.
    """

    client: Any
    config: Mapping[str, Any]
    stream: str
    source: Path
    sent_lines: dict[str, int] = field(default_factory=dict)

    def send(self) -> None:
        """Send every whole line that has come; as with S3 a refusal does not fail the step."""
        for name in self.config.get("LogTypes", {}).get("STEP_LOGS", []):
            file = self.source / name.lower()
            text = file.read_text(errors="replace") if file.exists() else ""
            whole = text[: text.rfind("\n") + 1].splitlines()
            lines = whole[self.sent_lines.get(name, 0) :]
            if lines:
                self._put(name, lines)

    def _put(self, name: str, lines: Sequence[str]) -> None:
        group = self.config["LogGroupName"]
        stream = f"{self.config.get('LogStreamNamePrefix', '')}/{self.stream}/{name}"
        now_ms = int(time.time() * 1000)
        events = [{"timestamp": now_ms, "message": line} for line in lines if line]
        try:
            with suppress(self.client.exceptions.ResourceAlreadyExistsException):
                self.client.create_log_group(logGroupName=group)
            known = self.client.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]
            if not known:
                self.client.create_log_stream(logGroupName=group, logStreamName=stream)
            if events:
                self.client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        except (BotoCoreError, ClientError) as error:
            print(f"log events of {group} not written: {error}", file=sys.stderr, flush=True)
            return
        self.sent_lines[name] = self.sent_lines.get(name, 0) + len(lines)


@contextmanager
def repeated(action: Callable[[], None], *, every_s: float) -> Iterator[None]:
    """Run `action` every `every_s` seconds for as long as the block lasts."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(every_s):
            action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
