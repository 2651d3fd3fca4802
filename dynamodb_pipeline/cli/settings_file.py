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
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from dynamodb_pipeline.errors import UsageError, shown
from dynamodb_pipeline.secret_patterns import secret_problem
from dynamodb_pipeline.settings.parser import did_you_mean
from dynamodb_pipeline.settings.rows import Row

QUOTE = "write it in quotes"


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
        text = path.read_bytes().decode("utf-8")
        settings: dict[str, Any] = toml.loads(text)
    except OSError as err:
        msg = f"settings file {path} cannot be read: {err.strerror}"
        raise UsageError(msg) from err
    except UnicodeDecodeError as err:
        msg = f"settings file {path} is not TOML: byte {err.start} is not UTF-8"
        raise UsageError(msg) from err
    except ValueError as err:  # TOMLDecodeError, or a number that Python does not convert
        msg = f"settings file {path} is not TOML: {err}"
        raise UsageError(msg) from err
    except RecursionError as err:
        msg = f"settings file {path} is nested too deeply; it holds options and one table for each verb"
        raise UsageError(msg) from err
    for number, line in enumerate(text.splitlines(), start=1):
        problem = secret_problem(line, where=f"{path} line {number}")
        if problem:
            raise UsageError(problem)
    return settings


@dataclass(frozen=True)
class SettingsFile:
    """
    A settings file, whose keys are known to be options of the verbs they stand under.

    Attributes:
        where: the file, for messages.
        settings: what it says.
        known: every verb's keys.

    Raises:
        UsageError: a key is no option of its verb, or of any verb; a value that no option can have.
    """

    where: str
    settings: Mapping[str, Any]
    known: Mapping[str, Collection[str]]

    def __post_init__(self) -> None:
        problems = list(_problems(self.settings, self.known))
        if problems:
            msg = f"{self.where}: " + "; ".join(problems)
            raise UsageError(msg)

    def keys(self, verb: str, kind: str | None) -> set[str]:
        """The keys that hold for a verb, as options of its own or not."""
        return {key for _, table in self._tables(verb, kind) for key, value in table.items() if value is not False}

    def texts(self, verb: str, kind: str | None, rows: Iterable[Row[Any]]) -> dict[str, tuple[str, ...]]:
        """
        The texts of a verb's options by key: of the file's top, then of the job's table, then of the verb's own.

        Raises:
            UsageError: a value does not fit its option.
        """
        by_key = {row.key: row for row in rows if not row.is_argument}
        merged: dict[str, tuple[str, ...]] = {}
        for name, table in self._tables(verb, kind):
            mine = [by_key[key] for key in table if key in by_key]
            replaced = {row.group for row in mine if row.exclusive}
            merged = {k: t for k, t in merged.items() if not (by_key[k].exclusive and by_key[k].group in replaced)}
            for row in mine:
                texts = self._texts(row, table[row.key], section=name)
                if texts is None:
                    merged.pop(row.key, None)  # false in a verb's table takes back what the top says
                else:
                    merged[row.key] = texts
        return merged

    def _tables(self, verb: str, kind: str | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield "", {key: value for key, value in self.settings.items() if not isinstance(value, Mapping)}
        for name in dict.fromkeys((kind, verb)):
            if name is not None and isinstance(self.settings.get(name), Mapping):
                yield f"[{name}] ", self.settings[name]

    def _texts(self, row: Row[Any], value: Any, *, section: str) -> tuple[str, ...] | None:
        """The option's texts, None for a flag that is not set."""
        what = f"{self.where}: {section}{row.key}"
        if row.is_flag:
            if not isinstance(value, bool):
                msg = f"{what} is a flag; give it true or false"
                raise UsageError(msg)
            return () if value else None
        values = value if isinstance(value, list) else [value]
        if isinstance(value, bool) or (len(values) != 1 and not row.many):
            msg = f"{what} takes one value{' or a list' if row.many else ''}; {QUOTE}"
            raise UsageError(msg)
        return tuple(str(one) for one in values)


def _problems(settings: Mapping[str, Any], known: Mapping[str, Collection[str]]) -> Iterator[str]:
    everything = {key for keys in known.values() for key in keys}
    for key, value in settings.items():
        if not isinstance(value, Mapping):
            if key not in everything:
                yield _hint(f"{shown(key)} is not an option of any verb", key, everything)
            else:
                yield from _value_problems(key, value)
        elif key not in known:
            yield _hint(f"[{shown(key)[1:-1]}] is not a verb", key, known)
        else:
            for name, inner in value.items():
                if name not in known[key]:
                    yield _hint(f"[{key}] {shown(name)} is not an option", name, known[key])
                else:
                    yield from _value_problems(f"[{key}] {name}", inner)


def _hint(problem: str, name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return f"{problem} ({near})" if near else problem


def _value_problems(what: str, value: Any) -> Iterator[str]:
    """Texts, numbers and truth are values, and a list of the first two; nothing else has a text of its own."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool) and isinstance(value, list):
            yield f"{what} holds true or false in a list; {QUOTE}"
        elif isinstance(one, list):
            yield f"{what} holds a list in a list"
        elif not isinstance(one, (str, int, float, bool)):
            kind = "a table" if isinstance(one, Mapping) else "a date or time"
            yield f"{what} is {kind}, not a text or number; {QUOTE}"
