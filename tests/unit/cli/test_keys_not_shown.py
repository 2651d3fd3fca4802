"""No output holds a key: malformed ones are refused where they enter, and what clients raise is filtered."""

from __future__ import annotations

import json
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.aws import keys as aws_keys
from dynamodb_pipeline.aws.clients import AwsClients, AwsSettings
from dynamodb_pipeline.aws.keys import CheckedKeys, checked_keys, without_secrets
from dynamodb_pipeline.cli import main as cli
from dynamodb_pipeline.dynamodb.connection import Endpoint
from dynamodb_pipeline.dynamodb.credentials import Credentials, credentials_of
from dynamodb_pipeline.errors import DeniedError, ExitCode, UsageError
from dynamodb_pipeline.job_main import run_and_print
from dynamodb_pipeline.output import Lines
from tests.unit.dynamodb.wire_fixtures import Held, Keys

CANARY = "CANARYx7"
GOOD = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
NAMES = {"AWS_ACCESS_KEY_ID": "access key id", "AWS_SECRET_ACCESS_KEY": "secret access key"}
NAMES["AWS_SESSION_TOKEN"] = "session token"
BAD = {
    "break inside": f"{CANARY}\n{CANARY}",
    "two breaks": f"{CANARY}\n\n",
    "injected header": f"{CANARY}\r\nx-evil: {CANARY}\r\n",
    "blank": f"{CANARY} ",
    "leading tab": f"\t{CANARY}",
    "null": f"{CANARY}\x01",
    "delete": f"{CANARY}\x7f",
    "accent": f"{CANARY}\u00e9",
    "line separator": f"{CANARY}\u2028",
}
RUNS = "s3://bucket-x/logs"
VERBS = {
    "export": ("export", "--table", "Forum", "--output", "s3://bucket-x/exports", "--local", "--engine", "process"),
    "import": ("import", "--table", "Forum", "--input", "s3://bucket-x/e", "--local", "--engine", "process", "--yes"),
    "verify": ("verify", "s3://bucket-x/e", "--local", "--engine", "process"),
    "export on EMR": ("export", "--table", "Forum", "--output", "s3://bucket-x/exports", "--logs", RUNS),
    "plan": ("plan", "export", "--table", "Forum", "--output", "s3://bucket-x/exports", "--logs", RUNS),
    "preflight": ("preflight", "import", "--table", "Forum", "--input", "s3://bucket-x/exports", "--logs", RUNS),
    "status": ("status", "run-20260101"),
    "terminate": ("terminate", "run-20260101"),
    "policy": ("policy", "launcher", "--bucket", "bucket-x"),
    "inspect": ("inspect", "s3://bucket-x/e"),
    "report": ("report", "run-20260101", "--logs", RUNS),
    "clean": ("clean", "s3://bucket-x/e", "--logs", RUNS),
}
SOME = ("export", "status", "inspect")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Good keys, one region, and endpoints at which nobody listens."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**GOOD, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.chdir(tmp_path)


