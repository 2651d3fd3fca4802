"""
`kill -9` on YARN: driver, executor JVM, Python worker or the connector's relay, at random moments of a job.

    python -m tests.faults.spark_kills --kills 0..99 [--state FILE]

Every kill is a seed: which job (export by connector, export by the direct reader, import), whom, and when. The job
is rerun with its run id until it is done, or once with a new one where that is refused. At every moment an export has
no manifest or one whose files hold exactly the table; in the end export and target equal the model.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynamodb_pipeline.emr.request.bundle import build_bundle
from dynamodb_pipeline.workers.spark_session import find_jar
from sandbox.processes import PROJECT
from sandbox.stack import Sandbox
from sandbox.yarn import YarnCluster
from tests.faults.model import Content, Item, content, make_items
from tests.faults.storm import results, seeds_of
from tests.faults.world import BUCKET, World

STATE = Path(".sandbox") / "spark_kills.jsonl"
JOBS = ("export", "export", "export --reader direct", "import")
# Who is struck, and what the process is known by: its command line, and that it belongs to this sandbox's YARN.
VICTIMS = {
    "driver": ("jobs/export_table.py", "jobs/import_table.py"),
    "executor": ("YarnCoarseGrainedExecutorBackend",),
    "worker": ("pyspark.daemon",),
    "relay": ("relay_process",),
}
ITEMS = 1_500
PERCENT = {"export": "1", "import": "3"}  # of CAPACITY, so that the data takes some seconds
WITHIN_S = 12.0  # of the victim's first sight; a job works on its data for about as long
TIMEOUT_S = 240
ATTEMPTS = 3  # with one run id
POLL_S = 0.05
LOOKED_FOR = 3


class Broken(AssertionError):
    """A promise was broken; the text says which."""


@dataclass(frozen=True)
class Kill:
    """One seed, spelt out: `after_s` seconds after the victim is first seen."""

    seed: int
    job: str
    victim: str
    after_s: float

    @staticmethod
    def from_seed(seed: int) -> Kill:
        """Always the same kill for the same seed."""
        rng = random.Random(f"spark kill {seed}")
        job = rng.choice(JOBS)
        victims = [name for name in VICTIMS if name != "relay" or job == "export"]
        return Kill(seed, job, rng.choice(victims), round(rng.uniform(0, WITHIN_S), 2))


@dataclass
class Attempts:
    """What the runs of one seed ended with, and who was really struck."""

    exit_codes: list[int] = field(default_factory=list)
    struck: int = 0
    fresh_starts: int = 0


@dataclass(frozen=True)
class Rig:
    """YARN, the bundle and a finished export to import from."""

    yarn: YarnCluster
    world: World
    bundle: Path
    items: list[Item]
    model: Content

    def submit(self, words: list[str], kill: Kill | None) -> tuple[int, str, int]:
        """Run a job by spark-submit; returns its exit code, what it said, and how many processes were killed."""
        log = self.yarn.folder / "tmp" / "job.log"
        command = [
            *(self.yarn.spark_submit, "--master", "yarn", "--deploy-mode", "client"),
            *("--conf", "spark.executor.instances=2", "--conf", "spark.executor.cores=1"),
            *("--conf", "spark.executor.memory=512m", "--jars", find_jar(None), "--py-files", str(self.bundle)),
            *(str(PROJECT / "jobs" / f"{words[0]}_table.py"), *words[1:]),
        ]
        before = victims(kill.victim, 0, yarn_folder=self.yarn.folder) if kill else []
        with (
            log.open("wb") as said,
            subprocess.Popen(
                command, env=self.yarn.process_env(), stdout=said, stderr=said, start_new_session=True
            ) as process,
        ):
            try:
                struck = strike(process, kill, yarn_folder=self.yarn.folder, spared=before) if kill else 0
                code = process.wait(timeout=TIMEOUT_S)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return code, log.read_text(errors="replace"), struck


def strike(process: subprocess.Popen[bytes], kill: Kill, *, yarn_folder: Path, spared: Collection[int] = ()) -> int:
    """
    Wait for the victim's time and kill it; returns how many processes were killed (0: the job was quicker).

    `spared` are those left over from the job before, whose relay tells its clients for a while that it is over.
    """
    due_s = None
    while process.poll() is None:
        found = [pid for pid in victims(kill.victim, process.pid, yarn_folder=yarn_folder) if pid not in spared]
        if found and due_s is None:
            due_s = time.monotonic() + kill.after_s
        if found and due_s is not None and time.monotonic() >= due_s:
            chosen = found if kill.victim == "driver" else [random.Random(kill.seed).choice(found)]
            return sum(_kill(pid) for pid in chosen)
        time.sleep(POLL_S)
    return 0


def victims(name: str, submitted: int, *, yarn_folder: Path) -> list[int]:
    """Process ids of this job's driver (its JVM and its Python) or of this YARN's containers' processes."""
    found, folder = [], os.fsencode(yarn_folder)  # a relay works in /, but has its container's variables
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            mine = os.getpgid(int(entry.name)) == submitted or folder in (entry / "environ").read_bytes()
            if mine and any(mark in command for mark in VICTIMS[name]):
                found.append(int(entry.name))
    return sorted(found)


