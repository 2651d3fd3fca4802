"""Policies: least privilege, condition keys that their actions support, and the AWS page's own one with its flaw."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from dynamodb_pipeline.addresses import S3Uri, partition_of
from dynamodb_pipeline.cli.main import main
from dynamodb_pipeline.emr.cluster.packaged_files import project_folder
from dynamodb_pipeline.emr.documents.policies import POLICIES, TRUSTED_SERVICES, split_policy, trust_document
from dynamodb_pipeline.emr.documents.policy_scope import EXAMPLE_TABLES, REGION, PolicyScope
from dynamodb_pipeline.emr.documents.roles_template import roles_template
from dynamodb_pipeline.errors import UsageError
from tests.unit.emr.builders import a_request
from tests.unit.make_command import make

# Condition keys by action, from the service authorization reference (read 2026-11-23): EMR's own keys that may
# stand in a condition on that action. Everything else supports none of EMR's keys.
EMR_KEYS = {
    "elasticmapreduce:RunJobFlow": {"elasticmapreduce:RequestTag"},
    "elasticmapreduce:AddTags": {"elasticmapreduce:RequestTag", "elasticmapreduce:ResourceTag"},
    **{
        f"elasticmapreduce:{name}": {"elasticmapreduce:ResourceTag"}
        for name in (
            "AddJobFlowSteps", "CancelSteps", "DescribeCluster", "DescribeStep", "ListInstanceGroups",
            "ListInstances", "ListSteps", "PutAutoTerminationPolicy", "TerminateJobFlows",
        )
    },
    "iam:PassRole": {"iam:PassedToService"},
    "s3:ListBucket": {"s3:prefix"},
    "iam:CreateServiceLinkedRole": {"iam:AWSServiceName"},
    "kms:Decrypt": {"kms:ViaService"},
    "kms:GenerateDataKey": {"kms:ViaService"},
}  # fmt: skip
PLACES = ["--output", "s3://my-bucket/x", "--logs", "s3://my-bucket/logs"]
SCHEDULE = ["schedule", "export", "--table", "Forum", *PLACES, "--cron", "rate(1 day)"]
KEY = "arn:aws:kms:us-west-2:123456789012:key/1"


def scope(**changes: Any) -> PolicyScope:
    values: dict[str, Any] = {
        "account": "123456789012",
        "region": "us-west-2",
        "tables": EXAMPLE_TABLES,
        "data": S3Uri("my-bucket", "exports"),
        "logs": S3Uri("my-bucket", "logs"),
        "code": S3Uri("my-bucket", "logs/code"),
        "kms_key_arns": (KEY,),
        "for_account": "210987654321",
    }
    return PolicyScope(**{**values, **changes})


def statements(kind: str, **changes: Any) -> list[dict[str, Any]]:
    return list(POLICIES[kind](scope(**changes))["Statement"])


def actions(kind: str, **changes: Any) -> set[str]:
    return {action for statement in statements(kind, **changes) for action in statement["Action"]}


def condition_keys(statement: dict[str, Any]) -> set[str]:
    keys = {key for test in statement.get("Condition", {}).values() for key in test}
    return {key.partition("/")[0] for key in keys}


def unsupported(kind: str) -> list[str]:
    """Actions of a policy whose statement is conditioned on a key they do not carry: such an Allow never applies."""
    return [
        f"{action}: {key}"
        for statement in statements(kind)
        for action in statement["Action"]
        for key in condition_keys(statement) - EMR_KEYS.get(action, set())
    ]


@pytest.mark.parametrize("kind", sorted(set(POLICIES) - {"as-published"}))
def test_every_condition_key_is_supported_by_its_actions(kind: str) -> None:
    assert unsupported(kind) == []


def test_the_pages_own_policy_can_only_ever_allow_run_job_flow() -> None:
    """Its request tag is on no Describe* or Terminate* call; this is why it is shipped repaired."""
    flawed = {text.partition(": ")[0] for text in unsupported("as-published")}
    names = ("DescribeStep", "DescribeCluster", "TerminateJobFlows")
    assert flawed == {f"elasticmapreduce:{name}" for name in names}


@pytest.mark.parametrize("kind", sorted(set(POLICIES) - {"as-published"}))
def test_no_action_is_a_wildcard_and_everything_is_limited_to_named_things(kind: str) -> None:
    for statement in statements(kind):
        assert not any("*" in action for action in statement["Action"])
        if statement["Resource"] == "*":
            # of a key's own policy it means that key
            assert statement["Sid"] in {"LaunchTagged", "LookUp", "Autoscaling", "ReadKey"}


def test_export_nodes_can_write_no_table_and_delete_nothing() -> None:
    assert {a for a in actions("nodes-export") if a.startswith("dynamodb:")} == {
        "dynamodb:DescribeTable",
        "dynamodb:Scan",
        *("dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"),
    }
    assert not any("Delete" in action for action in actions("nodes-export"))


def test_import_nodes_write_tables_and_only_read_the_exports() -> None:
    found = {a for a in actions("nodes-import") if a.startswith("dynamodb:")}
    assert found == {"dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:BatchWriteItem"}
    exports = next(s for s in statements("nodes-import") if s["Sid"] == "Exports")
    assert exports["Action"] == ["s3:GetObject"]


@pytest.mark.parametrize(
    ("option", "more"),
    [
        ({"skip_existing": True}, {"dynamodb:PutItem"}),
        ({"mirror": True}, {"dynamodb:Scan"}),
        ({"only_changes": True}, {"dynamodb:Scan"}),
    ],
    ids=["skip existing", "mirror", "only changes"],
)
def test_import_options_add_exactly_their_rights(option: dict[str, Any], more: set[str]) -> None:
    assert actions("nodes-import", **option) - actions("nodes-import") == more


def test_an_index_is_a_resource_of_its_own() -> None:
    """Service authorization reference of DynamoDB: Scan knows table and index."""
    assert "Indexes" not in {one["Sid"] for one in statements("nodes-export")}
    (one,) = (one for one in statements("nodes-export", index="by-date") if one["Sid"] == "Indexes")
    tables = [f"arn:aws:dynamodb:us-west-2:123456789012:table/{name}" for name in EXAMPLE_TABLES]
    assert (one["Action"], one["Resource"]) == (["dynamodb:Scan"], [f"{arn}/index/by-date" for arn in tables])


def test_nodes_cannot_change_the_code_they_run() -> None:
    for kind in ("nodes-export", "nodes-import"):
        writable = [s["Resource"] for s in statements(kind) if "s3:PutObject" in s["Action"]]
        assert not any("logs/*" in arn or "/code/" in arn for arns in writable for arn in arns)


def test_tables_of_the_pages_example_are_named_one_by_one() -> None:
    tables = next(s for s in statements("nodes-export") if s["Sid"] == "Tables")["Resource"]
    assert tables == [f"arn:aws:dynamodb:us-west-2:123456789012:table/{name}" for name in EXAMPLE_TABLES]


def test_launcher_passes_exactly_the_roles_of_the_request() -> None:
    passed = [s["Resource"] for s in statements("launcher") if s["Action"] == ["iam:PassRole"]]
    names = {arn.rpartition("/")[2] for arns in passed for arn in arns}
    assert {a_request()["ServiceRole"], a_request()["JobFlowRole"]} <= names
    assert names == {"dynamodb-pipeline-service", "dynamodb-pipeline-export", "dynamodb-pipeline-import"}


def test_launch_is_allowed_with_the_tag_only() -> None:
    launch = next(s for s in statements("launcher") if s["Action"] == ["elasticmapreduce:RunJobFlow"])
    assert launch["Condition"] == {"StringEquals": {"elasticmapreduce:RequestTag/dynamodbdatapipeline": "true"}}


def test_keys_are_left_out_when_there_are_none() -> None:
    assert "kms:Decrypt" in actions("nodes-export")
    assert "kms:Decrypt" not in actions("nodes-export", kms_key_arns=())


@pytest.mark.parametrize("kind", [kind for kind, service in TRUSTED_SERVICES.items() if service])
def test_trust_names_one_service(kind: str) -> None:
    (statement,) = trust_document(kind, scope=scope())["Statement"]
    assert statement["Principal"] == {"Service": f"{TRUSTED_SERVICES[kind]}.amazonaws.com"}


@pytest.mark.parametrize("kind", ["table-export", "table-import"])
def test_a_tables_role_trusts_one_account_and_its_external_id(kind: str) -> None:
    (statement,) = trust_document(kind, scope=scope(external_id="agreed"))["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::210987654321:root"}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "agreed"}}
    with pytest.raises(UsageError, match="--for-account"):
        trust_document(kind, scope=scope(for_account=None))


def test_emr_takes_the_service_role_for_our_account_and_region_only() -> None:
    """Management Guide, "Service role for Amazon EMR": both keys against a confused deputy."""
    (statement,) = trust_document("service", scope=scope())["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:elasticmapreduce:us-west-2:123456789012:*"},
    }


# Partition, and the endings of its host names and principals: botocore's partitions.json; EMR's Management Guide for
# China names elasticmapreduce.amazonaws.com.cn.
PARTITIONS = [
    ("eu-west-1", "aws", "amazonaws.com"),
    ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
    ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
    ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
    ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
]


@pytest.mark.parametrize(("region", "partition", "suffix"), PARTITIONS)
def test_every_partition_has_its_own_names(region: str, partition: str, suffix: str) -> None:
    own = scope(region=region, partition=partition_of(region), kms_key_arns=(KEY.replace(":aws:", f":{partition}:"),))
    (trusted,) = trust_document("service", scope=own)["Statement"]
    assert trusted["Principal"] == {"Service": f"elasticmapreduce.{suffix}"}
    rendered = [
        statement for kind in POLICIES if kind != "as-published" for statement in POLICIES[kind](own)["Statement"]
    ]
    arns = [
        arn for one in rendered for arn in ([one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"])
    ]
    assert {arn.split(":")[1] for arn in arns if arn != "*"} == {partition}
    via = [one["Condition"]["StringLike"]["kms:ViaService"] for one in rendered if one["Sid"] == "Keys"]
    assert via
    assert all(names == [f"s3.*.{suffix}", f"dynamodb.*.{suffix}"] for names in via)


def test_endings_are_those_of_botocores_partitions() -> None:
    session = botocore.session.get_session()
    known = {one["partition"]: one["dnsSuffix"] for one in session.get_data("endpoints")["partitions"]}
    for region, partition, suffix in PARTITIONS:
        assert known[partition] == suffix
        assert session.get_partition_for_region(region) == partition
    assert {partition for _, partition, _ in PARTITIONS} == set(known)
    regions = {name: one["partition"] for one in session.get_data("endpoints")["partitions"] for name in one["regions"]}
    assert {name: partition_of(name) for name in regions} == regions
    assert [name for name in regions if not REGION.fullmatch(name)] == []


def test_an_account_new_to_emr_gets_the_cleanup_role_with_the_first_launch() -> None:
    """awslabs/aws-emr-launch#21: a launch ends with errors where the role is not there and may not be made."""
    for kind in ("launcher", "schedule"):
        (first,) = [one for one in statements(kind) if one["Action"] == ["iam:CreateServiceLinkedRole"]]
        place = "aws-service-role/elasticmapreduce.amazonaws.com/AWSServiceRoleForEMRCleanup"
        assert first["Resource"] == f"arn:aws:iam::123456789012:role/{place}"
        assert first["Condition"] == {"StringEquals": {"iam:AWSServiceName": "elasticmapreduce.amazonaws.com"}}


