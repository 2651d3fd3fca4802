"""
The demo: what a user would do on AWS, on this machine, through every real part.

    launcher -> EMR API -> cluster -> steps (spark-submit on YARN, AWS's own connector) -> files in S3 -> cluster gone

Exports Forum, Thread, Reply and a table of hard cases by one command, changes some items of the targets in another
region, imports all four, and compares item by item. Exit code 0 only when everything is equal.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.active_table import create_active_table
from sandbox.demo_check import differences, items_by_key, scan_items, sdk_item
from sandbox.demo_data import DemoTable, Item, demo_tables
from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket

SOURCE_REGION = "us-east-1"
TARGET_REGION = "eu-west-1"
BUCKET = "demo-exports"
LOGS = f"s3://{BUCKET}/logs"
PERCENT = "50"
TIMEOUT_S = 600


@dataclass(frozen=True)
class Row:
    """One line of the demo's table."""

    what: str
    table: str
    items: int
    used: float
    allowed: float
    files: int
    size: int
    seconds: float

    def text(self) -> str:
        used = f"{self.used:,.1f}"
        return (
            f"{self.what:<7} {self.table:<10} {self.items:>6,} {used:>10} {self.allowed:>10,.1f} "
            f"{self.files:>5} {self.size:>10,} {self.seconds:>7.1f}"
        )


HEADER = f"{'':<7} {'table':<10} {'items':>6} {'units used':>10} {'allowed/s':>10} {'files':>5} {'bytes':>10} {'s':>7}"


class DemoError(Exception):
    """Something in the demo did not go as it must."""


def main() -> int:
    """Run the demo and return its exit code."""
    started = time.monotonic()
    say("Starting the sandbox: DynamoDB, S3, IAM, EMR and a YARN on 127.0.0.1 ...")
    with EmrSandbox() as sandbox:
        try:
            equal = Demo(sandbox).run()
        except DemoError as err:
            say(f"FAILED: {err}")
            equal = False
    verdict = "every item is where it should be" if equal else "NOT equal"
    say(f"\n{verdict}; {time.monotonic() - started:.0f} s; nothing is left running")
    return 0 if equal else 1


