"""A DynamoDB of three items and an S3 of a few objects, as upstreams without sockets."""

from __future__ import annotations

import json

from sandbox.faults.dynamodb_replies import error, json_reply
from sandbox.faults.http_messages import Reply, Request
from sandbox.faults.s3_replies import error as s3_error

KEYS = ("a", "b", "c")


def signed(access_key="AKIDONE"):
    return ("Authorization", f"AWS4-HMAC-SHA256 Credential={access_key}/20240725/eu-west-1/dynamodb/aws4_request, x")


def dynamodb_request(operation, *, access_key="AKIDONE", **payload):
    headers = (("X-Amz-Target", f"DynamoDB_20120810.{operation}"), signed(access_key))
    return Request("POST", "/", headers, json.dumps(payload).encode())


class FakeDynamoDb:
    """Scan by key order with Limit, batch writes that are kept, one table description."""

    def __init__(self):
        self.items = {key: {"Id": {"S": key}, "n": {"N": "1"}} for key in KEYS}
        self.requests: list[tuple[str, dict]] = []

    def send(self, request: Request) -> Reply:
        operation = (request.header("x-amz-target") or ".").split(".")[1]
        payload = json.loads(request.body)
        self.requests.append((operation, payload))
        return getattr(self, f"_{operation}")(payload)

    def close(self) -> None:
        pass

    def _Scan(self, payload):
        start = payload.get("ExclusiveStartKey", {"Id": {"S": ""}})["Id"]["S"]
        left = sorted(key for key in self.items if key > start)
        page = left[: payload.get("Limit", len(left))]
        reply = {"Count": len(page), "ScannedCount": len(page), "Items": [self.items[key] for key in page]}
        if len(page) < len(left):
            reply["LastEvaluatedKey"] = {"Id": {"S": page[-1]}}
        return json_reply({**reply, **_consumed(payload, len(page) * 0.5)})

    def _BatchWriteItem(self, payload):
        (writes,) = payload["RequestItems"].values()
        self.items |= {write["PutRequest"]["Item"]["Id"]["S"]: write["PutRequest"]["Item"] for write in writes}
        consumed = _consumed(payload, float(len(writes)))
        return json_reply(
            {"UnprocessedItems": {}, **({"ConsumedCapacity": [consumed["ConsumedCapacity"]]} if consumed else {})}
        )

    def _DescribeTable(self, _payload):
        return json_reply(
            {
                "Table": {
                    "TableName": "t",
                    "TableStatus": "ACTIVE",
                    "TableId": "id-1",
                    "KeySchema": [{"AttributeName": "Id", "KeyType": "HASH"}],
                    "AttributeDefinitions": [{"AttributeName": "Id", "AttributeType": "S"}],
                    "ProvisionedThroughput": {"ReadCapacityUnits": 7, "WriteCapacityUnits": 1},
                }
            }
        )

    def _PutItem(self, _payload):
        return error("ValidationException", "not in this fake")


def _consumed(payload, units):
    form = payload.get("ReturnConsumedCapacity", "NONE")
    if form == "NONE":
        return {}
    table = {"Table": {"CapacityUnits": units}} if form == "INDEXES" else {}
    return {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": units, **table}}


class FakeS3:
    """Whole objects by path; If-None-Match; a listing that tells its max-keys."""

    def __init__(self):
        self.objects: dict[str, bytes] = {}

    def send(self, request: Request) -> Reply:
        path = request.url.path
        if request.method == "PUT":
            if request.header("if-none-match") == "*" and path in self.objects:
                return s3_error(412, "PreconditionFailed", "exists")
            self.objects[path] = request.body
            return Reply(200)
        if "list-type" in request.url.query:
            return Reply(200, body=request.url.query.encode())
        if path not in self.objects:
            return s3_error(404, "NoSuchKey", path)
        return Reply(200, (("ETag", str(hash(self.objects[path]))),), self.objects[path])

    def close(self) -> None:
        pass
