"""
Our verdict on a value against the emulator's (dynalite, whose own tests were run against the service).

Values go over the wire as raw JSON, because an SDK would repair or refuse some of them first. Where the emulator is
known to differ from the service (or we are stricter on purpose), the difference itself is asserted.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from dynamodb_pipeline.formats.items.item_rules import ItemError, check_item, write_units
from dynamodb_pipeline.formats.items.key_schema import IndexKeys, KeyAttribute, KeySchema
from dynamodb_pipeline.formats.items.scalars import canonical_number
from sandbox.active_table import create_active_table
from sandbox.stack import Sandbox

pytestmark = pytest.mark.sandbox

TABLE = "Rules"
KEYS = KeySchema((KeyAttribute("Id", "HASH", "S"), KeyAttribute("Sort", "RANGE", "N")))
INDEX = IndexKeys("by-state", (KeyAttribute("State", "HASH", "S"),))

Call = Callable[[str, bytes], tuple[int, dict[str, Any]]]

NUMBERS = [
    *("0", "-0", "1", "-1.5", "1.50", "007", ".5", "5.", "1e3", "1E+3", "1e-3", "0.000", "1e125", "1e-130"),
    *("1" * 38, "1" * 39, "0." + "1" * 38, "0." + "1" * 39, "1" + "0" * 125, "1" + "0" * 126, "9.9e125", "-1e125"),
    *("1e126", "1e-131", "9" * 38 + "e88", "9" * 38 + "e87", "", " 1", "1 ", "one", "NaN", "Infinity", "0x10"),
    *("1e", "1,5", "1_0", "--1", "."),
]
VALUES = [
    *(f'{{"N":"{number}"}}' for number in NUMBERS),
    *('{"S":""}', '{"S":"\\u0000\\u2028é😀"}', '{"S":5}', '{"S":true}', '{"S":["x"]}', '{"S":{}}'),
    *('{"B":""}', '{"B":"AA=="}', '{"B":"AAA="}', '{"B":"AAAA"}', '{"B":"AA"}', '{"B":"AB=="}', '{"B":"+/+="}'),
    *('{"B":"A-_="}', '{"B":5}', '{"BOOL":true}', '{"BOOL":false}', '{"BOOL":5}', '{"BOOL":"maybe"}'),
    *('{"NULL":true}', '{"NULL":false}', '{"NULL":5}'),
    *('{"SS":[]}', '{"SS":[""]}', '{"SS":["a","b"]}', '{"SS":["a","a"]}', '{"SS":[5]}', '{"SS":"a"}'),
    *('{"NS":[]}', '{"NS":["1","2"]}', '{"NS":["1","1.0"]}', '{"NS":["10","1e1"]}', '{"NS":["x"]}', '{"NS":[1]}'),
    *('{"BS":[]}', '{"BS":["AA==",""]}', '{"BS":["AA==","AA=="]}', '{"BS":["AA"]}'),
    *('{"L":[]}', '{"L":[{"S":""},{"L":[]},{"M":{}}]}', '{"L":{}}', '{"L":["x"]}', '{"L":[{}]}'),
    *('{"M":{}}', '{"M":{"M":{"S":"x"}}}', '{"M":[]}', '{"M":{"a":"x"}}', '{"M":{"a":{"N":"x"}}}'),
    *("{}", '{"S":"x","N":"1"}', "5", '"x"', "[]"),
]

# The emulator's verdict differs. The service: see the sources in tests/unit/formats/items/test_numbers.py and
# test_item_rules.py.
DIFFERENT = {
    '{"N":"+5"}': "the service takes a leading plus",
    '{"N":"+1e2"}': "the service takes a leading plus",
    '{"N":"0e126"}': "the service judges a zero by its exponent",
    '{"N":"0e-131"}': "the service judges a zero by its exponent",
    '{"M":{"a":' * 32 + '{"S":"leaf"}' + "}}" * 32: "the service nests 32 levels, the emulator has no limit",
    '{"L":[' * 32 + '{"S":"leaf"}' + "]}" * 32: "the service nests 32 levels, the emulator has no limit",
    '{"BOOL":"true"}': "turned into true on the way in; we refuse what would change",
    '{"NULL":"yes"}': "turned into true on the way in; we refuse what would change",
    '{"M":{"":{"S":"x"}}}': "the developer guide: names have at least one character",
}


@pytest.fixture(scope="module")
def call(sandbox: Sandbox) -> Iterator[Call]:
    """Sends one operation as raw JSON; the table is there."""
    client = sandbox.client("dynamodb")
    create_active_table(
        client,
        TableName=TABLE,
        KeySchema=[{"AttributeName": a.name, "KeyType": a.role} for a in KEYS.attributes],
        AttributeDefinitions=[
            {"AttributeName": a.name, "AttributeType": a.type} for a in (*KEYS.attributes, *INDEX.attributes)
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX.index_name,
                "KeySchema": [{"AttributeName": "State", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    address = urlsplit(sandbox.dynamodb_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    scope = "AKIDEXAMPLE/20240725/us-east-1/dynamodb/aws4_request"

    def send(operation: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "X-Amz-Date": "20240725T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00",
        }
        connection.request("POST", "/", body, headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())

    with closing(connection):
        yield send


def emulator_takes(call: Call, item_json: str) -> bool:
    status, reply = call("PutItem", f'{{"TableName":"{TABLE}","Item":{item_json}}}'.encode())
    assert status in {200, 400}, reply
    return status == 200


def we_take(item_json: str) -> bool:
    try:
        check_item(json.loads(item_json), keys=KEYS, index_keys=(INDEX,))
    except ItemError:
        return False
    return True


def with_value(value_json: str) -> str:
    return f'{{"Id":{{"S":"k"}},"Sort":{{"N":"1"}},"a":{value_json}}}'


@pytest.mark.parametrize("value_json", VALUES, ids=lambda text: text[:40])
def test_verdicts_agree(call: Call, value_json: str) -> None:
    assert we_take(with_value(value_json)) == emulator_takes(call, with_value(value_json))


@pytest.mark.parametrize(("value_json", "why"), DIFFERENT.items(), ids=lambda text: text[:40])
def test_known_differences_are_still_there(call: Call, value_json: str, why: str) -> None:
    assert we_take(with_value(value_json)) != emulator_takes(call, with_value(value_json)), why


ITEMS = [
    "{}",
    '{"Id":{"S":"k"}}',
    '{"Sort":{"N":"1"}}',
    '{"Id":{"S":""},"Sort":{"N":"1"}}',
    '{"Id":{"N":"1"},"Sort":{"N":"1"}}',
    '{"Id":{"S":"k"},"Sort":{"S":"1"}}',
    '{"Id":{"S":"k"},"Sort":{"N":"x"}}',
    '{"Id":{"L":[]},"Sort":{"N":"1"}}',
    '{"Id":{"S":"' + "x" * 2048 + '"},"Sort":{"N":"1"}}',
    '{"Id":{"S":"' + "x" * 2049 + '"},"Sort":{"N":"1"}}',
    '{"Id":{"S":"k"},"Sort":{"N":"1"},"State":{"S":"new"}}',
    '{"Id":{"S":"k"},"Sort":{"N":"1"},"State":{"N":"1"}}',
    '{"Id":{"S":"k"},"Sort":{"N":"1"},"State":{"NULL":true}}',
    '{"Id":{"S":"k"},"Sort":{"N":"1"},"a":{"S":"' + "x" * (409_600 - 3 - 6 - 1) + '"}}',
    '{"Id":{"S":"k"},"Sort":{"N":"1"},"a":{"S":"' + "x" * (409_600 - 3 - 6) + '"}}',
]


@pytest.mark.parametrize("item_json", ITEMS, ids=lambda text: text[:60])
def test_verdicts_on_keys_and_size_agree(call: Call, item_json: str) -> None:
    assert we_take(item_json) == emulator_takes(call, item_json)


def test_numbers_come_back_in_canonical_form(call: Call) -> None:
    taken = [number for number in NUMBERS if we_take(with_value(f'{{"N":"{number}"}}'))]
    item = {f"n{index}": {"N": number} for index, number in enumerate(taken)}
    key = {"Id": {"S": "numbers"}, "Sort": {"N": "1"}}
    call("PutItem", json.dumps({"TableName": TABLE, "Item": {**key, **item}}).encode())
    _, reply = call("GetItem", json.dumps({"TableName": TABLE, "Key": key}).encode())
    assert {name: reply["Item"][name]["N"] for name in item} == {
        name: canonical_number(value["N"]) for name, value in item.items()
    }


@pytest.mark.parametrize(("sort", "text_bytes"), list(enumerate([1, 1014, 1015, 2038, 2039, 5000], start=2)))
def test_write_units_are_what_is_charged(call: Call, sort: int, text_bytes: int) -> None:
    """`Id` = k, `Sort` of one digit and the name `a` count 10 bytes: with 1014 bytes of text the item has 1 KB."""
    item = {"Id": {"S": "k"}, "Sort": {"N": str(sort)}, "a": {"S": "x" * text_bytes}}
    request = {"TableName": TABLE, "ReturnConsumedCapacity": "TOTAL", "Item": item}
    status, reply = call("PutItem", json.dumps(request).encode())
    assert status == 200
    assert reply["ConsumedCapacity"]["CapacityUnits"] == write_units(check_item(item, keys=KEYS).size_bytes)
