"""Recipes as their pages show them: the commands of a page or an example, run by a shell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.emr.stack import EmrSandbox
from sandbox.processes import PROJECT

DOCS, EXAMPLES = PROJECT / "docs", PROJECT / "examples"
TIMEOUT_S = 240
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
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.split()[0] not in OTHERS]


def run(commands: Iterable[str], emr: EmrSandbox, *, folder: Path) -> Ran:
    """Run commands in `folder` by one shell that ends with the first that fails."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    script = "set -e\n" + "\n".join(commands)
    env = emr.process_env(PATH=path, PYTHONPATH=str(PROJECT))
    done = subprocess.run(
        ["bash", "-c", script], env=env, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    return Ran(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)
