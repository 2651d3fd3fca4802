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
test does both; what AWS does without a word, the job or the template is held to by a test of its own. *Sure* is AWS's
own text, *likely* what public reports or reasoning say. Rules without a test are not exercised; `make test-aws` tries
all of them at once on [an account of yours](ci.md#on-a-real-account).

| About | AWS's rule | Source | How sure | What it says | Broken by |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(row, sorted(AWS_RULES, key=lambda rule: rule.subject)))


def row(rule: AwsRule) -> str:
    """One line of the table."""
    tested = f"`{rule.test}`" if rule.test else "not exercised"
    source = f"[{place(rule.source)}]({rule.source})"
    return f"| {rule.subject} | {rule.rule} | {source} | {rule.sureness} | {rule.says} | {tested} |\n"


def place(url: str) -> str:
    """The page's own name."""
    return url.partition("#")[0].rstrip("/").rpartition("/")[2].removesuffix(".html")


if __name__ == "__main__":
    sys.stdout.write(page())