def _kill(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def run_kill(kill: Kill, rig: Rig) -> Attempts:
    """Run one seed. Raises Broken, or whatever a bug raises."""
    if kill.job.startswith("export"):
        return _export(kill, rig)
    return _import(kill, rig)


def _export(kill: Kill, rig: Rig) -> Attempts:
    folder = f"kill-{kill.seed}"

    def words(place: str) -> list[str]:
        output = ["--table", "kill-source", "--output", f"s3://{BUCKET}/{folder}/{place}", "--exact-output"]
        return [*kill.job.split(), *output, *common(folder, place, PERCENT["export"])]

    def check(code: int, place: str) -> None:
        found = rig.world.export(f"{folder}/{place}")
        if code == 0 and found is None:
            raise Broken("export says done and there is no manifest")
        if found is not None and found != rig.model:
            raise Broken(f"a manifest exists and its files hold {len(found)} items, the table {len(rig.model)}")

    try:
        return _until_done(kill, rig, words, check)
    finally:
        rig.world.delete_folder(folder)


def _import(kill: Kill, rig: Rig) -> Attempts:
    folder, table = f"kill-{kill.seed}", f"kill-target-{kill.seed}"
    old = make_items(random.Random(kill.seed), 20, generation="old")
    before = content(old)
    rig.world.create_table(table, old)

    def words(place: str) -> list[str]:
        source = ["--table", table, "--input", f"s3://{BUCKET}/kill-export"]
        return ["import", *source, *common(folder, place, PERCENT["import"])]

    def check(code: int, _place: str) -> None:
        found = rig.world.table(table)
        if code == 0 and found != {**before, **rig.model}:
            raise Broken(f"import says done and the table has {len(found)} items")
        if any(item not in (before.get(key), rig.model.get(key)) for key, item in found.items()):
            raise Broken("the table has items from nowhere")

    try:
        return _until_done(kill, rig, words, check)
    finally:
        rig.world.delete_table(table)
        rig.world.delete_folder(folder)


def common(folder: str, place: str, percent: str) -> list[str]:
    """Options of every job."""
    logs = ["--logs", f"s3://{BUCKET}/{folder}/logs", "--run-id", f"{folder}-{place}"]
    return [*logs, "--region", "us-east-1", "--throughput-percent", f"{percent}%"]


def _until_done(kill, rig, words, check):  # type: ignore[no-untyped-def]  # two callables say it
    """The killed attempt, then the same again in peace, then once with a new run id."""
    attempts, text = Attempts(), ""
    for number in range(ATTEMPTS + 1):
        place = "fresh" if number == ATTEMPTS else "run"
        attempts.fresh_starts += place == "fresh"
        code, text, struck = rig.submit(words(place), kill if number == 0 else None)
        attempts.exit_codes.append(code)
        attempts.struck += struck
        check(code, place)
        if code == 0:
            return attempts
    raise Broken(f"exit codes {attempts.exit_codes}, the last run said: {text[-1500:]}")


def report(rows: Iterable[dict[str, Any]]) -> str:
    """What the kills together show."""
    rows = list(rows)
    struck = Counter(f"{row['job'].split()[0]}/{row['victim']}" for row in rows if row.get("struck"))
    failed = [row["seed"] for row in rows if not row["ok"]]
    resumed = sum(row.get("fresh_starts") == 0 for row in rows)
    return f"{len(rows)} runs, {dict(struck)} killed, {resumed} done under their run id, {len(failed)} failed {failed}"


def run_all(seeds: list[int], *, state: Path) -> None:
    """Run seeds on one YARN and append their results."""
    state.parent.mkdir(parents=True, exist_ok=True)
    with Sandbox() as sandbox, YarnCluster(sandbox) as yarn, state.open("a") as rows:
        rig = make_rig(sandbox, yarn)
        for seed in seeds:
            row = result(Kill.from_seed(seed), rig)
            rows.write(json.dumps(row) + "\n")
            rows.flush()
            print(json.dumps(row), flush=True)


def make_rig(sandbox: Sandbox, yarn: YarnCluster) -> Rig:
    """A table, the bundle, and an export of the table that nobody disturbed."""
    world, items = World.of(sandbox), make_items(random.Random("spark kills"), ITEMS, generation="new")
    world.create_table("kill-source", items)
    bundle = build_bundle(yarn.folder / "dynamodb_pipeline.zip").path
    rig = Rig(yarn, world, bundle, items, content(items))
    output = ["--table", "kill-source", "--output", f"s3://{BUCKET}/kill-export", "--exact-output"]
    code, text, _ = rig.submit(["export", *output, *common("kill-export-logs", "run", "100")], None)
    if code or world.export("kill-export") != rig.model:
        raise Broken(f"an undisturbed export: exit {code}: {text[-1500:]}")
    return rig


def result(kill: Kill, rig: Rig) -> dict[str, Any]:
    """One seed's row."""
    started_s = time.monotonic()
    row: dict[str, Any] = {"seed": kill.seed, "job": kill.job, "victim": kill.victim, "after_s": kill.after_s}
    try:
        row |= {"ok": True, **vars(run_kill(kill, rig))}
    except Exception:
        row |= {"ok": False, "error": traceback.format_exc()}
    return {**row, "seconds": round(time.monotonic() - started_s, 1)}


def main(argv: list[str]) -> int:
    """Run what is left of the range and report on all of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.spark_kills", description=__doc__)
    parser.add_argument("--kills", default="0..99", type=seeds_of)
    parser.add_argument("--state", type=Path, default=STATE)
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the sandbox and the job end with this process
    known = results(options.state)
    left = [seed for seed in options.kills if not known.get(seed, {"ok": False})["ok"]]
    if left:
        run_all(left, state=options.state)
    rows = [row for seed, row in sorted(results(options.state).items()) if seed in set(options.kills)]
    print(report(rows))
    spared = never_struck(rows)
    if spared:
        print(f"nothing is shown of {', '.join(spared)}: looked for {LOOKED_FOR} times or more, and never struck")
    return 0 if len(rows) == len(options.kills) and all(row["ok"] for row in rows) and not spared else 1


def never_struck(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Whom nobody found, however often: `VICTIMS` does not know them any more."""
    tried = Counter(row["victim"] for row in rows)
    struck = Counter(row["victim"] for row in rows if row.get("struck"))
    return sorted(victim for victim, count in tried.items() if count >= LOOKED_FOR and not struck[victim])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
