"""What every part of one run is handed: clients, objects, the stop flag, a voice, and where its state lives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Callable

from dynamodb_pipeline.addresses import join
from dynamodb_pipeline.aws.clients import RunClients
from dynamodb_pipeline.run.lifetime import RunLifetime
from dynamodb_pipeline.run.progress import Reporter
from dynamodb_pipeline.store.objects import ObjectStore
from dynamodb_pipeline.workers.worker import WorkerContext


@dataclass(frozen=True)
class RunContext:
    """
    One run's surroundings.

    Attributes:
        folder: `<logs>/runs/<run-id>`, None when there is no logs folder and so no resume.
        tool_version: recorded in every export.
        now: the present moment as ISO 8601 UTC.
        began: when the first attempt of a resumed run began, UTC; None for a new run.
    """

    clients: RunClients
    store: ObjectStore
    lifetime: RunLifetime
    reporter: Reporter
    run_id: str
    folder: str | None
    tool_version: str
    now: Callable[[], str]
    began: datetime | None = None

    def worker(self, *, put_options: tuple[tuple[str, str], ...] = ()) -> WorkerContext:
        """What this run's workers build their clients from."""
        return WorkerContext(self.clients.settings(), put_options, shared=self.clients, sleep=self.lifetime.sleep)

    def subfolder(self, name: str) -> str | None:
        return None if self.folder is None else join(self.folder, name)
