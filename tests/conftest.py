"""Fixtures shared by every tier."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sandbox.stack import Sandbox
from sandbox.yarn import YarnCluster
from sandbox.yarn_conf import SHORT_LIVED_JAVA

for name in ("SPARK_LAUNCHER_OPTS", "SPARK_SUBMIT_OPTS"):  # every Spark of the tests, in children too
    os.environ.setdefault(name, SHORT_LIVED_JAVA)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """DynamoDB and S3 on this machine, started once per run of pytest."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def yarn(sandbox: Sandbox) -> Iterator[YarnCluster]:
    """A YARN for spark-submit beside the sandbox, started once per run of pytest."""
    with YarnCluster(sandbox) as running:
        yield running
