"""
Tables for the demo: AWS's Forum, Thread and Reply with believable content, and one table of hard cases.

Everything is made from a fixed seed: the same items on every run.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]

FORUMS = ("Amazon DynamoDB", "Amazon S3", "Amazon EMR", "AWS Lambda", "Amazon EC2", "AWS Glue")
VERBS = ("exporting", "importing", "restoring", "copying", "throttling", "listing", "scanning", "tagging")
THINGS = ("a large table", "one bucket", "old backups", "two regions", "a nightly job", "sparse items", "hot keys")
PEOPLE = ("ana", "bogdan", "chen", "dalia", "emeka", "fatima", "goro", "hanna")
WORDS = ("table", "segment", "item", "capacity", "percent", "bucket", "folder", "manifest", "step", "cluster", "unit")
DEEP = 30


@dataclass(frozen=True)
class DemoTable:
    """One table: name, key attributes as (name, type), capacity in units per second, its items."""

    name: str
    keys: tuple[tuple[str, str], ...]
    read_units: int
    write_units: int
    items: tuple[Item, ...]

    def request(self, name: str | None = None) -> dict[str, Any]:
        """CreateTable's arguments, under another name if given."""
        roles = ("HASH", "RANGE")
        return {
            "TableName": name or self.name,
            "KeySchema": [{"AttributeName": n, "KeyType": r} for (n, _), r in zip(self.keys, roles)],
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in self.keys],
            "ProvisionedThroughput": {
                "ReadCapacityUnits": self.read_units,
                "WriteCapacityUnits": self.write_units,
            },
        }


def demo_tables(seed: int = 20261123) -> tuple[DemoTable, ...]:
    """Forum (6 items), Thread (150), Reply (900, composite key) and HardCases (about 60)."""
    rng = random.Random(seed)
    threads = list(_threads(rng, 150))
    return (
        DemoTable("Forum", (("Name", "S"),), 400, 400, tuple(_forums(rng))),
        DemoTable("Thread", (("ForumName", "S"), ("Subject", "S")), 400, 400, tuple(threads)),
        DemoTable("Reply", (("Id", "S"), ("ReplyDateTime", "S")), 400, 400, tuple(_replies(rng, threads, 900))),
        DemoTable("HardCases", (("pk", "S"), ("sk", "N")), 2000, 4000, tuple(_hard_cases(rng))),
    )


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words)).capitalize() + "."


def _forums(rng: random.Random) -> Iterator[Item]:
    for name in FORUMS:
        yield {
            "Name": {"S": name},
            "Category": {"S": "Amazon Web Services"},
            "Threads": {"N": str(rng.randint(10, 90))},
            "Messages": {"N": str(rng.randint(100, 900))},
            "Moderators": {"SS": sorted(rng.sample(PEOPLE, 2))},
        }


def _threads(rng: random.Random, count: int) -> Iterator[Item]:
    for number in range(count):
        yield {
            "ForumName": {"S": rng.choice(FORUMS)},
            "Subject": {"S": f"Question {number:04d}: {rng.choice(VERBS)} {rng.choice(THINGS)}"},
            "Message": {"S": _sentence(rng, 30)},
            "LastPostedBy": {"S": rng.choice(PEOPLE)},
            "Views": {"N": str(rng.randint(0, 5000))},
            "Answered": {"BOOL": rng.random() < 0.5},
            "Tags": {"SS": sorted(rng.sample(WORDS, 3))},
        }


def _replies(rng: random.Random, threads: list[Item], count: int) -> Iterator[Item]:
    for number in range(count):
        thread = rng.choice(threads)
        yield {
            "Id": {"S": f"{thread['ForumName']['S']}#{thread['Subject']['S']}"},
            "ReplyDateTime": {
                "S": f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}T{number % 24:02d}:00:00.{number:04d}"
            },
            "Message": {"S": _sentence(rng, 60)},
            "PostedBy": {"S": rng.choice(PEOPLE)},
        }


def _nested(depth: int) -> Item:
    value: Item = {"S": "bottom"}
    for level in range(depth):
        value = {"L": [value]} if level % 2 else {"M": {"in": value}}
    return value


def hard_values() -> dict[str, Item]:
    """Attribute values that tools lose or change, by name."""
    return {
        "empty list": {"L": []},
        "empty map": {"M": {}},
        "empty string": {"S": ""},
        "empty binary": {"B": ""},
        "list of empties": {"L": [{"L": []}, {"M": {}}, {"S": ""}, {"NULL": True}]},
        "null": {"NULL": True},
        "true": {"BOOL": True},
        "false": {"BOOL": False},
        "nested 30 deep": _nested(DEEP),
        "38 digits": {"N": "12345678901234567890123456789012345678"},
        "38 digits after the point": {"N": "-0.12345678901234567890123456789012345678"},
        "largest number": {"N": "9.9999999999999999999999999999999999999E+125"},
        "smallest number": {"N": "1E-130"},
        "number set": {"NS": ["1", "2.5", "-3", "1E+20"]},
        "string set": {"SS": ["a", "B", "ü", "日本"]},
        "binary": {"B": base64.b64encode(bytes(range(256))).decode("ascii")},
        "binary set": {"BS": [base64.b64encode(bytes([n])).decode("ascii") for n in (0, 127, 255)]},
        "next line U+0085": {"S": "before\u0085after"},
        "line separator U+2028": {"S": "before\u2028after\u2029end"},
        "STX and ETX": {"S": "a\u0002b\u0003c"},
        "all control characters": {"S": "".join(map(chr, range(32)))},
        "emoji": {"S": "👩\u200d🚀 ünïcödé"},
        "quotes and backslashes": {"S": '\\"{"s":"x"},\\\\ </script> \\u0041'},
        "looks like a tag": {"M": {"s": {"S": "x"}, "M": {"M": {"m": {"N": "1"}}}, "Item": {"S": "y"}}},
    }


def _hard_cases(rng: random.Random) -> Iterator[Item]:
    for number, (name, value) in enumerate(hard_values().items()):
        yield {"pk": {"S": name}, "sk": {"N": str(number)}, "value": value, name: value}
    everything = {name: value for name, value in hard_values().items() if name != "nested 30 deep"}
    yield {"pk": {"S": "everything"}, "sk": {"N": "-1.5"}, **everything}
    for number in range(4):
        text = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(390_000))
        yield {"pk": {"S": "near 400 KB"}, "sk": {"N": str(number)}, "text": {"S": text}}
    for number in range(30):
        yield {
            "pk": {"S": f"key with: odd/{{chars}}, {number} \u0002"},
            "sk": {"N": f"1E-{number}"},
            "n": {"N": str(number)},
        }
