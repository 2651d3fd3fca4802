"""
`make test-aws` against the sandbox: it says what it will make, does it by the product's own commands, removes all of it
whatever happens, and its report can be read by others.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config
from dynamodb_pipeline.emr.plan.cost import load_prices
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from sandbox.processes import PROJECT
from tests.sandbox.in_process import Pipeline
from tests.sandbox.quick_steps import quick_node
from tests.smoke.account import Made, Names
from tests.smoke.report import Report
from tests.smoke.smoke import Smoke
from tests.smoke.verbs import Ran, RunVerb

pytestmark = pytest.mark.sandbox

REGION, BUCKET = "eu-west-1", "smoke-bucket"
TAG = "for-use-with-amazon-emr-managed-policies"
STANDING = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]
EMPTY: dict[str, Any] = {
    "tables": [],
    "roles": set(),
    "profiles": [],
    "clusters": [],
    "objects": ["somebody/else"],
    "tagged": [],
}


@dataclass(frozen=True)
class World:
    """An account with a bucket and a default VPC, nothing else; one client of each service."""

    emr: EmrSandbox
    client: Callable[[str], Any]

    def run_verb(self, words: Sequence[str]) -> Ran:
        out = Pipeline(self.emr).run(*words)
        return Ran(out.code, out.result, tuple(out.text.splitlines()))

    def smoke(self, mark: str, run_verb: RunVerb) -> Smoke:
        names = Names(f"dynamodb-pipeline-smoke-{mark}", REGION, BUCKET)
        config = load_cluster_config("m3", region=REGION)
        report = Report(REGION, "m3", config.release_label, "list prices of a day")
        made = Made(self.client, names, poll_s=0.1)
        return Smoke(made, run_verb, report, config, load_prices(), say=lambda _: None)

    @contextmanager
    def run_make(self, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """What `make test-aws VARIABLES` runs; it does not outlive the test."""
        env = self.emr.process_env(PATH=os.environ["PATH"], PYTHONUNBUFFERED="1")
        named = {"REGION": REGION, "BUCKET": BUCKET, **variables}
        with subprocess.Popen(
            [sys.executable, "-m", "tests.smoke"],
            env={**env, **{f"PIPELINE_{name}": value for name, value in named.items()}},
            cwd=PROJECT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as child:
            try:
                yield child
            finally:
                child.kill()

    def holdings(self) -> dict[str, Any]:
        """Everything that a test could leave behind."""
        iam, objects = self.client("iam"), self.client("s3").list_object_versions(Bucket=BUCKET)
        tagged = self.client("ec2").describe_tags(Filters=[{"Name": "key", "Values": [TAG]}])["Tags"]
        return {
            "tables": self.client("dynamodb").list_tables()["TableNames"],
            "roles": {role["RoleName"] for role in iam.list_roles()["Roles"]} - {"AWSServiceRoleForEMRCleanup"},
            "profiles": [one["InstanceProfileName"] for one in iam.list_instance_profiles()["InstanceProfiles"]],
            "clusters": self.client("emr").list_clusters(ClusterStates=STANDING)["Clusters"],
            "objects": [one["Key"] for one in objects.get("Versions", [])],
            "tagged": [one["ResourceId"] for one in tagged if one["ResourceType"] != "security-group"],  # EMR's stay
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with EmrSandbox(yarn=False, settings={"node": quick_node(tmp_path_factory.mktemp("commands"))}) as emr:
        made = World(emr, cache(lambda service: emr.client(service, region=REGION)))
        make_private_bucket(made.client("s3"), BUCKET)
        made.client("s3").put_object(Bucket=BUCKET, Key="somebody/else", Body=b"kept")
        yield made


def test_a_launch_that_fails_is_reported_with_awss_words_and_with_what_stays(world: World) -> None:
    """The first cluster gets no instances; the stack may not be deleted, everything else is."""
    world.emr.control.add_fault("capacity")
    world.emr.control.add_fault("deny", action="cloudformation:DeleteStack")
    test = world.smoke("refused", lambda words: Ran(0, {}, ()) if words[0] == "preflight" else world.run_verb(words))
    test.run()
    page = test.report.markdown()
    assert page.startswith("# dynamodb-pipeline on AWS: FAILED\n")
    row = r"^\| export \| [0-9.]+ s \| exit code \d+ \| j-[A-Z0-9]+ \| \$[0-9.]+ \|$"
    assert re.search(row, page, re.MULTILINE)
    assert "insufficient capacity" in page
    assert "123456789012" not in page
    (left,) = test.report.left
    assert left.startswith("stack dynamodb-pipeline-smoke-refused: ClientError: ")
    assert "not authorized to perform: cloudformation:DeleteStack" in page
    world.client("cloudformation").delete_stack(StackName="dynamodb-pipeline-smoke-refused")
    assert world.holdings() == EMPTY


def test_interrupted_it_ends_the_cluster_and_removes_everything(world: World) -> None:
    """Ctrl-C, when the export's cluster has been asked for: the launcher has detached, and the cluster works."""

    def detached(words: Sequence[str]) -> Ran:
        if words[0] != "export":
            return world.run_verb(words) if words[0] == "policy" else Ran(0, {}, ())
        world.run_verb([*words, "--no-wait"])
        raise KeyboardInterrupt

    test = world.smoke("interrupted", detached)
    with pytest.raises(KeyboardInterrupt):
        test.run()
    assert test.report.verdict == "INTERRUPTED"
    assert [step.outcome for step in test.report.steps if step.name == "remove clusters of this test"] == ["ok"]
    assert world.holdings() == EMPTY


def test_without_confirmation_it_says_all_and_makes_nothing(world: World) -> None:
    with world.run_make() as child:
        said = child.communicate(timeout=120)[0]
    assert child.returncode == 3
    for part in ("- tables dynamodb-pipeline-smoke-", "- stack ", "- 4 clusters (1 x m3.xlarge, 1 x m3", "Price: "):
        assert part in said
    assert "CONFIRM=yes" in said.splitlines()[-1]
    assert world.holdings() == EMPTY


@pytest.mark.slow
def test_the_whole_of_it(world: World) -> None:
    """All four clusters, by the command, with processes of their own."""
    with world.run_make(CONFIRM="yes") as child:
        said = child.communicate(timeout=290)[0]
    assert child.returncode == 0, said
    path = Path(PROJECT, said.splitlines()[-1].rpartition(": ")[2])
    page = path.read_text(encoding="utf-8")
    path.unlink()
    rows = re.findall(r"^\| (export|verify|import|verify --table) \| .* \| ok \| j-", page, re.MULTILINE)
    assert rows == ["export", "verify", "import", "verify --table"]
    assert "| compare every item | " in page
    assert world.holdings() == EMPTY


@pytest.mark.slow
def test_ctrl_c_on_the_command(world: World) -> None:
    world.emr.control.set(pace={"starting_s": 60})
    with world.run_make(CONFIRM="yes") as child:
        assert child.stdout is not None
        seen = next(line for line in child.stdout if re.search(r"cluster j-\w+ started", line))
        child.send_signal(signal.SIGINT)
        rest = child.communicate(timeout=200)[0]
    world.emr.control.set(pace={"starting_s": 0.2})
    assert seen
    assert child.returncode == 130, rest
    assert "interrupted" in rest
    Path(PROJECT, rest.splitlines()[-1].rpartition(": ")[2]).unlink()
    assert world.holdings() == EMPTY
