"""README and docs say what the code does: options, verbs, defaults, exit codes, numbers."""

from __future__ import annotations

import re
import runpy

from dynamodb_pipeline import __version__
from dynamodb_pipeline.cli.command_line import VERBS
from dynamodb_pipeline.cli.launcher_options import ROWS
from dynamodb_pipeline.emr.watch.diagnosis import troubleshooting_rows
from dynamodb_pipeline.errors import EXIT_CODES
from dynamodb_pipeline.passes import capacity_watch
from dynamodb_pipeline.rate import (
    budget,
    capacity,
    meter,
    throttle,
    window,
)
from dynamodb_pipeline.run.progress import Counts, Goal, progress_line
from dynamodb_pipeline.settings.job_options import JOBS
from tests.unit.documents import (
    DOCS,
    FOREIGN_OPTIONS,
    PROJECT,
    README,
    all_options,
    name_of,
    options_in,
    section,
    table_rows,
    text_of,
)

DOCS_FOLDER = PROJECT / "docs"
OPTIONS_PAGE = DOCS_FOLDER / "options.md"
OPTIONS_IN_WORDS = DOCS_FOLDER / "options-by-job.md"
OPERATIONS = DOCS_FOLDER / "operations.md"
EXIT_CODES_PAGE = DOCS_FOLDER / "exit-codes.md"
TROUBLESHOOTING = DOCS_FOLDER / "troubleshooting.md"


def test_readme_is_short() -> None:
    assert 100 < len(text_of(README).splitlines()) <= 200


def test_every_option_is_in_the_reference_page() -> None:
    assert set(all_options()) - options_in(text_of(OPTIONS_PAGE)) == {"--version"}


def test_the_reference_page_is_that_of_the_table() -> None:
    made = runpy.run_path(str(PROJECT / ".ci" / "options_page.py"))["page"]()
    assert text_of(OPTIONS_PAGE) == made, "docs/options.md is not current: make options-page"


def test_every_option_in_the_documents_exists() -> None:
    known = set(all_options()) | FOREIGN_OPTIONS
    found = {name_of(path): options_in(text_of(path)) - known for path in DOCS}
    assert {where: unknown for where, unknown in found.items() if unknown} == {}


def test_the_options_of_jobs_are_told_for_the_right_jobs() -> None:
    rows = table_rows(section(OPTIONS_IN_WORDS, "Of the jobs"))
    assert len(rows) > 35
    told = {option: set(row[1].split(", ")) for row in rows for option in options_in(row[0])}
    of_jobs = {option: verbs & set(JOBS) for option, verbs in all_options().items() if verbs & set(JOBS)}
    assert told == {option: of_jobs.get(option) for option in told}
    of_runs = "".join(section(OPTIONS_IN_WORDS, f"Of a run on {place}") for place in ("this machine", "a cluster"))
    of_runs += section(OPTIONS_IN_WORDS, "Of every verb")
    assert set(of_jobs) - set(told) <= options_in(of_runs)


def test_the_options_of_other_verbs_are_told_for_verbs_that_have_them() -> None:
    rows = table_rows(section(OPTIONS_IN_WORDS, "Of the other verbs"))
    told = [(option, verbs) for names, verbs, _ in rows for option in options_in(names) if verbs]
    assert len(told) > 20
    real = all_options()
    verbs_of = {(option, verb.partition(" ")[0]) for option, verbs in told for verb in verbs.split(", ")}
    assert {(option, verb) for option, verb in verbs_of if verb not in real[option]} == set()


def test_every_verb_is_told() -> None:
    rows = table_rows(text_of(DOCS_FOLDER / "verbs.md"))
    assert len(rows) > 12
    told = " ".join(row[0] for row in rows)
    assert {verb for verb in VERBS if f"`{verb}" not in told} == set()


def test_the_defaults_told_are_the_real_ones() -> None:
    """The last brackets of an option's row, where they hold a plain value."""
    defaults = {row.name: row.default for row in ROWS if row.default and {*JOBS, "bundle"} & set(row.verbs)}
    told = {
        option: found[1]
        for row in table_rows(text_of(OPTIONS_IN_WORDS))
        if (found := re.search(r"\(([^()]+)\)$", row[-1]))
        for option in options_in(row[0])
        if option in defaults and " " not in found[1]
    }
    assert len(told) > 12
    assert told == {option: defaults[option] for option in told}


