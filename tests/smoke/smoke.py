"""
The smoke test itself: one tiny table exported, verified, imported into a second table and compared with it, each by a
cluster of its own, launched as a user does; whatever happens, everything is removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from dynamodb_pipeline.emr.cluster.cluster_config import ClusterConfig
from dynamodb_pipeline.emr.plan.cost import Prices, node_hour_usd
from dynamodb_pipeline.emr.plan.estimate import START_UP_S
from tests.smoke.account import Made, SmokeError
from tests.smoke.report import Report, Step
from tests.smoke.verbs import Ran, RunVerb

LAUNCHES = ("export", "verify", "import", "verify --table")
LAUNCH_S = START_UP_S + 300  # of one cluster, with its step and its end
ITEMS: tuple[dict[str, Any], ...] = (
    {"id": "plain", "n": Decimal("-12.50"), "text": "Grüße, 東京", "yes": True, "nothing": None},
    {"id": "nested", "list": ["a", Decimal(1), {"deep": b"\x00\xff"}], "map": {"a.b": "dotted name"}},
    {"id": "sets", "ss": {"b", "a"}, "ns": {Decimal("1E+100"), Decimal("0.1")}, "bs": {b"\n", b"\x01"}},
    *({"id": f"item-{number:03d}", "text": "x" * 100} for number in range(97)),
)


@dataclass
class Smoke:
    """One run: what it makes (`made`), how it calls the commands, and what they are called with."""

    made: Made
    run_verb: RunVerb
    report: Report
    config: ClusterConfig
    prices: Prices
    words: tuple[str, ...] = ()
    say: Callable[[str], None] = print
    before_removal: Callable[[], None] = lambda: None

    def run(self) -> None:
        """
        Do every step, the first failure ends them, and remove everything; `report` has it all.

        Raises:
            KeyboardInterrupt: after everything was removed.
        """
        try:
            for step in (self._prepare, self._launches, self._compare):
                step()
        except SmokeError:
            pass  # in the report already
        except Exception as err:  # whatever it is, the account is cleared and the report written
            self.report.steps.append(Step("the test itself", 0.0, f"{type(err).__name__}: {err}"))
        except KeyboardInterrupt:
            self.report.interrupted = True
            self.say("interrupted: removing what was made; this takes minutes, and is not to be interrupted")
            raise
        finally:
            self.before_removal()
            self._remove()

    def _prepare(self) -> None:
        made, names = self.made, self.made.names
        made.folder()
        with self._step("tag the network"):
            made.network_tag()
        if names.roles is None:
            with self._step("deploy the roles"):
                made.stack(self._template())
        for name in names.tables:
            with self._step(f"create table {name}"):
                made.table(name)
        with self._step(f"put {len(ITEMS)} items"):
            dynamodb = made.client_of("dynamodb")
            for item in ITEMS:
                dynamodb.put_item(TableName=names.tables[0], Item=sdk_item(item))

    def _template(self) -> dict[str, Any]:
        """The printed one with names of its own; whoever runs this test launches, so there is no policy for others."""
        names = self.made.names
        tables = [word for name in names.tables for word in ("--table", name)]
        pairs = zip(("--service-role", "--export-role", "--import-role"), names.own_roles)
        folders = ("--bucket", names.bucket, "--prefix", f"{names.mark}/exports", "--logs", f"{names.folder}/logs")
        roles = (word for pair in pairs for word in pair)
        ran = self.run_verb(("policy", "roles-template", *tables, *folders, "--region", names.region, *roles))
        if ran.code:
            raise SmokeError(f"policy roles-template ended with exit code {ran.code}")
        resources = {name: one for name, one in ran.document["Resources"].items() if "Launcher" not in name}
        resources["SecurityConfiguration"]["Properties"]["Name"] = names.mark
        return {**ran.document, "Resources": resources, "Outputs": {"Mark": {"Value": names.mark}}}

    def _launches(self) -> None:
        names = self.made.names
        self.made.clusters()
        source, target = names.tables
        out = ("--output", f"{names.folder}/exports")
        export = ("--table", source, *out, "--throughput-percent", "10")
        self._command("preflight", ("preflight", "export", *export, *self._common("export")))
        ran = self._command("export", ("export", *export, *self._common("export"), *self._run_id("export")))
        exported = str(ran.document["tables"][0]["export_uri"])
        self._launch("verify", exported)
        self._launch("import", "--table", target, "--input", exported, "--yes", "--throughput-percent", "10")
        self._launch("verify", exported, "--table", target, name="verify --table")

    def _launch(self, verb: str, *words: str, name: str = "") -> Ran:
        name = name or verb
        return self._command(name, (verb, *words, *self._common(verb), *self._run_id(name)))

    def _run_id(self, name: str) -> tuple[str, str]:
        return ("--run-id", f"{self.made.names.mark}-{name.replace(' --', '-')}")

    def _common(self, verb: str) -> tuple[str, ...]:
        names = self.made.names
        service, export, imported = names.own_roles
        own = ("--security-configuration", names.mark) if names.roles is None else ()
        place = ("--subnet", names.subnet) if names.subnet else ()
        nodes = imported if verb == "import" else export
        logs = ("--region", names.region, "--logs", f"{names.folder}/logs")
        return (*logs, "--service-role", service, "--node-role", nodes, *own, *place, *self.words)

    def _command(self, name: str, words: Sequence[str]) -> Ran:
        self.say(f"\n$ dynamodb-pipeline {' '.join(words)}")
        began_s = time.monotonic()
        ran = self.run_verb(words)
        cluster = str(ran.document.get("cluster_id", ""))
        outcome = f"exit code {ran.code}" if ran.code else "ok"
        self.report.steps.append(
            Step(name, time.monotonic() - began_s, outcome, cluster, self._usd(cluster), ran.lines)
        )
        if ran.code:
            raise SmokeError(f"{name} ended with {outcome}")
        return ran

    def _usd(self, cluster_id: str) -> float:
        """What a cluster cost from its start to its end, or until now."""
        if not cluster_id:
            return 0.0
        times = self.made.client_of("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["Timeline"]
        began = times["CreationDateTime"]
        ended_s = times["EndDateTime"].timestamp() if times.get("EndDateTime") else time.time()
        return max(ended_s - began.timestamp(), 60.0) / 3600 * node_hour_usd(self.config.groups, self.prices)

    def _compare(self) -> None:
        """The target holds what was put into the source, item by item, read without any code of ours."""
        with self._step("compare every item"):
            pages = self.made.client_of("dynamodb").get_paginator("scan").paginate(
                TableName=self.made.names.tables[1], ConsistentRead=True
            )  # fmt: skip
            found = {item["id"]["S"]: item for page in pages for item in page["Items"]}
            wanted = {item["id"]: sdk_item(item) for item in ITEMS}
            different = [key for key in {*found, *wanted} if _plain(found.get(key)) != _plain(wanted.get(key))]
            if different:
                raise SmokeError(f"{len(different)} items differ, one is {sorted(different)[0]!r}")

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.say(f"{name} ...")
        began_s = time.monotonic()
        try:
            yield
        except Exception as err:
            words = str(err) if isinstance(err, SmokeError) else f"{type(err).__name__}: {err}"
            self.report.steps.append(Step(name, time.monotonic() - began_s, words))
            self.say(f"{name}: {words}")
            raise SmokeError(words) from err
        self.report.steps.append(Step(name, time.monotonic() - began_s, "ok"))

    def _remove(self) -> None:
        began_s = time.monotonic()
        for name, words in self.made.remove_all():
            self.say(f"removed: {name}" if not words else f"NOT removed: {name}: {words}")
            self.report.steps.append(Step(f"remove {name}", time.monotonic() - began_s, words or "ok"))
            self.report.left += [f"{name}: {words}"] if words else []
            began_s = time.monotonic()


def sdk_item(item: dict[str, Any]) -> dict[str, Any]:
    """An item as PutItem takes it."""
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}


def _plain(item: Any) -> Any:
    """An item to be compared: sets without their order, numbers by value."""
    if isinstance(item, dict) and len(item) == 1:
        ((tag, value),) = item.items()
        if tag in ("SS", "BS"):
            return tag, frozenset(map(bytes, value)) if tag == "BS" else frozenset(value)
        if tag in ("N", "NS"):
            return tag, frozenset(map(Decimal, [value] if tag == "N" else value))
    if isinstance(item, dict):
        return {name: _plain(value) for name, value in item.items()}
    return [_plain(value) for value in item] if isinstance(item, list) else item
