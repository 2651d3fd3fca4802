"""A printed policy allows nothing outside the names it was given, whatever characters the names hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_pipeline.addresses import S3Uri
from dynamodb_pipeline.emr.documents.policies import POLICIES
from dynamodb_pipeline.emr.documents.policy_scope import PolicyScope, iam_literal
from dynamodb_pipeline.emr.documents.roles_template import roles_template, substituted
from dynamodb_pipeline.emr.documents.schedules import Schedule, schedule_template
from dynamodb_pipeline.errors import UsageError
from sandbox.emr.policy_judge import ALLOWED, decision

ACCOUNT, REGION = "123456789012", "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def scope(**changes: Any) -> PolicyScope:
    values: dict[str, Any] = {
        "account": ACCOUNT,
        "region": REGION,
        "tables": ("Orders",),
        "data": S3Uri("my-bucket", "exports"),
        "logs": S3Uri("my-logs", "logs"),
        "code": S3Uri("my-logs", "logs/code"),
        "kms_key_arns": (KEY,),
        "for_account": "210987654321",
    }
    return PolicyScope(**{**values, **changes})


WIDE = {
    "tables": ["Ord*", "*", "${aws:username}", "Ord?rs", "a/../b", "", "t" * 256, "Orders\n", "{{resolve:x}}"],
    "account": ["*", "12345678901", "123456789012\n", "${AWS::AccountId}x", "١23456789012"],
    "region": ["*", "eu-west-*", "eu-west-1\n", "${AWS::Region}/*", ""],
    "partition": ["*", "aws*", ""],
    "export_role": ["*", "role*", "${aws:username}", "a/b", "", "r" * 65],
    "service_role": ["*", "team/*"],
    "kms_key_arns": ["*", "arn:aws:kms:*:*:key/*", KEY[:-3] + "*", KEY + "\n", "alias/x"],
}
CASES = [(name, value) for name, values in WIDE.items() for value in values]


@pytest.mark.parametrize(("name", "value"), CASES, ids=[f"{name}-{value[:24]!r}" for name, value in CASES])
def test_a_name_that_is_none_is_refused_by_its_kind(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="is none: it is"):
        scope(**{name: (value,) if name in ("tables", "kms_key_arns") else value})


@pytest.mark.parametrize("bucket", ["*", "my-*", "b", "${aws:username}", "my bucket", "my-bucket/"])
def test_a_bucket_that_is_none_is_refused(bucket: str) -> None:
    with pytest.raises(UsageError, match="bucket"):
        scope(data=S3Uri(bucket, "exports"))


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        scope(tables=("*", "Orders", "?"), export_role="*")
    assert str(caught.value).count("is none: it is") == 3


# Keys of S3 may hold anything; these are the characters that mean more to IAM or CloudFormation.
FOLDERS = st.lists(st.sampled_from([*"ab*?$", "${", "}", "aws:username", "${*}", "/", "[a]"]), min_size=1, max_size=6)
TABLES = st.text("abAB01_.-", min_size=3, max_size=5)
ACTIONS = {
    "table": ["dynamodb:Scan", "dynamodb:DescribeTable", "dynamodb:BatchWriteItem", "dynamodb:PutItem"],
    "object": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
    "role": ["iam:PassRole", "iam:GetRole"],
}


def judged(policy: dict[str, Any], action: str, resource: str) -> bool:
    context = {"iam:PassedToService": "ec2.amazonaws.com", "kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    return decision([policy], action, resource=resource, context=context) == ALLOWED


@settings(max_examples=300)
@given(folder=FOLDERS.map("".join), other=FOLDERS.map("".join), kind=st.sampled_from(sorted(POLICIES)))
def test_no_folder_but_those_named_is_allowed(folder: str, other: str, kind: str) -> None:
    """Each request is judged as IAM would; what is allowed lies in a folder that was named, to the letter."""
    named = [S3Uri("my-bucket", folder.strip("/")), S3Uri("my-logs", "logs")]
    policy = POLICIES[kind](scope(data=named[0]))
    for bucket in ("my-bucket", "my-logs", "other-bucket"):
        for key in (f"{other}/file", f"{folder}/file", f"{folder}x", "x"):
            if any(judged(policy, action, f"arn:aws:s3:::{bucket}/{key}") for action in ACTIONS["object"]):
                assert any(place.bucket == bucket and key.startswith(place.folder.key) for place in named)


@settings(max_examples=200)
@given(tables=st.lists(TABLES, min_size=1, max_size=3), other=TABLES, kind=st.sampled_from(sorted(POLICIES)))
def test_no_table_but_those_named_is_allowed(tables: list[str], other: str, kind: str) -> None:
    policy = POLICIES[kind](scope(tables=tuple(tables)))
    for name in (other, f"{other}x", "*"):
        for region, account in ((REGION, ACCOUNT), ("us-east-1", ACCOUNT), (REGION, "999999999999")):
            arn = f"arn:aws:dynamodb:{region}:{account}:table/{name}"
            if any(judged(policy, action, arn) for action in ACTIONS["table"]):
                assert (name in tables, region, account) == (True, REGION, ACCOUNT)


@settings(max_examples=100)
@given(prefix=st.text("abAB01_.-", min_size=1, max_size=3), other=TABLES, kind=st.sampled_from(sorted(POLICIES)))
def test_no_table_but_those_that_begin_as_named_is_allowed(prefix: str, other: str, kind: str) -> None:
    policy = POLICIES[kind](scope(tables=(), table_prefixes=(prefix,)))
    for name in (other, f"{prefix}{other}", f"x{prefix}", "*"):
        for region, account in ((REGION, ACCOUNT), ("us-east-1", ACCOUNT), (REGION, "999999999999")):
            arn = f"arn:aws:dynamodb:{region}:{account}:table/{name}"
            if any(judged(policy, action, arn) for action in [*ACTIONS["table"], "dynamodb:ListTagsOfResource"]):
                assert (name.startswith(prefix), region, account) == (True, REGION, ACCOUNT)


@pytest.mark.parametrize("kind", sorted(POLICIES))
def test_only_a_prefix_lets_tables_be_listed(kind: str) -> None:
    assert not judged(POLICIES[kind](scope()), "dynamodb:ListTables", "*")
    looks = judged(POLICIES[kind](scope(table_prefixes=("prod-",))), "dynamodb:ListTables", "*")
    assert looks == (kind in ("launcher", "nodes-export", "table-export"))


@settings(max_examples=100)
@given(role=st.text("abAB01_-", min_size=1, max_size=4), kind=st.sampled_from(sorted(POLICIES)))
def test_no_role_but_those_named_is_handed_on(role: str, kind: str) -> None:
    policy = POLICIES[kind](scope(export_role="ab", import_role="AB", service_role="01"))
    if any(judged(policy, action, f"arn:aws:iam::{ACCOUNT}:role/{role}") for action in ACTIONS["role"]):
        assert role in ("ab", "AB", "01")


@pytest.mark.parametrize("folder", ["a*", "a?", "$x", "${aws:username}", "${*}", "plain"])
def test_what_was_named_stays_allowed(folder: str) -> None:
    policy = POLICIES["nodes-export"](scope(data=S3Uri("my-bucket", folder)))
    assert judged(policy, "s3:PutObject", f"arn:aws:s3:::my-bucket/{folder}/2026/file")
    listed = {"s3:prefix": f"{folder}/2026"}
    assert decision([policy], "s3:ListBucket", resource="arn:aws:s3:::my-bucket", context=listed) == ALLOWED


def test_special_characters_are_written_as_iam_reads_them() -> None:
    """The three escapes of the IAM User Guide, "Specifying special characters"."""
    assert iam_literal("a*b?c$d") == "a${*}b${?}c${$}d"


def test_cloudformation_leaves_iams_escapes_alone() -> None:
    """`${!x}` is how Fn::Sub writes `${x}` itself."""
    assert substituted("arn:${AWS::Partition}:s3:::b/a${*}*") == {"Fn::Sub": "arn:${AWS::Partition}:s3:::b/a${!*}*"}
    template = json.dumps(roles_template(scope(data=S3Uri("my-bucket", "${AWS::StackName}*"))))
    assert "${!$}{AWS::StackName}${!*}/*" in template
    assert "my-bucket/${AWS::StackName}" not in template


RESOLVED = ["{{resolve:secretsmanager:x}}", "a{{Resolve:ssm:y}}"]


@pytest.mark.parametrize("text", RESOLVED)
def test_nothing_that_cloudformation_resolves_reaches_a_template(text: str) -> None:
    with pytest.raises(UsageError, match="replaces by a secret"):
        roles_template(scope(data=S3Uri("my-bucket", text)))
    for schedule in (Schedule("n", text), Schedule("n", "rate(1 day)", email=text)):
        with pytest.raises(UsageError, match="replaces by a secret"):
            schedule_template(schedule, request={}, scope=scope(account=""), name_prefix="p")
    with pytest.raises(UsageError, match="replaces by a secret"):
        schedule_template(Schedule("n", "rate(1 day)"), request={"a": text}, scope=scope(account=""), name_prefix="p")