class Demo:
    """The demo's steps on a running sandbox."""

    def __init__(self, sandbox: EmrSandbox) -> None:
        self._sandbox = sandbox
        self._tables = demo_tables()
        self._source = sandbox.client("dynamodb", region=SOURCE_REGION)
        self._target = sandbox.client("dynamodb", region=TARGET_REGION)
        self._rows: list[Row] = []

    def run(self) -> bool:
        """All steps in order; True when every target holds exactly what it must."""
        self._prepare()
        exported = self._export()
        self._show_files(exported)
        kept = self._change_targets()
        for table in self._tables:
            self._import(table, exported[table.name])
        say("\n" + HEADER)
        for row in self._rows:
            say(row.text())
        return self._compare(kept)

    def _prepare(self) -> None:
        names = ", ".join(f"{t.name} ({len(t.items)})" for t in self._tables)
        say(f"Creating tables {names} in {SOURCE_REGION}, empty ones in {TARGET_REGION}, roles and a bucket ...")
        make_private_bucket(self._sandbox.client("s3"), BUCKET)
        for table in self._tables:
            create_active_table(self._source, **table.request())
            create_active_table(self._target, **table.request())
            for item in table.items:
                self._source.put_item(TableName=table.name, Item=sdk_item(item))
        for region in (SOURCE_REGION, TARGET_REGION):
            self._make_roles(region)

    def _make_roles(self, region: str) -> None:
        """Deploy the template that the product prints, as its README says."""
        words = ["policy", "roles-template", "--bucket", BUCKET, "--region", region]
        words += [part for t in self._tables for part in ("--table", t.name)]
        deploy_roles(self._sandbox, self._pipeline(*words, quiet=True), region=region)

    def _export(self) -> dict[str, str]:
        say(f"\nExporting {len(self._tables)} tables at {PERCENT} % by one command, on a cluster of m3.xlarge 1+1:")
        tables = [part for t in self._tables for part in ("--table", t.name)]
        words = ("export", *tables, "--output", f"s3://{BUCKET}/exports", *self._common(SOURCE_REGION))
        result = self._pipeline(*words)
        found: dict[str, str] = {}
        for job in job_results(result):
            found[job["table"]] = job["export_uri"]
            self._rows.append(export_row(job))
        return found

    def _common(self, region: str) -> tuple[str, ...]:
        return ("--region", region, "--logs", LOGS, "--throughput-percent", PERCENT)

    def _show_files(self, exported: dict[str, str]) -> None:
        s3 = self._sandbox.client("s3")
        say(f"\nWritten to s3://{BUCKET}/exports:")
        for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="exports/")["Contents"]:
            say(f"  {entry['Size']:>9,}  {entry['Key']}")
        key = exported["Forum"].removeprefix(f"s3://{BUCKET}/") + "manifest"
        say(f"\n{key}:")
        say(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode())

    def _change_targets(self) -> dict[str, list[Item]]:
        """Put an outdated copy of the first item (to be replaced) and one item of its own (to be kept) in each."""
        say("\nPutting into each target one outdated item, to be replaced, and one of its own, to be kept.")
        kept: dict[str, list[Item]] = {}
        for table in self._tables:
            outdated = {**{n: table.items[0][n] for n, _ in table.keys}, "outdated": {"BOOL": True}}
            own = {n: {"S": "zz kept"} if t == "S" else {"N": "987654321"} for n, t in table.keys}
            for item in (outdated, own):
                self._target.put_item(TableName=table.name, Item=item)
            kept[table.name] = [own]
        return kept

    def _import(self, table: DemoTable, source: str) -> None:
        say(f"\nImporting {table.name} into {TARGET_REGION}:")
        words = ("import", "--table", table.name, "--input", source, *self._common(TARGET_REGION), "--yes")
        (job,) = job_results(self._pipeline(*words))
        self._rows.append(import_row(job))

    def _compare(self, kept: dict[str, list[Item]]) -> bool:
        say("\nComparing every item of every target with its source:")
        equal = True
        for table in self._tables:
            keys = tuple(n for n, _ in table.keys)
            expected = items_by_key([*scan_items(self._source, table.name), *kept[table.name]], keys)
            found = differences(expected, items_by_key(scan_items(self._target, table.name), keys))
            equal = equal and not any(found.values())
            say(f"  {table.name:<10} " + ", ".join(f"{count} {what}" for what, count in found.items()))
        return equal

    def _pipeline(self, *words: str, quiet: bool = False) -> dict[str, Any]:
        """Run `dynamodb-pipeline WORDS` as a user does and return its JSON result."""
        command = [sys.executable, "-m", "dynamodb_pipeline.cli.main", *words]
        if not quiet:
            say("$ dynamodb-pipeline " + " ".join(words))
        done = subprocess.run(
            command,
            env=self._sandbox.process_env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            said = f":\n{done.stderr.decode(errors='replace')}" if quiet else ""
            raise DemoError(f"`dynamodb-pipeline {words[0]}` ended with exit code {done.returncode}{said}")
        result: dict[str, Any] = json.loads(done.stdout)
        return result


def job_results(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The jobs' own results inside the launcher's."""
    records = [job["record"] for job in result["tables"]]
    return [table for record in records for table in record.get("tables", [record])]


def export_row(job: dict[str, Any]) -> Row:
    """The table line of one exported table."""
    used, allowed = job["read_units_consumed"], job["read_units_per_s_allowed"]
    return Row("export", job["table"], job["items"], used, allowed, job["files"], job["bytes"], job["seconds"])


def import_row(job: dict[str, Any]) -> Row:
    """The table line of one imported table."""
    used, allowed = job["write_units_consumed"], job["write_units_per_s_allowed"]
    return Row("import", job["table"], job["items"], used, allowed, job["files"], job["bytes"], job["seconds"])


def say(text: str) -> None:
    """Print at once, so that the demo's words and the commands' stay in order."""
    print(text, flush=True)


def _arguments(words: Sequence[str]) -> None:
    if words:
        raise SystemExit(f"the demo takes no arguments, not {' '.join(words)}")


if __name__ == "__main__":
    _arguments(sys.argv[1:])
    sys.exit(main())
