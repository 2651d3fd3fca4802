"""The driver's side of the pass before the first write: counts, bad items and their limit, keys that stand twice."""

from __future__ import annotations

from functools import partial
from typing import Any

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.importing.check_worker import start_check
from dynamodb_pipeline.importing.job import Checked, ImportRun, TableImport, refuse_too_many_bad, repeated_keys_line
from dynamodb_pipeline.passes.rated_run import Rated, RatedRun
from dynamodb_pipeline.reading.key_spill import Collision, KeySpill
from dynamodb_pipeline.run.context import RunContext
from dynamodb_pipeline.workers.worker import UnitWorker

MAX_COLLISIONS = 100_000  # more are no accident; keeps the memory of the driver and of every worker bounded


def check(run: ImportRun, *, keys: KeySpill) -> Checked:
    """
    Read every file once before the first write; the hashes of all keys go to `keys` where somebody needs them.

    Raises:
        IntegrityError: a damaged file, a bad item without --set-aside, too many of them, or a key that stands twice.
    """
    job, counts = run.job, {"items": 0, "bad": 0}
    checked: dict[str, str] = {}

    def on_finished(work_id: str, record: dict[str, Any]) -> None:
        for name in counts:
            counts[name] += record[name]
        if "checked_sha256" in record:
            checked[work_id] = record["checked_sha256"]

    collect = job.settings.mirror or not job.source.cannot_repeat_keys
    units = job.source.units()
    rated = Rated.files_only(f"check {job.source.folder}", items=job.source.item_count)
    reading = RatedRun(
        run.ctx, run.engine, rated, units=units, on_finished=on_finished, on_kept=lambda _, block: keys.add_block(block)
    )
    if units:
        count = min(run.engine.slots, len(units))
        start = partial(start_check, plan=run.plan, collect_keys=collect)
        reading.run(lambda connect: UnitWorker(job.worker, connect, start), count=count, group="check")
    refuse_too_many_bad(job, counts["bad"], total=counts["items"], so="nothing was written")
    return Checked(counts["items"], counts["bad"], _collisions(run.ctx, job, keys), checked)


def _collisions(ctx: RunContext, job: TableImport, keys: KeySpill) -> tuple[Collision, ...]:
    collisions: list[Collision] = []
    for collision in keys.collisions():
        collisions.append(collision)
        if job.settings.duplicates == "refuse":
            msg = f"{_twice(job, collision)}; nothing was written. --duplicates last-wins takes the last"
            raise IntegrityError(msg)
        if len(collisions) > MAX_COLLISIONS:
            msg = f"more than {MAX_COLLISIONS:,} keys stand more than once, such as {_twice(job, collision)}"
            raise IntegrityError(msg)
    if collisions:
        ctx.reporter.note(repeated_keys_line(len(collisions)))
    return tuple(collisions)


def _twice(job: TableImport, collision: Collision) -> str:
    return f"the same key stands at {' and at '.join(job.place(file, line) for file, line in collision.first)}"
