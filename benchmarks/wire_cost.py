"""
CPU of one request over the wire, against a server in another process that answers canned bytes.

    python -m benchmarks.wire_cost [--count 300] [--rounds 30]

Prints microseconds of user + system CPU of this process per request, the minimum and the median of interleaved rounds:
a 28-KB BatchWriteItem, a small Scan page and a 1-MB one through our wire (`dynamodb.requests`); the same batch with
our signature over `http.client`, and through botocore as shipped. On a busy machine compare the minimum of many short
rounds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
import zlib
from typing import Any, Callable, NamedTuple

TABLE = "orders"
ITEM_BYTES = 1120
BATCH_ITEMS = 25
UNITS = {"TableName": TABLE, "CapacityUnits": 50.0, "Table": {"CapacityUnits": 50.0}}


class Keys(NamedTuple):
    access_key: str = "AKIDBENCH"
    secret_key: str = "secret"
    token: str | None = "a-session-token-of-some-length" * 20

    def get_frozen_credentials(self) -> Keys:
        return self


def item(number: int) -> bytes:
    return json.dumps({"Id": {"S": f"k{number:09}"}, "text": {"S": "x" * (ITEM_BYTES - 50)}}).encode()


def page(count: int) -> bytes:
    items = b",".join(item(n) for n in range(count))
    head = json.dumps({"ConsumedCapacity": UNITS, "Count": count}).encode()[:-1]
    tail = json.dumps({"LastEvaluatedKey": {"Id": {"S": "k"}}, "ScannedCount": count}).encode()[1:]
    return head.replace(b" ", b"") + b',"Items":[' + items + b"]," + tail.replace(b" ", b"")


def canned() -> dict[bytes, bytes]:
    """Reply bodies by the request's operation or, for scans, by its Limit."""
    batch = json.dumps({"UnprocessedItems": {}, "ConsumedCapacity": [UNITS]}, separators=(",", ":")).encode()
    return {b"BatchWriteItem": batch, b'"Limit":20': page(20), b'"Limit":900': page(900)}


def serve() -> None:
    """Print the port, then answer on every connection until killed."""
    replies = {name: _reply(body) for name, body in canned().items()}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer, args=(connection, replies), daemon=True).start()


def _answer(connection: socket.socket, replies: dict[bytes, bytes]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as file:
        while (request := _request(file)) is not None:
            connection.sendall(next(data for name, data in replies.items() if name in request))


def _reply(body: bytes) -> bytes:
    head = (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Sat, 01 Jan 2022 00:00:00 GMT\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\nConnection: keep-alive\r\n"
        f"x-amzn-RequestId: {'A' * 52}\r\nx-amz-crc32: {zlib.crc32(body)}\r\n\r\n"
    )
    return head.encode() + body


def _request(file: Any) -> bytes | None:
    head, length = b"", 0
    while (line := file.readline()) not in (b"", b"\r\n"):
        head += line
        if line[:15].lower() == b"content-length:":
            length = int(line[15:])
    return head + file.read(length)[:300] if head else None


def cpu_us(work: Callable[[], object], *, count: int) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(count):
        work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent_s / count * 1e6


def contenders(port: int) -> dict[str, Callable[[], object]]:
    import boto3

    from dynamodb_pipeline.dynamodb.credentials import Credentials
    from dynamodb_pipeline.dynamodb.requests import ScanRequest, batch_body, batch_write, scan_page
    from dynamodb_pipeline.dynamodb.wire import DynamoDbWire, Endpoint

    wire = DynamoDbWire(Endpoint("127.0.0.1", port, tls=False, region="eu-west-1"), Credentials(Keys))
    puts = [item(n) for n in range(BATCH_ITEMS)]
    session = boto3.Session(*Keys(), region_name="eu-west-1")
    client = session.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}")
    requests = [{"PutRequest": {"Item": json.loads(raw)}} for raw in puts]
    return {
        "BatchWriteItem, 25 items, 28 KB": lambda: batch_write(wire, TABLE, puts=puts, key_of=repr),
        "Scan, 20 items, 22 KB": lambda: scan_page(wire, ScanRequest(TABLE, limit=20)),
        "Scan, 900 items, 1 MB": lambda: scan_page(wire, ScanRequest(TABLE, limit=900)),
        "http.client BatchWriteItem, 28 KB": over_http_client(port, batch_body(TABLE, puts, [])),
        "botocore BatchWriteItem, 28 KB": lambda: client.batch_write_item(
            RequestItems={TABLE: requests}, ReturnConsumedCapacity="INDEXES"
        ),
    }


def over_http_client(port: int, body: bytes) -> Callable[[], object]:
    """The same request, signed anew each time by our signer, over the standard library's connection."""
    from dynamodb_pipeline.dynamodb.signing import Signer

    connection = http.client.HTTPConnection("127.0.0.1", port)
    signer, keys = Signer("eu-west-1"), Keys()

    def call() -> None:
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("host", f"127.0.0.1:{port}"),
            ("x-amz-date", timestamp),
            ("x-amz-security-token", keys.token or ""),
            ("x-amz-target", "DynamoDB_20120810.BatchWriteItem"),
        ]
        signed = signer.authorization(headers, body, keys=keys, timestamp=timestamp)
        connection.request("POST", "/", body, {**dict(headers), "authorization": signed})
        reply = connection.getresponse()
        assert json.loads(reply.read())["UnprocessedItems"] == {}

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="requests per round (botocore: a tenth)")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    command = [sys.executable, "-m", "benchmarks.wire_cost", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            measure(contenders(int(server.stdout.readline())), options)
        finally:
            server.terminate()


def measure(named: dict[str, Callable[[], object]], options: argparse.Namespace) -> None:
    results: dict[str, list[float]] = {name: [] for name in named}
    walls: dict[str, list[float]] = {name: [] for name in named}
    for _ in range(options.rounds):
        for name, work in named.items():
            count = options.count // 10 if "botocore" in name or "1 MB" in name else options.count
            started_s = time.perf_counter()
            results[name].append(cpu_us(work, count=count))
            walls[name].append((time.perf_counter() - started_s) / count * 1e6)
    print(f"{'per request':36} CPU us min / median    wall us min")
    for name, values in results.items():
        print(f"{name:36} {min(values):10.0f} / {statistics.median(values):6.0f} {min(walls[name]):12.0f}")


if __name__ == "__main__":
    main()
