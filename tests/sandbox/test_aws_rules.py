"""
AWS's rules, each broken in an account that is otherwise complete: preflight names it with a remedy, the launch ends in
AWS's own words, and what the remedy says mends it. docs/aws-rules.md lists them; no Spark.
"""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.deploy_roles import deploy_roles
from sandbox.emr.stack import EmrSandbox
from sandbox.private_bucket import make_private_bucket
from tests.sandbox.cli import Outcome
from tests.sandbox.emr_cluster import OVER
from tests.sandbox.in_process import Pipeline
from tests.sandbox.quick_steps import quick_node
from tests.sandbox.tables import Table, make_table, numbered

pytestmark = pytest.mark.sandbox

REGION = "us-east-1"
KEY = f"arn:aws:kms:{REGION}:123456789012:key/0f0f"
TAG = "for-use-with-amazon-emr-managed-policies"
SERVICE, EXPORT = "dynamodb-pipeline-service", "dynamodb-pipeline-export"


@dataclass(frozen=True)
class World:
    """An EMR without YARN, a table, a bucket, and the roles and network tags for it."""

    emr: EmrSandbox
    bucket: str
    table: Table

    def run(self, *words: str, kind: str = "export") -> Outcome:
        place = ("--output", f"s3://{self.bucket}/exports/{uuid.uuid4().hex}")
        common = ("--region", REGION, "--throughput-percent", "100", "--logs", f"s3://{self.bucket}/logs")
        return Pipeline(self.emr).run(*words, "--table", self.table.name, *place, *common)

    def check(self, name: str, *words: str) -> dict[str, str]:
        """What one check of a preflight says."""
        out = self.run("preflight", "export", *words)
        return next(dict(one) for one in out.result["checks"] if one["name"] == name)

    def launch(self, *words: str, key: str | None = None, **instances: Any) -> dict[str, Any]:
        """Send the planned request as it is, whatever preflight would say; returns the cluster's end."""
        request = self.run("plan", "export", *words).result["run_job_flow"]
        request |= {"Steps": [], "BootstrapActions": []}  # what is looked at comes before them
        request["Instances"] = {**request["Instances"], **instances}
        request["Instances"] = {name: value for name, value in request["Instances"].items() if value is not None}
        client = self.emr.client("emr", region=REGION) if key is None else self.client_of("emr", key)
        cluster = client.run_job_flow(**request)["JobFlowId"]
        self.emr.control.wait_for(cluster, *OVER, timeout_s=60)
        found: dict[str, Any] = self.emr.client("emr", region=REGION).describe_cluster(ClusterId=cluster)["Cluster"]
        return found

    def client_of(self, service: str, key: str) -> Any:
        import boto3

        session: Any = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key="secret")
        return session.client(service, region_name=REGION, endpoint_url=self.emr.s3_url)

    def policy(self, kind: str, *words: str) -> dict[str, Any]:
        named = ("--table", self.table.name, "--bucket", self.bucket, "--region", REGION)
        return Pipeline(self.emr).run("policy", kind, *named, *words).result

    def user_with(self, policy: dict[str, Any]) -> str:
        """A new IAM user with this policy alone; returns its key."""
        iam, name = self.emr.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
        return str(iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"])

    def network(self, region: str = REGION) -> list[str]:
        """The default VPC, its subnets and EMR's own groups in it."""
        ec2 = self.emr.client("ec2", region=region)
        vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        inside = [{"Name": "vpc-id", "Values": [vpc]}]
        groups = ec2.describe_security_groups(Filters=inside)["SecurityGroups"]
        subnets = ec2.describe_subnets(Filters=inside)["Subnets"]
        own = [one["GroupId"] for one in groups if one["GroupName"].startswith("ElasticMapReduce")]
        return [vpc, *(one["SubnetId"] for one in subnets), *own]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with EmrSandbox(yarn=False, settings={"node": quick_node(tmp_path_factory.mktemp("commands"))}) as emr:
        bucket = make_private_bucket(emr.client("s3"), f"bucket-{uuid.uuid4().hex[:12]}")
        made = World(emr, bucket, make_table(emr))
        made.table.put(numbered(3))
        deploy_roles(emr, made.policy("roles-template"), region=REGION)
        yield made


def reason(cluster: dict[str, Any]) -> tuple[str, str]:
    status = cluster["Status"]
    assert status["State"] in OVER
    return status["StateChangeReason"]["Code"], status["StateChangeReason"]["Message"]


def tagged(world: World, command: str) -> None:
    """Do what an `aws ec2 create-tags` command says."""
    words = shlex.split(command)
    assert words[:3] == ["aws", "ec2", "create-tags"]
    region, rest = words[words.index("--region") + 1], words[words.index("--resources") + 1 :]
    (pair,) = rest[rest.index("--tags") + 1 :]
    key, value = (part.partition("=")[2] for part in pair.split(","))
    ids = rest[: rest.index("--tags")]
    world.emr.client("ec2", region=region).create_tags(Resources=ids, Tags=[{"Key": key, "Value": value}])


def test_a_complete_account_runs_the_default_launch(world: World) -> None:
    out = world.run("export")
    assert out.code == 0, out.text
    checks = world.run("preflight", "export").result["checks"]
    assert {one["name"]: one["detail"] for one in checks if one["verdict"] != "ok"} == {}


@pytest.mark.parametrize(
    "what", ["subnet", *(pytest.param(what, marks=pytest.mark.slow) for what in ("vpc", "groups"))]
)
def test_network_without_emrs_tag(world: World, what: str) -> None:
    """The subnet, the VPC where EMR has yet to make its groups, and groups that somebody made before."""
    ec2 = world.emr.client("ec2", region=REGION)
    for one in [one for one in world.network() if one.startswith("sg-")]:
        ec2.delete_security_group(GroupId=one)
    vpc, *subnets = world.network()
    broken = {"subnet": subnets, "vpc": [vpc], "groups": []}[what]
    if what == "groups":
        for name in ("ElasticMapReduce-master", "ElasticMapReduce-slave"):
            broken.append(ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"])
    else:
        ec2.delete_tags(Resources=broken, Tags=[{"Key": TAG}])
    try:
        found = world.check("network-rights")
        assert found["verdict"] == "failed"
        code, message = reason(world.launch())
        assert (code, message) == (
            "VALIDATION_ERROR",
            f"Service role arn:aws:iam::123456789012:role/{SERVICE} has insufficient EC2 permissions",
        )
        tagged(world, found["remedy"])
        assert world.check("network-rights")["verdict"] == "ok"
        assert reason(world.launch())[0] == "ALL_STEPS_COMPLETED"
    finally:
        ec2.create_tags(Resources=world.network(), Tags=[{"Key": TAG, "Value": "true"}])


def test_service_role_that_may_not_hand_on_the_nodes_role(world: World) -> None:
    iam, name = world.emr.client("iam"), {"RoleName": SERVICE, "PolicyName": f"pass-node-roles-{REGION}"}
    kept = iam.get_role_policy(**name)["PolicyDocument"]
    iam.delete_role_policy(**name)
    try:
        assert reason(world.launch())[1].endswith(f"{SERVICE} has insufficient EC2 permissions")
    finally:
        iam.put_role_policy(**name, PolicyDocument=json.dumps(kept))
    assert reason(world.launch())[0] == "ALL_STEPS_COMPLETED"


def test_launcher_that_may_not_tag(world: World) -> None:
    policy = world.policy("launcher")
    key = world.user_with({**policy, "Statement": [one for one in policy["Statement"] if one["Sid"] != "TagAtLaunch"]})
    with pytest.raises(ClientError, match="not authorized to perform: elasticmapreduce:AddTags"):
        world.launch(key=key)


def test_account_new_to_emr(world: World) -> None:
    """Who may not make the clean-up role is told so; who may, makes it with the launch."""
    iam, policy = world.emr.client("iam"), world.policy("launcher")
    iam.delete_role(RoleName="AWSServiceRoleForEMRCleanup")
    without = [one for one in policy["Statement"] if one["Sid"] != "FirstLaunch"]
    code, message = reason(world.launch(key=world.user_with({**policy, "Statement": without})))
    assert code == "VALIDATION_ERROR"
    assert message.startswith("Service-linked role 'AWSServiceRoleForEMRCleanup' for EMR is required.")
    assert reason(world.launch(key=world.user_with(policy)))[0] == "ALL_STEPS_COMPLETED"
    assert iam.get_role(RoleName="AWSServiceRoleForEMRCleanup")


def test_type_that_is_not_in_every_zone(world: World) -> None:
    """EMR takes any default subnet; the launcher one whose zone offers m3.xlarge, or says which command does."""
    world.emr.control.set(default_zone="us-east-1d")
    try:
        _, message = reason(world.launch(Ec2SubnetId=None))
        assert message == "Instance types m3.xlarge are not supported in the availability zone us-east-1d."
        assert reason(world.launch())[0] == "ALL_STEPS_COMPLETED"
    finally:
        world.emr.control.set(default_zone=None)
    ec2 = world.emr.client("ec2", region=REGION)
    subnets = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1d"]}])["Subnets"]
    found = world.check("instance-offering", "--subnet", subnets[0]["SubnetId"])
    assert found["verdict"] == "failed"
    assert "zones that offer it: us-east-1a, us-east-1b, us-east-1c, us-east-1e" in found["detail"]
    assert re.match(r"dynamodb-pipeline preflight export .*--config m5; ", found["remedy"])


def test_no_default_vpc(world: World) -> None:
    region, emr = "us-west-1", world.emr
    ec2, iam = emr.client("ec2", region=region), emr.client("iam")
    vpc, *inside = world.network(region)
    for subnet in [one for one in inside if one.startswith("subnet-")]:
        ec2.delete_subnet(SubnetId=subnet)
    out = Pipeline(emr).run(
        "preflight", "export", "--table", world.table.name, "--output", f"s3://{world.bucket}/x", "--logs",
        f"s3://{world.bucket}/logs", "--region", region,
    )  # fmt: skip
    found = next(one for one in out.result["checks"] if one["name"] == "subnet")
    assert found["verdict"] == "failed"
    assert found["remedy"] == f"give --subnet, or once: aws ec2 create-default-vpc --region {region}"
    assert vpc
    assert iam


def done_as_told(world: World, commands: str) -> None:
    """Do what `aws ec2` commands say that change a VPC or make an endpoint."""
    ec2 = world.emr.client("ec2", region=REGION)
    for command in commands.split("; "):
        program, service, call, *words = shlex.split(command)
        assert (program, service) == ("aws", "ec2")
        given = dict(zip(words[::2], words[1::2]))
        assert given.pop("--region") == REGION
        vpc = given.pop("--vpc-id")
        if call == "modify-vpc-attribute":
            ((option, value),) = given.items()
            name = {"--enable-dns-hostnames": "EnableDnsHostnames", "--enable-dns-support": "EnableDnsSupport"}[option]
            assert value == "Value=true"
            ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": True}})
        else:
            assert call == "create-vpc-endpoint"
            tables = [given.pop("--route-table-ids")]
            ec2.create_vpc_endpoint(VpcId=vpc, RouteTableIds=tables, ServiceName=given.pop("--service-name"))
            assert not given


NOT_UP = ("BOOTSTRAP_FAILURE", "On the master instance (i-00000000000000000), application provisioning failed")


def test_network_in_which_nodes_do_not_come_up(world: World) -> None:
    """
    A new VPC: no names in it, no way to S3 and DynamoDB, then one whose policy allows our own bucket only.

    Each is named, each mended as told; then a launch works.
    """
    ec2 = world.emr.client("ec2", region=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[vpc, subnet], Tags=[{"Key": TAG, "Value": "true"}])
    for name in ("vpc", "routes"):
        found = world.check(name, "--subnet", subnet)
        assert found["verdict"] == "failed"
        assert reason(world.launch(Ec2SubnetId=subnet)) == NOT_UP
        done_as_told(world, found["remedy"])
    ends = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]
    (endpoint,) = [one["VpcEndpointId"] for one in ends if one["ServiceName"].endswith(".s3")]
    ours = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{world.bucket}*"}
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=json.dumps({"Statement": [ours]}))
    found = world.check("endpoint-policies", "--subnet", subnet)
    assert found["verdict"] == "warning"
    assert world.bucket not in found["detail"]
    for bucket in (f"al2023-repos-{REGION}-de612dc2", f"repo.{REGION}.emr.amazonaws.com", f"aws157-logs-prod-{REGION}"):
        assert f"arn:aws:s3:::{bucket}/example by {endpoint}" in found["detail"]
    assert reason(world.launch(Ec2SubnetId=subnet)) == NOT_UP
    ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint, PolicyDocument=json.dumps({"Statement": [{**ours, "Resource": "*"}]})
    )
    checks = world.run("preflight", "export", "--subnet", subnet).result["checks"]
    assert {one["name"]: one["detail"] for one in checks if one["verdict"] != "ok"} == {}
    assert reason(world.launch(Ec2SubnetId=subnet))[0] == "ALL_STEPS_COMPLETED"


