"""Every check, provoked: its name, the exit code and one line of remedy."""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from dynamodb_pipeline.cli.command_line import read_line
from dynamodb_pipeline.cli.launcher_options import (
    BUCKET,
    EXPORT_ROLE,
    POLICY_CODE,
    POLICY_KIND,
    POLICY_LOG_GROUP,
    POLICY_SERVICE_ROLE,
)
from dynamodb_pipeline.emr.cluster.cluster_config import load_cluster_config
from dynamodb_pipeline.emr.commands.launch import on_subnet
from dynamodb_pipeline.emr.documents.policies import POLICIES
from dynamodb_pipeline.emr.documents.policy_scope import scope_of_launch
from dynamodb_pipeline.emr.preflight import buckets
from dynamodb_pipeline.emr.preflight.buckets import check_logs_uri
from dynamodb_pipeline.emr.preflight.check_result import (
    CheckResult,
    CheckVerdict,
    ImportInput,
    overall,
    run_check,
    table_lines,
)
from dynamodb_pipeline.emr.preflight.cluster import check_tag
from dynamodb_pipeline.emr.preflight.preflight import PreflightScope, preflight
from dynamodb_pipeline.emr.preflight.tables import check_table
from dynamodb_pipeline.emr.request.launch_settings import ClusterSettings, LaunchSettings
from dynamodb_pipeline.emr.request.steps import TableJob
from dynamodb_pipeline.errors import ExitCode
from dynamodb_pipeline.formats.exports.export_record import NAME as EXPORT_RECORD
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.table_definition import TableDefinition
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from dynamodb_pipeline.importing.job import find_source
from dynamodb_pipeline.importing.size import item_sample
from dynamodb_pipeline.settings.parse import import_settings
from dynamodb_pipeline.settings.parser import job_options, words_read
from dynamodb_pipeline.store.anywhere import object_store
from sandbox.emr.policy_judge import ALLOWED, decision
from tests.unit.emr.aws import DATA, EMR_TRUST, LOGS, LOGS_URI, NODE_TRUST, OUTPUT, REGION, Account, account
from tests.unit.emr.builders import RUN, a_job, a_request, settings
from tests.unit.emr.fakes import client_error
from tests.unit.reading.test_source import manifest


@pytest.fixture
def made() -> Iterator[Account]:
    with account() as one:
        yield one


def input_of(made: Account, wanted: LaunchSettings, *words: str) -> ImportInput | None:
    """As the launcher hands them over: what the job itself would read, and an item of it."""
    if wanted.verb != "import":
        return None
    asked = import_settings(job_options("import", ("--table", "Forum", "--input", OUTPUT, "--latest", *words)))
    store = object_store(made.clients)
    source = cache(lambda: find_source(store, asked))
    return ImportInput(source, lambda keys: item_sample(store, source(), keys, settings=asked))


def launch(**changes: Any) -> LaunchSettings:
    return settings(**{"logs_uri": LOGS_URI, "data_uris": (OUTPUT,), **changes})


def checks(made: Account, *words: str, **changes: Any) -> dict[str, CheckResult]:
    """The results by name: each has a remedy or passes, or says which failed check it waits for."""
    wanted = on_subnet(launch(**changes), made.clients)
    config = load_cluster_config(wanted.cluster.config, region=REGION, overrides=wanted.cluster.overrides)
    scope = PreflightScope(wanted, config, a_request(wanted), input_of(made, wanted, *words))
    results = preflight(scope, made.clients)
    assert len({result.name for result in results}) == len(results)
    named = {result.name: result for result in results}
    for result in results:
        if result.verdict is CheckVerdict.SKIPPED:
            cause = result.detail.rpartition(" (see ")[2].rstrip(")")
            assert named[cause].verdict is CheckVerdict.FAILED
        else:
            assert bool(result.remedy) == (result.verdict is not CheckVerdict.OK)
            assert "\n" not in result.remedy
            assert "{" not in result.remedy
    return named


def skipped(results: dict[str, CheckResult]) -> set[str]:
    return {name for name, result in results.items() if result.verdict is CheckVerdict.SKIPPED}


