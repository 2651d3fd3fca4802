"""An AWS account in this process: moto for everything but EMR, whose clusters live by the fake clock."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cache
from typing import Any

import boto3
from moto import mock_aws

from dynamodb_pipeline.emr.calls.console import CommandResult, Console
from tests.unit.emr.fakes import ClusterPlan, FakeClock, FakeEmr

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # they take half a second in every test

REGION = "eu-west-1"
DATA, LOGS = "pipeline-data", "pipeline-logs"
LOGS_URI, OUTPUT = f"s3://{LOGS}/app", f"s3://{DATA}/exports"
NODE_TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}]}
EMR_TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "elasticmapreduce.amazonaws.com"}}]}


class FakeClients:
    """moto's clients, our EMR; `asked` records which services were asked for."""

    def __init__(self, emr: FakeEmr, *, region: str = REGION) -> None:
        self.region = region
        self.bucket_owner = None
        self.emr = emr
        self.attempts: list[int | None] = []

    def client(self, service: str, *, region: str | None = None, attempts: int | None = None) -> Any:
        if service == "emr":
            self.attempts.append(attempts)
            return self.emr
        return kept_client(service, region or self.region)


@cache
def kept_client(service: str, region: str) -> Any:
    """Making a client is slow and moto serves any; tests share them."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(service, region_name=region, **keys)


class Account:
    """Buckets, tables, roles and an EMR; `said` collects the console's lines."""

    def __init__(self, clock: FakeClock, *, plan: ClusterPlan | None = None) -> None:
        self.clock = clock
        self.emr = FakeEmr(clock, plan=plan)
        self.clients = FakeClients(self.emr)
        self.said: list[str] = []
        self.console = Console(say=self.said.append, clock=clock, attention=clock, put=self.said.extend)
        self.s3 = self.clients.client("s3")
        self.denied_actions: set[str] = set()
        self.missing_keys: list[str] = []
        self.simulated: list[dict[str, Any]] = []
        # moto does not have the policy simulator
        self.clients.client("iam").simulate_principal_policy = self._simulate
        # nor EC2's quotas
        self.clients.client("service-quotas").get_service_quota = lambda **_: {"Quota": {"Value": 64.0}}

    def with_buckets(self) -> Account:
        for name in (DATA, LOGS):
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
            block = dict.fromkeys(
                ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
            )
            self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
        return self

    def with_tables(self, *names: str) -> Account:
        for name in names:
            self.clients.client("dynamodb").create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        return self

    def with_roles(self) -> Account:
        iam = self.clients.client("iam")
        iam.create_role(RoleName="dynamodb-pipeline-service", AssumeRolePolicyDocument=json.dumps(EMR_TRUST))
        for name in ("dynamodb-pipeline-export", "dynamodb-pipeline-import"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(NODE_TRUST))
            iam.create_instance_profile(InstanceProfileName=name)
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return self

    def with_internet(self) -> Account:
        """The default VPC's gateway, which AWS's has and moto's has not."""
        ec2 = self.clients.client("ec2")
        (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc["VpcId"])
        (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["RouteTables"]
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        return self

    def _simulate(self, **request: Any) -> dict[str, Any]:
        self.simulated.append(request)
        names = [(action, arn) for action in request["ActionNames"] for arn in request.get("ResourceArns", ["*"])]
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalResourceName": arn,
                    "EvalDecision": "implicitDeny" if action in self.denied_actions else "allowed",
                    "MissingContextValues": self.missing_keys,
                }
                for action, arn in names
            ]
        }

    def put_record(self, run_id: str, /, **record: Any) -> None:
        """What a job leaves in its run folder."""
        self.s3.put_object(Bucket=LOGS, Key=f"app/runs/{run_id}/run.json", Body=json.dumps(record).encode())

    def put_step_log(self, cluster_id: str, step_id: str, name: str, text: str) -> None:
        key = f"app/emr/{cluster_id}/steps/{step_id}/{name}"
        self.s3.put_object(Bucket=LOGS, Key=key, Body=gzip.compress(text.encode()))


def telling(command: Callable[..., CommandResult]) -> Callable[..., CommandResult]:
    """The command with the words of its result said on its console, as a terminal has them one below the other."""

    def run(*arguments: Any) -> CommandResult:
        result = command(*arguments)
        arguments[-1].say_all(result.words)
        return result

    return run


@contextmanager
def account(clock: FakeClock | None = None, *, plan: ClusterPlan | None = None) -> Iterator[Account]:
    """A complete account for exports and imports of Forum, Thread and Reply."""
    with mock_aws():
        made = Account(clock or now_clock(), plan=plan)
        yield made.with_buckets().with_tables("Forum", "Thread", "Reply").with_roles().with_internet()


def now_clock(**signals: Any) -> FakeClock:
    """A fake clock an hour behind the machine's: moto stamps what a job wrote, which is later than its step."""
    clock = FakeClock(**signals)
    clock.time_s = clock.start_s = datetime.now(timezone.utc).timestamp() - 3600
    return clock