@pytest.fixture
def table_key(world: World) -> Iterator[None]:
    world.emr.control.set(table_keys={world.table.name: KEY})
    yield
    world.emr.control.set(table_keys={})


@pytest.mark.usefixtures("table_key")
def test_table_under_a_key_that_the_nodes_may_not_use(world: World) -> None:
    found = world.check("node-permissions")
    assert found["verdict"] == "warning"
    assert f"kms:Decrypt, kms:GenerateDataKey on {KEY}" in found["detail"]
    assert ": dynamodb-pipeline policy nodes-export --table" in found["remedy"]
    assert f" --kms-key {KEY}" in found["remedy"]
    failed = world.run("export")
    assert failed.code == 7, failed.text
    assert "not authorized to perform: kms:Decrypt" in failed.text + json.dumps(failed.result)
    iam, name = world.emr.client("iam"), {"RoleName": EXPORT, "PolicyName": "with-key"}
    policy = world.policy("nodes-export", "--kms-key", KEY, "--logs", f"s3://{world.bucket}/logs")
    iam.put_role_policy(**name, PolicyDocument=json.dumps(policy))
    try:
        assert world.check("node-permissions")["verdict"] == "ok"
        assert world.run("export").code == 0
    finally:
        iam.delete_role_policy(**name)


