"""
What the smoke test puts into an AWS account, and how each of it is taken away again.

Everything carries the test's mark, a name of this one run. What was there before is never changed, but for EMR's tag on
a network that lacks it, which is taken away again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

CLUSTERS = "clusters of this test"
TAG = {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}
STANDING = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]
END_S = 1800
ClientOf = Callable[[str], Any]


class SmokeError(Exception):
    """Something that the test itself asked of AWS did not come about."""


@dataclass(frozen=True)
class Names:
    """What this run calls its things; `mark` is in all of them."""

    mark: str
    region: str
    bucket: str
    roles: tuple[str, str, str] | None = None
    subnet: str | None = None

    @property
    def own_roles(self) -> tuple[str, str, str]:
        """EMR's service role, the nodes' role of an export, that of an import: the user's, else the stack's."""
        return self.roles or (f"{self.mark}-service", f"{self.mark}-export", f"{self.mark}-import")

    @property
    def tables(self) -> tuple[str, str]:
        return f"{self.mark}-source", f"{self.mark}-target"

    @property
    def folder(self) -> str:
        return f"s3://{self.bucket}/{self.mark}"


@dataclass
class Made:
    """What is there to be removed, the newest first: its name, and what removes it. Asked for before it is made."""

    client_of: ClientOf
    names: Names
    poll_s: float = 10.0
    undo: list[tuple[str, Callable[[], None]]] = field(default_factory=list)

    def remove_all(self) -> Iterator[tuple[str, str]]:
        """Remove everything, whatever fails on the way: each thing's name with AWS's words, empty when it is gone."""
        while self.undo:
            name, remove = self.undo.pop()
            try:
                remove()
            except Exception as err:  # what is left is said, and the next thing removed all the same
                yield name, f"{type(err).__name__}: {err}"
            else:
                yield name, ""

    def folder(self) -> str:
        self.undo.append((f"folder {self.names.folder}", self._no_folder))
        return self.names.folder

    def _no_folder(self) -> None:
        """Versions and delete markers too, where the bucket keeps them."""
        s3, bucket = self.client_of("s3"), self.names.bucket
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{self.names.mark}/")
        for page in pages:
            entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in entries]
            refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}) if objects else {}
            if refused.get("Errors"):
                raise SmokeError(f"{len(refused['Errors'])} objects stay: {refused['Errors'][0]}")

    def stack(self, template: Mapping[str, Any]) -> None:
        """Deploy the roles; raises what CloudFormation says."""
        api, name = self.client_of("cloudformation"), self.names.mark
        self.undo.append((f"stack {name}", lambda: self._no_stack(api)))
        change = api.create_change_set(
            StackName=name, ChangeSetName="create", ChangeSetType="CREATE", TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )["Id"]  # fmt: skip
        api.get_waiter("change_set_create_complete").wait(ChangeSetName=change, WaiterConfig=self._pace)
        api.execute_change_set(ChangeSetName=change)
        try:
            api.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=self._pace)
        except Exception as err:
            stack = api.describe_stacks(StackName=name)["Stacks"][0]
            raise SmokeError(f"{stack['StackStatus']}: {stack.get('StackStatusReason', '')}") from err

    @property
    def _pace(self) -> dict[str, float]:
        return {"Delay": self.poll_s, "MaxAttempts": 120}

    def _no_stack(self, api: Any) -> None:
        api.delete_stack(StackName=self.names.mark)
        api.get_waiter("stack_delete_complete").wait(StackName=self.names.mark, WaiterConfig=self._pace)

    def network_tag(self) -> list[str]:
        """Put EMR's tag on what lacks it of the subnet (of the default ones) and its VPC; returns their ids."""
        ec2 = self.client_of("ec2")
        own: dict[str, Any] = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
        subnets = ec2.describe_subnets(**({"SubnetIds": [self.names.subnet]} if self.names.subnet else own))["Subnets"]
        if not subnets:
            raise SmokeError(f"{self.names.region} has no default subnets: give SUBNET")
        vpcs = ec2.describe_vpcs(VpcIds=sorted({one["VpcId"] for one in subnets}))["Vpcs"]
        things = [(one["SubnetId"], one) for one in subnets] + [(one["VpcId"], one) for one in vpcs]
        bare = [name for name, one in things if TAG not in one.get("Tags", [])]
        if bare:
            self.undo.append((f"tag on {' '.join(bare)}", lambda: ec2.delete_tags(Resources=bare, Tags=[TAG])))
            ec2.create_tags(Resources=bare, Tags=[TAG])
        return bare

    def table(self, name: str) -> None:
        """Make an on-demand table with the key `id`."""
        api = self.client_of("dynamodb")
        self.undo.append((f"table {name}", lambda: self._no_table(api, name)))
        api.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", Tags=[{"Key": "dynamodbdatapipeline", "Value": "true"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
        api.get_waiter("table_exists").wait(TableName=name, WaiterConfig=self._pace)

    def _no_table(self, api: Any, name: str) -> None:
        try:
            api.delete_table(TableName=name)
        except api.exceptions.ResourceNotFoundException:
            return
        api.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=self._pace)

    def clusters(self) -> None:
        """Every cluster that carries the mark is to end before the rest goes."""
        self.undo.append((CLUSTERS, self._no_clusters))

    def _no_clusters(self) -> None:
        """A cluster that was asked for just now may be listed late: two looks in a row show none."""
        emr, deadline_s, empty = self.client_of("emr"), time.monotonic() + END_S, 0
        while (empty := 0 if (standing := self._standing(emr)) else empty + 1) < 2:
            told = [one["Id"] for one in standing if one["Status"]["State"] != "TERMINATING"]
            if told:
                emr.terminate_job_flows(JobFlowIds=told)
            if time.monotonic() > deadline_s:
                raise SmokeError(f"{', '.join(one['Id'] for one in standing)}: still there after {END_S} s")
            time.sleep(self.poll_s)

    def _standing(self, emr: Any) -> list[dict[str, Any]]:
        pages = emr.get_paginator("list_clusters").paginate(ClusterStates=STANDING)
        return [one for page in pages for one in page["Clusters"] if self.names.mark in one["Name"]]
