"""
One scheduled import is done once, although EventBridge Scheduler delivers at least once.

A second delivery comes as a cluster of its own with the same moment; it would overwrite what the application wrote
since the first. So the first run claims the moment below the logs folder by put-if-absent, and every other is refused.
"""

from __future__ import annotations

import hashlib
import json

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.documents import DocumentError, read_object
from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.finished import RunState
from dynamodb_pipeline.formats.exports.layout import stamp
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.settings.job import ImportSettings
from dynamodb_pipeline.store.objects import put_once

DIGEST_CHARACTERS = 16


def claim_moment(ctx: RunContext, settings: ImportSettings) -> None:
    """
    Claim the scheduled time for this run, which may be a resumed one; without a scheduled time there is nothing to do.

    Raises:
        PreconditionError: another run has it; nothing was written.
    """
    uri = claim_uri(settings)
    if uri is None or settings.dry_run:
        return
    claim = (json.dumps({"run_id": ctx.run_id, "table": settings.table, "input": settings.input}) + "\n").encode()
    if not put_once(ctx.store, uri, claim):
        owner = _owner(ctx.store.get(uri))
        again = f"to resume it give --run-id {owner}" if owner else "its claim is not one of ours, look at it"
        msg = f"run {owner or '?'} does this scheduled import already ({uri}); {again}"
        raise PreconditionError(msg)


def claim_uri(settings: ImportSettings) -> str | None:
    """Where the claim lies: one for each table, moment and input."""
    if settings.scheduled_time is None or settings.common.logs is None:
        return None
    digest = hashlib.sha256(settings.input.encode()).hexdigest()[:DIGEST_CHARACTERS]
    name = f"runs/scheduled/import/{settings.table}/{stamp(settings.scheduled_time)}-{digest}.json"
    return join(str(settings.common.logs), name)


def _owner(data: bytes) -> str | None:
    """The run that a claim names, None where it is none of ours."""
    try:
        return RunState.readable(read_object(data)).run_id
    except DocumentError:
        return None