def test_complete_account_passes_every_check(made: Account) -> None:
    found = checks(made)
    assert {name: r.verdict.value for name, r in found.items() if r.verdict is not CheckVerdict.OK} == {}
    assert overall(found.values()) == ExitCode.DONE


def test_missing_table(made: Account) -> None:
    found = checks(made, jobs=(a_job("Nowhere"),))["table Nowhere"]
    assert (found.verdict, found.exit_code) == (CheckVerdict.FAILED, ExitCode.PRECONDITION)
    assert "--region" in found.remedy


def test_a_missing_table_is_one_failure(made: Account) -> None:
    """Rights are asked by its name all the same; what an import compares with it waits for it."""
    put_export_record(made, key_type="S")
    found = checks(made, verb="import", jobs=(a_job("Nowhere"),))
    assert [name for name, one in found.items() if one.verdict is CheckVerdict.FAILED] == ["table Nowhere"]
    assert skipped(found) == {"key-schema", "definition"}
    assert found["node-permissions"].verdict is CheckVerdict.OK


def test_import_into_a_table_with_a_stream_and_index_warns(made: Account) -> None:
    made.clients.client("dynamodb").create_table(
        TableName="Busy",
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("Id", "By")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "ByWhom",
                "KeySchema": [{"AttributeName": "By", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        BillingMode="PAY_PER_REQUEST",
    )
    found = checks(made, verb="import", jobs=(a_job("Busy"),))["table Busy"]
    assert found.verdict is CheckVerdict.WARNING
    assert "stream" in found.detail
    assert "on 1 index too" in found.detail


@pytest.mark.parametrize("role", ["data", "logs"])
def test_missing_bucket(made: Account, role: str) -> None:
    place = {"data": {"data_uris": ("s3://gone-bucket/x",)}, "logs": {"logs_uri": "s3://gone-bucket/x"}}[role]
    found = checks(made, **place)["bucket gone-bucket"]
    assert (found.verdict, found.exit_code) == (CheckVerdict.FAILED, ExitCode.PRECONDITION)
    assert "does not exist" in found.detail


@pytest.mark.parametrize("code", ["403", "AccessDenied"])
def test_forbidden_bucket_is_not_called_missing(made: Account, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def refuse(**_: Any) -> None:
        raise client_error(code, status=403)

    monkeypatch.setattr(made.s3, "head_bucket", refuse)
    found = checks(made, bucket_owner="123456789012")[f"bucket {DATA}"]
    assert (found.verdict, found.exit_code) == (CheckVerdict.FAILED, ExitCode.DENIED)
    assert "forbidden" in found.detail
    assert "123456789012" in found.detail


def test_bucket_in_another_region_is_said_not_refused(made: Account) -> None:
    made.clients.client("s3", region="us-east-1").create_bucket(Bucket="over-there")
    found = checks(made, data_uris=("s3://over-there/x",))["bucket over-there"]
    assert found.verdict is CheckVerdict.WARNING
    assert "us-east-1" in found.detail


def test_public_bucket_warns(made: Account) -> None:
    made.s3.delete_public_access_block(Bucket=DATA)
    assert checks(made)[f"public access {DATA}"].verdict is CheckVerdict.WARNING


@pytest.mark.parametrize("uri", [f"s3://{LOGS}", f"{OUTPUT}/logs"], ids=["top level", "inside the data"])
def test_log_folder_rule(uri: str) -> None:
    found = check_logs_uri(uri, data_uris=(OUTPUT,))
    assert (found.name, found.verdict, found.exit_code) == ("log-folder", CheckVerdict.FAILED, ExitCode.USAGE)


def test_missing_tag() -> None:
    found = check_tag({**a_request(), "Tags": []})
    assert (found.name, found.verdict) == ("tag", CheckVerdict.FAILED)


def test_missing_roles(made: Account) -> None:
    cluster = ClusterSettings(service_role="none-such", node_role="none-such")
    found = checks(made, cluster=cluster)
    failed = {name for name, one in found.items() if one.verdict is CheckVerdict.FAILED}
    assert failed == {"service-role", "node-role"}
    assert skipped(found) == {"network-rights", "node-permissions"}
    deploy = found["service-role"].remedy.partition("; or name")[0]
    printed, _, deployed = deploy.partition(" > roles.json && ")
    line = read_line(shlex.split(printed)[1:])
    assert line.options[POLICY_KIND] == "roles-template"
    assert line.options[BUCKET] == DATA
    assert deployed.startswith("aws cloudformation deploy --stack-name ")
    assert deployed.endswith(f"--capabilities CAPABILITY_NAMED_IAM --region {REGION}")


def test_role_that_does_not_trust_emr(made: Account) -> None:
    made.clients.client("iam").create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps(NODE_TRUST))
    found = checks(made, cluster=ClusterSettings(service_role="other"))["service-role"]
    assert "does not trust EMR" in found.detail


def test_instance_profile_without_a_role(made: Account) -> None:
    """The API makes a role without a profile, and a profile without a role."""
    made.clients.client("iam").create_instance_profile(InstanceProfileName="hollow")
    found = checks(made, cluster=ClusterSettings(node_role="hollow"))["node-role"]
    assert "holds no role" in found.detail
    assert "add-role-to-instance-profile" in found.remedy


def test_the_pages_role_names_pass(made: Account) -> None:
    iam = made.clients.client("iam")
    iam.create_role(RoleName="DataPipelineDefaultRole", AssumeRolePolicyDocument=json.dumps(EMR_TRUST))
    name = "DataPipelineDefaultResourceRole"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(NODE_TRUST))
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    found = checks(made, cluster=ClusterSettings(service_role="DataPipelineDefaultRole", node_role=name))
    assert {found[one].verdict for one in ("service-role", "node-role")} == {CheckVerdict.OK}


def test_launch_that_is_not_allowed(made: Account) -> None:
    made.denied_actions = {"elasticmapreduce:RunJobFlow"}
    found = checks(made)["permissions"]
    assert (found.verdict, found.exit_code) == (CheckVerdict.FAILED, ExitCode.DENIED)
    assert "policy launcher" in found.remedy


@pytest.mark.parametrize(
    "action",
    [
        "elasticmapreduce:AddTags",
        "elasticmapreduce:PutAutoTerminationPolicy",
        "elasticmapreduce:TerminateJobFlows",
        "elasticmapreduce:ListClusters",
        "iam:PassRole",
    ],
)
def test_one_missing_right_of_the_launcher_is_named(made: Account, action: str) -> None:
    """Also those that are needed only once a cluster runs."""
    made.denied_actions = {action}
    found = checks(made)["permissions"]
    assert (found.verdict, found.exit_code) == (CheckVerdict.FAILED, ExitCode.DENIED)
    assert f"{action} on " in found.detail


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:GetObject"])
def test_a_launcher_that_may_not_store_the_code_or_read_what_runs_leave_is_warned(made: Account, action: str) -> None:
    """The bucket's own policy may allow it, which IAM's simulator is not asked about."""
    made.denied_actions = {action}
    found = checks(made)["launcher-files"]
    assert found.verdict is CheckVerdict.WARNING
    assert f"{action} on arn:aws:s3:::{LOGS}/app/code/example" in found.detail
    assert "needs what this prints: dynamodb-pipeline policy launcher --table Forum" in found.remedy


def test_a_remedy_prints_the_policy_for_the_roles_code_and_log_group_that_the_run_names(made: Account) -> None:
    """A policy for the roles of the defaults would hand nothing to EMR that this run needs."""
    made.denied_actions = {"elasticmapreduce:ListClusters"}
    cluster = ClusterSettings(service_role="service-west", node_role="nodes-west", log_group="/g")
    remedy = checks(made, cluster=cluster, code_uri="s3://code-bucket/code")["permissions"].remedy
    given = read_line(shlex.split(remedy.removesuffix(" prints a policy that allows exactly this"))[1:]).options
    assert (given[POLICY_SERVICE_ROLE], given[EXPORT_ROLE]) == ("service-west", "nodes-west")
    assert (str(given[POLICY_CODE]), given[POLICY_LOG_GROUP]) == ("s3://code-bucket/code", "/g")
    remedy = checks(made)["permissions"].remedy
    assert not {"--service-role", "--export-role", "--code", "--table-role-arn"} & set(remedy.split())


def test_the_printed_policy_lets_the_launcher_store_the_code_and_read_what_runs_leave(made: Account) -> None:
    checks(made)
    policy = POLICIES["launcher"](scope_of_launch(launch(), a_request(launch()), account="123456789012"))
    nodes = ":role/"
    asked = [
        (action, arn)
        for request in made.simulated
        if nodes not in request["PolicySourceArn"] and request["ActionNames"][0].startswith("s3:")
        for action, arn in product(request["ActionNames"], request["ResourceArns"])
    ]
    assert [action for action, _ in asked] == ["s3:PutObject", "s3:GetObject", "s3:GetObject"]
    for action, arn in asked:
        assert decision([policy], action, resource=arn, context={}) == ALLOWED


def test_pass_role_is_asked_for_the_role_inside_the_profile_and_its_service(made: Account) -> None:
    checks(made)
    (asked,) = [
        request
        for request in made.simulated
        if request["ActionNames"] == ["iam:PassRole"] and "pipeline-export" in request["ResourceArns"][0]
    ]
    (entry,) = asked["ContextEntries"]
    assert (entry["ContextKeyName"], entry["ContextKeyValues"]) == ("iam:PassedToService", ["ec2.amazonaws.com"])


def test_right_that_depends_on_what_the_simulator_does_not_know_is_not_called_missing(made: Account) -> None:
    made.denied_actions, made.missing_keys = {"iam:PassRole"}, ["s3:prefix", "aws:MultiFactorAuthPresent"]
    found = checks(made)["permissions"]
    assert found.verdict is CheckVerdict.UNKNOWN
    assert found.detail.endswith("depends on aws:MultiFactorAuthPresent")


@pytest.mark.parametrize(
    ("verb", "action"), [("export", "dynamodb:Scan"), ("import", "dynamodb:BatchWriteItem")], ids=["export", "import"]
)
def test_node_role_that_may_not_use_the_table_is_named(made: Account, verb: str, action: str) -> None:
    """A warning: the table's own policy may allow it, which the simulator does not see."""
    made.denied_actions = {action}
    found = checks(made, verb=verb)["node-permissions"]
    assert found.verdict is CheckVerdict.WARNING
    assert f"{action} on arn:aws:dynamodb:{REGION}:123456789012:table/Forum" in found.detail
    assert f"policy nodes-{verb}" in found.remedy


def test_verification_of_an_export_alone_asks_for_no_table(made: Account) -> None:
    job = TableJob("export", words_read("verify", ("s3://data/exports", "--logs", LOGS_URI)), run_id=RUN)
    found = checks(made, verb="verify", jobs=(job,))
    assert not [name for name in found if name.startswith("table")]
    assert found["node-permissions"].verdict is CheckVerdict.OK


@pytest.mark.parametrize(("name", "verdict"), [("none-such", CheckVerdict.FAILED), (None, CheckVerdict.WARNING)])
def test_security_configuration(made: Account, name: str | None, verdict: CheckVerdict) -> None:
    found = checks(made, cluster=ClusterSettings(security_configuration=name))["security-config"]
    assert found.verdict is verdict


def test_type_that_emr_does_not_list(made: Account) -> None:
    cluster = ClusterSettings(overrides=("Instances.InstanceGroups.CORE.InstanceType=m6i.xlarge",))
    found = checks(made, cluster=cluster)["instance-type"]
    assert found.verdict is CheckVerdict.FAILED
    assert "m6i.xlarge" in found.detail


def subnet(made: Account, *, zone: str = f"{REGION}a", cidr: str = "10.0.1.0/24") -> tuple[Any, str]:
    ec2 = made.clients.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made_subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]
    return vpc_id, made_subnet["SubnetId"]


