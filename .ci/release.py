"""
Builds a release into dist/: the wheel, the bundle zip that it carries, and SHA256SUMS of both.

Built from what is committed, in a folder of its own, so that nothing that lies about in the checkout gets in. Refused
while the changelog does not say what is in it, and while something is not committed.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
DIST = PROJECT / "dist"
BUNDLE = "dynamodb_pipeline/bundle/dynamodb_pipeline.zip"


def problems(version: str, changelog: str, uncommitted: str) -> list[str]:
    """What stands against a release of `version`."""
    found = [f"not committed: {line[3:]}" for line in uncommitted.splitlines()]
    heading = re.search(r"^## (.*)$", changelog, re.MULTILINE)
    wanted = rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)"
    if heading is None or not re.fullmatch(wanted, heading[1]):
        said = "nothing" if heading is None else heading[1]
        found.append(f"CHANGELOG.md begins with {said!r}: write `## {version} (yyyy-mm-dd)` above what is new")
    return found


def main() -> None:
    version = re.findall(r'^__version__ = "(.+)"$', _read("dynamodb_pipeline/__init__.py"), re.MULTILINE)[0]
    found = problems(version, _read("CHANGELOG.md"), _git("status", "--porcelain").decode())
    if found:
        sys.exit("no release:\n  " + "\n  ".join(found))
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "HEAD"))) as committed:
            committed.extractall(folder, filter="data")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel"]
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", DIST, folder], check=True)
    wheel = DIST / f"dynamodb_pipeline-{version}-py3-none-any.whl"
    bundle = DIST / f"dynamodb_pipeline-{version}-bundle.zip"
    bundle.write_bytes(zipfile.ZipFile(wheel).read(BUNDLE))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (wheel, bundle)]
    (DIST / "SHA256SUMS").write_text("".join(sums), encoding="ascii")
    print("".join(sums), end="")


def _read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=PROJECT, check=True, capture_output=True).stdout


if __name__ == "__main__":
    main()