def test_key_of_the_logs_that_emr_may_not_describe(world: World) -> None:
    _, message = reason(world.launch("--log-kms-key", KEY))
    assert "kms:DescribeKey" in message
    assert "kms:GenerateDataKey" in world.check("node-permissions", "--log-kms-key", KEY)["detail"]


@pytest.mark.parametrize(("operation", "most"), [("CreatePolicy", 6_144), ("PutRolePolicy", 10_240)])
def test_policy_that_is_too_long(world: World, operation: str, most: int) -> None:
    """White space is not counted; inline policies of one role are counted together."""
    iam = world.emr.client("iam")
    iam.create_role(RoleName=f"long-{most}", AssumeRolePolicyDocument=json.dumps({"Statement": []}))

    def put(name: str, size: int) -> None:
        shell = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": ""}]}
        shell["Statement"][0]["Resource"] = "arn:aws:s3:::b/" + "x" * (size - len(json.dumps(shell)) + 7 - 15)
        document = json.dumps(shell, indent=4)
        if operation == "CreatePolicy":
            iam.create_policy(PolicyName=name, PolicyDocument=document)
        else:
            iam.put_role_policy(RoleName=f"long-{most}", PolicyName=name, PolicyDocument=document)

    put("short", most - 100)
    with pytest.raises(ClientError, match="LimitExceeded"):
        put("long" if operation == "CreatePolicy" else "second", most + 100)


def test_nodes_without_a_right_that_an_option_needs(world: World) -> None:
    """`--mirror` scans the table: the role of a plain import may not, and preflight says how it may."""
    exported = world.run("export").result["tables"][0]["export_uri"]
    words = ("--table", world.table.name, "--input", exported, "--region", REGION, "--mirror", "--yes")
    places = ("--throughput-percent", "100", "--logs", f"s3://{world.bucket}/logs")
    out = Pipeline(world.emr).run("preflight", "import", *words, *places)
    found = next(one for one in out.result["checks"] if one["name"] == "node-permissions")
    assert "dynamodb:Scan on " in found["detail"]
    assert found["remedy"].endswith(" --mirror")
    failed = Pipeline(world.emr).run("import", *words, *places)
    assert failed.code == 7, failed.text
    assert "dynamodb:Scan" in failed.text + json.dumps(failed.result)
