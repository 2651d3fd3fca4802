"""
`pipeline.toml`: every option of the command line, kept in a file. Flags win over the file.

Top-level keys hold for every verb that has the option; a table named after a verb holds for that verb only, and one
named after a job also for the plan, preflight and schedule of that job. Keys are the options' own names without the
dashes in front:

    region = "eu-west-1"
    logs = "s3://my-bucket/logs"

    [export]
    table = ["Forum", "Thread"]
    output = "s3://my-bucket/exports"
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.secret_patterns import secret_problem

FILE_NAME = "pipeline.toml"
VERBS_OF_JOBS = ("plan", "preflight", "schedule")
RATES = ("throughput-percent", "read-units", "write-units")  # of which a command line takes one


def read_settings_file(path: Path) -> dict[str, Any]:
    """
    Raises:
        UsageError: unreadable, not TOML, holds a credential, or this Python cannot read TOML (before 3.11).
    """
    if sys.version_info < (3, 11):
        msg = f"{path} needs Python 3.11 or newer to be read; give the options on the command line"
        raise UsageError(msg)
    toml: Any = import_module("tomllib")  # new in 3.11, so unknown to checks that assume an older Python
    try:
        text = path.read_text(encoding="utf-8")
        settings: dict[str, Any] = toml.loads(text)
    except OSError as err:
        msg = f"settings file {path} cannot be read: {err.strerror}"
        raise UsageError(msg) from err
    except toml.TOMLDecodeError as err:
        msg = f"settings file {path} is not TOML: {err}"
        raise UsageError(msg) from err
    for number, line in enumerate(text.splitlines(), start=1):
        problem = secret_problem(line, where=f"{path} line {number}")
        if problem:
            raise UsageError(problem)
    return settings


def words_with_settings(
    words: tuple[str, ...], settings: Mapping[str, Any], *, options: Mapping[str, frozenset[str]], where: str
) -> tuple[str, ...]:
    """
    Return the command line with the file's options added where the user gave none.

    Args:
        words: the user's own; the verb first.
        options: for every verb its options, e.g. `{"export": {"--table", ...}}`.
        where: the file, for messages.

    Raises:
        UsageError: a key is no option of its verb, or of any verb.
    """
    verb = words[0] if words else ""
    _refuse_unknown(settings, options=options, where=where)
    mine = options.get(verb, frozenset())
    wanted = {key: value for key, value in _of_verb(settings, words).items() if f"--{key}" in mine}
    given = {word.partition("=")[0].removeprefix("--") for word in words}
    given |= set(RATES) if given & set(RATES) else set()
    return (*words, *(part for key, value in wanted.items() if key not in given for part in _words(key, value)))


def _of_verb(settings: Mapping[str, Any], words: tuple[str, ...]) -> dict[str, Any]:
    """The file's keys for this command line: its top, then the job's table, then the verb's own."""
    top = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    job = words[1] if len(words) > 1 and words[0] in VERBS_OF_JOBS else ""
    tables = [section for name in (job, *words[:1]) if isinstance(section := settings.get(name), Mapping)]
    merged = dict(top)
    for table in tables:
        merged = _laid_over(merged, table)
    return merged


def _laid_over(below: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the table's keys; a rate in the table replaces whatever rate is below it."""
    kept = {key: value for key, value in below.items() if key not in RATES or not set(RATES) & set(table)}
    return {**kept, **table}


def _words(key: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{key}"] if value else []
    values = value if isinstance(value, list) else [value]
    return [f"--{key}={one}" for one in values]


def _refuse_unknown(settings: Mapping[str, Any], *, options: Mapping[str, frozenset[str]], where: str) -> None:
    everything = frozenset().union(*options.values()) if options else frozenset()
    problems = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            known = options.get(key)
            if known is None:
                problems.append(f"[{key}] is not a verb")
            else:
                problems += [f"[{key}] {name} is not an option" for name in value if f"--{name}" not in known]
        elif f"--{key}" not in everything:
            problems.append(f"{key} is not an option of any verb")
    if problems:
        msg = f"{where}: " + "; ".join(problems)
        raise UsageError(msg)