def test_key_of_the_logs_is_described_by_emr_and_used_by_the_nodes() -> None:
    """Management Guide, "Encrypt log files": DescribeKey for the service role, GenerateDataKey for the profile."""
    key = KEY.replace("key/1", "key/logs")
    rights = {
        kind: rights_on(key, statements(kind, log_key_arns=(key,))) for kind in ("service", "nodes-export", "launcher")
    }
    assert rights["service"] == {"kms:DescribeKey"}
    assert "kms:GenerateDataKey" in rights["nodes-export"]
    assert rights["launcher"] == {"kms:Decrypt"}


def rights_on(resource: str, found: list[dict[str, Any]]) -> set[str]:
    return {action for one in found if resource in one["Resource"] for action in one["Action"]}


def test_shipped_roles_template_is_what_make_roles_renders(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """policies/roles.json: Forum, Thread and Reply of the AWS page, in a bucket to be replaced."""
    (command,) = [line for line in make("-n", "roles").splitlines() if "roles-template" in line]
    words = shlex.split(command.partition("dynamodb-pipeline ")[2].partition(">")[0])
    monkeypatch.chdir(project_folder("policies"))  # as the target does: a pipeline.toml of yours has no say
    assert main(words) == 0
    rendered = json.dumps(json.loads(capsys.readouterr().out), indent=2) + "\n"
    shipped = (project_folder("policies") / "roles.json").read_text()
    assert shipped == rendered, "policies/roles.json is not current: make roles"


def test_roles_template_has_an_instance_profile_of_the_roles_name_for_each_node_role() -> None:
    resources = roles_template(scope())["Resources"]
    for prefix in ("Export", "Import"):
        role, profile = resources[f"{prefix}NodesRole"], resources[f"{prefix}NodesProfile"]
        assert role["Properties"]["RoleName"] == profile["Properties"]["InstanceProfileName"]
    text = json.dumps(resources["SecurityConfiguration"])
    assert '"MinimumInstanceMetadataServiceVersion": 2' in text


def test_roles_template_leaves_account_and_region_to_cloudformation() -> None:
    text = json.dumps(roles_template(scope(kms_key_arns=())))
    assert "123456789012" not in text
    assert "us-west-2" not in text


@pytest.fixture
def without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nobody has logged in to AWS; nothing is sent."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("without_credentials")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["policy", "roles-template", "--bucket", "my-bucket"], 0),
        (["policy", "launcher", "--bucket", "my-bucket", "--account", "123456789012"], 0),
        (["policy", "launcher", "--bucket", "my-bucket"], 7),
        (SCHEDULE, 7),
    ],
    ids=["roles template", "account named", "account asked for", "schedule"],
)
def test_without_credentials(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """What needs no account is printed; what needs one says so, and is no bug."""
    assert main([*words, "--region", "eu-west-1"]) == code
    said = capsys.readouterr()
    assert ("no usable AWS credentials" in said.err) == (code == 7)
    assert "Traceback" not in said.err


MANY = [1, 40, 200]


def names(count: int) -> tuple[str, ...]:
    return tuple(f"Production-Orders-{number:03d}" for number in range(count))


FILLED = {
    "AWS::AccountId": "123456789012",
    "AWS::Region": "ap-northeast-1",
    "AWS::Partition": "aws-us-gov",
    "AWS::URLSuffix": "amazonaws.com.cn",
}


def as_deployed(value: Any) -> Any:
    """A template's value with CloudFormation's own filled in as they are at their longest."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        text = str(value["Fn::Sub"])
        for name, filled in FILLED.items():
            text = text.replace(f"${{{name}}}", filled)
        return text.replace("${!", "${")
    if isinstance(value, dict):
        return {key: as_deployed(one) for key, one in value.items()}
    return [as_deployed(one) for one in value] if isinstance(value, list) else value


def iam_size(policy: dict[str, Any]) -> int:
    """IAM's way of counting: without white space."""
    return len("".join(json.dumps(as_deployed(policy)).split()))


def granted(policies: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """Every (action, resource, condition) of some policies."""
    return {
        (action, json.dumps(resource), json.dumps(one.get("Condition")))
        for policy in policies
        for one in policy["Statement"]
        for action in one["Action"]
        for resource in (one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]])
    }


