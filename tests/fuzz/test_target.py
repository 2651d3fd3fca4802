"""The short form itself: the same inputs every time, what is found is told with the command that tries it again."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import TARGETS, target_of
from tests.fuzz.target import BYTES_MAX, FoundError, Target, try_short_form, variant

EXAMPLE = b'{"a": [1, 2], "b": "text"}\n'
TAME = Target("tame", lambda _: None, examples=(EXAMPLE,), words=(b'"a"', b"null"), short_count=300)


def digest() -> str:
    """Of the inputs of the short form, by number."""
    return hashlib.sha256(b"|".join(variant(TAME, number) for number in range(300))).hexdigest()


def test_an_input_is_made_from_its_number_alone() -> None:
    made = [variant(TAME, number) for number in range(300)]
    assert made[0] == EXAMPLE
    assert max(map(len, made)) <= BYTES_MAX
    assert len(set(made)) > 250
    program = "from tests.fuzz.test_target import digest; print(digest())"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest()


def test_what_is_found_is_told_with_its_command() -> None:
    def run(data: bytes) -> None:
        if b"null" in data:
            raise ValueError("null came through")

    with pytest.raises(FoundError, match=r"(?s)null came through.*make fuzz TARGET=tame NUMBER=\d+"):
        try_short_form(Target("tame", run, examples=(EXAMPLE,), words=(b"null",), short_count=300))


def test_every_target_has_its_module_and_its_test() -> None:
    folder = Path(__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__main__", "target"}
    assert {name for name in modules if not name.startswith("test_")} == set(TARGETS)
    assert {f"test_{name}" for name in TARGETS} <= modules
    for name in TARGETS:
        target = target_of(name)
        assert target.name == name
        assert len(target.examples) >= 5
