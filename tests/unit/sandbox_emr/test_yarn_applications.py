"""Replies of YARN's REST interface, as its manual and as the sandbox's jars word them."""

from __future__ import annotations

import pytest

from sandbox.emr import yarn_applications

MANUAL = '{"apps": {"app": [{"id": "application_1_0001", "trackingUrl": "http://h/proxy/application_1_0001/"}]}}'
OURS = '{"apps":[{"appIdNum":"1","trackingUrlPretty":"http://localhost:39339/proxy/application_1795435352966_0001/"}]}'


@pytest.mark.parametrize(
    ("reply", "ids"),
    [
        (MANUAL, ["application_1_0001"]),
        (OURS, ["application_1795435352966_0001"]),
        (MANUAL + OURS, ["application_1_0001", "application_1795435352966_0001"]),
        ('{"apps": []}', []),
        ('{"apps": null}', []),
    ],
    ids=["manual", "ours", "two", "none", "null"],
)
def test_the_ids_are_found_however_the_reply_is_worded(reply: str, ids: list[str]) -> None:
    assert yarn_applications.application_ids(reply) == ids


def test_without_a_yarn_there_is_nothing_to_kill() -> None:
    assert yarn_applications.kill_tagged(None, "s-1") == []
