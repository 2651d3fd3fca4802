"""
The access key that requests are signed with, and its forced renewal.

botocore renews temporary keys by their age alone; a key that DynamoDB refuses before that (revoked, clock
jump, a keys file rewritten by another tool) is renewed here by asking the whole provider chain again. Every key is
checked before it may become a header (aws/keys.py).
"""

from __future__ import annotations

import threading
from typing import Any, Callable

from dynamodb_pipeline.aws.keys import (
    AssumedCredentials,
    CheckedCredentials,
    CheckedKeys,
    checked_session,
    not_had,
    without_secrets,
)
from dynamodb_pipeline.aws.request_errors import Transient
from dynamodb_pipeline.errors import DeniedError


class Credentials:
    """
    A callable that returns the present key pair; thread-safe.

    Args:
        load: returns botocore credentials (anything with `get_frozen_credentials()`), or None when there are none;
            called once at first and again for every forced renewal.
    """

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._loaded = self._loaded_now()

    def __call__(self) -> CheckedKeys:
        """
        Return the keys, renewed by botocore when they are about to expire.

        Raises:
            DeniedError: they have expired and cannot be renewed, or a part of them is malformed.
            Transient: the network failed while they were renewed; nothing was sent.
        """
        from botocore.exceptions import ConnectionError as NoConnectionError
        from botocore.exceptions import HTTPClientError

        try:
            return self._loaded.get_frozen_credentials()
        except (HTTPClientError, NoConnectionError) as err:
            msg = f"the AWS credentials could not be renewed: {without_secrets(str(err))}"
            raise Transient(msg, code=type(err).__name__) from None
        except Exception as err:
            raise not_had(err) from None

    def refresh(self, refused_key_id: str) -> bool:
        """Ask the provider chain again; True when there is now another key than the one that was refused."""
        with self._lock:
            if self().access_key == refused_key_id:
                self._loaded = self._loaded_now()
            return self().access_key != refused_key_id

    def _loaded_now(self) -> CheckedCredentials:
        try:
            loaded = self._load()
        except Exception as err:
            raise not_had(err) from None
        if loaded is None:
            msg = "no AWS credentials found; configure a profile, environment variables or a role"
            raise DeniedError(msg)
        return loaded if isinstance(loaded, CheckedCredentials) else CheckedCredentials(loaded)


def credentials_of(session: Any) -> Credentials:
    """
    Return the credentials of a boto3 or botocore session.

    Keys given to the session in code are used as they are, an assumed role is assumed anew; all others can be renewed
    by a new session with the same profile, because a session keeps what it found first.
    """
    first = session.get_credentials()
    pending = [first]

    def load() -> Any:
        if pending:
            return pending.pop()
        if first is None or first.method == "explicit":
            return first
        if isinstance(first, AssumedCredentials):
            return first.again()
        return _fresh_session(session).get_credentials()

    return Credentials(load)


def _fresh_session(session: Any) -> Any:
    profile = getattr(session, "profile", None) or getattr(session, "profile_name", None)
    known = profile in session.available_profiles
    return checked_session(profile=profile if known else None)