def test_unknown_subnet(made: Account) -> None:
    found = checks(made, cluster=ClusterSettings(subnet_id="subnet-0123456789abcdef0"))
    assert [name for name, one in found.items() if one.verdict is CheckVerdict.FAILED] == ["subnet"]
    assert skipped(found) == {"network-rights", "vpc", "routes", "endpoint-policies", "instance-offering"}


def test_the_subnet_is_asked_for_once(made: Account) -> None:
    _, subnet_id = subnet(made)
    calls: list[str] = []
    events = made.clients.client("ec2").meta.events
    events.register_first("before-call.*.*", lambda model, **_: calls.append(model.name), unique_id="recorder")
    try:
        checks(made, cluster=ClusterSettings(subnet_id=subnet_id))
    finally:
        events.unregister("before-call.*.*", unique_id="recorder")
    assert calls.count("DescribeSubnets") == 1


def test_private_subnet_without_gateway_endpoints_is_refused_in_seconds(made: Account) -> None:
    _, subnet_id = subnet(made)
    found = checks(made, cluster=ClusterSettings(subnet_id=subnet_id))["routes"]
    assert found.verdict is CheckVerdict.FAILED
    assert "s3 and dynamodb" in found.detail
    assert f"com.amazonaws.{REGION}.dynamodb" in found.remedy


