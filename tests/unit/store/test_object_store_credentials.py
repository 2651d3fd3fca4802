"""Credentials that are missing or run out are exit 7, whichever call meets them first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import CredentialRetrievalError, EndpointConnectionError, NoCredentialsError

from dynamodb_pipeline.aws.clients import AwsClients
from dynamodb_pipeline.aws.retry import GaveUp
from dynamodb_pipeline.dynamodb.credentials import Credentials
from dynamodb_pipeline.errors import DeniedError, PipelineError, UnreachableError, UsageError
from dynamodb_pipeline.store.anywhere import bucket_clients
from dynamodb_pipeline.store.s3 import S3ObjectStore
from tests.unit.store.s3_world import S3World

EXPIRED = RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired.")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://s3")


def client(failure: Exception) -> Any:
    def call(**_: object) -> None:
        raise failure

    return SimpleNamespace(get_object=call, head_bucket=call)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (NoCredentialsError(), DeniedError),
        (CredentialRetrievalError(provider="role", error_msg="no route"), DeniedError),
        (EXPIRED, DeniedError),
        (UNREACHABLE, GaveUp),
    ],
    ids=["none", "role", "expired", "network"],
)
def test_s3_call_that_is_not_sent(failure: Exception, kind: type[PipelineError]):
    with pytest.raises(kind):
        S3ObjectStore(lambda _: client(failure), pacing=S3World().pacing).get("s3://bucket/key")


@pytest.mark.parametrize(
    ("failure", "kind", "waits"),
    [(NoCredentialsError(), DeniedError, False), (UNREACHABLE, UnreachableError, True)],
    ids=["none", "network"],
)
def test_first_look_at_a_bucket(failure: Exception, kind: type[PipelineError], waits: bool):
    slept: list[float] = []
    client_for = bucket_clients(lambda *_, **__: client(failure), sleep=slept.append)
    with pytest.raises(kind):
        client_for("bucket")
    assert bool(slept) is waits


def test_renewed_keys_that_are_expired_are_refused_by_name():
    def frozen() -> None:
        raise EXPIRED

    with pytest.raises(DeniedError, match="still expired"):
        Credentials(lambda: SimpleNamespace(get_frozen_credentials=frozen))()


def test_profile_that_does_not_exist_is_a_wrong_configuration(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with pytest.raises(UsageError, match="no-such-profile"):
        AwsClients("eu-west-1")
