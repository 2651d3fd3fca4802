"""Run ids, and the folder below the log folder that a run has."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timezone

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.errors import UsageError

RUN_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{2,79}$")

RUN_ID_STAMP = re.compile(r"^\d{8}T\d{6}Z")


def new_run_id(moment: datetime) -> str:
    """`20261123T030000Z-7f3a91c2`: sortable by start, unique by chance of 1 in 2**32 within a second."""
    return f"{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def check_run_id(run_id: str) -> str:
    """
    Raises:
        UsageError: characters that do not fit an S3 key and a cluster's name.
    """
    if not RUN_ID.match(run_id):
        msg = f"--run-id {run_id!r} must be 3-80 of A-Z a-z 0-9 . _ -"
        raise UsageError(msg)
    return run_id


def run_folder(logs: str, run_id: str) -> str:
    """`<logs>/runs/<run-id>`, where a run keeps its record, ledger and reasons."""
    return join(logs, f"runs/{run_id}")


def moment_of(run_id: str, *, began: datetime | None = None) -> datetime:
    """The moment in a run id of ours, so that a resumed run finds its folder again; else when it began, or now."""
    match = RUN_ID_STAMP.match(run_id)
    if match is None:
        return began or datetime.now(timezone.utc)
    return datetime.strptime(match[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