def test_private_subnet_with_both_endpoints_passes(made: Account) -> None:
    vpc_id, subnet_id = subnet(made)
    ec2 = made.clients.client("ec2")
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["RouteTables"]
    for service in ("s3", "dynamodb"):
        ec2.create_vpc_endpoint(
            VpcId=vpc_id,
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            RouteTableIds=[tables[0]["RouteTableId"]],
            VpcEndpointType="Gateway",
        )
    assert checks(made, cluster=ClusterSettings(subnet_id=subnet_id))["routes"].verdict is CheckVerdict.OK


def test_vpc_without_names_is_refused_with_the_commands(made: Account) -> None:
    vpc_id, subnet_id = subnet(made)
    made.clients.client("ec2").modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": False})
    found = checks(made, cluster=ClusterSettings(subnet_id=subnet_id))["vpc"]
    assert found.verdict is CheckVerdict.FAILED
    call = f"aws ec2 modify-vpc-attribute --region {REGION} --vpc-id {vpc_id}"
    assert found.remedy == f"{call} --enable-dns-support Value=true; {call} --enable-dns-hostnames Value=true"


def test_subnet_of_public_addresses_warns(made: Account) -> None:
    ec2 = made.clients.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="52.10.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="52.10.1.0/24")["Subnet"]["SubnetId"]
    found = checks(made, cluster=ClusterSettings(subnet_id=subnet_id))["vpc"]
    assert found.verdict is CheckVerdict.WARNING
    assert "52.10.1.0/24" in found.detail
    assert "10.0.0.0/8" in found.remedy