def documents_of(resources: dict[str, Any], start: str) -> list[dict[str, Any]]:
    """The policies of a role or of people, inline and managed, by how their resources are called."""
    found = [one["Properties"] for name, one in resources.items() if name.startswith(start)]
    inline = [policy["PolicyDocument"] for one in found for policy in one.get("Policies", [])]
    return [*inline, *(one["PolicyDocument"] for one in found if "PolicyDocument" in one)]


@pytest.mark.parametrize("count", MANY)
def test_the_documents_say_how_long_policies_get(count: int) -> None:
    """Characters as IAM counts them, and in how many policies; names of 21 characters."""
    template = roles_template(scope(tables=names(count)))
    shown = [f"{count}"]
    for start in ("LauncherPolicy", "ExportNodes", "ImportNodes"):
        parts = documents_of(template["Resources"], start)
        shown.append(f"{sum(map(iam_size, parts)):,} in {len(parts)}")
    row = f"| {' | '.join(shown)} | {len(json.dumps(template).encode()) / 1000:.0f} KB |"
    text = (project_folder("policies") / "README.md").read_text(encoding="utf-8")
    assert row in text.splitlines(), row


@pytest.mark.parametrize("count", MANY)
def test_no_policy_of_the_template_is_longer_than_iam_takes(count: int) -> None:
    """IAM quotas: 6,144 characters a managed policy, 10,240 of a role's inline ones, 10 managed ones of a role."""
    resources = roles_template(scope(tables=names(count)))["Resources"].values()
    managed = [one["Properties"] for one in resources if one["Type"] == "AWS::IAM::ManagedPolicy"]
    assert all(iam_size(one["PolicyDocument"]) <= 6_144 for one in managed)
    for role in [one["Properties"] for one in resources if one["Type"] == "AWS::IAM::Role"]:
        assert sum(iam_size(one["PolicyDocument"]) for one in role["Policies"]) <= 10_240
    for prefix in ("Export", "Import"):
        assert len([one for one in managed if one.get("Roles") == [{"Ref": f"{prefix}NodesRole"}]]) <= 10
    assert len([one for one in managed if "Roles" not in one]) == {1: 1, 40: 2, 200: 5}[count]


