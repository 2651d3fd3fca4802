"""Work is the same when the items are, whatever the dialect, the order and the files."""

from __future__ import annotations

import gzip
import json

from benchmarks.replay_items import kilobyte_item
from benchmarks.same_work import digest_of, expected_digest, folder_files

CONNECTOR_TAGS = {"S": "s", "N": "n", "BOOL": "bOOL", "SS": "sS", "M": "m", "L": "l", "NULL": "nULL"}


def connector_line(number: int) -> bytes:
    """An item as the connector writes it, by hand."""
    text = kilobyte_item(number).json.decode()
    for tag, other in CONNECTOR_TAGS.items():
        text = text.replace(f'{{"{tag}":', f'{{"{other}":')
    return text.encode()


def test_digest_is_that_of_the_items():
    right = expected_digest(kilobyte_item, 4)
    lines = [kilobyte_item(number).json for number in range(4)]
    assert digest_of([b"\n".join(lines)]) == right
    assert digest_of([lines[2], gzip.compress(b"\n".join([lines[3], lines[0], lines[1], b""]))]) == right
    assert digest_of([b"\n".join(map(connector_line, range(4)))]) == right


def test_digest_sees_loss_doubling_and_change():
    right = expected_digest(kilobyte_item, 3)
    lines = [kilobyte_item(number).json for number in range(3)]
    changed = json.dumps({**json.loads(lines[1]), "Active": {"BOOL": False}}).encode()
    for wrong in (lines[:2], [*lines, lines[0]], [lines[0], changed, lines[2]]):
        assert digest_of([b"\n".join(wrong)]) != right


def test_order_within_a_set_and_of_names_does_not_matter():
    item = json.loads(kilobyte_item(0).json)
    other = dict(reversed({**item, "Tags": {"SS": item["Tags"]["SS"][::-1]}}.items()))
    assert digest_of([json.dumps(other).encode()]) == expected_digest(kilobyte_item, 1)


def test_markers_of_hadoop_are_no_files(tmp_path):
    for name in ("part-00000", "_SUCCESS", ".part-00000.crc"):
        (tmp_path / name).write_bytes(name.encode())
    assert list(folder_files(tmp_path)) == [b"part-00000"]