def test_public_subnet_passes(made: Account) -> None:
    vpc_id, subnet_id = subnet(made)
    ec2 = made.clients.client("ec2")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["RouteTables"][0]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    assert "public subnet" in checks(made, cluster=ClusterSettings(subnet_id=subnet_id))["routes"].detail


def test_quota_that_is_too_small(made: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = made.clients.client("service-quotas")
    monkeypatch.setattr(quotas, "get_service_quota", lambda **_: {"Quota": {"Value": 4.0}})
    found = checks(made)["quota"]
    assert (found.verdict, found.exit_code) == (CheckVerdict.FAILED, ExitCode.PRECONDITION)
    assert "needs 8 vCPUs" in found.detail


def test_credentials_that_do_not_work_end_it_early(made: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise client_error("InvalidClientTokenId")

    monkeypatch.setattr(made.clients.client("sts"), "get_caller_identity", refuse)
    results = preflight(PreflightScope(launch(), None, None), made.clients)
    assert [result.name for result in results] == ["credentials"]
    assert overall(results) == ExitCode.DENIED


def an_import(made: Account) -> dict[str, CheckResult]:
    return checks(made, verb="import", jobs=(a_job("Forum"),))


def test_an_old_backup_without_items_says_who_checks_the_keys(made: Account) -> None:
    put(made, "exports/manifest", manifest())
    found = an_import(made)
    assert found["key-schema"].verdict is CheckVerdict.OK
    assert "carries no key schema" in found["key-schema"].detail
    assert "the job checks every item" in found["key-schema"].detail
    assert found["manifest"].verdict is CheckVerdict.WARNING
    assert "nothing proves whose items they are" in found["manifest"].detail
    assert "no hashes" in found["manifest"].detail


def test_an_import_is_judged_by_the_export_that_the_job_would_choose(made: Account) -> None:
    found = an_import(made)["manifest"]
    assert (found.verdict, found.exit_code) == (CheckVerdict.FAILED, ExitCode.PRECONDITION)
    for name, table in (("2026-01-01-00-00-00", "Forum"), ("2026-02-02-00-00-00", "Other")):
        put_export_record(made, key_type="S", table=table, folder=f"exports/{table}/{name}")
    found = an_import(made)["manifest"]
    assert (found.verdict, found.detail) == (
        CheckVerdict.OK,
        f"s3://{DATA}/exports/Forum/2026-01-01-00-00-00/: 0 files, an export of table 'Forum'"
        f" ({REGION}, account 123456789012)",
    )
    made.s3.delete_object(Bucket=DATA, Key="exports/Forum/2026-01-01-00-00-00/manifest")
    found = an_import(made)["manifest"]
    assert found.verdict is CheckVerdict.FAILED
    assert "no finished export of table 'Forum'" in found.detail
    assert "exports/Other/2026-02-02-00-00-00/" in found.detail
    assert "dynamodb-pipeline list" in found.remedy


def put(made: Account, key: str, body: bytes) -> None:
    made.s3.put_object(Bucket=DATA, Key=key, Body=body)


def put_export_record(made: Account, *, key_type: str, table: str = "Forum", folder: str = "exports") -> None:
    record = ExportRecord(
        tool_version="0.1.0",
        connector_version=None,
        run_id="r",
        table_name=table,
        table_arn=f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}",
        table_id="11111111-1111-1111-1111-111111111111",
        region=REGION,
        key_schema=KeySchema((KeyAttribute("Id", "HASH", key_type),)),
        reader="connector",
        scan_started="2026-11-23T03:00:00Z",
        scan_ended="2026-11-23T03:01:00Z",
        consistency="eventual",
        compression="none",
        null_tag="nULL",
        files=(),
    )
    put(made, f"{folder}/{EXPORT_RECORD}", record.to_bytes())
    put(made, f"{folder}/manifest", manifest())


def test_same_key_schema_passes(made: Account) -> None:
    put_export_record(made, key_type="S")
    assert an_import(made)["key-schema"].verdict is CheckVerdict.OK


def test_other_key_schema_is_refused_with_both(made: Account) -> None:
    """The AWS page's first bullet: same key schema, or the import fails."""
    put_export_record(made, key_type="N")
    found = an_import(made)["key-schema"]
    assert (found.verdict, found.exit_code) == (CheckVerdict.FAILED, ExitCode.PRECONDITION)
    assert "Id (S, HASH)" in found.detail
    assert "Id (N, HASH)" in found.detail


def test_a_target_that_is_set_up_otherwise_is_said_and_not_refused(made: Account) -> None:
    put_export_record(made, key_type="S")
    assert an_import(made)["definition"].verdict is CheckVerdict.OK
    described = made.clients.client("dynamodb").describe_table(TableName="Forum")["Table"]
    put(made, "exports/_table.json", TableDefinition(described).to_bytes())
    assert an_import(made)["definition"].verdict is CheckVerdict.OK
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    put(made, "exports/_table.json", TableDefinition({**described, "StreamSpecification": stream}).to_bytes())
    found = an_import(made)["definition"]
    assert found.verdict is CheckVerdict.WARNING
    assert "stream: was NEW_IMAGE, is none" in found.detail
    assert an_import(made)["manifest"].verdict is CheckVerdict.OK
    put(made, "exports/_table.json", b"{}")
    assert an_import(made)["definition"].verdict is CheckVerdict.WARNING


def test_a_remedy_about_an_export_names_its_own_folder_and_not_the_parent_that_was_given(made: Account) -> None:
    """`definition` takes the folder of one export only."""
    folder = "exports/2026-01-01-00-00-00"
    put_export_record(made, key_type="S", folder=folder)
    described = made.clients.client("dynamodb").describe_table(TableName="Forum")["Table"]
    stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}}
    put(made, f"{folder}/_table.json", TableDefinition({**described, **stream}).to_bytes())
    command = f"dynamodb-pipeline definition s3://{DATA}/{folder}/ --region {REGION} prints"
    assert command in an_import(made)["definition"].remedy


