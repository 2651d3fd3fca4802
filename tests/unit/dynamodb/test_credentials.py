from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import boto3
import botocore.session
import pytest
from botocore.exceptions import ConnectTimeoutError, CredentialRetrievalError

from dynamodb_pipeline.aws.keys import AssumedCredentials, assume_role, checked_session
from dynamodb_pipeline.aws.request_errors import Transient
from dynamodb_pipeline.dynamodb.credentials import Credentials, credentials_of
from dynamodb_pipeline.errors import DeniedError, ExitCode
from tests.unit.dynamodb.wire_fixtures import REGION, Held, Keys


def test_no_credentials_at_all_is_said_at_once():
    with pytest.raises(DeniedError, match="no AWS credentials"):
        Credentials(lambda: None)


def test_a_network_that_fails_while_keys_are_renewed_is_no_missing_right():
    def frozen() -> None:
        raise ConnectTimeoutError(endpoint_url="http://169.254.169.254/")

    with pytest.raises(Transient, match="could not be renewed"):
        Credentials(lambda: SimpleNamespace(get_frozen_credentials=frozen))()


def test_session_credentials_given_in_code_are_never_replaced(monkeypatch: pytest.MonkeyPatch):
    """A renewal must not fall through to somebody else's keys in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env")
    found = credentials_of(boto3.Session("AKIDCODE", "code", region_name=REGION))
    assert found().access_key == "AKIDCODE"
    assert not found.refresh("AKIDCODE")
    assert found().access_key == "AKIDCODE"


@pytest.mark.parametrize("kind", ["boto3", "botocore"])
def test_session_credentials_of_the_usual_chain_are_found_anew(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path):
    """A tool that rewrites the credentials file is noticed, with the session's own profile."""
    path = tmp_path / "credentials"
    template = (
        "[default]\naws_access_key_id=D\naws_secret_access_key=d\n[p]\naws_access_key_id={}\naws_secret_access_key=s\n"
    )
    path.write_text(template.format("AKIDOLD"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    session = boto3.Session(profile_name="p") if kind == "boto3" else botocore.session.Session(profile="p")
    found = credentials_of(session)
    assert found().access_key == "AKIDOLD"
    path.write_text(template.format("AKIDNEW"))
    assert found.refresh("AKIDOLD")
    assert found().access_key == "AKIDNEW"


class Role:
    """STS of a fake clock: keys for an hour, a new pair each time; `fails` refuses."""

    def __init__(self) -> None:
        self.now, self.count, self.fails = datetime(2026, 11, 23, 3, 0, tzinfo=timezone.utc), 0, False

    def assume_role(self, **request: str) -> dict[str, dict[str, object]]:
        if self.fails:
            raise ConnectTimeoutError(endpoint_url="https://sts.eu-west-1.amazonaws.com/")
        assert request == {"RoleArn": ROLE_ARN, "RoleSessionName": "dynamodb-pipeline", "ExternalId": "agreed"}
        self.count += 1
        keys = {"AccessKeyId": f"ASIA{self.count}", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": {**keys, "Expiration": self.now + timedelta(hours=1)}}

    def credentials(self) -> Credentials:
        keys = AssumedCredentials(lambda: assume_role(self, ROLE_ARN, "agreed"), now=lambda: self.now)
        return credentials_of(boto3.Session(region_name=REGION, botocore_session=checked_session(role=keys)))


ROLE_ARN = "arn:aws:iam::210987654321:role/tables"


def test_a_roles_keys_are_renewed_for_as_long_as_a_run_takes():
    """Twelve hours, looked at each minute: never a key that has less than ten minutes left, one AssumeRole an hour."""
    role = Role()
    found = role.credentials()
    assert role.count == 0  # nothing is asked before the first request
    given = {}
    for minute in range(12 * 60):
        role.now = datetime(2026, 11, 23, 3, 0, tzinfo=timezone.utc) + timedelta(minutes=minute)
        key = found().access_key
        assert minute - given.setdefault(key, minute) < 50
    assert len(given) == role.count <= 17


def test_sts_that_does_not_answer_for_some_minutes_ends_nothing():
    role = Role()
    found = role.credentials()
    first = found().access_key
    role.now, role.fails = role.now + timedelta(minutes=47), True
    assert found().access_key == first
    role.now, role.fails = role.now + timedelta(minutes=2), False
    assert found().access_key != first


def test_a_roles_key_that_dynamodb_refuses_before_its_time_is_had_anew():
    role = Role()
    found = role.credentials()
    assert found.refresh(found().access_key)
    assert found().access_key == "ASIA2"


def test_renewal_by_another_thread_is_not_made_twice():
    loads = iter([Held(Keys("A", "1")), Held(Keys("B", "2"))])
    found = Credentials(lambda: next(loads))
    assert found.refresh("A")
    assert found.refresh("A")
    assert found().access_key == "B"


def test_renewal_that_fails_is_a_matter_of_credentials_and_no_bug():
    class Broken:
        def get_frozen_credentials(self):
            raise CredentialRetrievalError(provider="iam-role", error_msg="no answer")

    with pytest.raises(DeniedError, match=r"cannot be renewed.*iam-role") as caught:
        Credentials(Broken)()
    assert caught.value.exit_code is ExitCode.DENIED
