"""
Runs `dynamodb-pipeline VERB` with the variables of `make` as options.

The Makefile hands each variable on as it was written, in the environment, as `PIPELINE_<NAME>`: no shell reads a value,
and make expands none. Only `ARGS` is words: it is split here, by the rules of a POSIX shell, and nothing in it is
expanded. Standard input is empty, so that nothing asks and waits.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

# variable -> option; None where the value stands alone
VARIABLES: dict[str, dict[str, str | None]] = {
    "export": {"TABLES": "--table", "OUTPUT": "--output"},
    "import": {"TABLE": "--table", "INPUT": "--input"},
    "verify": {"INPUT": None, "TABLE": "--table"},
}
EVERY_VERB = {"PERCENT": "--throughput-percent", "REGION": "--region", "LOGS": "--logs", "CONFIG": "--config"}
USAGE = 2


def words(verb: str, variables: Mapping[str, str]) -> Iterator[str]:
    """
    The words of the command line; a variable that is empty is left out, as make knows no difference.

    Raises:
        ValueError: `ARGS` ends inside a quotation.
    """
    yield verb
    for name, option in {**VARIABLES[verb], **EVERY_VERB}.items():
        value = variables.get(f"PIPELINE_{name}", "")
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
        sys.stderr.write(f"ERROR {USAGE} (usage or configuration): ARGS cannot be split into words: {err}\n")
        sys.exit(USAGE)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execv(program, line)


if __name__ == "__main__":
    main()