def test_damaged_export_record_is_refused(made: Account) -> None:
    put_export_record(made, key_type="S")
    put(made, f"exports/{EXPORT_RECORD}", b"{}")
    found = an_import(made)
    assert (found["manifest"].verdict, found["manifest"].exit_code) == (CheckVerdict.FAILED, ExitCode.INTEGRITY)
    assert skipped(found) == {"key-schema", "definition"}


@pytest.mark.parametrize(
    ("line", "words", "verdict", "said"),
    [
        (b'{"Id":{"s":"a"}}\n', (), CheckVerdict.OK, "the first item of f1 has Id (S, HASH)"),
        (b'{"Id":{"n":"1"}}\n', (), CheckVerdict.FAILED, "HASH key must be of type S"),
        (b'{"Name":{"s":"a"}}\n', (), CheckVerdict.FAILED, "HASH key is missing"),
        (b'{"Id":{"n":"1"}}\n', ("--set-aside", f"s3://{DATA}/aside"), CheckVerdict.WARNING, "must be of type S"),
        (b"no item\n", (), CheckVerdict.FAILED, "f1"),
    ],
    ids=["fits", "another type", "another name", "set aside", "no items"],
)
def test_an_old_backup_is_judged_by_an_item_of_it(
    made: Account, line: bytes, words: tuple[str, ...], verdict: CheckVerdict, said: str
) -> None:
    """It carries no key schema; a cluster would find out after minutes that are paid for."""
    put(made, "exports/manifest", manifest("f1", folder=OUTPUT))
    put(made, "exports/f1", line)
    found = checks(made, *words, verb="import", jobs=(a_job("Forum"),))["key-schema"]
    assert (found.verdict, said in found.detail) == (verdict, True), found.detail
    if said == "f1":
        assert found.remedy == f"dynamodb-pipeline inspect {OUTPUT} --region {REGION} says what its files hold"


