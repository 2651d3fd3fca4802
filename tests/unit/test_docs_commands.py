"""Every command that README and docs show is one: it parses, its target exists, its variables are read."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.job_main import job_settings
from dynamodb_pipeline.settings.job_options import JOBS, LOGS, TABLES
from sandbox.__main__ import _parser as sandbox_parser
from tests.unit.documents import (
    DOCS,
    PROJECT,
    READ_BY_MAKE,
    TARGETS,
    Command,
    commands_of,
    name_of,
    text_of,
    with_settings_shown,
)
from tests.unit.make_command import words_made


def test_the_documents_show_commands_of_every_kind() -> None:
    verbs = {command.words[1] for command in commands_of("dynamodb-pipeline")}
    assert verbs >= {*JOBS, "plan", "preflight", "policy", "schedule", "wait", "status", "logs", "terminate"}
    assert len(commands_of("spark-submit")) >= 2
    assert len(commands_of("make")) >= 10


@pytest.mark.parametrize("command", commands_of("dynamodb-pipeline"), ids=str)
def test_every_command_line_parses(command: Command) -> None:
    with pytest.raises(UsageError) if command.refused else nullcontext():
        with_settings_shown(command.words[1:])


@pytest.mark.parametrize("command", commands_of("spark-submit"), ids=str)
def test_every_spark_submit_runs_a_job_with_its_options(command: Command) -> None:
    (place,) = [number for number, word in enumerate(command.words) if word.endswith("_table.py")]
    script = PROJECT / "jobs" / Path(command.words[place]).name
    assert script.is_file()
    assert job_settings(script.name.removesuffix("_table.py"), command.words[place + 1 :])


@pytest.mark.parametrize("command", commands_of("make"), ids=str)
def test_every_make_command_names_a_target_and_variables_it_reads(command: Command) -> None:
    target, *variables = command.words[1:]
    assert target in TARGETS
    unknown = [word for word in variables if word.partition("=")[0] not in READ_BY_MAKE]
    assert unknown == []


@pytest.mark.parametrize("command", [c for c in commands_of("make") if c.words[1] in JOBS], ids=str)
def test_every_make_job_comes_to_a_command_line_that_parses(command: Command) -> None:
    with_settings_shown(tuple(words_made(*command.words[1:])))


def test_every_sandbox_command_parses() -> None:
    shown = [words for path in DOCS for words in re.findall(r"python -m sandbox ((?:[a-z-]+ ?)+)", text_of(path))]
    assert shown
    for words in shown:
        assert sandbox_parser().parse_args(words.split())


def test_targets_named_in_the_text_exist() -> None:
    """`make x` in running text or in a cron line, not only in blocks."""
    named = {
        (name_of(path), target)
        for path in DOCS
        for target in re.findall(r"(?:`|\b)make (?:-C \S+ )?([a-z][a-z0-9-]+)", _code_of(text_of(path)))
    }
    assert len(named) > 10
    assert {(where, target) for where, target in named if target not in TARGETS} == set()


def _code_of(text: str) -> str:
    """Only what stands in back quotes or blocks: "make" is a word too."""
    fenced = re.findall(r"^```[\w.-]*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return "\n".join([*fenced, *re.findall(r"(`[^`\n]+`)", text)])


def test_the_settings_file_shown_is_accepted_and_read_by_the_jobs() -> None:
    options = with_settings_shown(("plan", "export")).options
    assert options[TABLES] == ("Forum", "Thread", "Reply")
    assert options[LOGS] is not None
