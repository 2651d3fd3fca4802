"""
The folders of jars that Maven fills, and the record of what belongs in them.

`python -m sandbox.jars check SET` compares jars/SET with sandbox/jars.sha256; `record` writes that file anew.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from sandbox.processes import PROJECT, SandboxError

FOLDER = PROJECT / "jars"
CHECKSUMS = Path(__file__).with_name("jars.sha256")
SETS = ("connector", "connector-4", "s3a", "yarn")


def folder(name: str) -> Path:
    """Return the folder of one set; SandboxError when it was not filled."""
    path = FOLDER / name
    if not any(path.glob("*.jar")):
        raise SandboxError(f"jars/{name} is empty: run `make setup`")
    return path


def differences(name: str) -> list[str]:
    """Return what is wrong with jars/`name`, one line each: missing, unexpected or different files."""
    expected = {path: digest for path, digest in recorded().items() if path.startswith(f"{name}/")}
    actual = digests(name)
    return [
        f"jars/{path}: {_fault(expected.get(path), actual.get(path))}"
        for path in sorted(expected.keys() | actual.keys())
        if expected.get(path) != actual.get(path)
    ]


def _fault(expected: str | None, actual: str | None) -> str:
    if expected is None:
        return "not in sandbox/jars.sha256"
    return "missing" if actual is None else "content differs from sandbox/jars.sha256"


def recorded() -> dict[str, str]:
    """Return the recorded SHA-256 (hex) of each jar by its path below jars/, as `sha256sum` writes it."""
    lines = (line.split() for line in CHECKSUMS.read_text().splitlines())
    return {path: digest for digest, path in lines}


def digests(name: str) -> dict[str, str]:
    """Return the SHA-256 (hex) of each jar in the folder of one set by its path below jars/."""
    jars = sorted((FOLDER / name).glob("*.jar"))
    return {f"{name}/{jar.name}": hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars}


def record() -> None:
    """Write sandbox/jars.sha256 from the folders as they are."""
    found = {path: digest for name in SETS for path, digest in digests(name).items()}
    CHECKSUMS.write_text("".join(f"{digest}  {path}\n" for path, digest in found.items()))


def main(arguments: list[str]) -> int:
    """Run `check SET` or `record`; return 1 when a jar is not the recorded one."""
    if arguments == ["record"]:
        record()
        return 0
    faults = differences(arguments[1])
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
