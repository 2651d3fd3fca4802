"""
What the ways from bytes to bytes cost: CPU microseconds an item, and as a multiple of plain `json`.

    python -m benchmarks.parser_speed [--items 4000] [--rounds 7] [--shapes one|many]

Items are the replay server's, about 1 KB, 10 attributes of 7 types; with `--shapes many` each leaves out attributes
by chance, so that the ways by shape find none. The measure is `json.loads` and `json.dumps` of
the same lines, so figures of different machines can be compared by their ratio. Rounds are interleaved and the
lowest counts: other work on the machine can only add.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable

from benchmarks.replay_items import KEY_NAME, kilobyte_item
from dynamodb_pipeline.formats.blocks.puts import checked_puts, known_puts
from dynamodb_pipeline.formats.blocks.retag import scan_page_lines
from dynamodb_pipeline.formats.files.dialects import Dialect, parse_line
from dynamodb_pipeline.formats.items.digest import BucketDigest
from dynamodb_pipeline.formats.items.item_rules import check_item
from dynamodb_pipeline.formats.items.key_schema import KeyAttribute, KeySchema
from dynamodb_pipeline.formats.items.tags import item_to_connector_line

KEYS = KeySchema((KeyAttribute(KEY_NAME, "HASH", "S"),))
ITEMS_PER_PAGE = 1000  # a Scan reply of 1 MiB
ITEMS_PER_BLOCK = 100
LEFT_OUT = {"one": 0.0, "many": 0.3}
MEASURE = "json.loads + json.dumps of each line"

Work = Callable[[], object]


class Input:
    """
    The same items in every form a measured way begins with.

    Args:
        item_count: how many.
        left_out: the chance of each attribute but the key not to be there.
    """

    def __init__(self, item_count: int, *, left_out: float = 0.0) -> None:
        chance = random.Random(1)
        whole = (json.loads(kilobyte_item(number).json) for number in range(item_count))
        self.items = [
            {name: value for name, value in item.items() if name == KEY_NAME or chance.random() >= left_out}
            for item in whole
        ]
        self.items_json = [json.dumps(item, separators=(",", ":")).encode() for item in self.items]
        self.lines = [item_to_connector_line(item) for item in self.items]
        self.keys = [KEYS.key_of(item) for item in self.items]
        self.blocks = list(_joined(self.lines, ITEMS_PER_BLOCK, b""))
        self.pages = [b'{"Count":1,"Items":[%b],"ScannedCount":1}' % page for page in self._page_items()]

    def _page_items(self) -> Iterable[bytes]:
        return _joined(self.items_json, ITEMS_PER_PAGE, b",")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--shapes", choices=list(LEFT_OUT), default="one")
    options = parser.parse_args()
    data = Input(options.items, left_out=LEFT_OUT[options.shapes])
    best_s = lowest(ways(data), rounds=options.rounds)
    lines = f"{options.items} lines of {sum(map(len, data.lines)) / options.items:.0f} B"
    print(f"{'us/item':>8} {'ratio':>6}  CPU, lowest of {options.rounds} rounds, {lines}")
    for name, seconds in best_s.items():
        print(f"{seconds / options.items * 1e6:8.2f} {seconds / best_s[MEASURE]:6.2f}  {name}")


def ways(data: Input) -> dict[str, Work]:
    """Name -> what to measure."""
    return {
        MEASURE: lambda: [json.dumps(json.loads(line)) for line in data.lines],
        "parse, check, encode line by line (parse_line, check_item)": lambda: [
            _careful_put(line) for line in data.lines
        ],
        "parse, check, encode by blocks (checked_puts)": lambda: [
            _certain(checked_puts(block, keys=KEYS)) for block in data.blocks
        ],
        "lines of a known file to puts (known_puts)": lambda: [
            _certain(known_puts(block, Dialect.CONNECTOR)) for block in data.blocks
        ],
        "Scan reply to lines (scan_page_lines)": lambda: [
            _certain(scan_page_lines(page, null_tag="nULL")) for page in data.pages
        ],
        "Scan reply to lines by parsing": lambda: [_parsed_page(page) for page in data.pages],
        "check_item alone": lambda: [check_item(item, keys=KEYS) for item in data.items],
        "digest alone (BucketDigest.add)": lambda: _digest(data),
    }


def lowest(works: dict[str, Work], *, rounds: int) -> dict[str, float]:
    """CPU seconds of each work, the lowest of `rounds`."""
    best_s = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            started_s = time.process_time()
            work()
            best_s[name] = min(best_s[name], time.process_time() - started_s)
    return best_s


def _careful_put(line: bytes) -> bytes:
    item = parse_line(line, Dialect.CONNECTOR)
    check_item(item, keys=KEYS)
    return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()


def _parsed_page(page: bytes) -> bytes:
    return b"".join([item_to_connector_line(item) for item in json.loads(page)["Items"]])


def _digest(data: Input) -> str:
    digest = BucketDigest()
    for item, key in zip(data.items, data.keys):
        digest.add(item, key)
    return digest.total()


def _certain(result: object) -> object:
    """`result`, unless the quick way declined: that would measure nothing."""
    if result is None:
        raise SystemExit("a quick way declined the benchmark's items")
    return result


def _joined(pieces: list[bytes], count: int, separator: bytes) -> Iterable[bytes]:
    return (separator.join(pieces[start : start + count]) for start in range(0, len(pieces), count))


if __name__ == "__main__":
    main()
