"""README's tour, run as it stands there: every command, in order, in one shell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.stack import Sandbox

pytestmark = pytest.mark.sandbox

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
TOUR = README.partition("\n## Tour\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TOUR, re.DOTALL | re.MULTILINE)
# The test brings its own sandbox, and stops it.
OWN = re.compile(r"^(make sandbox-(up|down)|eval .*python -m sandbox env.*|export PATH=.*)$", re.MULTILINE)
# What differs from run to run: moments, names, counts of units that depend on the pages' sizes.
# Run folders and run ids, times, units read (which depend on where pages end) and their mean.
VARYING = re.compile(
    r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d|\d{8}T\d{6}Z-[0-9a-f]{8}|\d+\.\d s$|[\d.]+ read units(?=,|$)|mean of [\d.]+"
)
TIMEOUT_S = 240
QUICK_START = (PROJECT / "docs" / "ja" / "quick-start.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tour() -> subprocess.CompletedProcess[str]:
    """The tour in a sandbox of its own: its bucket and tables have fixed names."""
    script = "set -eu\n" + "\n".join(OWN.sub("", block) for block in BLOCKS)
    with Sandbox("readme") as sandbox:
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        env = sandbox.process_env(PATH=path)
        command = ["bash", "-c", script]
        return subprocess.run(
            command, env=env, cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )


def documents(tour: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    """The JSON documents on stdout, one of each command."""
    return [json.loads(line) for line in tour.stdout.splitlines() if line.startswith("{")]


def test_the_tour_runs_to_its_end(tour: subprocess.CompletedProcess[str]) -> None:
    assert tour.returncode == 0, tour.stderr
    found = [(document["kind"], document["exit_code"]) for document in documents(tour)]
    assert found == [("export", 0), ("import", 0), ("verify", 0), ("import", 2)]
    assert documents(tour)[2]["table_items"] == 1000


def test_the_japanese_quick_start_shows_the_same_commands() -> None:
    assert re.findall(r"^```sh\n(.*?)^```$", QUICK_START, re.DOTALL | re.MULTILINE) == BLOCKS
    shown = re.findall(r"^```text\n(.*?)^```$", QUICK_START, re.DOTALL | re.MULTILINE)
    assert len(shown) >= 3
    assert [text for text in shown if text not in TOUR] == []


def test_what_it_shows_of_stderr_is_what_is_said(tour: subprocess.CompletedProcess[str]) -> None:
    said = {VARYING.sub("MOMENT", line) for line in (tour.stderr + tour.stdout).splitlines()}
    shown = re.findall(r"^```text\n(.*?)^```$", TOUR, re.DOTALL | re.MULTILINE)
    lines = [VARYING.sub("MOMENT", line) for block in shown for line in block.splitlines() if " exports/" not in line]
    assert len(lines) >= 6
    assert [line for line in lines if line not in said] == []


def test_the_result_it_shows_has_real_fields_and_values(tour: subprocess.CompletedProcess[str]) -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```$", TOUR, re.DOTALL | re.MULTILINE)
    shown, real = json.loads(block), documents(tour)[0]
    assert set(shown) <= set(real)
    (table,), (real_table,) = shown["tables"], real["tables"]
    varying = {"read_units_consumed", "files", "plain_bytes"}
    assert {k: v for k, v in table.items() if k not in varying} == {
        k: v for k, v in real_table.items() if k in set(table) - varying
    }
