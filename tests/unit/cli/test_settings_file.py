"""`pipeline.toml`: what it says, below the flags; every fault of it is named, none becomes a text by itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.cli.command_line import keys_by_verb, line_of, settings_file
from dynamodb_pipeline.cli.settings_file import SettingsFile, read_settings_file
from dynamodb_pipeline.errors import UsageError

FORUM = "arn:aws:dynamodb:eu-west-1:210987654321:table/Forum"


def words(settings: dict[str, Any], *line: str) -> tuple[str, ...]:
    """The options of a command line with this file below it."""
    return line_of(line, file=SettingsFile("f.toml", settings, keys_by_verb())).options.given.words()


def test_flags_win_over_the_file_and_sections_over_the_top() -> None:
    settings = {
        "logs": "s3://logs/file",
        "region": "eu-west-1",
        "export": {"table": ["One", "Two"], "output": "s3://data/file", "no-wait": True},
    }
    assert words(settings, "export", "--output", "s3://data/flag") == (
        *("--output", "s3://data/flag", "--logs", "s3://logs/file", "--region", "eu-west-1"),
        *("--table", "One", "--table", "Two", "--no-wait"),
    )
    assert words(settings, "wait", "r") == ("r", "--region", "eu-west-1")


@pytest.mark.parametrize(
    ("line", "regions"),
    [
        (("policy", "nodes-export", "--table", FORUM), []),
        (("export", "--output", "s3://data/x", "--table", FORUM), []),
        (("export", "--output", "s3://data/x", "--table", FORUM, "--region", "us-east-1"), ["us-east-1"]),
        (("export", "--output", "s3://data/x", "--table", FORUM, "--table", "Own"), ["us-west-2"]),
        (("verify", "s3://data/x"), ["us-west-2"]),
    ],
)
def test_the_region_of_tables_by_arn_wins_over_the_files_and_not_over_a_flag(
    line: tuple[str, ...], regions: list[str]
) -> None:
    found = words({"region": "us-west-2"}, *line)
    assert [after for word, after in zip(found, found[1:]) if word == "--region"] == regions
    if not regions:
        file = SettingsFile("f.toml", {"region": "us-west-2", line[0]: {"table": FORUM}}, keys_by_verb())
        bare = [word for word in line if word not in ("--table", FORUM)]
        assert "us-west-2" not in line_of(bare, file=file).options.given.words()


def test_what_a_command_needs_may_stand_in_the_file() -> None:
    with pytest.raises(UsageError, match="required: --output"):
        words({"export": {"table": "One"}}, "export")
    with pytest.raises(UsageError, match="required: --table"):
        words({"export": {"table": [], "output": "s3://data/x"}}, "export")


def test_a_table_on_the_command_line_replaces_the_files_tables() -> None:
    settings = {"export": {"table": ["One", "Two"], "output": "s3://data/x"}}
    assert words(settings, "export", "--table=Three") == ("--table", "Three", "--output", "s3://data/x")


def test_a_jobs_section_holds_for_its_plan_too_and_the_verbs_own_wins() -> None:
    """`plan export` is about the export of the file; what plan has no option for is left out."""
    export = {"table": ["One", "Two"], "output": "s3://data/x", "local": True, "config": "m3"}
    settings = {"export": export, "plan": {"config": "m5"}}
    assert words(settings, "plan", "export") == (
        *("--table", "One", "--table", "Two", "--output", "s3://data/x", "--config", "m5"),
    )


EXPORT = ("--table", "One", "--output", "s3://data/x")


@pytest.mark.parametrize(
    ("line", "added"),
    [
        (("export", *EXPORT), ("--read-units", "7")),
        (("export", *EXPORT, "--read-units=5"), ("--read-units", "5")),
        (("export", *EXPORT, "--throughput-percent", "10"), ("--throughput-percent", "10")),
        (("plan", "import", "--table", "One", "--input", "s3://data/x"), ("--throughput-percent", "50")),
    ],
)
def test_one_rate_replaces_the_other(line: tuple[str, ...], added: tuple[str, ...]) -> None:
    """A percent in the file does not forbid units on the command line or in a section."""
    settings = {"throughput-percent": 50, "export": {"read-units": 7}}
    assert words(settings, *line)[-2:] == added


def test_two_rates_side_by_side_are_refused() -> None:
    with pytest.raises(UsageError, match="not allowed with"):
        words({"export": {"read-units": 7, "throughput-percent": 50}}, "export", *EXPORT)


def test_false_in_a_section_takes_back_a_flag_of_the_top() -> None:
    assert words({"no-wait": True, "export": {"no-wait": False}}, "export", *EXPORT) == EXPORT


def test_unknown_keys_are_all_named_with_what_is_like_them() -> None:
    with pytest.raises(UsageError) as refused:
        words({"lgos": 1, "exprot": {}, "export": {"tabel": 1}}, "export", *EXPORT)
    for part in ("'lgos'", "did you mean logs?", "[exprot]", "did you mean export?", "'tabel'", "did you mean table?"):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("table = [['a']]", "table holds a list in a list"),
        ("[export]\nscheduled-time = 2026-11-23T03:00:00Z", r"\[export\] scheduled-time is a date"),
        ("[export]\nscheduled-time = 03:00:00", r"\[export\] scheduled-time is a date or time"),
        ("[export.table]\na = 1", r"\[export\] table is a table"),
        ("table = [true]", "table holds true or false"),
        ("table = true", "table takes one value"),
        ("no-wait = 'yes'\noutput = 's3://data/x'", "no-wait is a flag"),
        ("output = ['s3://data/a', 's3://data/b']", "output takes one value"),
    ],
)
def test_values_that_no_option_can_have(tmp_path: Path, text: str, problem: str) -> None:
    line = EXPORT[2:] if text.startswith("table = true") else EXPORT[:2]
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=problem):
        words(read_settings_file(path), "export", *line)


def test_settings_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text('logs = "s3://l/x"\n[export]\ntable = ["Forum"]\n')
    assert read_settings_file(path) == {"logs": "s3://l/x", "export": {"table": ["Forum"]}}


@pytest.mark.parametrize(
    "line",
    ['key = "AKIAIOSFODNN7EXAMPLE"', 'aws_secret_access_key = "wJalrXUtnFEMI"', 'session-token = "abc"'],
    ids=["id", "secret", "token"],
)
def test_credentials_in_the_file_are_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(f"{line}\n")
    with pytest.raises(UsageError, match="line 1") as refused:
        read_settings_file(path)
    assert line.partition('"')[2].rstrip('"') not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a = ", "not TOML"),
        (b"= 1", "not TOML"),
        (b'a = "\xff"', "byte 5 is not UTF-8"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"a = " + b"9" * 5000, "not TOML"),
    ],
    ids=["no value", "no key", "not UTF-8", "5,000 lists", "5,000 digits"],
)
def test_file_that_is_not_toml(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=problem):
        read_settings_file(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize(
    ("owner", "mode", "taken"),
    [(0, 0o777, True), (4242, 0o755, True), (4242, 0o1777, False)],
    ids=["ours", "a folder of one user's", "a folder of everybody's"],
)
def test_a_file_that_another_user_may_have_put_there_is_not_taken_by_itself(
    owner: int, mode: int, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could send our data to a bucket of his."""
    path = tmp_path / "pipeline.toml"
    path.write_text('region = "eu-west-1"\n')
    os.chown(path, owner, owner)
    tmp_path.chmod(mode)
    monkeypatch.chdir(tmp_path)
    if taken:
        assert settings_file(["status", "r"]) is not None
    else:
        with pytest.raises(UsageError, match=r"pipeline.toml belongs to another user.*--settings pipeline.toml"):
            settings_file(["status", "r"])
        assert settings_file(["status", "r", "--settings", "pipeline.toml"]) is not None


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_a_user_takes_no_file_of_another_user_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text('region = "eu-west-1"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: 4243)
    assert settings_file(["status", "r"]) is not None  # root's
    os.chown(path, 4242, 4242)
    with pytest.raises(UsageError, match="another user"):
        settings_file(["status", "r"])
