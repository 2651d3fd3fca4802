"""The table of AWS's rules: the page shows it, and what it says is tested is."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

from sandbox.emr.aws_rules import AWS_RULES, LIKELY, SURE, AwsRule

NOT_EXERCISED_AT_MOST = 6
PROJECT = Path(__file__).parents[3]


def test_the_page_is_that_of_the_table() -> None:
    made = runpy.run_path(str(PROJECT / ".ci" / "aws_rules_page.py"))["page"]()
    shown = (PROJECT / "docs" / "aws-rules.md").read_text(encoding="utf-8")
    assert shown == made, "docs/aws-rules.md is not current: make aws-rules"


@pytest.mark.parametrize("rule", AWS_RULES, ids=[rule.rule[:40] for rule in AWS_RULES])
def test_a_rule_is_exercised_by_a_test_that_exists_or_says_that_it_is_not(rule: AwsRule) -> None:
    assert rule.sureness in (SURE, LIKELY)
    assert rule.source.startswith(("https://docs.aws.amazon.com/", "https://aws.github.io/"))
    assert bool(rule.module) == bool(rule.test)
    if rule.test:
        place, _, name = rule.test.partition("::")
        tree = ast.parse((PROJECT / place).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        module = rule.module.replace(".", "/")
        homes = ("", "sandbox", "sandbox/emr")
        assert any((PROJECT / folder / f"{module}.py").exists() for folder in homes) or (PROJECT / module).is_dir()


# What reading the code against AWS's pages and public reports found on 2026-11-29, thing by thing.
FOUND = {
    *("network tag", "clean-up role", "zone", "previous generation", "keys of tables", "key of logs", "executors"),
    *("disk", "schedules", "sizes", "rights of launchers", "rights of nodes", "boto3 of nodes", "region of logs"),
    *("partitions", "network", "proxies", "roles", "code on nodes", "cost", "labels", "connector", "other policies"),
    *("bulk writes", "native exports", "vector indexes", "index keys", "logs in CloudWatch"),
    "other accounts",
}


def test_nothing_that_was_found_is_left_out() -> None:
    assert {rule.subject for rule in AWS_RULES} == FOUND
    assert sum(not rule.test for rule in AWS_RULES) <= NOT_EXERCISED_AT_MOST
