"""Recipes as their pages show them: the commands of a page or an example, run by a shell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.emr.stack import EmrSandbox
from sandbox.processes import PROJECT

AWS = PROJECT / ".build" / "aws-cli" / "bin" / "aws"
DOCS, EXAMPLES = PROJECT / "docs", PROJECT / "examples"
TIMEOUT_S = 300
BUCKET, TABLE = "my-bucket", "Forum"
REGIONS = ("us-east-1", "eu-west-1")
# Programs of others that a page shows: what they would do is done by the test.
OTHERS = ("aws", "terraform", "jq", "sed")


@dataclass(frozen=True)
class Ran:
    """What a script left: its exit code, the JSON documents of its commands, and what people saw."""

    code: int
    documents: list[dict[str, Any]]
    text: str


def commands_of(page: Path) -> list[str]:
    """The commands of a page's shell blocks, one a string, in order; those of other programs are left out."""
    blocks = blocks_of(page.read_text(encoding="utf-8"))
    return [line for line in lines_of("".join(blocks)) if line.split()[0] not in OTHERS]


def blocks_of(text: str) -> list[str]:
    """The shell blocks of a page, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def lines_of(block: str) -> list[str]:
    """A block's commands, one a string."""
    return block.replace("\\\n", " ").splitlines()


@dataclass
class Reader:
    """Somebody in a folder of their own who pastes one block after the other; with `keys` as another user."""

    emr: EmrSandbox
    folder: Path
    run_id: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    said: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)

    def paste(self, block: str) -> None:
        path = f"{Path(sys.executable).parent}:{AWS.parent}:/usr/bin:/bin"
        script = "set -eu\n" + block.replace("RUN_ID", self.run_id)
        self.said[block] = done = subprocess.run(
            ["bash", "-c", script], env=self.emr.process_env(PATH=path, **self.keys), cwd=self.folder,
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        found = re.search(r'"run_id": "([^"]+)"', done.stdout)
        self.run_id = found[1] if found and block.startswith("dynamodb-pipeline export") else self.run_id

    def documents(self, start: str) -> list[dict[str, Any]]:
        """The JSON documents that the block which begins so has printed."""
        (done,) = [done for block, done in self.said.items() if block.startswith(start)]
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def run(commands: Iterable[str], emr: EmrSandbox, *, folder: Path) -> Ran:
    """Run commands in `folder` by one shell that ends with the first that fails."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    script = "set -e\n" + "\n".join(commands)
    env = emr.process_env(PATH=path, PYTHONPATH=str(PROJECT))
    done = subprocess.run(
        ["bash", "-c", script], env=env, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    return Ran(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)
