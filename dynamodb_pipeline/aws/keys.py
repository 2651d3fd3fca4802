"""
AWS keys are checked where they enter, and nothing that could hold one is shown to a person.

A key becomes a header of every request. One with a line break, as a file of a secret often ends with, makes HTTP
clients raise errors that print the header whole; so no such key gets as far as a client.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Callable, NamedTuple

from dynamodb_pipeline.errors import DeniedError

_LINE_BREAK = re.compile(r"(?:\r\n|\n|\r)\Z")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")  # RFC 9110 5.5 without blanks, which no key has
_PARTS = {"access_key": "access key id", "secret_key": "secret access key", "token": "session token"}
_SECRETS = (
    (re.compile(r"(?i)(invalid header (?:value|name)|leading space in header)\b.*", re.DOTALL), r"\1 ..."),
    (re.compile(r"(?i)\b(AWS4-HMAC-SHA256) .*", re.DOTALL), r"\1 ..."),
    (re.compile(r"(?i)\b(x-amz-security-token|authorization)['\"]?\s*[:=,].*", re.DOTALL), r"\1 ..."),
    (re.compile(r"(?<=://)[^\s/?#'\"]*@"), ""),
)


class CheckedKeys(NamedTuple):
    """A key pair each part of which is a legal value of a header; as botocore's frozen credentials."""

    access_key: str
    secret_key: str
    token: str | None = None
    account_id: str | None = None


def checked_keys(keys: Any, *, source: str) -> CheckedKeys:
    """
    The keys, each without one line break at its end.

    Args:
        keys: frozen credentials of botocore.
        source: where they were found, botocore's `method`.

    Raises:
        DeniedError: one of them cannot be a header's value; names which, and shows nothing of it.
    """
    parts = {name: _checked(getattr(keys, name), _PARTS[name], source) for name in ("access_key", "secret_key")}
    token = _checked(keys.token, _PARTS["token"], source) if keys.token else None
    return CheckedKeys(**parts, token=token, account_id=getattr(keys, "account_id", None))


def _checked(value: Any, part: str, source: str) -> str:
    text = _LINE_BREAK.sub("", value) if isinstance(value, str) else ""
    if not _HEADER_VALUE.fullmatch(text):
        msg = (
            f"the AWS {part} (found by: {source}) is empty, or holds a blank, a line break or another character that "
            "no key has; set it anew"
        )
        raise DeniedError(msg)
    return text


class CheckedCredentials:
    """botocore credentials whose keys are checked each time they are asked for; all else is botocore's own."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def __getattr__(self, name: str) -> Any:
        if name == "_credentials":  # asked for by copy and pickle before there is one
            raise AttributeError(name)
        return getattr(self._credentials, name)

    def get_frozen_credentials(self) -> CheckedKeys:
        """
        Raises:
            DeniedError: they cannot be renewed, or a part of them is no header's value.
            BotoCoreError: the network failed while they were renewed; ask again.
        """
        from botocore.exceptions import ConnectionError as NoConnectionError
        from botocore.exceptions import HTTPClientError

        try:
            keys = self._credentials.get_frozen_credentials()
        except (HTTPClientError, NoConnectionError):
            raise
        except Exception as err:  # whatever a helper, a file or a service made of it; its text may hold a key
            raise not_had(err) from None
        return checked_keys(keys, source=str(getattr(self._credentials, "method", "unknown")))

    @property
    def access_key(self) -> str:
        return self.get_frozen_credentials().access_key

    @property
    def secret_key(self) -> str:
        return self.get_frozen_credentials().secret_key

    @property
    def token(self) -> str | None:
        return self.get_frozen_credentials().token


class CheckedChain:
    """botocore's usual chain of providers as its component `credential_provider`, with checked keys."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def load_credentials(self) -> CheckedCredentials | None:
        """
        Raises:
            DeniedError: a provider that is configured failed, such as a `credential_process`.
        """
        from botocore.credentials import create_credential_resolver

        try:
            credentials = create_credential_resolver(self._session).load_credentials()
        except Exception as err:
            raise not_had(err) from None
        if credentials is None:
            return None
        checked = CheckedCredentials(credentials)
        if not hasattr(credentials, "refresh_needed"):
            checked.get_frozen_credentials()  # such keys cost nothing to look at: refused before the first request
        return checked


