"""What is printed of an exported table's definition makes such a table: by cfn-lint, botocore's models, and moto."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator
from cfnlint import ConfigMixIn
from cfnlint.runner import Runner

from dynamodb_pipeline.errors import IntegrityError, PreconditionError
from dynamodb_pipeline.folders.listing import read_table_definition
from dynamodb_pipeline.formats.exports.table_definition import (
    TableDefinition,
    cli_commands,
    cloudformation,
    create_table_input,
    differences,
    notes,
    requests,
)
from tests.unit.emr.aws import Account, account
from tests.unit.store.memory_store import MemoryStore

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"
TARGET = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/Orders",
    "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    "MinCapacity": 5,
    "MaxCapacity": 50,
    "RoleARN": "arn:aws:iam::123456789012:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/X",
    "CreationTime": "2026-01-01 00:00:00+00:00",
}
POLICY = {
    "PolicyARN": "arn:aws:autoscaling:eu-west-1:123456789012:scalingPolicy:x",
    "PolicyName": "half",
    "PolicyType": "TargetTrackingScaling",
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/Orders",
    "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 50.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
    },
    "Alarms": [],
}


def index(name: str, *keys: str, **more: Any) -> dict[str, Any]:
    roles = zip(keys, ("HASH", "RANGE"))
    schema = [{"AttributeName": key, "KeyType": role} for key, role in roles]
    return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "KEYS_ONLY"}, **more}


def table(**more: Any) -> dict[str, Any]:
    """DescribeTable's reply, with the members that the API reference gives it."""
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6, "NumberOfDecreasesToday": 0}
    return {
        "TableName": "Orders",
        "TableArn": ARN,
        "TableId": "11111111-1111-1111-1111-111111111111",
        "TableStatus": "ACTIVE",
        "CreationDateTime": 1764547200.123,
        "ItemCount": 3,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "at", "who")],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        "ProvisionedThroughput": units,
        "GlobalSecondaryIndexes": [
            index("by-who", "who", "at", IndexArn=f"{ARN}/index/by-who", ProvisionedThroughput=units)
        ],
        "LocalSecondaryIndexes": [index("local", "id", "who", IndexArn=f"{ARN}/index/local", ItemCount=0)],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "LatestStreamArn": f"{ARN}/stream/2026",
        "SSEDescription": {
            "Status": "ENABLED", "SSEType": "KMS",
            "KMSMasterKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111",
        },
        "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        "DeletionProtectionEnabled": True,
        **more,
    }  # fmt: skip


FULL = TableDefinition(
    table(),
    time_to_live={"TimeToLiveStatus": "ENABLED", "AttributeName": "gone"},
    continuous_backups={
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 7},
    },
    tags=[{"Key": "team", "Value": "a b"}, {"Key": "aws:cloudformation:stack-name", "Value": "s"}],
    scalable_targets=[TARGET],
    scaling_policies=[POLICY],
)
ON_DEMAND = TableDefinition(
    table(
        BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"},
        OnDemandThroughput={"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": -1},
        ProvisionedThroughput={"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        SSEDescription={},
        StreamSpecification={},
        VectorIndexes=[{"IndexName": "near", "VectorAttribute": {"AttributeName": "v"}, "Dimensions": 3}],
        Replicas=[{"RegionName": "us-east-1"}],
    ),
    not_read={"ListTagsOfResource": "AccessDeniedException"},
)
BOTH = pytest.mark.parametrize("definition", [FULL, ON_DEMAND], ids=["provisioned", "on demand"])


@pytest.fixture(scope="module")
def made() -> Iterator[Account]:
    with account() as one:
        yield one


@BOTH
def test_the_template_is_clean_for_cfn_lint(definition: TableDefinition, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(cloudformation(definition)), encoding="utf-8")
    found = Runner(ConfigMixIn(templates=[str(path)], regions=["eu-west-1"])).run()
    assert [str(problem) for problem in found] == []


def test_the_template_says_all_that_the_table_had() -> None:
    resources = cloudformation(FULL)["Resources"]
    properties = resources["Table"]["Properties"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "gone", "Enabled": True}
    assert properties["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": 7,
    }
    assert properties["Tags"] == [{"Key": "team", "Value": "a b"}]
    assert properties["SSESpecification"]["SSEEnabled"] is True
    assert [one["IndexName"] for one in properties["GlobalSecondaryIndexes"]] == ["by-who"]
    assert resources["ScalingPolicy1"]["DependsOn"] == ["Table", "ScalableTarget1"]
    assert cloudformation(ON_DEMAND)["Resources"]["Table"]["Properties"]["OnDemandThroughput"] == {
        "MaxReadRequestUnits": 100
    }


@BOTH
def test_every_request_is_one_that_botocore_takes(definition: TableDefinition) -> None:
    made = 0
    for service, operation, request in requests(definition):
        model = boto3.client(service, region_name="eu-west-1").meta.service_model
        name = "".join(word.capitalize() for word in operation.split("-"))
        report = ParamValidator().validate(request, model.operation_model(name).input_shape)
        assert report.generate_report() == ""
        made += 1
    assert made == (5 if definition is FULL else 1)


def test_the_commands_make_a_table_that_does_not_differ(made: Account) -> None:
    """moto carries them out; what it does not keep (encryption, class) is not compared with it."""
    plain = TableDefinition(table(SSEDescription={}, TableClassSummary={}), time_to_live=FULL.time_to_live)
    dynamodb = made.clients.client("dynamodb")
    for command in cli_commands(plain):
        words = shlex.split(command)
        assert words[:2] == ["aws", "dynamodb"]
        assert words[3 + (words[2] == "wait")] == "--region=eu-west-1"
        if words[2] == "wait":
            continue
        request = json.loads(words[words.index("--cli-input-json") + 1])
        getattr(dynamodb, words[2].replace("-", "_"))(**request)
    target = dynamodb.describe_table(TableName="Orders")["Table"]
    assert list(differences(plain.table, target)) == []
    ttl = dynamodb.describe_time_to_live(TableName="Orders")["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "gone")


def test_what_is_not_made_again_is_said() -> None:
    said = "\n".join(notes(ON_DEMAND))
    for part in ("ListTagsOfResource could not be read (AccessDeniedException)", "vector index near", "us-east-1"):
        assert part in said
    assert "StreamSpecification" not in create_table_input(ON_DEMAND)


def test_differences_are_named() -> None:
    target = table(
        BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"},
        StreamSpecification={},
        GlobalSecondaryIndexes=[index("by-who", "who"), index("new", "who")],
        LocalSecondaryIndexes=[],
    )
    assert list(differences(FULL.table, target)) == [
        "billing: was PROVISIONED, is PAY_PER_REQUEST",
        "stream: was NEW_IMAGE, is none",
        "index new is new (GlobalSecondaryIndexes)",
        "index by-who has another key or projection",
        "index local is missing (LocalSecondaryIndexes)",
    ]
    assert list(differences(FULL.table, table())) == []


@BOTH
def test_the_document_is_read_as_it_was_written(definition: TableDefinition) -> None:
    store = MemoryStore({"s3://b/x/_table.json": definition.to_bytes()})
    assert read_table_definition(store, "s3://b/x") == definition


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b"{}", b'{"format_version":1,"table":{}}', b'{"format_version":2,"table":{}}']
)
def test_another_document_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError, match=re.escape("s3://b/x/_table.json")):
        read_table_definition(MemoryStore({"s3://b/x/_table.json": data}), "s3://b/x")
    with pytest.raises(PreconditionError, match="carry none"):
        read_table_definition(MemoryStore(), "s3://b/x")
