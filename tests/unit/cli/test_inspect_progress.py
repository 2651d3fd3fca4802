"""A long look says how far it has come, by the clock and not by what it finds."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.cli.local_verbs import INSPECT_INTERVAL_S, InspectProgress
from dynamodb_pipeline.folders.inspect import InspectOptions, inspect_path
from tests.unit.store.memory_store import MemoryStore


class LookedAt(MemoryStore):
    """Calls back while a file is fetched."""

    def fetch(self, uri, *, etag=None):
        self.fetching()
        return super().fetch(uri, etag=etag)


def spoken(progress: InspectProgress, said: list[str]) -> str:
    """The line of one interval."""
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > 1

    said.clear()
    progress.run(wait)
    assert waits == [INSPECT_INTERVAL_S] * 2
    assert INSPECT_INTERVAL_S <= 10
    (line,) = said
    return line


def test_every_ten_seconds_a_line_says_what_is_read_whatever_the_file_holds():
    said: list[str] = []
    progress = InspectProgress(said.append)
    assert spoken(progress, said) == "looking for files"
    store, lines = LookedAt({"s3://b/x/a": b'{"id":{"S":"a"}}\n', "s3://b/x/b": b"\n" * 100_000}), []
    store.fetching = lambda: lines.append(spoken(progress, said))
    inspect_path(store, "s3://b/x", InspectOptions(), progress=progress.note)
    asked_first = ["looking for files"] * 3  # for a manifest of each kind
    assert lines == [*asked_first, "1 of 2 files, 0 items, reading a", "2 of 2 files, 1 item, reading b"]


def test_nothing_is_said_of_a_look_that_is_short():
    said: list[str] = []
    InspectProgress(said.append).run(lambda seconds: True)
    assert said == []


@pytest.mark.parametrize("failing", [False, True])
def test_the_thread_ends_with_the_look(failing):
    progress = InspectProgress(lambda line: None)
    try:
        with progress:
            if failing:
                raise LookupError
    except LookupError:
        pass
    assert not progress._thread.is_alive()
