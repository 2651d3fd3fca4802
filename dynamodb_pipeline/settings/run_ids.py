"""Run ids, and the folder below the log folder that a run has."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timezone

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.errors import UsageError, shown

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,79}")

RUN_ID_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def new_run_id(moment: datetime) -> str:
    """`20261123T030000Z-7f3a91c2`: sortable by start, unique by chance of 1 in 2**32 within a second."""
    return f"{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def is_run_id(text: str) -> bool:
    """True for what may name a run: it is part of keys in S3 and of cluster names."""
    return RUN_ID.fullmatch(text) is not None


def check_run_id(run_id: str, *, option: str = "run id") -> str:
    """
    Raises:
        UsageError: characters that do not fit an S3 key and a cluster's name; a moment that no clock shows.
    """
    if not is_run_id(run_id):
        msg = f"{option} {shown(run_id)} must be 3-80 of A-Z a-z 0-9 . _ -"
        raise UsageError(msg)
    if RUN_ID_STAMP.match(run_id) and began_by_id(run_id) is None:
        msg = f"{option} {run_id!r} begins with {run_id[:16]}, which is no moment; check the spelling"
        raise UsageError(msg)
    return run_id


def launch_of_job(run_id: str) -> str | None:
    """The run id of the launch whose table's job this may be, `<run id>.<table>`; None of any other."""
    launch, dot, _ = run_id.partition(".")
    return launch if dot and is_run_id(launch) else None


def run_folder(logs: str, run_id: str) -> str:
    """`<logs>/runs/<run-id>`, where a run keeps its record, ledger and reasons."""
    return join(logs, f"runs/{run_id}")


def moment_of(run_id: str, *, began: datetime | None = None) -> datetime:
    """The moment in a run id of ours, so that a resumed run finds its folder again; else when it began, or now."""
    return began_by_id(run_id) or began or datetime.now(timezone.utc)


def began_by_id(run_id: str) -> datetime | None:
    """The moment that a run id of ours begins with; None of any other."""
    match = RUN_ID_STAMP.match(run_id)
    if match is None:
        return None
    text = match[0]
    parts = (text[:4], text[4:6], text[6:8], text[9:11], text[11:13], text[13:15])
    year, month, day, hour, minute, second = map(int, parts)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None
