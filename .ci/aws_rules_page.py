"""Renders docs/aws-rules.md from the sandbox's table of AWS's rules: `make aws-rules`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sandbox.emr.aws_rules import AWS_RULES, AwsRule

HEAD = """# What AWS refuses

<!-- Rendered by `make aws-rules` from sandbox/emr/aws_rules.py; change it there. -->

Nothing here has run on a real account. Every rule of AWS that we know of and that can be held to on one machine is one
of the sandbox too: a run that breaks it fails there in AWS's words, `preflight` names it before anything starts, and a
test does both. *Sure* is AWS's own text, *likely* what public reports or reasoning say. Rules without a test are not
exercised.

| AWS's rule | Source | How sure | What it says | Broken by |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(row, AWS_RULES))


def row(rule: AwsRule) -> str:
    """One line of the table."""
    tested = f"`{rule.test}`" if rule.test else "not exercised"
    return f"| {rule.rule} | [{place(rule.source)}]({rule.source}) | {rule.sureness} | {rule.says} | {tested} |\n"


def place(url: str) -> str:
    """The page's own name."""
    return url.partition("#")[0].rpartition("/")[2].removesuffix(".html")


if __name__ == "__main__":
    sys.stdout.write(page())
