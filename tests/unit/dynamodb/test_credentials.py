from __future__ import annotations

from types import SimpleNamespace

import boto3
import botocore.session
import pytest
from botocore.exceptions import ConnectTimeoutError, CredentialRetrievalError

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
