"""Tables of other accounts, named by their ARNs: what is taken, what is refused before anything is asked, and names."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import get_session

from dynamodb_pipeline.addresses import ACROSS_ACCOUNTS, TableAddress, table_name
from dynamodb_pipeline.cli.command_line import line_of
from dynamodb_pipeline.cli.launch_options import RunStart, launch_of
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.importing.table import claim_uri
from dynamodb_pipeline.settings.job import ImportSettings
from dynamodb_pipeline.settings.parse import SETTINGS_OF
from dynamodb_pipeline.settings.parser import job_options
from sandbox.emr import own_policies

ARN = "arn:aws:dynamodb:eu-west-1:210987654321:table/Forum"
ROLE = "arn:aws:iam::210987654321:role/reader"
WORDS = {
    "export": ("--output", "s3://bucket/exports"),
    "import": ("--input", "s3://bucket/exports"),
    "verify": ("s3://bucket/exports",),
}


def settings(kind: str, *words: str) -> Any:
    return SETTINGS_OF[kind](job_options(kind, [*WORDS[kind], *words]))


@pytest.mark.parametrize("kind", WORDS)
def test_a_job_takes_an_arn_and_the_region_in_it(kind: str) -> None:
    made = settings(kind, "--table", ARN)
    assert (made.table_names, made.common.region) == ((ARN,), "eu-west-1")
    assert settings(kind, "--table", ARN, "--region", "eu-west-1").common.region == "eu-west-1"
    with pytest.raises(UsageError, match="name several regions"):
        settings(kind, "--table", ARN, "--region", "us-east-1")


@pytest.mark.parametrize("kind", WORDS)
def test_a_role_of_the_tables_account_names_it_as_its_own(kind: str) -> None:
    """Then everything about it can be asked; a role of a third account is as far away as the caller."""
    made = settings(kind, "--table", ARN, "--table-role-arn", ROLE)
    assert (made.table_names, made.common.region) == (("Forum",), "eu-west-1")
    third = ROLE.replace("210987654321", "333333333333")
    assert settings(kind, "--table", ARN, "--table-role-arn", third).table_names == (ARN,)


@pytest.mark.parametrize(
    ("kind", "words", "reason"),
    [
        ("export", ("--table", ARN, "--table", "Forum"), "two accounts' tables of one name, Forum"),
        ("export", ("--table", ARN, "--table", ARN), "names a table twice"),
        ("export", ("--table", ARN, "--table", ARN.replace("eu-west-1", "eu-west-2") + "2"), "several regions"),
        ("export", ("--table", ARN, "--table", "prod-*"), "a pattern is of tables of the caller's own account"),
        ("export", ("--table", ARN[:-2] + "*"), "a table of another account is named by its whole ARN"),
        (
            "export",
            ("--table", "prod-*", "--exclude", ARN),
            "--exclude arn:.*: a pattern is of the caller's own tables",
        ),
        ("export", ("--table", ARN, "--skip-expired"), "DescribeTimeToLive.*--table-role-arn"),
        ("import", ("--table", ARN, "--skip-expired"), "DescribeTimeToLive.*--table-role-arn"),
        ("import", ("--table", f"{ARN}/index/by-date"), "not the ARN of a table"),
        ("import", ("--table", "arn:aws:s3:::bucket"), "not the ARN of a table"),
        ("import", ("--table", "Forum", "--from-table", ARN), "is not a table name"),
    ],
)
def test_what_no_run_could_do_is_refused_before_anything_is_asked(
    kind: str, words: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        settings(kind, *words)


def test_a_role_of_its_account_is_told_what_expires() -> None:
    assert settings("export", "--table", ARN, "--skip-expired", "--table-role-arn", ROLE).skip_expired


def test_an_address_is_what_was_given() -> None:
    for text in ("Forum", "a.b-c_d", ARN, ARN.replace("aws:", "aws-cn:", 1).replace("eu-west-1", "cn-north-1")):
        assert str(TableAddress.parse(text)) == text
    assert [table_name(text) for text in (ARN, "Forum", "prod-*")] == ["Forum", "Forum", "prod-*"]
    for text in ("", "a/b", f"{ARN}/index/i", ARN.replace("eu-west-1", "cn-north-1"), ARN.replace("2109", "21O9")):
        with pytest.raises(ValueError, match="neither a table's name nor its ARN"):
            TableAddress.parse(text)


def test_claims_of_tables_of_one_name_lie_apart() -> None:
    words = ("--logs", "s3://bucket/logs", "--scheduled-time", "2026-11-23T03:00:00Z")
    made = [settings("import", "--table", table, *words) for table in ("Forum", ARN)]
    assert all(isinstance(one, ImportSettings) for one in made)
    own, theirs = map(claim_uri, made)
    assert own != theirs
    assert theirs is not None
    assert theirs.startswith("s3://bucket/logs/runs/scheduled/import/Forum/")


def test_a_launch_names_steps_runs_and_folders_by_the_name_and_its_jobs_the_arn() -> None:
    words = ["--table", ARN, "--table", "Thread", "--logs", "s3://bucket/logs", *WORDS["export"]]
    options = line_of(["export", *words], file=None).options
    start = RunStart("20261123T030000Z-abc", "eu-west-1", "2026-11-23T03:00:00Z", {"Forum": 7})
    launch = launch_of("export", options, start=start)
    forum = launch.jobs[0]
    assert (forum.table_name, forum.run_id, forum.size_bytes) == ("Forum", "20261123T030000Z-abc.Forum", 7)
    assert forum.job_arguments[:4] == ("--table", ARN, "--output", "s3://bucket/exports/Forum")
    assert launch.table_names == (ARN, "Thread")


def test_what_is_asked_across_accounts_is_answered_there_and_takes_an_arn() -> None:
    """AWS's list, as the sandbox has it, and botocore's model: names of tables are of a shape that holds ARNs."""
    assert set(ACROSS_ACCOUNTS) <= own_policies.ACROSS_ACCOUNTS
    model = get_session().get_service_model("dynamodb")
    for name in ACROSS_ACCOUNTS:
        shape: Any = model.operation_model(name).input_shape
        members = shape.members
        if "RequestItems" in members:
            named = members["RequestItems"].key
        else:
            named = members.get("TableName") or members["ResourceArn"]
        assert named.metadata["max"] >= len(ARN) + 255