@pytest.mark.parametrize("most", [6_144, 2_000])
def test_parts_of_a_policy_allow_what_the_whole_did(most: int) -> None:
    whole = POLICIES["launcher"](scope(tables=names(200)))
    parts = split_policy(whole, most=most)
    assert granted(parts) == granted([whole])
    sids = [one["Sid"] for part in parts for one in part["Statement"]]
    assert len(sids) == len(set(sids))


def test_a_policy_that_iam_would_not_take_is_refused_with_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["policy", "launcher", "--bucket", "my-bucket", "--region", "eu-west-1", "--account", "123456789012"]
    tables = [word for name in names(60) for word in ("--table", name)]
    assert main([*words, *tables]) == 2
    assert "--table-prefix" in capsys.readouterr().err
    assert main([*words, "--table-prefix", "Production-"]) == 0
    printed = json.loads(capsys.readouterr().out)
    (tables_of,) = [one["Resource"] for one in printed["Statement"] if one["Sid"] == "Tables"]
    assert tables_of == ["arn:aws:dynamodb:eu-west-1:123456789012:table/Production-*"]


@pytest.mark.parametrize(("count", "more"), [(3, False), (200, True)])
def test_a_long_template_says_how_it_is_deployed(count: int, more: bool, capsys: pytest.CaptureFixture[str]) -> None:
    tables = [word for name in names(count) for word in ("--table", name)]
    assert main(["policy", "roles-template", "--bucket", "my-bucket", "--region", "eu-west-1", *tables]) == 0
    said = capsys.readouterr()
    assert (len(said.out.encode()) > 51_200) == more
    assert ("--s3-bucket my-bucket" in said.err) == more