def test_exit_codes_told_are_those_of_the_code() -> None:
    rows = table_rows(text_of(EXIT_CODES_PAGE))[1:]
    told = {code: meaning for code, meaning, _ in rows}
    table = {f"[{int(code)}](#exit-{int(code)})": row.meaning for code, row in EXIT_CODES.items()}
    other = {code for code in {*told, *table} if told.get(code) != table.get(code)}
    assert other == set(), "the table of docs/exit-codes.md must have these as EXIT_CODES in errors.py has them"


def test_every_exit_code_has_an_address_and_what_to_do() -> None:
    text = text_of(EXIT_CODES_PAGE)
    for code, row in EXIT_CODES.items():
        begin = f"**{row.meaning[0].upper()}{row.meaning[1:]}.** "
        found = section(EXIT_CODES_PAGE, f"Exit {int(code)}").strip()
        assert found.startswith(begin), f"docs/exit-codes.md needs a section Exit {int(code)} that begins {begin!r}"
    assert text.count("What to do: ") == len(EXIT_CODES) - 1  # nothing is to be done after 0


def test_the_japanese_page_has_every_exit_code() -> None:
    rows = table_rows(section(DOCS_FOLDER / "ja" / "README.md", "終了コード"))[1:]
    told, codes = {int(row[0]) for row in rows}, {int(code) for code in EXIT_CODES}
    assert told == codes, "the table of exit codes in docs/ja/README.md has others than EXIT_CODES in errors.py"


def read(remedy: str) -> str:
    """A remedy as a page has it, which knows no run whose command it could show."""
    roles = remedy.replace("{deploy-roles}", "deploy what {policy roles-template} prints")
    return re.sub(r"\{(policy [a-z-]+)\}", r"`dynamodb-pipeline \1`", roles)


def test_the_troubleshooting_page_is_the_table_the_tool_matches_against() -> None:
    """A heading for each row, so that each has an address; the order is that of the table."""
    parts = re.findall(r"^### (\S+)\n(.*?)(?=^### |\Z)", text_of(TROUBLESHOOTING), re.DOTALL | re.MULTILINE)
    told = [(name, " ".join(text.split())) for name, text in parts]
    page = "*On AWS's own list for Data Pipeline.* "
    real = [
        (row.name, " ".join(f"{page * row.from_page}Cause: {row.cause}. Remedy: {read(row.remedy)}.".split()))
        for row in troubleshooting_rows()
    ]
    assert len(real) > 20
    assert told == real


def test_the_progress_line_shown_is_one() -> None:
    goal, counts = Goal("export Orders", 100.0, "read units", 40_000), Counts(12_400, 0.0)
    assert progress_line(goal, counts, elapsed_s=120.0, recent_units_s=99.1) in text_of(OPERATIONS)


def test_the_numbers_of_the_rate_are_those_of_the_code() -> None:
    text = " ".join(text_of(PROJECT / "docs" / "rate.md").split())
    told = [
        f"at {meter.PACE} R, from nothing",
        f"within {window.WINDOW_LIMIT} windows' worth",
        f"window of {window.WINDOW_S:.0f} seconds",
        f"Up to {window.SLOW_RATE:.0f} units/s the window has {window.SLOW_WINDOW_S:.0f} seconds",
        f"more than {window.LARGE_SHARE:.0%} of a window".replace("%", " %"),
        f"to {throttle.CUT:.0%}".replace("%", " %") + ", at most once a second",
        f"never below {throttle.FLOOR:.0%}".replace("%", " %"),
        f"by {throttle.CLIMB_PER_S:.1%} of R a second".replace("%", " %"),
        "{read:,.0f} read, {write:,.0f} write units".format(**capacity.NEW_TABLE_UNITS),
        f"A percent is {capacity.PERCENT_MIN} to {capacity.PERCENT_MAX}",
        "`25% of 400 read units (provisioned) = 100/s`",
    ]
    assert [phrase for phrase in told if phrase not in text] == []
    assert (budget.REQUEST_SHARE, capacity_watch.INTERVAL_S) == (1 / 50, 60)
    assert "a fiftieth of a window" in text
    assert "once a minute" in text
    provisioned = capacity.Capacity(provisioned=capacity.Throughput(400, 400))
    assert capacity.read_rate(provisioned, capacity.RateChoice(capacity.PERCENT_DEFAULT)).derivation in text


def test_changelog_begins_with_this_version() -> None:
    assert re.findall(r"^## (\S+)", text_of(PROJECT / "CHANGELOG.md"), re.MULTILINE)[0] == __version__
