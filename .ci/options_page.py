"""Prints the reference page of every option, docs/options.md, from the table that the command line is built from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dynamodb_pipeline.cli.command_line import VERBS
from dynamodb_pipeline.cli.launcher_options import ROWS
from dynamodb_pipeline.settings.parse import MODES, REFUSED_TOGETHER
from dynamodb_pipeline.settings.rows import Row, Where

HEAD = """# Options

Made by `make options-page` from the table of options that the command line is built from; do not edit.

The job's options reach the job on the nodes, and stand behind `jobs/*_table.py` under spark-submit; `plan`, `preflight`
and `schedule` of a job have them too. The launcher's are of runs on a cluster and of the verbs about such runs and
their documents; the local ones of this machine. Whatever begins with dashes may stand in `pipeline.toml`, under its
name without them.
"""
HEADINGS = {Where.JOB: "Of the jobs", Where.LAUNCHER: "Of the launcher", Where.LOCAL: "Of this machine"}


def page() -> str:
    """The whole page."""
    return "\n".join((HEAD, *(line for where in Where for line in _part(where)), *_modes()))


def _modes() -> Iterator[str]:
    """Every pair of modes of an import."""
    refused = {frozenset((first.name, second.name)): reason for first, second, reason in REFUSED_TOGETHER}
    names = [mode.name for mode in MODES]
    yield "## Modes of an import"
    yield ""
    yield "Whether two of them can be given together."
    yield ""
    yield f"| | {' | '.join(f'`{name}`' for name in names)} |"
    yield f"|---|{'---|' * len(names)}"
    for name in names:
        cells = ("" if name == o else "no" if frozenset((name, o)) in refused else "yes" for o in names)
        yield f"| `{name}` | {' | '.join(cells)} |"
    yield ""
    yield from (f"- `{first}` and `{second}`: {reason}." for first, second, reason in REFUSED_TOGETHER)
    yield ""


def _part(where: Where) -> Iterator[str]:
    yield f"## {HEADINGS[where]}"
    yield ""
    yield f"Acted on: {where.value}."
    yield ""
    yield "| option | verbs | range | default | |"
    yield "|---|---|---|---|---|"
    yield from (_line(row) for row in ROWS if row.where is where)
    yield ""


def _line(row: Row[Any]) -> str:
    cells = (f"`{_form(row)}`", _verbs(row), _range(row), row.default or "", row.help)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _form(row: Row[Any]) -> str:
    value = "|".join(row.choices) if row.choices and row.metavar is None else row.metavar
    name = f"{row.short}, {row.name}" if row.short else row.name
    return name if row.is_argument or value is None else f"{name} {value}"


def _verbs(row: Row[Any]) -> str:
    return ", ".join(verb for verb in VERBS if verb in row.verbs)


def _range(row: Row[Any]) -> str:
    said = ["needed"] if row.required else []
    said += [row.value.range] if row.value.range else []
    said += ["repeatable"] if row.many else []
    return "; ".join(said)


if __name__ == "__main__":
    print(page(), end="")
