"""Which use of a KMS key a request to S3 or DynamoDB implies: the service uses it in the caller's name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from sandbox.emr.iam_actions import Action
from sandbox.emr.protocol import Request

KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
# DynamoDB: what reads or writes items; DescribeTable does not use the key (guide, encryption.usagenotes).
ITEM_OPERATIONS = frozenset(
    {"Scan", "Query", "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}
)


class Keys(Protocol):
    """What is encrypted with which key; see account.Account."""

    def key_of_object(self, bucket: str, key: str) -> str | None: ...
    def key_of_bucket(self, bucket: str) -> str | None: ...


def key_actions(
    request: Request, actions: Sequence[Action], *, keys: Keys, table_keys: Mapping[str, str]
) -> tuple[Action, ...]:
    """Return the uses of keys that a request implies; none for most."""
    if request.service == "dynamodb" and request.target in ITEM_OPERATIONS:
        tables = [action.resource.rpartition("/")[2] for action in actions]
        return tuple(_use("kms:Decrypt", table_keys[name], request) for name in tables if name in table_keys)
    if request.service == "s3" and actions:
        return _of_s3(request, actions[0].name, keys)
    return ()


def _of_s3(request: Request, action: str, keys: Keys) -> tuple[Action, ...]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    if action == "s3:PutObject":
        used = request.headers.get(KEY_HEADER) or keys.key_of_bucket(bucket)
        return (_use("kms:GenerateDataKey", used, request),) if used else ()
    used = keys.key_of_object(bucket, key) if action == "s3:GetObject" and request.method == "GET" else None
    return (_use("kms:Decrypt", used, request),) if used else ()


def _use(name: str, key: str, request: Request) -> Action:
    return Action(name, key, {"kms:ViaService": f"{request.service}.{request.region}.amazonaws.com"})


def with_key(described: bytes, key: str) -> bytes:
    """Return DescribeTable's reply with the KMS key of the table in it."""
    reply = json.loads(described)
    if "Table" in reply:
        reply["Table"]["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key}
    return json.dumps(reply).encode()