class AssumedCredentials(CheckedCredentials):
    """
    Keys of an assumed role, which botocore renews a quarter of an hour before they expire, on whatever thread asks.

    Args:
        assume: one AssumeRole; returns the members that botocore's refreshable credentials are made of.
        now: the present moment, in UTC.
    """

    def __init__(self, assume: Callable[[], dict[str, str]], now: Callable[[], datetime] | None = None) -> None:
        from botocore.credentials import DeferredRefreshableCredentials

        clock = {"time_fetcher": now} if now else {}
        super().__init__(DeferredRefreshableCredentials(refresh_using=assume, method="assume-role", **clock))
        self._assume, self._now = assume, now

    def again(self) -> AssumedCredentials:
        """The role assumed anew, whatever the age of these keys."""
        return AssumedCredentials(self._assume, self._now)


class AssumedRole:
    """The one provider of a session that acts in a role's name; a session's component `credential_provider`."""

    def __init__(self, credentials: AssumedCredentials) -> None:
        self._credentials = credentials

    def load_credentials(self) -> AssumedCredentials:
        return self._credentials


def assume_role(sts: Any, role_arn: str, external_id: str | None) -> dict[str, str]:
    """
    Keys of a role, for an hour: a role that is assumed by a role's keys, as nodes have them, gets no more.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_terms-and-concepts.html, "Role chaining"

    Raises:
        DeniedError: one of the two halves that must allow it is missing.
        BotoCoreError: STS did not answer.
    """
    from botocore.exceptions import ClientError

    agreed = {"ExternalId": external_id} if external_id else {}
    try:
        keys = sts.assume_role(RoleArn=role_arn, RoleSessionName="dynamodb-pipeline", **agreed)["Credentials"]
    except ClientError as err:
        code = err.response["Error"].get("Code", "no code")
        msg = (
            f"sts:AssumeRole on {role_arn} was refused ({code}): the caller's own policy must allow it, and the role's "
            "trust document must name the caller's account and the same external id, or none; `preflight` with the "
            "same options names the half that is missing and prints its command"
        )
        raise DeniedError(msg) from None
    names = {"access_key": "AccessKeyId", "secret_key": "SecretAccessKey", "token": "SessionToken"}
    expires = keys["Expiration"]
    return {**{name: keys[member] for name, member in names.items()}, "expiry_time": expires.isoformat()}


def checked_session(*, profile: str | None = None, role: AssumedCredentials | None = None) -> Any:
    """A botocore session with checked keys: of the usual chain, or of a role that was assumed by them."""
    from botocore.session import Session

    session = Session(profile=profile)
    session.register_component("credential_provider", AssumedRole(role) if role else CheckedChain(session))
    return session


def not_had(err: Exception) -> DeniedError:
    """Our error for credentials that cannot be had; of a helper that failed its name, never what it printed."""
    from botocore import exceptions as known

    if isinstance(err, DeniedError):
        return err
    what = type(err).__name__
    if isinstance(err, known.CredentialRetrievalError):
        provider = err.kwargs.get("provider", "a provider")
        what = without_secrets(str(err)) if provider == "sso" else f"{what} of {provider}"
    elif isinstance(err, (known.PartialCredentialsError, known.ProfileNotFound, known.NoCredentialsError)):
        what = str(err)  # names of variables and profiles alone
    elif isinstance(err, (known.TokenRetrievalError, known.SSOError)):
        what = without_secrets(str(err))  # botocore's own words
    elif isinstance(err, RuntimeError) and "still expired" in str(err):
        what = "they were renewed and are still expired"
    return DeniedError(f"AWS credentials cannot be had or cannot be renewed: {what}; renew them or correct the profile")


def without_secrets(text: str) -> str:
    """The text of an error without what could be a header of a request, or user and password of an address."""
    for pattern, kept in _SECRETS:
        text = pattern.sub(kept, text)
    return text
