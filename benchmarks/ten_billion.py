"""
A rehearsal of a table of 10 TB and 10 billion items on one machine: the parts of a run whose cost grows with the table.

The coordinator with 2,000 workers; publishing an export of 100,000 files, starting an import of it and taking its
ledger up again; the pass that finds keys which stand twice, carried on to a billion. Objects are in memory, so that
what is measured is this program's own; requests to S3 are counted, and `S3_S` is added for each.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.measure.results import ResultRow
from benchmarks.measure.rounds import Spread
from benchmarks.servers import PROJECT
from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.errors import StoppedError
from dynamodb_pipeline.exporting.run_folder import publish
from dynamodb_pipeline.formats.exports.export_record import ExportRecord, FileRecord
from dynamodb_pipeline.formats.items.key_schema import KeySchema
from dynamodb_pipeline.rate.budget import RateBudget
from dynamodb_pipeline.reading.key_spill import PLACE, KeySpill
from dynamodb_pipeline.reading.source import load_source
from dynamodb_pipeline.run.ledger import Ledger
from dynamodb_pipeline.run.lifetime import RunLifetime
from dynamodb_pipeline.store.local_disk import PARTS
from dynamodb_pipeline.store.objects import AlreadyExistsError, ObjectInfo, ObjectMissingError
from dynamodb_pipeline.workers.client import TcpCoordinatorClient
from dynamodb_pipeline.workers.contract import CoordinatorAddress
from dynamodb_pipeline.workers.coordinator import Coordinator

WORKERS, WORKERS_A_PROCESS = 2000, 250
REQUESTS_EACH = 8
# Together 400 requests/s, which is 40,000 units/s in pages of 800 KB.
PAUSE_S = 5.0
FILES, QUICK_FILES = 100_000, 2_000
HASHES, QUICK_HASHES = (1_000_000, 10_000_000, 100_000_000), (100_000, 1_000_000)
GOAL_HASHES = 1_000_000_000
BLOCK_ROWS = 40_000
S3_S = 0.03  # of one small request, assumed
LISTED_AT_ONCE = 1000
MIB = 1 << 20
FOLDER = "s3://rehearsal/export"


class MemoryStore:
    """Objects in memory, listed with sizes of their own where only the size counts; counts what S3 would be asked."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.requests: Counter[str] = Counter()

    def get(self, uri: str, *, etag: str | None = None) -> bytes:  # noqa: ARG002 - as every store's
        self.requests["GET"] += 1
        try:
            return self.bodies[uri]
        except KeyError as err:
            raise ObjectMissingError(uri) from err

    fetch = get

    def head(self, uri: str) -> ObjectInfo | None:
        self.requests["HEAD"] += 1
        return self._info(uri) if uri in self.bodies or uri in self.sizes else None

    def put(
        self,
        uri: str,
        body: object,
        *,
        if_absent: bool = False,
        sha256_hex: str | None = None,  # noqa: ARG002
    ) -> None:
        self.requests["PUT"] += 1
        if if_absent and uri in self.bodies:
            raise AlreadyExistsError(uri)
        assert isinstance(body, bytes)
        self.bodies[uri] = body

    def list(self, folder_uri: str) -> Iterator[ObjectInfo]:
        found = sorted(uri for place in (self.bodies, self.sizes) for uri in place if uri.startswith(folder_uri))
        self.requests["LIST"] += -(-len(found) // LISTED_AT_ONCE)
        return map(self._info, found)

    def delete(self, uri: str) -> None:
        self.bodies.pop(uri, None)

    def _info(self, uri: str) -> ObjectInfo:
        size = self.sizes.get(uri)
        return ObjectInfo(uri, len(self.bodies[uri]) if size is None else size, hashlib.md5(uri.encode()).hexdigest())


def coordinator_facts(worker_count: int, *, pause_s: float = PAUSE_S) -> dict[str, float]:
    """
    Grants and latency of so many workers; CPU is this process's, which only serves.

    Args:
        pause_s: how long each waits before it asks again, on average; 0 asks as fast as it is answered.
    """
    with Coordinator(RateBudget({"table": 1e9}, clock=time.monotonic)) as coordinator:
        address = coordinator.address
        words = [address.host, str(address.port), address.key_hex, str(pause_s)]
        each = min(worker_count, WORKERS_A_PROCESS)
        children = [_child("workers", each, *words) for _ in range(worker_count // each)]
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()  # all its workers have shaken hands
        handshakes_cpu_s, started_s = time.process_time(), time.monotonic()
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        found = [json.loads(child.communicate()[0]) for child in children]
        cpu_s, wall_s = time.process_time() - handshakes_cpu_s, time.monotonic() - started_s
    waits_s = sorted(wait for one in found for wait in one["waits_s"])
    return {
        "workers": float(sum(one["workers"] for one in found)),
        "lost": float(sum(one["lost"] for one in found)),
        "grants": float(len(waits_s)),
        "grants_per_s": len(waits_s) / wall_s,
        "cpu_us_per_grant": cpu_s / len(waits_s) * 1e6,
        "median_ms": statistics.median(waits_s) * 1e3,
        "p99_ms": waits_s[int(len(waits_s) * 0.99)] * 1e3,
        "handshake_cpu_ms": handshakes_cpu_s / worker_count * 1e3,
        "peak_mib": _peak_mib(),
    }


def workers_facts(count: int, host: str, port: str, key: str, pause_s: str) -> dict[str, object]:
    """So many workers as threads of this process; says when all have come, and begins when it is told to."""
    address, lost, waits_s = CoordinatorAddress(host, int(port), key), [], []
    clients: list[TcpCoordinatorClient] = []

    def connect(number: int) -> None:
        try:
            clients.append(TcpCoordinatorClient(address, worker_id=f"{id(address)}-{number}"))
        except StoppedError as err:
            lost.append(str(err))

    def ask(client: TcpCoordinatorClient) -> None:
        pauses = random.Random(id(client))
        for _ in range(REQUESTS_EACH):
            time.sleep(pauses.uniform(0, 2 * float(pause_s)))
            began_s = time.monotonic()
            grant = client.reserve({"table": 100.0})
            waits_s.append(time.monotonic() - began_s)
            client.settle(grant, {"table": 100.0})

    _all_at_once(connect, range(count))
    print("ready", flush=True)
    sys.stdin.readline()
    _all_at_once(ask, list(clients))
    for client in clients:
        client.close()
    return {"workers": len(clients), "lost": len(lost), "waits_s": waits_s}


def _all_at_once(work: Callable[[object], None], on: object) -> None:
    threads = [threading.Thread(target=work, args=(one,)) for one in on]  # type: ignore[attr-defined]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def files_facts(count: int) -> dict[str, float]:
    """An export of so many files published, an import of it started, its ledger written and taken up again."""
    store, facts = MemoryStore(), {}
    folder = S3Uri.parse(FOLDER)
    lifetime = RunLifetime(deadline_s=None)

    def timed(name: str, work: Callable[[], object]) -> None:
        before, requests = time.process_time(), sum(store.requests.values())
        work()
        facts[f"{name}_cpu_s"] = time.process_time() - before
        facts[f"{name}_requests"] = float(sum(store.requests.values()) - requests)

    record = _record(count)
    store.sizes = {str(folder.child(file.name)): file.bytes for file in record.files}
    timed("publish", lambda: publish(store, folder, record, lifetime=lifetime))
    facts["publish_peak_mib"] = _peak_mib()
    timed("import_start", lambda: load_source(store, FOLDER))
    facts["import_start_peak_mib"] = _peak_mib()
    store.sizes = {}
    header = {"kind": "import"}
    ledger = Ledger(store, "s3://rehearsal/ledger")
    timed("ledger_open", lambda: ledger.open(header))
    timed("ledger_add", lambda: [ledger.add(f"file-{n:07d}", {"number": n, "items": 100_000}) for n in range(count)])
    timed("ledger_resume", lambda: Ledger(store, "s3://rehearsal/ledger").open(header))
    facts["peak_mib"] = _peak_mib()
    return facts


def keys_facts(count: int) -> dict[str, float]:
    """Key hashes of so many items spilled to disk, then looked through; one key in a million stands twice."""
    spill_s = 0.0
    with KeySpill() as spill:
        for start in range(0, count, BLOCK_ROWS):
            block = _block(start, min(count, start + BLOCK_ROWS))
            before_s = time.process_time()
            spill.add_block(block)
            spill_s += time.process_time() - before_s
        before_s = time.process_time()
        twice = sum(1 for _ in spill.collisions())
        look_s = time.process_time() - before_s
    assert twice == count // 1_000_000, twice
    return {"spill_us_per_key": spill_s / count * 1e6, "look_us_per_key": look_s / count * 1e6, "peak_mib": _peak_mib()}


def part_facts(count: int) -> dict[str, float]:
    """Peak memory with so many keys in one of the parts, which is a 256th of the keys of an import."""
    with KeySpill() as spill:
        for start in range(0, count, BLOCK_ROWS):
            spill.add_block(_block(start, min(count, start + BLOCK_ROWS), first=b"\0"))
        for _ in spill.collisions():
            pass
    return {"peak_mib": _peak_mib()}


def _block(start: int, end: int, *, first: bytes = b"") -> str:
    """Rows as workers send them; the last key of a million is that of the item before."""
    numbers = (n - 1 if n % 1_000_000 == 999_999 else n for n in range(start, end))
    rows = (
        PLACE.pack((first + hashlib.sha256(number.to_bytes(8, "big")).digest())[:16], place // 100_000, place)
        for number, place in zip(numbers, range(start, end))
    )
    return base64.b64encode(b"".join(rows)).decode()


def _record(count: int) -> ExportRecord:
    name = "{}_{:06d}.gz"
    files = tuple(
        FileRecord(
            name.format(f"{n % 997:08x}-0000-4000-8000-{n % 997:012x}", n),
            40 * MIB + n,
            100 * MIB,
            100_000,
            hashlib.sha256(b"%d" % n).hexdigest(),
        )
        for n in range(count)
    )
    key = KeySchema.from_description(
        {
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        }
    )
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    times = ("2026-11-23T03:00:00Z", "2026-11-25T03:00:00Z")
    named = ("orders", arn, "3f0f62b6-6a4e-4b9a-9f3a-0d3b0f4c2a11", "eu-west-1", key)
    return ExportRecord("0.1.0", None, "r", *named, "direct", *times, "eventual", "gzip", "nULL", files)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _child(part: str, size: int, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.ten_billion", part, str(size), *words]
    return subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _facts(part: str, size: int) -> dict[str, float]:
    child = _child(part, size)
    output, _ = child.communicate()
    if child.returncode != 0:
        msg = f"{part} {size}: exit {child.returncode}"
        raise RuntimeError(msg)
    facts: dict[str, float] = json.loads(output)
    return facts


def ten_billion_rows(*, quick: bool) -> list[ResultRow]:
    """Each part in a process of its own, so that its peak of memory is its own."""
    workers = WORKERS_A_PROCESS if quick else WORKERS
    rows = coordinator_rows(_facts("coordinator", workers)) + saturated_rows(_facts("saturated", workers))
    rows += files_rows(QUICK_FILES if quick else FILES, _facts("files", QUICK_FILES if quick else FILES))
    sizes = [(n, _facts("keys", n)) for n in (QUICK_HASHES if quick else HASHES)]
    part = _facts("part", (sizes[-1][0] if quick else GOAL_HASHES) // PARTS)
    return rows + keys_rows(sizes, part_peak_mib=part["peak_mib"])


def coordinator_rows(facts: dict[str, float]) -> list[ResultRow]:
    """What the driver's coordinator does for so many workers."""
    name = f"coordinator, {facts['workers']:,.0f} workers"
    load = f"at {facts['grants_per_s']:,.0f} grants/s, {facts['lost']:.0f} workers turned away"
    return [
        _row(f"{name}: cpu us per grant", facts["cpu_us_per_grant"], "us"),
        _row(f"{name}: grants/s that one core allows", 1e6 / facts["cpu_us_per_grant"], "1/s"),
        _row(f"{name}: wait for a grant, median", facts["median_ms"], "ms", note=load),
        _row(f"{name}: wait for a grant, 99 of 100", facts["p99_ms"], "ms", note=load),
        _row(f"{name}: cpu ms per handshake", facts["handshake_cpu_ms"], "ms"),
        _row(f"{name}: peak memory", facts["peak_mib"], "MiB", reach="<= 512"),
    ]


def saturated_rows(facts: dict[str, float]) -> list[ResultRow]:
    """The same, when every worker asks as fast as it is answered, on the same cores."""
    name = f"coordinator, {facts['workers']:,.0f} workers that never pause"
    lost = f"{facts['lost']:.0f} workers turned away"
    return [
        _row(f"{name}: grants/s", facts["grants_per_s"], "1/s", note=lost),
        _row(f"{name}: cpu us per grant", facts["cpu_us_per_grant"], "us"),
        _row(f"{name}: wait for a grant, 99 of 100", facts["p99_ms"], "ms"),
    ]


def files_rows(count: int, facts: dict[str, float]) -> list[ResultRow]:
    """Seconds of CPU, and of S3 at `S3_S` a request, one after the other."""
    rows = []
    for name in ("publish", "import_start", "ledger_add", "ledger_resume"):
        requests, cpu_s = facts[f"{name}_requests"], facts[f"{name}_cpu_s"]
        seconds = cpu_s + requests * S3_S
        note = f"{cpu_s:.1f} s of CPU and {requests:,.0f} requests to S3"
        reach = "" if name == "ledger_add" else "<= 60"
        rows.append(_row(f"{count:,} files: {name.replace('_', ' ')}", seconds, "s", reach=reach, note=note))
    peak = facts["import_start_peak_mib"]
    return [*rows, _row(f"{count:,} files: peak memory of publish and import start", peak, "MiB", reach="<= 512")]


def keys_rows(sizes: list[tuple[int, dict[str, float]]], *, part_peak_mib: float) -> list[ResultRow]:
    """What was measured, and for a billion keys the CPU that follows and the memory of a part of that size."""
    rows = []
    for count, facts in sizes:
        text = f"spill {facts['spill_us_per_key']:.2f} us, look {facts['look_us_per_key']:.2f} us a key"
        rows.append(_row(f"key pass, {count:,} keys: cpu", _key_us(facts) * count / 1e6, "s", note=text))
        rows.append(_row(f"key pass, {count:,} keys: peak memory", facts["peak_mib"], "MiB"))
    name, disk = f"key pass, {GOAL_HASHES:,} keys", f"{PLACE.size * GOAL_HASHES / 2**30:.0f} GiB of the driver's disk"
    rows.append(_row(f"{name}: cpu, extrapolated", _key_us(sizes[-1][1]) * GOAL_HASHES / 1e6, "s", note=disk))
    return [*rows, _row(f"{name}: peak memory", part_peak_mib, "MiB", note="measured with one part of that size")]


def _key_us(facts: dict[str, float]) -> float:
    return facts["spill_us_per_key"] + facts["look_us_per_key"]


def _row(figure: str, value: float, unit: str, *, reach: str = "", note: str = "") -> ResultRow:
    return ResultRow(f"ten billion items: {figure}", "ours", unit, Spread.of([value]), reach, note)


def main(argv: list[str]) -> int:
    """One part; prints its facts as JSON."""
    part, size, *words = argv
    if part == "workers":
        facts: dict[str, object] = workers_facts(int(size), *words)
    else:
        parts: dict[str, Callable[[int], dict[str, float]]] = {
            "coordinator": coordinator_facts,
            "saturated": partial(coordinator_facts, pause_s=0.0),
            "files": files_facts,
            "keys": keys_facts,
            "part": part_facts,
        }
        facts = dict(parts[part](int(size)))
    print(json.dumps(facts), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