def test_an_input_that_may_not_be_read_fails_with_the_right(made: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise client_error("AccessDenied", status=403)

    put_export_record(made, key_type="S")
    monkeypatch.setattr(made.s3, "get_object", refuse)
    found = an_import(made)
    assert (found["manifest"].verdict, found["manifest"].exit_code) == (CheckVerdict.FAILED, ExitCode.DENIED)
    assert "s3:GetObject" in found["manifest"].detail
    assert "takes: dynamodb-pipeline policy launcher --table Forum" in found["manifest"].remedy
    assert skipped(found) == {"key-schema", "definition"}


def test_a_release_that_emr_does_not_know_is_refused(made: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise client_error("InvalidRequestException")

    monkeypatch.setattr(made.emr, "list_supported_instance_types", refuse)
    found = checks(made)["instance-type"]
    assert found.verdict is CheckVerdict.FAILED
    assert "does not know the release emr-" in found.detail


# Every place that may leave a question open, and why no answer can be had there.
LEFT_OPEN = {
    "check_result.run_check": "the right to look is missing, or the service gave no answer at all",
    "buckets.check_manifest": "S3 gave no answer",
    "tables.check": "S3 gave no answer",
    "tables._check_sample": "S3 gave no answer",
    "permissions.check_launch_permissions": "IAM's simulator is not told a second factor or an address",
    "preflight.nodes": "EMR's reply names no roles of the cluster",
}


def test_no_check_is_unknown_without_a_reason() -> None:
    places = set()
    for path in Path(buckets.__file__).parent.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and function.name != "unknown":
                inner = [one for one in ast.walk(function) if isinstance(one, ast.FunctionDef) and one is not function]
                own = set(ast.walk(function)) - {node for one in inner for node in ast.walk(one)}
                if any(
                    isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "unknown" for n in own
                ):
                    places.add(f"{path.stem}.{function.name}")
    assert places == set(LEFT_OPEN)


def test_manifest_of_a_copied_export_needs_no_editing(made: Account) -> None:
    put(made, "exports/manifest", manifest("f1", folder="s3://old-bucket/x"))
    put(made, "exports/f1", b'{"Id":{"s":"a"}}\n')
    found = an_import(made)["manifest"]
    assert found.verdict is CheckVerdict.WARNING
    assert "names bucket old-bucket" in found.detail
    assert "nothing to edit" in found.remedy


def test_probe_write_leaves_nothing_behind(made: Account) -> None:
    found = checks(made, probe_write=True)
    assert found[f"write {OUTPUT}"].verdict is CheckVerdict.OK
    assert "Contents" not in made.s3.list_objects_v2(Bucket=DATA)
    assert f"write {OUTPUT}" not in checks(made)


def test_check_that_may_not_look_is_unknown_and_stops_nothing() -> None:
    def refuse() -> CheckResult:
        raise client_error("AccessDenied", message="not authorized to perform: ec2:DescribeSubnets on resource: *")

    found = run_check("subnet", refuse)
    assert found.verdict is CheckVerdict.UNKNOWN
    assert "ec2:DescribeSubnets" in found.detail
    assert overall([found]) == ExitCode.DONE


def test_error_of_a_check_is_one_line_without_advice_to_retry() -> None:
    def garble() -> CheckResult:
        text = "Unable to parse response (no element found), invalid XML received. Further retries may succeed:\nb'x'"
        raise ResponseParserError(text)

    found = run_check("permissions", garble)
    assert found.detail == "ResponseParserError: Unable to parse response (no element found), invalid XML received"


def test_long_error_of_a_check_is_cut_between_words() -> None:
    def refuse() -> CheckResult:
        raise client_error("InvalidInput", message="word " * 100)

    assert run_check("subnet", refuse).detail.endswith("word ...")


def test_table_for_people_has_a_line_for_each_check_and_remedy() -> None:
    lines = table_lines(
        [CheckResult("a", CheckVerdict.OK, "fine"), CheckResult("b", CheckVerdict.FAILED, "bad", "do this")]
    )
    assert [line.split()[0] for line in lines] == ["OK", "FAILED", "remedy:"]


def test_preflight_reads_only(made: Account) -> None:
    """No call whose name does not say that it looks."""
    calls: list[str] = []
    for service in ("s3", "dynamodb", "iam", "ec2", "sts", "service-quotas"):
        events = made.clients.client(service).meta.events
        events.register_first("before-call.*.*", lambda model, **_: calls.append(model.name), unique_id="recorder")
    try:
        checks(made)
    finally:
        for service in ("s3", "dynamodb", "iam", "ec2", "sts", "service-quotas"):
            made.clients.client(service).meta.events.unregister("before-call.*.*", unique_id="recorder")
    assert calls
    assert [name for name in calls if not name.startswith(("Describe", "Get", "List", "Head"))] == []


def test_a_table_that_nobody_has_counted_yet_is_not_said_to_hold_0_items() -> None:
    """DynamoDB counts every six hours; of a table just filled it says 0."""
    with account() as made:
        seen = check_table(made.clients.client("dynamodb"), "Forum", verb="export", region=REGION).detail
    assert "0 items" not in seen
    assert "empty, or filled within the last six hours" in seen


def test_a_table_of_another_account_under_a_key_takes_that_keys_own_policy() -> None:
    """Considerations of resource-based policies: AWS's own key opens a table to no other account."""
    arn, key = f"arn:aws:dynamodb:{REGION}:210987654321:table/Forum", "arn:aws:kms:eu-west-1:210987654321:key/1"
    with account() as made:
        dynamodb = made.clients.client("dynamodb")
        table: Any = dynamodb.describe_table(TableName="Forum")["Table"]
        del table["ProvisionedThroughput"]  # moto's 0 decreases are none that the model knows
        described = {"Table": {**table, "SSEDescription": {"Status": "ENABLED", "KMSMasterKeyArn": key}}}
        with Stubber(dynamodb) as stub:
            stub.add_response("describe_table", described, {"TableName": arn})
            stub.add_response("describe_table", described, {"TableName": "Forum"})
            theirs, own = (check_table(dynamodb, name, verb="export", region=REGION) for name in (arn, "Forum"))
    assert (theirs.verdict, own.verdict) == (CheckVerdict.WARNING, CheckVerdict.OK)
    assert f"under {key}, whose own policy must allow it too" in theirs.detail
    assert theirs.remedy.endswith("with --for-account and in its account: {policy key}")
