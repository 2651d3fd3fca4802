"""Prints the SHA-256 of what the bundle copies of installed packages, if they are those of requirements/node.txt."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

from dynamodb_pipeline.emr.request.bundle import VENDORED, digest_of, vendor_files

PINS = Path(__file__).parents[1] / "requirements" / "node.txt"

if __name__ == "__main__":
    pinned = dict(re.findall(r"^([a-z0-9.-]+)==([^ \\]+)", PINS.read_text(encoding="ascii"), re.MULTILINE))
    installed = {name: importlib.metadata.version(name) for name in VENDORED}
    if installed != pinned:
        sys.exit(f"installed {installed}, pinned {pinned}: make setup")
    print(digest_of(sorted(vendor_files())))
