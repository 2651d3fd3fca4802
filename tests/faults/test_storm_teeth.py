"""
The rig itself under test: with a known bug put back into the library, the storm must break.

Patching our own code is the point here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from dynamodb_pipeline.dynamodb import requests, wire
from dynamodb_pipeline.exporting import direct
from dynamodb_pipeline.importing import table
from dynamodb_pipeline.passes import scan
from dynamodb_pipeline.passes.rated_run import NOTHING_CONSUMED
from dynamodb_pipeline.reading import file_reader
from dynamodb_pipeline.verifying import verify
from sandbox.faults.kinds import Service
from sandbox.faults.plan import FaultPlan, FaultRule
from sandbox.stack import Sandbox
from tests.faults.model import CANARY
from tests.faults.scenario import Blow, Mode, Scenario
from tests.faults.storm_run import Broken, run_scenario

pytestmark = pytest.mark.sandbox

Patch = Callable[[pytest.MonkeyPatch], None]
SMALL = {"item_count": 5, "old_item_count": 10, "segments": 1}
TRIES = 6  # a flipped bit may hit a brace and be found by accident; not six times


def scenario(
    seed: int, *rules: FaultRule, s3: tuple[FaultRule, ...] = (), blow: Blow | None = None, **other: Any
) -> Scenario:
    """A calm scenario but for these faults."""
    return Scenario(
        seed=seed,
        compression="none",
        tasks=1,
        percent=100,
        enforced=False,
        dynamodb=FaultPlan(seed, Service.DYNAMODB, rules),
        s3=FaultPlan(seed, Service.S3, s3),
        export_blow=blow,
        import_blow=None,
        **{"item_count": 120, "old_item_count": 10, "segments": 7, **other},
    )


def crc_not_checked(patch: pytest.MonkeyPatch) -> None:
    checked = wire.checked_reply

    def unchecked(operation: str, message: Any, *, now_s: float) -> Any:
        headers = {name: value for name, value in message.headers.items() if name != "x-amz-crc32"}
        return checked(operation, message._replace(headers=headers), now_s=now_s)

    patch.setattr(wire, "checked_reply", unchecked)


def unprocessed_items_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(requests, "_sent_texts", lambda *_: [])


def empty_page_taken_for_the_end(patch: pytest.MonkeyPatch) -> None:
    def pages(self: Any, segment: int, start_key: bytes | None) -> Iterator[Any]:
        key = start_key
        while True:
            page = self._page(segment, key)
            key = page.last_evaluated_key if page.count else None
            yield SimpleNamespace(count=page.count, body=page.body, last_evaluated_key=key)
            if key is None:
                return

    patch.setattr(scan.PageReader, "pages", pages)


def hashes_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(file_reader, "check_stored", lambda *_: None)


def resume_starts_over_and_keeps_what_it_had(patch: pytest.MonkeyPatch) -> None:
    remaining = direct.remaining_units
    patch.setattr(direct, "remaining_units", lambda segments, _entries: remaining(scan, []))


def mirror_deletes_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(table, "delete_planned", lambda *_, **__: (0, NOTHING_CONSUMED))


def verify_never_finds_a_difference(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verify, "_against_table", lambda *_: {})


BUGS: dict[str, tuple[Patch, Callable[[int], Scenario]]] = {
    "crc not checked": (crc_not_checked, lambda seed: scenario(seed, FaultRule("bit_flip", repeats=1))),
    "unprocessed items forgotten": (
        unprocessed_items_forgotten,
        lambda seed: scenario(seed, FaultRule("unprocessed_some", repeats=1)),
    ),
    "empty page taken for the end": (
        empty_page_taken_for_the_end,
        lambda seed: scenario(seed, FaultRule("empty_page", chance=0.5)),
    ),
    "hashes not compared": (
        hashes_not_compared,
        lambda seed: scenario(seed, s3=(FaultRule("flipped_download", 0.5, 2, after_count=6),)),
    ),
    "resume starts over and keeps what it had": (
        resume_starts_over_and_keeps_what_it_had,
        lambda seed: scenario(seed, blow=Blow("KILL", at_request=18 + seed % TRIES, answered=True)),
    ),
    "mirror deletes nothing": (mirror_deletes_nothing, lambda seed: scenario(seed, mode=Mode.MIRROR, **SMALL)),
    "verify never finds a difference": (
        verify_never_finds_a_difference,
        lambda seed: scenario(seed, verified=True, **SMALL),
    ),
}


@pytest.fixture(scope="module")
def storm_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


IN_SHORT = {"unprocessed items forgotten", "resume starts over and keeps what it had", "hashes not compared"}


@pytest.mark.parametrize("bug", [pytest.param(b, marks=() if b in IN_SHORT else pytest.mark.slow) for b in BUGS])
def test_storm_finds_a_known_bug(storm_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    """The same scenarios pass without the bug and break with it."""
    patch, scenario_of = BUGS[bug]
    run_scenario(scenario_of(90_000), storm_sandbox)
    patch(monkeypatch)
    broken = []
    for seed in range(90_001, 90_001 + TRIES):
        try:
            run_scenario(scenario_of(seed), storm_sandbox)
        except (Broken, AssertionError, ValueError) as error:
            broken.append(error)
            break
    assert broken, f"{bug}: not found in {TRIES} runs"


def test_faults_of_the_control_plane_cost_no_attempt(storm_sandbox: Sandbox) -> None:
    described = [FaultRule(kind, 0.5, 2) for kind in ("describe_empty", "describe_bare", "describe_cut")]
    asked = [FaultRule(kind, 0.5, 3) for kind in ("bucket_reset", "bucket_internal", "list_bare", "head_bare")]
    story = run_scenario(scenario(90_200, *described, s3=tuple(asked), **SMALL), storm_sandbox)
    assert story.attempts == ["export exit 0", "import exit 0"]


def test_damage_that_ends_an_attempt_is_repaired_by_the_next(storm_sandbox: Sandbox) -> None:
    story = run_scenario(scenario(90_201, FaultRule("fields_missing", repeats=8), **SMALL), storm_sandbox)
    assert story.attempts == ["export exit 0", "import exit 0"]  # each by an attempt more


def test_storm_finds_a_talkative_log(storm_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item's content in the log is a broken promise too."""
    said = direct.page_lines

    def talkative(page: Any, *, null_tag: str) -> bytes:
        lines = said(page, null_tag=null_tag)
        print(lines.decode())
        return lines

    monkeypatch.setattr(direct, "page_lines", talkative)
    with pytest.raises(Broken, match="in the log"):
        run_scenario(scenario(90_100), storm_sandbox)
    assert CANARY
