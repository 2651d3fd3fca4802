"""Identifiers in the shapes EMR and EC2 give them."""

from __future__ import annotations

import secrets
import string
import uuid

ALPHABET = string.ascii_uppercase + string.digits


def cluster_id() -> str:
    """Return a new `j-` identifier."""
    return f"j-{_random(13)}"


def step_id() -> str:
    """Return a new `s-` identifier."""
    return f"s-{_random(13)}"


def group_id() -> str:
    """Return a new `ig-` identifier."""
    return f"ig-{_random(13)}"


def instance_id() -> str:
    """Return a new EC2 `i-` identifier."""
    return f"i-{secrets.token_hex(9)[:17]}"


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def request_id() -> str:
    """Return a new request id."""
    return str(uuid.uuid4())
