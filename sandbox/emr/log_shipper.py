"""Bring a node's log files to S3, gzipped: now and again while a process runs, and when it has ended."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

    def address(self, name: str) -> str:
        """Return where a log lies once it is sent, empty when none are kept."""
        return log_file(self.log_uri, self.folder, name, suffix=self.suffix)

    def send(self) -> None:
        """
        Put every log that exists.

        As on EMR a log that cannot be written does not fail the step: the server's own log says why.
        """
        if not self.log_uri or self.is_cut():
            return
        bucket, prefix = split_uri(self.log_uri)
        for name in self.names:
            file = self.source / name
            if not file.exists():
                continue
            try:
                body = gzip.compress(file.read_bytes(), mtime=0)
                self.client.put_object(Bucket=bucket, Key=f"{prefix}{self.folder}{name}{self.suffix}", Body=body)
            except (BotoCoreError, ClientError) as error:
                print(f"log {self.folder}{name} not written: {error}", file=sys.stderr, flush=True)
                return


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
