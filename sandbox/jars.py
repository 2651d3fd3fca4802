"""
The folders of jars that Maven fills, and the record of what belongs in them.

`python -m sandbox.jars check SET` compares jars/SET with sandbox/jars.sha256; `record` writes that file anew.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.processes import PROJECT, SandboxError

SETS = ("connector", "connector-4", "s3a", "yarn")


@dataclass(frozen=True)
class JarFolders:
    """The folder that holds one folder per set, and the file with their checksums as `sha256sum` writes it."""

    folder: Path = PROJECT / "jars"
    checksums: Path = PROJECT / "sandbox" / "jars.sha256"

    def of(self, name: str) -> Path:
        """Return the folder of one set; SandboxError when it was not filled."""
        path = self.folder / name
        if not any(path.glob("*.jar")):
            raise SandboxError(f"jars/{name} is empty: run `make setup`")
        return path

    def differences(self, name: str) -> list[str]:
        """Return what is wrong with one set, a line each: missing, unexpected or different files."""
        expected = {path: digest for path, digest in self.recorded().items() if path.startswith(f"{name}/")}
        actual = self.digests(name)
        return [
            f"jars/{path}: {_fault(expected.get(path), actual.get(path))}"
            for path in sorted(expected.keys() | actual.keys())
            if expected.get(path) != actual.get(path)
        ]

    def recorded(self) -> dict[str, str]:
        """Return the recorded SHA-256 (hex) of each jar by its path below `folder`."""
        lines = (line.split() for line in self.checksums.read_text().splitlines())
        return {path: digest for digest, path in lines}

    def digests(self, name: str) -> dict[str, str]:
        """Return the SHA-256 (hex) of each jar of one set by its path below `folder`."""
        jars = sorted((self.folder / name).glob("*.jar"))
        return {f"{name}/{jar.name}": hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars}

    def record(self) -> None:
        """Write the checksums of the folders as they are."""
        found = {path: digest for name in SETS for path, digest in self.digests(name).items()}
        self.checksums.write_text("".join(f"{digest}  {path}\n" for path, digest in found.items()))


def _fault(expected: str | None, actual: str | None) -> str:
    if expected is None:
        return "not in sandbox/jars.sha256"
    return "missing" if actual is None else "content differs from sandbox/jars.sha256"


def main(arguments: list[str]) -> int:
    """Run `check SET` or `record`; return 1 when a jar is not the recorded one."""
    if arguments == ["record"]:
        JarFolders().record()
        return 0
    faults = JarFolders().differences(arguments[1])
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
