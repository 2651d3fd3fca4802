"""
Who takes part, as commands: ours in its variants, and the others for the same work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks.replay_items import MAKERS
from benchmarks.same_work import digest_of, expected_digest, folder_files
from benchmarks.servers import Server, Servers

BUCKET = "bench-bucket"
SLOTS = 2
UNBOUND = 1_000_000  # units per second: the rate does not bind

_PIPELINE = (sys.executable, "-m", "dynamodb_pipeline.cli.main")
_CONNECTOR = (sys.executable, "-m", "benchmarks.rivals.connector")
_BOTO3 = (sys.executable, "-m", "benchmarks.rivals.boto3_tool")
_FLOOR = (sys.executable, "-m", "benchmarks.rivals.scan_and_drop")


@dataclass(frozen=True)
class Place:
    """Where a contender works: servers, how many items they serve, a folder of its own, and prepared inputs."""

    servers: Servers
    item_count: int
    folder: Path
    inputs: Path

    @property
    def uri(self) -> str:
        """The contender's own folder in S3."""
        return f"s3://{BUCKET}/{self.folder.name}"


@dataclass(frozen=True)
class Contender:
    """`digest` reads what an export left; None where it leaves nothing or writes to the table."""

    name: str
    command: Callable[[Place], tuple[str, ...]]
    digest: Callable[[Place], str] | None = None


def export_options(
    engine: str, reader: str, *more: str, tasks: int = SLOTS, rate: tuple[str, ...] = ("--read-units", str(UNBOUND))
) -> tuple[str, ...]:
    """Our export's command without table and output."""
    return (
        *_PIPELINE,
        "export",
        "--local",
        "--engine",
        engine,
        "--reader",
        reader,
        "--tasks",
        str(tasks),
        *rate,
        "--exact-output",
        *more,
    )


def import_options(
    engine: str, place: str, *, tasks: int = SLOTS, rate: tuple[str, ...] = ("--write-units", str(UNBOUND))
) -> tuple[str, ...]:
    """Our import's command from `place` into the table `target`."""
    return (
        *_PIPELINE,
        "import",
        "--local",
        "--engine",
        engine,
        "--tasks",
        str(tasks),
        *rate,
        "--table",
        "target",
        "--input",
        place,
    )


def _export(name: str, engine: str, reader: str, *more: str) -> Contender:
    options = export_options(engine, reader, *more)
    return Contender(
        name,
        lambda place: (*options, "--table", "items", "--output", place.uri),
        lambda place: digest_of(stored_files(place.servers.s3, place.uri)),
    )


def _import(name: str, engine: str, source: str) -> Contender:
    options = import_options(engine, f"s3://{BUCKET}/{source}")
    return Contender(name, lambda _: options)


def _rival_export(name: str, command: tuple[str, ...], *, gzip: bool) -> Contender:
    flag = ("--gzip",) if gzip else ()
    return Contender(
        name,
        lambda place: (*command, *_items(command, place), "--to", str(place.folder), *flag),
        lambda place: digest_of(folder_files(place.folder)),
    )


def _items(command: tuple[str, ...], place: Place) -> tuple[str, ...]:
    return ("--items", str(place.item_count)) if _CONNECTOR[-1] in command else ()


FLOOR = Contender("scan and drop", lambda _: _FLOOR)
COUNT = Contender("connector, bare count", lambda place: (*_CONNECTOR, "count", "--items", str(place.item_count)))
DIRECT = _export("ours, direct reader, no JVM", "process", "direct")
DIRECT_SPARK = _export("ours, direct reader", "spark", "direct")
CONNECTOR = _export("ours, connector reader", "spark", "connector")
PLAIN = (
    DIRECT,
    DIRECT_SPARK,
    CONNECTOR,
    _rival_export("connector saveAsTextFile", (*_CONNECTOR, "export"), gzip=False),
    COUNT,
    _rival_export("boto3 parallel scan", (*_BOTO3, "export"), gzip=False),
    FLOOR,
)
GZIP = (
    _export("ours, direct reader, no JVM", "process", "direct", "--compression", "gzip"),
    _export("ours, direct reader", "spark", "direct", "--compression", "gzip"),
    _export("ours, connector reader", "spark", "connector", "--compression", "gzip"),
    _rival_export("connector saveAsTextFile", (*_CONNECTOR, "export"), gzip=True),
    _rival_export("boto3 parallel scan", (*_BOTO3, "export"), gzip=True),
)
OWN, FOREIGN = "source-own", "source-foreign"
IMPORTS = (
    _import("ours, own export, no JVM", "process", OWN),
    _import("ours, own export", "spark", OWN),
    _import("ours, foreign file", "process", FOREIGN),
    Contender(
        "connector scan -> its output format",
        lambda place: (*_CONNECTOR, "copy", "--items", str(place.item_count), "--to", "target"),
    ),
    Contender(
        "boto3 batch_writer", lambda place: (*_BOTO3, "import", "--table", "target", "--from", str(place.inputs))
    ),
)


def stored_files(server: Server, uri: str) -> Iterator[bytes]:
    """The data files of one of our exports, as the object server holds them."""
    bucket, _, folder = uri.removeprefix("s3://").partition("/")
    for key in _keys(server, bucket, folder):
        name = key.rpartition("/")[2]
        if name != "manifest" and not name.startswith("_"):
            yield server.ask("GET", f"/{bucket}/{quote(key)}")


def prepare_inputs(place: Place, *, run: Callable[[tuple[str, ...]], None]) -> None:
    """What imports read: our own export, the same without its record (so foreign), and boto3's lines."""
    server = place.servers.s3
    run((*export_options("process", "direct"), "--table", "items", "--output", f"s3://{BUCKET}/{OWN}"))
    for key in _keys(server, BUCKET, OWN):
        name = key.rpartition("/")[2]
        if not name.startswith("_"):
            data = server.ask("GET", f"/{BUCKET}/{quote(key)}")
            foreign = data.replace(OWN.encode(), FOREIGN.encode()) if name == "manifest" else data
            server.ask("PUT", f"/{BUCKET}/{FOREIGN}/{quote(name)}", foreign)
    run((*_BOTO3, "export", "--to", str(place.inputs)))


def _keys(server: Server, bucket: str, folder: str) -> list[str]:
    listing = server.ask("GET", f"/{bucket}?list-type=2&prefix={quote(folder)}/").decode()
    return [piece.partition("</Key>")[0] for piece in listing.split("<Key>")[1:]]


def right_digest(maker: str, item_count: int) -> str:
    """What every export's digest must be."""
    return expected_digest(MAKERS[maker], item_count)