def outcome(words: tuple[str, ...], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> str:
    """Everything a run shows, after its exit code."""
    code = cli.main(list(words))
    shown = capfd.readouterr()
    return f"exit {code}\n{shown.out}{shown.err}{caplog.text}"


@pytest.mark.parametrize("value", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("part", ["access_key", "secret_key", "token"])
def test_a_part_that_is_no_header_value_is_named_with_its_source_and_not_shown(part: str, value: str) -> None:
    keys = Keys("AKIDTEST", "secret", "token")._replace(**{part: value})
    name = {"access_key": "access key id", "secret_key": "secret access key", "token": "session token"}[part]
    with pytest.raises(DeniedError, match=rf"the AWS {name} \(found by: some-file\)") as caught:
        checked_keys(keys, source="some-file")
    assert CANARY not in str(caught.value)
    with pytest.raises(DeniedError, match=name) as caught:
        Credentials(lambda: Held(keys))()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_one_line_break_at_the_end_is_no_part_of_a_key(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value + ending)
    expected = CheckedKeys("AKIDTEST", "secret", "token")
    clients = AwsClients("eu-west-1")
    assert clients.credentials().get_frozen_credentials()[:3] == expected[:3]
    assert credentials_of(clients.session)()[:3] == expected[:3]
    assert clients.settings().loopback_keys == expected[:3]
    sent: list[Any] = []
    clients.client("dynamodb").meta.events.register("before-send.dynamodb", lambda request, **_: sent.append(request))
    with pytest.raises(Exception, match=r"127\.0\.0\.1:9"):
        clients.client("dynamodb", attempts=1).list_tables()
    assert "\n" not in str(credentials_of(clients.session)().token)


@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS.keys())
@pytest.mark.parametrize("variable", GOOD)
def test_no_verb_shows_a_malformed_key(
    words: tuple[str, ...],
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(variable, BAD["injected header"])
    shown = outcome(words, capfd, caplog)
    assert shown.startswith("exit 7\n"), shown
    assert f"the AWS {NAMES[variable]} (found by: env)" in shown
    assert CANARY not in shown
    assert "Traceback" not in shown


def failing_helper(path: Path, *, prints: str) -> str:
    helper = path / "helper.sh"
    helper.write_text(f"#!/bin/sh\n{prints}\n")
    helper.chmod(helper.stat().st_mode | stat.S_IEXEC)
    return str(helper)


@pytest.mark.parametrize(
    "prints",
    [
        f"echo {CANARY} >&2; exit 1",
        f"echo '{CANARY} no JSON'",
        f'echo \'{{"Version": 1, "AccessKeyId": "{CANARY}"}}\'',
        f'echo \'{{"Version": "{CANARY}"}}\'',
        f'echo \'{{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "{CANARY}\\\\n\\\\n"}}\'',
    ],
    ids=["fails", "no json", "part missing", "other version", "malformed key"],
)
@pytest.mark.parametrize("words", [VERBS[verb] for verb in SOME], ids=SOME)
def test_a_failing_helper_is_a_matter_of_credentials_and_its_output_is_not_shown(
    words: tuple[str, ...],
    prints: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    helper = failing_helper(tmp_path, prints=prints)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {helper}\n")
    shown = outcome(words, capfd, caplog)
    assert shown.startswith("exit 7\n"), shown
    assert CANARY not in shown
    assert "Traceback" not in shown


WITH_USER = f"https://user:{CANARY}@host.example"
OTHER_URLS = {"user": f"http://{CANARY}@127.0.0.1:9", "no url": f"https://{CANARY} x"}


@pytest.mark.parametrize(
    ("words", "url"),
    [
        *(pytest.param(words, WITH_USER, id=verb) for verb, words in VERBS.items()),
        *(pytest.param(VERBS[verb], url, id=f"{verb}-{kind}") for kind, url in OTHER_URLS.items() for verb in SOME),
    ],
)
def test_user_and_password_of_an_endpoint_are_refused_and_not_shown(
    words: tuple[str, ...],
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    shown = outcome(words, capfd, caplog)
    assert shown.startswith("exit 2\n"), shown
    assert CANARY not in shown


@pytest.mark.parametrize("region", ["eu-west-1\n", "eu-west-1\r\nx-evil: 1", "EU", "eu west", "eu/../x", "\u00e9"])
@pytest.mark.parametrize("words", [VERBS[verb] for verb in SOME], ids=SOME)
def test_a_malformed_region_is_refused_as_an_option_or_variable(
    words: tuple[str, ...],
    region: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown = outcome((*words, "--region", region), capfd, caplog)
    assert shown.startswith("exit 2\n"), shown
    assert "is no region's name" in shown
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    shown = outcome(words, capfd, caplog)
    assert shown.startswith("exit 2\n"), shown
    with pytest.raises(UsageError, match="no region's name"):
        AwsClients("eu-west-1").client("s3", region=region)
    with pytest.raises(UsageError, match="no region's name"):
        Endpoint("127.0.0.1", 9, tls=False, region=region)


def test_our_own_wires_endpoint_takes_no_user() -> None:
    for url in (f"https://user:{CANARY}@host", f"ftp://user:{CANARY}@host", f"https://{CANARY}@:port"):
        with pytest.raises(UsageError) as caught:
            Endpoint.from_url(url, region="eu-west-1")
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"Invalid header value b'{CANARY}\\n{CANARY}'",
        f"Invalid return character or leading space in header: {CANARY}",
        f"b'AWS4-HMAC-SHA256 Credential={CANARY}/20260101, Signature={CANARY}'",
        f"header X-Amz-Security-Token: {CANARY}",
        f"Could not connect to https://user:{CANARY}@host/x",
        f"https://{CANARY}@host",
    ],
)
def test_errors_of_clients_lose_what_could_be_a_header_or_a_password(
    text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert CANARY not in without_secrets(text)

    def work(error: Exception) -> Callable[[], dict[str, Any]]:
        def fail() -> dict[str, Any]:
            raise error

        return fail

    for error in (ValueError(text), DeniedError(text)):
        run_and_print("export", work(error), lines=Lines(print))
    assert CANARY not in capfd.readouterr().out
    plain = "table 'orders' not found in eu-west-1; check --region or the spelling: s3://b/a@b https://host/a@b"
    assert without_secrets(plain) == plain


def test_keys_that_botocore_renews_are_checked_each_time() -> None:
    keys = Keys("A", "s", "t")
    held = Held(keys)
    checked = aws_keys.CheckedCredentials(held)
    assert checked.get_frozen_credentials().token == "t"
    held.keys = keys._replace(token=f"{CANARY}\n\n")
    with pytest.raises(DeniedError, match="session token"):
        checked.get_frozen_credentials()


def test_settings_for_workers_carry_checked_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token\n")
    settings: AwsSettings = pickle.loads(pickle.dumps(AwsClients("eu-west-1").settings()))
    assert AwsClients(settings=settings).credentials().get_frozen_credentials().token == "token"
    assert "token\n" not in json.dumps(settings.loopback_keys)
    assert int(ExitCode.DENIED) == 7
