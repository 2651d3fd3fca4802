"""Every option of every verb: it parses, or it is refused by name; it is written once and rendered as it was given."""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.cli.command_line import VERBS, CommandLine, build_parser, line_of
from dynamodb_pipeline.cli.launcher_options import MAX_COST, ROWS, rows_of
from dynamodb_pipeline.cli.main import main
from dynamodb_pipeline.emr.request.launch_settings import DOLLARS
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.job import ExportSettings, ImportSettings, VerifySettings
from dynamodb_pipeline.settings.job_options import JOBS, rows_of_job
from dynamodb_pipeline.settings.parser import words_read
from dynamodb_pipeline.settings.rows import Row, Where
from tests.unit.cli.option_lines import FORMS, HOSTILE, meant, words_with
from tests.unit.documents import PROJECT

EXPORT = ("--table", "Forum", "--output", "s3://data/x")


def refused_or_meant(words: tuple[str, ...], row: Row[Any]) -> CommandLine | None:
    try:
        line = line_of(words, file=None)
        meant(line)
    except UsageError as err:
        said = str(err)
    except SystemExit:  # --help and the like, which argparse answers itself
        assert row.is_argument
        return None
    else:
        return line
    assert 10 < len(said) < 3000
    return None


@given(st.data())
def test_any_text_for_any_option_is_refused_or_means_something(data: st.DataObject) -> None:
    """No traceback, and what was taken is rendered so that it reads the same again."""
    verb, kind = data.draw(st.sampled_from(FORMS), label="verb")
    row = data.draw(st.sampled_from(rows_of(verb, kind=kind)), label="option")
    text = data.draw(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30)), label="text")
    line = refused_or_meant(words_with(verb, kind, row, text), row)
    if line is not None:
        words = line.options.given.words()
        again = line_of((*line.program[1:], *words), file=None)
        assert again.options.values == line.options.values
        assert again.options.given.words() == words


def judged(row: Row[Any], text: str) -> str | None:
    """Why the row refuses the text, None when it takes it."""
    try:
        row.parse(text)
    except UsageError as err:
        return str(err)
    return None


@pytest.mark.parametrize("row", [r for r in ROWS if not r.is_flag], ids=lambda row: f"{row} of {'-'.join(row.verbs)}")
def test_every_option_judges_every_hostile_text_in_a_sentence_that_names_it(row: Row[Any]) -> None:
    for text in HOSTILE:
        said = judged(row, text)
        assert said is None or (row.name in said and len(said) < 1000), text[:80]


@pytest.mark.parametrize("row", [r for r in ROWS if r.default is not None], ids=str)
def test_every_default_is_taken(row: Row[Any]) -> None:
    assert judged(row, str(row.default)) is None


@pytest.mark.parametrize("text", ["NaN", "inf", "1e309", "-1", "cheap", "1_0", "\u0661", "", "$", "9" * 13])
def test_a_limit_of_money_is_a_number_or_refused(text: str) -> None:
    """`NaN` and `inf` are above every estimate: they would switch the limit off."""
    said = judged(MAX_COST, text)
    assert said is not None
    assert said.startswith("--max-cost")
    assert DOLLARS.fullmatch("$5.00")
    assert MAX_COST.parse("$5.00") == 5.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "--table", "Forum", "--input", "s3://data/x", "--max-set-aside", "9" * 5000), "--max-set-aside"),
        (("export", *EXPORT, "--timeout", "9" * 5000), "--timeout"),
        (("export", *EXPORT, "--engine", "process"), "it needs --local"),
        (
            (
                *[
                    "export",
                    "--table",
                    "Forum",
                    "--output",
                    "s3://data/x",
                    "--local",
                    "--engine",
                    "process",
                    "--reader",
                    "connector",
                ],
            ),
            "--reader connector needs Java",
        ),
        (("exprt", "--table", "Forum"), "there is no 'exprt'; did you mean export?"),
        (("plan", "xyz"), "there is no 'xyz'; there are: export, import, verify; see dynamodb-pipeline plan --help"),
        (("export", "--tabel", "Forum", "--output", "s3://data/x"), "--tabel: did you mean --table?"),
        (("export", *EXPORT, "--dry-run"), "unrecognized arguments: --dry-run"),
        (("verify", "--limt", "3", "s3://data/x"), "--limt: did you mean --limit?"),
        (("wait",), "required: RUN"),
        (("policy", "launcher", "--region", "nf25", "--bucket", "data", "--prefix", "x"), "nf25"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_the_command_ends_with_2_and_says_why(
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err


def test_an_option_is_named_in_one_place_of_the_library() -> None:
    """Its row; everything else asks the row. Text of messages and docstrings may name options."""
    found: Counter[str] = Counter()
    for path in (PROJECT / "dynamodb_pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found[node.value] += 1
    names = {row.name for row in ROWS if not row.is_argument}
    assert len(names) > 60
    assert {name: found[name] for name in names if found[name] != 1} == {}


def test_what_a_job_is_given_reaches_its_settings() -> None:
    """A row of a job without a field would be an option that does nothing."""
    elsewhere = {"throughput_percent", "read_units", "write_units", "timeout", "table", "allow_bucket", "accept_member"}
    for kind, settings in zip(JOBS, (ExportSettings, ImportSettings, VerifySettings), strict=True):
        common = settings.__dataclass_fields__["common"].type
        assert common == "CommonSettings"
        fields = {*settings.__dataclass_fields__, *_common_fields()}
        unread = {row.field for row in rows_of_job(kind)} - fields - elsewhere
        assert unread == set(), (
            f"{common} or the settings of {kind} in settings/job.py need a field of each of these names"
        )


def _common_fields() -> set[str]:
    from dynamodb_pipeline.settings.job import CommonSettings

    return set(CommonSettings.__dataclass_fields__)


def test_options_of_the_launcher_never_reach_a_job() -> None:
    """Every option of an export given at once: the job gets its own alone."""
    rows = [row for row in rows_of("export") if row.where is not Where.JOB and not row.is_flag]
    assert len(rows) > 15
    for row in rows:
        assert words_read("export", (row.name, "x")).entries == ()


def test_every_verb_has_a_help_of_its_own() -> None:
    text = build_parser().format_help()
    assert [verb for verb in VERBS if verb not in text] == []


def test_no_pattern_of_the_library_ends_before_a_line_feed() -> None:
    """`$` also matches before a last line feed: what must be a whole text is matched by `fullmatch`."""
    calls = [
        call
        for path in (PROJECT / "dynamodb_pipeline").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "re.compile"
    ]
    assert len(calls) > 30
    plain = [ast.unparse(call) for call in calls if "re.MULTILINE" not in ast.unparse(call)]
    assert [text for text in plain if re.search(r"\$(?:['\"]|\)|\|)", text)] == []
