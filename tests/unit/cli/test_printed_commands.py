"""Every command of ours that a message prints is read by the command line as it stands."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.cli import launcher_options as own
from dynamodb_pipeline.cli.command_line import VERBS, read_line
from dynamodb_pipeline.cli.launch_options import RunStart, launch_of
from dynamodb_pipeline.cli.main import settings_of
from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.emr.documents.policies import POLICY_KINDS
from dynamodb_pipeline.emr.request.run_job_flow_request import spark_conf
from dynamodb_pipeline.emr.request.steps import JobCode, given_in_step, launch_of_step, step_requests
from dynamodb_pipeline.emr.watch.diagnosis import troubleshooting_rows
from dynamodb_pipeline.errors import PROGRAM
from dynamodb_pipeline.run.record import resume_command
from dynamodb_pipeline.settings import job_options as job
from dynamodb_pipeline.settings.run_commands import (
    ON_CLUSTER,
    PolicyPlaces,
    launch_again_command,
    policy_command,
    recorded_run_command,
    regionless_run_lines,
    report_command,
    run_command,
    with_commands,
)
from tests.unit.documents import PROJECT

LIBRARY = PROJECT / "dynamodb_pipeline"
NAMED = re.compile(rf"{PROGRAM} ([a-z-]+)(?: [a-z][a-z-]*)*(?: --help)?")
PLACES = PolicyPlaces(
    ("Orders", "my.table_1"), S3Uri("data-bucket", "exports/x"), S3Uri("logs", "a b/logs"), "eu-west-1"
)
GIVEN = {
    "export": "--local --engine process --table Orders --table B2x --output s3://bkt/exports --logs s3://bkt/logs "
    "--region eu-west-1 --reader direct --throughput-percent 30 --settings x.toml --quiet",
    "import": "--local --engine process --table Orders --input 's3://bkt/ex ports' --dry-run --region eu-west-1 "
    "--logs s3://bkt/logs --set-aside s3://bkt/aside --duplicates last-wins",
    "verify": "s3://bkt/exports --local --engine process --region eu-west-1 --table Orders --limit 3",
}


def line_of(command: str):  # type: ignore[no-untyped-def]
    program, *words = shlex.split(command)
    assert program == PROGRAM
    return read_line(words)


@cache
def texts() -> tuple[tuple[Path, str], ...]:
    return tuple(read_texts())


def read_texts() -> Iterator[tuple[Path, str]]:
    """Every text of the library but docstrings."""
    for path in LIBRARY.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        holders = (ast.Module, ast.ClassDef, ast.FunctionDef)
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, holders)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docs:
                yield path, node.value


def test_every_command_written_out_in_a_message_is_whole() -> None:
    """What needs options of the run is built from them; what is written out needs none: it asks for help."""
    found = {(path.name, match[0]) for path, text in texts() for match in NAMED.finditer(text) if match[1] in VERBS}
    whole = {name for name, _ in found if name in ("s3_errors.py", "api_errors.py")}
    assert whole
    schedules = {(name, text) for name, text in found if name == "schedules.py"}  # EventBridge fills in the cluster
    words = {
        ("roles_template.py", f"{PROGRAM} runs"),  # "Launch and watch dynamodb-pipeline runs": no command
        ("doctor.py", f"{PROGRAM} preflight export"),  # after `init`, whose file holds the options, and is named
        ("doctor.py", f"{PROGRAM} plan export"),
    }
    for name, text in found - schedules - words:
        (line,) = {value for path, value in texts() if path.name == name and text in value}
        assert text.endswith(" --help"), (name, line)


def test_the_programs_name_is_written_once_for_all_commands_that_are_built() -> None:
    trees = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in LIBRARY.rglob("*.py")}
    words = [(name, node) for name, tree in trees.items() for node in ast.walk(tree)]
    first = [(name, node.elts[0]) for name, node in words if isinstance(node, (ast.Tuple, ast.List)) and node.elts]
    assert [name for name, word in first if isinstance(word, ast.Constant) and word.value == PROGRAM] == []
    set_to = [(name, node.value) for name, node in words if isinstance(node, ast.Assign)]
    named = [name for name, value in set_to if isinstance(value, ast.Constant) and value.value == PROGRAM]
    assert sorted(named) == ["errors.py", "wire.py"]  # the latter's names us to AWS


@pytest.mark.parametrize("verb", ON_CLUSTER)
@pytest.mark.parametrize("cluster_id", [None, "j-ABC"])
def test_a_command_about_a_run_says_where_it_is(verb: str, cluster_id: str | None) -> None:
    line = line_of(run_command(verb, "run-1", region="eu-west-1", cluster_id=cluster_id))
    assert line.verb == verb
    assert (line.options[own.RUN], line.options[own.RUN_REGION]) == ("run-1", "eu-west-1")
    assert line.options[own.RUN_CLUSTER] == cluster_id


@pytest.mark.parametrize("verb", [*ON_CLUSTER, "report"])
def test_without_a_region_none_is_made_up_and_what_needs_none_is_named(verb: str) -> None:
    lines = regionless_run_lines(verb, "run-1")
    assert "--region, that of the run's cluster, or set AWS_REGION" in lines[0]
    assert "us-east-1" not in " ".join(lines)
    command = lines[1].rpartition("in any region: ")[2]
    assert line_of(command).verb == ("report" if verb == "report" else "runs")
    assert command.endswith("--logs s3://my-bucket/logs")


def test_the_command_for_a_run_without_a_cluster_is_whole() -> None:
    line = line_of(recorded_run_command("run-1"))
    assert (line.verb, line.options[own.REPORT_RUN]) == ("report", "run-1")
    assert line.options[own.REPORT_LOGS] is not None


def test_the_command_for_a_report_is_whole() -> None:
    line = line_of(report_command("run-1", logs="s3://b1b/logs", region="eu-west-1"))
    assert (line.options[own.REPORT_RUN], str(line.options[own.REPORT_LOGS])) == ("run-1", "s3://b1b/logs")


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_the_command_for_a_policy_names_the_runs_places(kind: str) -> None:
    line = line_of(policy_command(kind, PLACES))
    assert line.options[own.POLICY_KIND] == kind
    assert line.options[own.POLICY_TABLES] == ("Orders", "my.table_1")
    assert (line.options[own.BUCKET], line.options[own.PREFIX]) == ("data-bucket", "exports/x")
    assert str(line.options[own.POLICY_LOGS]).rstrip("/") == "s3://logs/a b/logs"


def test_no_remedy_is_left_with_a_place_for_a_command() -> None:
    remedies = [with_commands(row.remedy, PLACES) for row in troubleshooting_rows()]
    assert len([text for text in remedies if f"{PROGRAM} policy" in text]) >= 4
    assert [text for text in remedies if "{" in text] == []


def test_the_command_that_lists_backups_names_the_folder() -> None:
    line = line_of(with_commands("{list} shows", PLACES).removesuffix(" shows"))
    assert (line.options[own.LISTED], line.options[own.FIRST_REGION]) == (str(PLACES.data), "eu-west-1")


@pytest.mark.parametrize("kind", GIVEN)
def test_the_command_that_goes_on_keeps_every_option(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    line = read_line([kind, *shlex.split(GIVEN[kind])])
    again = line_of(resume_command(line.program, line.options.given, run_id="run-1"))
    assert again.options.given.without(job.RUN_ID).words() == line.options.given.words()
    assert again.options.given.text(job.RUN_ID) == "run-1"


@pytest.mark.parametrize("kind", ["import", "verify"])
def test_the_command_that_reads_without_a_manifest_keeps_every_option(kind: str) -> None:
    line = read_line([kind, *shlex.split(GIVEN[kind]), "--latest"])
    command = settings_of(line).common.command_with(job.WITHOUT_MANIFEST, without=job.LATEST)
    again = line_of(command)
    assert job.WITHOUT_MANIFEST in again.options
    assert again.options.given.without(job.WITHOUT_MANIFEST).words() == line.options.given.without(job.LATEST).words()
    assert settings_of(again)


def test_the_command_that_goes_on_with_a_launched_table_keeps_job_and_launch() -> None:
    words = "--table Orders --output s3://bkt/x --logs s3://bkt/logs --region eu-west-1 --run-id r-1 --timeout 1h"
    line = read_line(["export", *words.split(), "--config", "m5", "--spark-conf", "spark.ab=x y"])
    launched = launch_of("export", line.options, start=RunStart("r-1", "eu-west-1"))
    (step,) = step_requests(
        launched.jobs, verb="export", name_prefix="p", code=JobCode("z", {"export": "s3://b/export_table.py"}),
        conf=spark_conf(launched, groups=(NodeGroup("MASTER", "m5.xlarge", 1), NodeGroup("CORE", "m5.xlarge", 2))),
    )  # fmt: skip
    sent = step["HadoopJarStep"]["Args"]
    again = line_of(launch_again_command(launch_of_step(sent), given_in_step(sent), run_id=None, timeout="2h"))
    assert again.options[own.SPARK_CONF] == ("spark.ab=x y",)
    assert again.options.given.text(job.TIMEOUT) == "2h"
    assert again.options.given.text(own.CONFIG) == "m5"
    assert again.options.given.text(job.RUN_ID) == "r-1"
