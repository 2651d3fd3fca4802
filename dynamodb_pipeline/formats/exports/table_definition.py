"""
`_table.json`: how the exported table was set up, so that a table that was deleted can be made again.

It holds the replies of AWS as they came (the table with all its indexes, TTL, point-in-time recovery, tags,
autoscaling) and, by name, what could not be read. What makes the table again is printed from it: a CloudFormation
template, or commands of the AWS CLI. Nothing here makes a table.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dynamodb_pipeline.documents import DocumentError, read_object
from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.exports.layout import TABLE_DEFINITION
from dynamodb_pipeline.formats.items.item_rules import Expiry, expiry_of

FORMAT_VERSION = 1
PARTS = ("time_to_live", "continuous_backups", "tags", "scalable_targets", "scaling_policies")
Members = dict[str, Any]

COMPARED = ("billing", "table class", "stream", "encryption", "deletion protection")

INDEXES = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
UNITS = ("ReadCapacityUnits", "WriteCapacityUnits")
ON_DEMAND_UNITS = ("MaxReadRequestUnits", "MaxWriteRequestUnits")
TARGET_MEMBERS = ("ServiceNamespace", "ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity")
POLICY_MEMBERS = ("PolicyName", "PolicyType", "ServiceNamespace", "ResourceId", "ScalableDimension")
TRACKING = "TargetTrackingScalingPolicyConfiguration"
RESERVED_TAG = "aws:"


@dataclass(frozen=True)
class TableDefinition:
    """
    A table's setting-up.

    Attributes:
        table: `Table` of DescribeTable's reply, as it was sent; members that this version does not know are kept.
        time_to_live: `TimeToLiveDescription`; continuous_backups: `ContinuousBackupsDescription`.
        tags, scalable_targets, scaling_policies: as listed. None of any: it was not read.
        not_read: what could not be read, with the reason.
    """

    table: Mapping[str, Any]
    time_to_live: Mapping[str, Any] | None = None
    continuous_backups: Mapping[str, Any] | None = None
    tags: list[dict[str, Any]] | None = None
    scalable_targets: list[dict[str, Any]] | None = None
    scaling_policies: list[dict[str, Any]] | None = None
    not_read: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The document."""
        members = {"format_version": FORMAT_VERSION, **asdict(self)}
        return (json.dumps(members, indent=1, sort_keys=True, default=str) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> TableDefinition:
        """
        Raises:
            IntegrityError: it is no such document.
        """
        try:
            members = read_object(data)
        except DocumentError as err:
            msg = f"{where} is no document of ours: {err}; it is damaged"
            raise IntegrityError(msg) from err
        table = members.get("table")
        if members.get("format_version") != FORMAT_VERSION or not isinstance(table, dict):
            msg = f"{where}: no description of a table in format {FORMAT_VERSION}; it is damaged or of a later version"
            raise IntegrityError(msg)
        if not {"TableName", "KeySchema", "AttributeDefinitions"} <= table.keys():
            msg = f"{where}: the table's name, key or attributes are missing; it is damaged"
            raise IntegrityError(msg)
        parts: dict[str, Any] = {name: members.get(name) for name in PARTS}
        return cls(table, **parts, not_read=members.get("not_read") or {})

    @property
    def on_demand(self) -> bool:
        return _billing(self.table) == "PAY_PER_REQUEST"

    def expiry(self, *, now_s: int) -> Expiry | None:
        """By what items expire; None where they do not, or where that could not be read."""
        return expiry_of(self.time_to_live or {}, now_s=now_s)

    def vector_indexes(self) -> list[Mapping[str, Any]]:
        """Vector indexes, which neither CloudFormation nor the SDK of the nodes knows yet."""
        return list(self.table.get("VectorIndexes") or ())


def differences(exported: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[str]:
    """How the table that an import writes into is set up otherwise than the exported one; both of DescribeTable."""
    was, now = (dict(zip(COMPARED, _settings(table))) for table in (exported, target))
    yield from (f"{name}: was {was[name]}, is {now[name]}" for name in COMPARED if was[name] != now[name])
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes", "VectorIndexes"):
        before, after = _indexes(exported, kind), _indexes(target, kind)
        yield from (f"index {name} is missing ({kind})" for name in sorted(before.keys() - after.keys()))
        yield from (f"index {name} is new ({kind})" for name in sorted(after.keys() - before.keys()))
        both = sorted(before.keys() & after.keys())
        yield from (f"index {name} has another key or projection" for name in both if before[name] != after[name])


def _settings(table: Mapping[str, Any]) -> tuple[str, ...]:
    stream = table.get("StreamSpecification") or {}
    return (
        _billing(table),
        str((table.get("TableClassSummary") or {}).get("TableClass", "STANDARD")),
        str(stream.get("StreamViewType", "on")) if stream.get("StreamEnabled") else "none",
        str((table.get("SSEDescription") or {}).get("SSEType", "DynamoDB's own key")),
        "on" if table.get("DeletionProtectionEnabled") else "off",
    )


def _billing(table: Mapping[str, Any]) -> str:
    mode = (table.get("BillingModeSummary") or {}).get("BillingMode")
    units = (table.get("ProvisionedThroughput") or {}).get("ReadCapacityUnits", 0)
    return str(mode or ("PROVISIONED" if units else "PAY_PER_REQUEST"))


def _indexes(table: Mapping[str, Any], kind: str) -> dict[str, str]:
    compared = ("KeySchema", "Projection", "VectorAttribute", "Dimensions")
    return {
        str(index.get("IndexName")): json.dumps([_sorted(index.get(name)) for name in compared], sort_keys=True)
        for index in table.get(kind) or ()
    }


def _sorted(value: Any) -> Any:
    """Lists in no meaningful order, such as the attributes of a projection."""
    if isinstance(value, dict):
        return {name: _sorted(inner) for name, inner in value.items()}
    return sorted(value, key=json.dumps) if isinstance(value, list) else value


def create_table_input(definition: TableDefinition) -> Members:
    """CreateTable's request for the same table, without what is set afterwards."""
    table, provisioned = definition.table, not definition.on_demand
    request = {name: table[name] for name in ("TableName", "AttributeDefinitions", "KeySchema")}
    request["BillingMode"] = "PROVISIONED" if provisioned else "PAY_PER_REQUEST"
    request |= _throughput(table, provisioned=provisioned)
    for kind in INDEXES:
        is_global = kind == INDEXES[0]
        indexes = [_index(index, provisioned=provisioned, is_global=is_global) for index in table.get(kind) or ()]
        request |= {kind: indexes} if indexes else {}
    stream, encryption = table.get("StreamSpecification") or {}, table.get("SSEDescription") or {}
    if stream.get("StreamEnabled"):
        request["StreamSpecification"] = {name: stream[name] for name in ("StreamEnabled", "StreamViewType")}
    if encryption.get("SSEType") == "KMS":
        request["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", **_key(encryption)}
    if "TableClass" in (table.get("TableClassSummary") or {}):
        request["TableClass"] = table["TableClassSummary"]["TableClass"]
    if table.get("DeletionProtectionEnabled"):
        request["DeletionProtectionEnabled"] = True
    tags = [tag for tag in definition.tags or () if not tag["Key"].startswith(RESERVED_TAG)]
    return request | ({"Tags": tags} if tags else {})


def _throughput(table: Mapping[str, Any], *, provisioned: bool) -> Members:
    if provisioned:
        units = table.get("ProvisionedThroughput") or {}
        return {"ProvisionedThroughput": {name: units[name] for name in UNITS}}
    limits = {n: v for n, v in (table.get("OnDemandThroughput") or {}).items() if n in ON_DEMAND_UNITS and v != -1}
    return {"OnDemandThroughput": limits} if limits else {}


def _index(index: Mapping[str, Any], *, provisioned: bool, is_global: bool) -> Members:
    members = {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
    return members | (_throughput(index, provisioned=provisioned) if is_global else {})


def _key(encryption: Mapping[str, Any]) -> Members:
    return {"KMSMasterKeyId": encryption["KMSMasterKeyArn"]} if encryption.get("KMSMasterKeyArn") else {}


def _ttl(definition: TableDefinition) -> Members | None:
    ttl = definition.time_to_live or {}
    on = ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return {"AttributeName": ttl["AttributeName"], "Enabled": True} if on else None


def _recovery(definition: TableDefinition) -> Members | None:
    recovery = (definition.continuous_backups or {}).get("PointInTimeRecoveryDescription") or {}
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        return None
    days = recovery.get("RecoveryPeriodInDays")
    return {"PointInTimeRecoveryEnabled": True, **({"RecoveryPeriodInDays": days} if days else {})}


def notes(definition: TableDefinition) -> Iterator[str]:
    """What is not made again, or wants a look."""
    yield from (f"{call} could not be read ({why}): set it by hand" for call, why in definition.not_read.items())
    for index in definition.vector_indexes():
        name = index.get("IndexName")
        yield f"vector index {name} is described in {TABLE_DEFINITION}; add it with a tool that knows such indexes"
    table = definition.table
    regions = [str(replica.get("RegionName")) for replica in table.get("Replicas") or ()]
    if regions:
        yield f"the table was replicated to {', '.join(regions)}: add the replicas afterwards"
    if (table.get("SSEDescription") or {}).get("KMSMasterKeyArn"):
        yield "if its KMS key is the one that AWS manages (alias/aws/dynamodb), take KMSMasterKeyId out"
    if table.get("LatestStreamArn"):
        yield "a stream of the new table has another ARN: connect its consumers again"


def cloudformation(definition: TableDefinition) -> Members:
    """A template with the table, and its autoscaling where it had some."""
    request = create_table_input(definition)
    stream, encryption = request.pop("StreamSpecification", None), request.pop("SSESpecification", None)
    properties = dict(request)
    if stream:
        properties["StreamSpecification"] = {"StreamViewType": stream["StreamViewType"]}
    if encryption:
        properties["SSESpecification"] = {"SSEEnabled": encryption.pop("Enabled"), **encryption}
    for name, value in (
        ("TimeToLiveSpecification", _ttl(definition)),
        ("PointInTimeRecoverySpecification", _recovery(definition)),
    ):
        properties |= {name: value} if value else {}
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    resources = {"Table": {"Type": "AWS::DynamoDB::Table", **kept, "Properties": properties}}
    for number, target in enumerate(definition.scalable_targets or (), start=1):
        members = {name: target[name] for name in TARGET_MEMBERS}
        resources[f"ScalableTarget{number}"] = _resource("ScalableTarget", members)
    for number, policy in enumerate(_tracking(definition), start=1):
        members = {name: policy[name] for name in (*POLICY_MEMBERS, TRACKING)}
        resources[f"ScalingPolicy{number}"] = _resource("ScalingPolicy", members, after=_targets_of(definition, policy))
    name = definition.table["TableName"]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Table {name} as it was when it was exported",
        "Resources": resources,
    }


def _resource(kind: str, members: Members, *, after: tuple[str, ...] = ()) -> Members:
    resource_type = f"AWS::ApplicationAutoScaling::{kind}"
    return {"Type": resource_type, "DependsOn": ["Table", *after], "Properties": members}


def _targets_of(definition: TableDefinition, policy: Mapping[str, Any]) -> tuple[str, ...]:
    place = ("ResourceId", "ScalableDimension")
    targets = enumerate(definition.scalable_targets or (), start=1)
    return tuple(f"ScalableTarget{n}" for n, target in targets if all(target[m] == policy[m] for m in place))


def _tracking(definition: TableDefinition) -> Iterator[Mapping[str, Any]]:
    """DynamoDB knows target tracking only."""
    return (policy for policy in definition.scaling_policies or () if TRACKING in policy)


def requests(definition: TableDefinition) -> Iterator[tuple[str, str, Members]]:
    """What makes the table again, in order: service and operation as the AWS CLI calls them, and the request."""
    name = {"TableName": definition.table["TableName"]}
    yield "dynamodb", "create-table", create_table_input(definition)
    ttl, recovery = _ttl(definition), _recovery(definition)
    if ttl:
        yield "dynamodb", "update-time-to-live", {**name, "TimeToLiveSpecification": ttl}
    if recovery:
        yield "dynamodb", "update-continuous-backups", {**name, "PointInTimeRecoverySpecification": recovery}
    for target in definition.scalable_targets or ():
        yield "application-autoscaling", "register-scalable-target", {m: target[m] for m in TARGET_MEMBERS}
    for policy in _tracking(definition):
        yield "application-autoscaling", "put-scaling-policy", {m: policy[m] for m in (*POLICY_MEMBERS, TRACKING)}


def cli_commands(definition: TableDefinition) -> Iterator[str]:
    """The same as lines for a shell; the table must be there before the others."""
    arn = str(definition.table.get("TableArn", ""))
    region = (arn.split(":") + [""] * 4)[3]
    where = (f"--region={region}",) if region else ()
    for service, operation, request in requests(definition):
        words = ("aws", service, operation, *where, "--cli-input-json", json.dumps(request, ensure_ascii=False))
        yield shlex.join(words)
        if operation == "create-table":
            yield shlex.join(("aws", service, "wait", "table-exists", *where, "--table-name", request["TableName"]))
