"""Recognises AWS keys where they must not be: step arguments (anyone may read them), conf, config files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dynamodb_pipeline.errors import UsageError

# Prefixes of access key ids: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
ACCESS_KEY_ID = re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")
SECRET_NAMES = re.compile(
    r"aws[_.-]?secret|secret[_.-]?access[_.-]?key|access\.?key|secret\.?key|session[_.-]?token"
    r"|dynamodb\.aws\w*key",
    re.IGNORECASE,
)
REMEDY = "use the environment, a profile or a role (the usual AWS credential chain)"


def secret_problem(text: str, *, where: str) -> str | None:
    """Why `text` looks like a credential; the text itself is never repeated."""
    name, _, value = text.partition("=")
    if ACCESS_KEY_ID.search(text):
        return f"{where} holds an AWS access key id; {REMEDY}"
    if value and SECRET_NAMES.search(name):
        return f"{where} sets a credential ({name[:64]}); {REMEDY}"
    return None


def refuse_secrets(texts: Iterable[str], *, where: str) -> None:
    """
    Check every text of one place.

    Raises:
        UsageError: one of them looks like a credential.
    """
    for text in texts:
        problem = secret_problem(text, where=where)
        if problem:
            raise UsageError(problem)


def refuse_access_keys(argv: Iterable[str]) -> None:
    """
    Check a command line as it was typed.

    Raises:
        UsageError: an AWS access key id stands in an argument; step arguments are readable by many.
    """
    if any(ACCESS_KEY_ID.search(word) for word in argv):
        msg = "an AWS access key stands in the arguments; remove and rotate it: the usual credential chain is used"
        raise UsageError(msg)
