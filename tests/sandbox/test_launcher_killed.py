"""
A launcher that is killed at any of its API calls leaves no cluster that would run on.

The real command, killed with SIGKILL when the reply of its k-th call is lost, for every k until a run comes to its end.
To be killed before call k+1 leaves is the same to AWS, so only RunJobFlow is tried both ways. Steps are a cheap command
here and nodes have no bootstrap action: what guards a cluster is in the request, whatever its steps run. The CI takes
the calls around RunJobFlow.
"""

from __future__ import annotations

import itertools
import sys
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import pytest

from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from tests.sandbox.emr_cluster import OVER
from tests.sandbox.in_process import Pipeline
from tests.sandbox.killing_proxy import Killed, run_and_kill
from tests.sandbox.tables import make_table

pytestmark = pytest.mark.sandbox

REGION = "us-east-1"
AT_ONCE = 4  # launchers mostly wait
CHEAP = "#!/bin/sh\nexec sleep 1\n"
BOUND_S = 30.0
Place = tuple[Union[int, str], bool]


@dataclass(frozen=True)
class World:
    """A sandbox with everything an export needs."""

    emr: EmrSandbox
    words: tuple[str, ...]

    def launch(self, run_id: str, *, at: int | str | None = None, is_done: bool = False) -> Killed:
        command = (sys.executable, "-m", "dynamodb_pipeline.cli.main", *self.words, "--run-id", run_id)
        return run_and_kill(command, url=self.emr.s3_url, env=self.emr.process_env(), at=at, is_done=is_done)

    def clusters(self, run_id: str) -> list[dict[str, Any]]:
        client = self.emr.client("emr", region=REGION)
        pages = client.get_paginator("list_clusters").paginate()
        listed = [c["Id"] for page in pages for c in page["Clusters"] if c["Name"].endswith(run_id)]
        return [client.describe_cluster(ClusterId=cluster)["Cluster"] for cluster in listed]

    def is_guarded(self, cluster: dict[str, Any]) -> bool:
        """It ends after its last step, and after an idle hour at most should there be none."""
        client = self.emr.client("emr", region=REGION)
        idle = client.get_auto_termination_policy(ClusterId=cluster["Id"]).get("AutoTerminationPolicy", {})
        has_steps = bool(client.list_steps(ClusterId=cluster["Id"])["Steps"])
        return cluster["AutoTerminate"] and has_steps and 0 < idle.get("IdleTimeout", 0) <= 3600


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An EMR whose `spark-submit` is a cheap command."""
    commands: Path = tmp_path_factory.mktemp("commands")
    (commands / "spark-submit").write_text(CHEAP)
    (commands / "spark-submit").chmod(0o755)
    with EmrSandbox(yarn=False, settings={"node": {"path": [str(commands)]}}) as emr:
        bucket = make_private_bucket(emr.client("s3"), f"bucket-{uuid.uuid4().hex[:12]}")
        table = make_table(emr)
        place = ("--table", table.name, "--region", REGION)
        deploy_roles(
            emr, Pipeline(emr).run("policy", "roles-template", *place, "--bucket", bucket).result, region=REGION
        )
        output = ("--output", f"s3://{bucket}/x", "--logs", f"s3://{bucket}/logs", "--set", "BootstrapActions=[]")
        yield World(emr, ("export", *place, *output))


def kill_everywhere(world: World) -> list[tuple[Place, Killed]]:
    """Launch and kill at one call after another, some at once, until a run outlives its place."""
    done: list[tuple[Place, Killed]] = []
    calls = itertools.count(1)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while all(run.was_killed for _, run in done):
            batch = [(call, True) for call in itertools.islice(calls, AT_ONCE)]
            done += zip(batch, pool.map(lambda place: kill_at(world, place), batch))
    return done


def kill_at(world: World, place: Place) -> Killed:
    """Launch, kill, and look at once at what is left: nothing, or one cluster that ends by itself."""
    run = world.launch(run_id_of(place), at=place[0], is_done=place[1])
    left = world.clusters(run_id_of(place))
    assert len(left) <= 1, f"{len(left)} clusters after {place}"
    unguarded = [c["Id"] for c in left if c["Status"]["State"] not in OVER and not world.is_guarded(c)]
    assert not unguarded, f"{unguarded} would run on after {run.calls[-1]}, call {place}"
    return run


def run_id_of(place: Place) -> str:
    return f"kill-{place[0]}-{'done' if place[1] else 'lost'}"


def check_all_end(world: World, done: Sequence[tuple[Place, Killed]]) -> None:
    for place, _ in done:
        for cluster in world.clusters(run_id_of(place)):
            world.emr.control.wait_for(cluster["Id"], "TERMINATED", timeout_s=BOUND_S)


def test_killed_around_the_launch(world: World) -> None:
    """A cluster is there exactly when RunJobFlow arrived, and it ends without anybody."""
    places = (("RunJobFlow", False), ("RunJobFlow", True), ("DescribeCluster", True))
    done = [(place, kill_at(world, place)) for place in places]
    assert all(run.was_killed for _, run in done)
    assert [len(world.clusters(run_id_of(place))) for place in places] == [0, 1, 1]
    check_all_end(world, done)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_every_call(world: World) -> None:
    """Before RunJobFlow there is no cluster, after it the one of the run."""
    done = kill_everywhere(world)
    last = [run.calls[-1] for _, run in done if run.was_killed]
    assert {"RunJobFlow", "DescribeCluster", "ListSteps"} <= set(last)
    for place, run in done:
        assert len(world.clusters(run_id_of(place))) == ("RunJobFlow" in run.calls)
    check_all_end(world, done)
