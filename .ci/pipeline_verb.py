"""
Runs `dynamodb-pipeline VERB` with the variables of `make` as options.

The Makefile hands each variable on as it was written, in the environment, as `PIPELINE_<NAME>`: no shell reads a value,
and make expands none. Only `ARGS` is words: it is split here, by the rules of a POSIX shell, and nothing in it is
expanded. Standard input is empty, so that nothing asks and waits. GNU make turns every failure into its own exit code
2, so the last line here names the code that the command ended with.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for whatever interpreter make was given

from dynamodb_pipeline.errors import ExitCode

# variable -> option; None where the value stands alone
VARIABLES: dict[str, dict[str, str | None]] = {
    "export": {"TABLES": "--table", "TABLE": "--table", "OUTPUT": "--output"},  # TABLE where there is no TABLES
    "import": {"TABLE": "--table", "INPUT": "--input"},
    "verify": {"INPUT": None, "TABLE": "--table"},
}
EVERY_VERB = {"PERCENT": "--throughput-percent", "REGION": "--region", "LOGS": "--logs", "CONFIG": "--config"}


def words(verb: str, variables: Mapping[str, str]) -> Iterator[str]:
    """
    The words of the command line; a variable that is empty is left out, as make knows no difference.

    Raises:
        ValueError: `ARGS` ends inside a quotation.
    """
    yield verb
    for name, option in {**VARIABLES[verb], **EVERY_VERB}.items():
        value = variables.get(f"PIPELINE_{name}", "")
        if verb == "export" and name == "TABLE" and variables.get("PIPELINE_TABLES"):
            continue
        for each in value.split() if name == "TABLES" else [value] * bool(value):
            if option is None:
                yield each
            else:
                yield f"{option}={each}"  # one word: a value that begins with a dash stays a value
    if variables.get("PIPELINE_LOCAL"):
        yield "--local"
    yield from shlex.split(variables.get("PIPELINE_ARGS", ""))


def main() -> None:
    program = Path(sys.executable).parent / "dynamodb-pipeline"
    try:
        line = [str(program), *words(sys.argv[1], os.environ)]
    except ValueError as err:
        sys.stderr.write(f"ERROR 2 ({meaning(ExitCode.USAGE)}): ARGS cannot be split into words: {err}\n")
        sys.exit(int(ExitCode.USAGE))
    sys.exit(run(line))


def run(line: list[str]) -> int:
    """Run the command to its end and say its exit code; it hears Ctrl-C itself, a SIGTERM is handed on."""
    child = subprocess.Popen(line, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    code = code if code >= 0 else 128 - code  # ended by a signal, in a shell's words
    if code:
        sys.stderr.write(f"{line[1]} ended with exit code {code} ({meaning(code)}); make's own exit code is 2\n")
    return code


def meaning(code: int) -> str:
    """In the words of the table of exit codes."""
    return ExitCode(code).meaning if code in {*ExitCode} else "killed by a signal"


if __name__ == "__main__":
    main()
