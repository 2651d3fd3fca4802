"""
One seed from end to end: export and import through faults and blows, each rerun until it is done, then the truth.

The oracle is a dict of items. At every moment the export has no manifest, or one whose files hold exactly the model;
the table holds, for every key, its old item or the model's. In the end export and table equal the model, as far as the
mode of the import says so, and a verification says of them what the dict says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dynamodb_pipeline.errors import ExitCode
from sandbox.faults.capacity import Capacity, TableLimits
from sandbox.faults.credentials import ExpiredKeys
from sandbox.faults.dynamodb_proxy import DynamoDbFaults, dynamodb_proxy
from sandbox.faults.ledger import Ledger
from sandbox.faults.plan import FaultPlan
from sandbox.faults.proxy import FaultProxy
from sandbox.faults.s3_proxy import S3Faults, s3_proxy
from sandbox.stack import Sandbox
from tests.faults.job import Outcome, Striking, Victim, run_apart, run_here
from tests.faults.model import CANARY, Content, content, make_items
from tests.faults.scenario import Blow, Mode, Scenario
from tests.faults.world import BUCKET, CAPACITY, World

FAULTY_ATTEMPTS = 2  # with the same run id; then the faults end
HEALED_ATTEMPTS = 2
ENFORCED = 2_000
REFUSED = (2, 3)  # exit codes that promise: nothing was written


class Broken(AssertionError):
    """A promise was broken; the text says which."""


@dataclass
class Story:
    """What happened in one run, for the report."""

    attempts: list[str] = field(default_factory=list)
    fresh_starts: int = 0


@dataclass
class Storm:
    """One scenario in progress."""

    scenario: Scenario
    world: World
    dynamodb: FaultProxy
    s3: FaultProxy
    ledger: Ledger
    story: Story
    env: dict[str, str]
    said: list[str] = field(default_factory=list)

    def heal(self) -> None:
        """From now on nothing fails."""
        for proxy, kind in ((self.dynamodb, DynamoDbFaults), (self.s3, S3Faults)):
            handler = proxy.handler
            assert isinstance(handler, kind)
            handler.plan = FaultPlan(0, handler.plan.service)

    def job(self, argv: list[str], *, attempt: int, blow: Blow | None) -> Outcome:
        """One attempt with an access key of its own, so that an expired one is replaced."""
        key = {"AWS_ACCESS_KEY_ID": f"AKID{self.scenario.seed}N{len(self.said)}"}
        if blow is None or attempt > 0:
            outcome = run_here(argv, {**self.env, **key})
            if outcome.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
                raise KeyboardInterrupt  # the signal was for the storm; the job in this process took it
        else:
            outcome = self._struck(argv, {**self.env, **key}, blow)
        self.said.append(outcome.text)
        self.story.attempts.append(f"{argv[0]} exit {outcome.exit_code}")
        if outcome.exit_code == ExitCode.UNEXPECTED:
            raise Broken(f"{argv[0]} ended with a bug: {outcome.text[-1500:]}")
        return outcome

    def _struck(self, argv: list[str], env: dict[str, str], blow: Blow) -> Outcome:
        victim = Victim(blow)
        handlers = self.dynamodb.handler, self.s3.handler
        self.dynamodb.handler, self.s3.handler = (Striking(handler, victim) for handler in handlers)
        try:
            return run_apart(argv, env, victim)
        finally:
            self.dynamodb.handler, self.s3.handler = handlers


def run_seed(seed: int, sandbox: Sandbox) -> Story:
    """Run one seed. Raises Broken, or whatever a bug raises."""
    return run_scenario(Scenario.from_seed(seed), sandbox)


def run_scenario(scenario: Scenario, sandbox: Sandbox) -> Story:
    """Run any scenario; its seed names tables and folders."""
    seed = scenario.seed
    rng = random.Random(f"items {seed}")
    items = make_items(rng, scenario.item_count, generation="new")
    old = make_items(rng, scenario.old_item_count, generation="old")
    model, before = content(items), content(old)
    world = World.of(sandbox)
    source, target, folder = f"source-{seed}", f"target-{seed}", f"seed-{seed}"
    world.create_table(source, items)
    world.create_table(target, old)
    try:
        with _storm(scenario, world, sandbox, tables=(source, target)) as storm:
            finished = export(storm, source, folder=folder, model=model)
            if scenario.mode is Mode.FOREIGN:
                finished = world.without_record(finished)
            load(storm, target, finished, model=model, before=before)
            if scenario.verified:
                verify(storm, target, finished, model=model)
            _check_silence(storm)
            return storm.story
    finally:
        world.delete_table(source)
        world.delete_table(target)
        world.delete_folder(folder)


def export(storm: Storm, table: str, *, folder: str, model: Content) -> str:
    """Export until it is done; returns the folder of the finished export."""
    scenario = storm.scenario
    stored: dict[str, list[str]] = {}

    def check(outcome: Outcome, place: str) -> None:
        there = storm.world.keys_of_the_job(f"{folder}/{place}")
        if outcome.exit_code in REFUSED and there != stored.get(place, []):
            raise Broken(f"export exit {outcome.exit_code} promises no write, and now there is {there}")
        stored[place] = there
        found = storm.world.export(f"{folder}/{place}")
        if outcome.exit_code == 0 and found is None:
            raise Broken(f"export says done and there is no manifest: {outcome.text[-500:]}")
        if found is not None and found != model:
            raise Broken(f"a manifest exists and its files are not the table: {difference(found, model)}")

    def argv(place: str) -> list[str]:
        return [
            "export",
            "--table",
            table,
            "--output",
            f"s3://{BUCKET}/{folder}/{place}",
            "--exact-output",
            "--reader",
            "direct",
            "--compression",
            scenario.compression,
            "--segments",
            str(scenario.segments),
            "--throughput-percent",
            str(scenario.percent),
            *common(storm, f"{folder}-{place}", folder),
        ]

    return _until_done(storm, argv, check=check, folder=folder, blow=scenario.export_blow)


def load(storm: Storm, table: str, source: str, *, model: Content, before: Content) -> None:
    """Import until it is done."""
    scenario, wanted = storm.scenario, after_import(storm.scenario.mode, model=model, before=before)
    stored = [before]

    def check(outcome: Outcome, _place: str) -> None:
        found = storm.world.table(table)
        if outcome.exit_code == 0 and found != wanted:
            raise Broken(f"import says done and the table is wrong: {difference(found, wanted)}")
        strange = [key for key, item in found.items() if item not in (before.get(key), wanted.get(key))]
        lost = (before.keys() & wanted.keys()) - found.keys()
        if strange or lost:
            raise Broken(f"the table has {len(strange)} items from nowhere and lost {len(lost)}")
        if outcome.exit_code in REFUSED and found != stored[-1]:
            raise Broken(f"import exit {outcome.exit_code} promises no write, the table changed")
        stored.append(found)

    def argv(place: str) -> list[str]:
        other = ("--from-table", f"source-{scenario.seed}") if scenario.mode is Mode.MIRROR else ()
        return [
            "import",
            "--table",
            table,
            "--input",
            f"s3://{BUCKET}/{source}",
            "--throughput-percent",
            str(scenario.percent),
            *scenario.mode.words,
            *other,
            *common(storm, f"{source.replace('/', '-')}-{place}", source.split("/")[0]),
        ]

    _until_done(storm, argv, check=check, folder=source, blow=scenario.import_blow)


def after_import(mode: Mode, *, model: Content, before: Content) -> Content:
    """What the target holds in the end."""
    if mode is Mode.MIRROR:
        return model
    return {**model, **before} if mode is Mode.SKIP else {**before, **model}


def verify(storm: Storm, table: str, source: str, *, model: Content) -> None:
    """Compare export and table, first under the faults that are left: equal is never said of what differs."""
    equal = storm.world.table(table) == model

    def attempt(number: int) -> bool:
        words = [
            "verify",
            f"s3://{BUCKET}/{source}",
            "--table",
            table,
            "--throughput-percent",
            "100",
            *common(storm, f"{source.replace('/', '-')}-verify-{number}", source.split("/")[0]),
        ]
        code = storm.job(words, attempt=1, blow=None).exit_code
        if code == 0 and not equal:
            raise Broken("verify says that export and table are equal, and they differ")
        return code == (0 if equal else ExitCode.INTEGRITY)

    if not attempt(0):
        storm.heal()
        if not attempt(1):
            raise Broken(f"without faults verify says {storm.story.attempts[-1]} of what is {equal=}")


def common(storm: Storm, run_id: str, folder: str) -> list[str]:
    """Options of every job."""
    return [
        "--tasks",
        str(storm.scenario.tasks),
        "--timeout",
        "90s",
        "--logs",
        f"s3://{BUCKET}/{folder}/logs",
        "--run-id",
        run_id,
    ]


def _until_done(storm, argv, *, check, folder, blow):  # type: ignore[no-untyped-def]  # two callables say it
    """Attempts with faults, then without; a lasting fault may spoil the run id, a passing one may not."""
    for attempt in range(FAULTY_ATTEMPTS + HEALED_ATTEMPTS):
        if attempt == FAULTY_ATTEMPTS:
            storm.heal()
        outcome = storm.job(argv("run"), attempt=attempt, blow=blow)
        check(outcome, "run")
        if outcome.exit_code == 0:
            return f"{folder}/run"
    if not storm.scenario.lasting:
        raise Broken(f"still exit {outcome.exit_code} after the faults ended: {outcome.text[-800:]}")
    storm.story.fresh_starts += 1
    outcome = storm.job(argv("fresh"), attempt=1, blow=None)
    check(outcome, "fresh")
    if outcome.exit_code != 0:
        raise Broken(f"a fresh run without faults: exit {outcome.exit_code}: {outcome.text[-800:]}")
    return f"{folder}/fresh"


def _check_silence(storm: Storm) -> None:
    said = "\n".join(storm.said)
    if CANARY in said or "storm-secret" in said:
        raise Broken("an item's content or a credential stands in the log")
    if storm.world.uploads():
        raise Broken("an unfinished upload was left")


def difference(found: Content, wanted: Content) -> str:
    """Counts, and the first keys of each kind."""
    lost, extra = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    changed = [key for key in found.keys() & wanted.keys() if found[key] != wanted[key]]
    kinds = {"lost": sorted(lost), "extra": sorted(extra), "changed": sorted(changed)}
    return ", ".join(f"{len(keys)} {name} {keys[:3]}" for name, keys in kinds.items())


@contextmanager
def _storm(scenario: Scenario, world: World, sandbox: Sandbox, *, tables: tuple[str, ...]) -> Iterator[Storm]:
    ledger, expired = Ledger(), ExpiredKeys()
    capacity = Capacity(ENFORCED, ENFORCED) if scenario.enforced else Capacity(CAPACITY, CAPACITY)
    limits = {table: TableLimits(capacity, enforced=scenario.enforced) for table in tables}
    before_dynamodb = dynamodb_proxy(
        sandbox.dynamodb_url, scenario.dynamodb, ledger=ledger, limits=limits, expired=expired
    )
    with before_dynamodb as dynamodb, s3_proxy(sandbox.s3_url, scenario.s3, ledger=ledger, expired=expired) as s3:
        env = {
            **sandbox.env(),
            "AWS_ENDPOINT_URL": s3.url,
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url,
            "AWS_ENDPOINT_URL_S3": s3.url,
            "AWS_SECRET_ACCESS_KEY": "storm-secret",
            "AWS_MAX_ATTEMPTS": "3",
        }
        yield Storm(scenario, world, dynamodb, s3, ledger, Story(), env)
