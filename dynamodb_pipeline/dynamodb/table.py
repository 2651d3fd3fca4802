"""
Asks DynamoDB about a table and turns what can go wrong into our errors: the thin edge of table_description.py.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Callable, Protocol

from dynamodb_pipeline.addresses import partition_of
from dynamodb_pipeline.aws.api_errors import denied_error, is_denied, is_no_answer
from dynamodb_pipeline.aws.clients import Clients, RunClients
from dynamodb_pipeline.aws.request_errors import (
    BadReply,
    ClockSkewed,
    Denied,
    ExpiredCredentials,
    Gone,
    Rejected,
    Throttled,
    Transient,
    WireError,
)
from dynamodb_pipeline.aws.retry import CALLS, FIRST_CONTACT_POLICY, GaveUp, Pacing, RetryPolicy, call_with_retry
from dynamodb_pipeline.dynamodb.error_replies import error_message
from dynamodb_pipeline.dynamodb.requests import ScanPage, ScanRequest, describe_table, describe_time_to_live, scan_page
from dynamodb_pipeline.dynamodb.table_description import TableDescription, gone, refuse_changed, refuse_unusable
from dynamodb_pipeline.dynamodb.wire import DynamoDbWire, wire_of
from dynamodb_pipeline.errors import (
    DeniedError,
    PipelineError,
    PreconditionError,
    StoppedError,
    UnreachableError,
    UsageError,
)
from dynamodb_pipeline.formats.items.item_rules import Expiry, expiry_of

__all__ = [
    "TableBusyError",
    "TableDescription",
    "TableMissingError",
    "TableUnreachableError",
    "Tables",
    "matching_tables",
    "refuse_changed",
    "refuse_unusable",
    "table_names",
]

_RESOURCE = re.compile(r"on resource: (arn:[^\s\"]+)")  # in an AccessDeniedException's message


def no_expiry(name: str) -> PreconditionError:
    """The error where --skip-expired is asked for of a table whose items do not expire."""
    return PreconditionError(f"--skip-expired: items of table {name!r} do not expire, it has no TTL; leave it out")


class TableMissingError(PreconditionError):
    """There is no such table in the region."""


class TableUnreachableError(UnreachableError):
    """DynamoDB did not answer."""


class TableBusyError(StoppedError):
    """DynamoDB answers and cannot tell now: throttled (DescribeTable has its own quota), failing, damaged replies."""


class Sleeper(Protocol):
    """Waits, and may raise to end a wait."""

    def sleep(self, seconds: float) -> object: ...


class WaitingRun(Protocol):
    """Of a run's context what a question about its tables needs."""

    @property
    def clients(self) -> RunClients: ...
    @property
    def lifetime(self) -> Sleeper: ...


class Tables:
    """
    What a run asks DynamoDB about its tables; each question is repeated by the one policy (`aws.retry.CALLS`).

    Args:
        wire: the protocol; no connection stays open between two questions.
        sleep: waits before a question is repeated; may raise to end the wait (`RunLifetime.sleep`).
    """

    def __init__(self, wire: DynamoDbWire, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._wire = wire
        self._sleep = sleep

    @classmethod
    def of(cls, clients: RunClients, *, sleep: Callable[[float], object] = time.sleep) -> Tables:
        """Over a wire of these clients; raises DeniedError without credentials."""
        return cls(wire_of(clients), sleep=sleep)

    @classmethod
    def of_run(cls, run: WaitingRun) -> Tables:
        """The same for a run, whose end ends a wait as well."""
        return cls.of(run.clients, sleep=run.lifetime.sleep)

    def describe(self, name: str, *, policy: RetryPolicy = FIRST_CONTACT_POLICY) -> TableDescription:
        """
        Ask about a table by its name or, where it is another account's, its ARN.

        Raises:
            UsageError: DynamoDB takes it for no table's name.
            PreconditionError: no such table in the region, or DynamoDB cannot be reached.
            DeniedError: no usable credentials, or dynamodb:DescribeTable is not allowed.
            TableBusyError: DynamoDB answers, but throttles, fails, or its replies are damaged, again and again.
        """
        return self._described(name, policy)[0]

    def definition(self, name: str) -> dict[str, Any]:
        """`Table` of DescribeTable's reply as it was sent, members that no SDK knows yet included; as `describe`."""
        table: dict[str, Any] = json.loads(self._described(name, CALLS["DescribeTable"].policy)[1])["Table"]
        return table

    def _described(self, name: str, policy: RetryPolicy) -> tuple[TableDescription, bytes]:
        ask = partial(describe_table, self._wire, name)
        try:
            return call_with_retry(ask, pacing=Pacing(policy, sleep=self._sleep))
        except GaveUp as err:
            raise self._unanswered(err, name) from err
        except WireError as err:
            raise self._refusal(err, name) from err
        finally:
            self._wire.close()

    def describe_again(self, pinned: TableDescription) -> TableDescription:
        """
        Ask about the table that the run began with.

        Raises:
            IntegrityError: it is gone, going, or another one by the same name.
            DeniedError: as `describe`.
            StoppedError: DynamoDB does not answer that; the run can be resumed.
        """
        try:
            now = self.describe(pinned.address, policy=CALLS["DescribeTable"].policy)
        except TableMissingError as err:
            raise gone(pinned.name) from err
        except PreconditionError as err:  # 3 would say that nothing was started
            msg = f"{err}; resume the run"
            raise StoppedError(msg) from err
        refuse_changed(pinned, now)
        return now

    def expiry(
        self, name: str, *, now_s: int, policy: RetryPolicy = CALLS["DescribeTimeToLive"].policy
    ) -> Expiry | None:
        """By what items of a table expire, None where they do not; raises as `time_to_live`."""
        return expiry_of(self.time_to_live(name, policy=policy), now_s=now_s)

    def time_to_live(self, name: str, *, policy: RetryPolicy = CALLS["DescribeTimeToLive"].policy) -> dict[str, Any]:
        """
        `TimeToLiveDescription` of a table, as it was sent.

        Raises:
            PipelineError: DynamoDB does not answer that, or dynamodb:DescribeTimeToLive is not allowed.
        """
        ask = partial(describe_time_to_live, self._wire, name)
        try:
            return call_with_retry(ask, pacing=Pacing(policy, sleep=self._sleep))
        finally:
            self._wire.close()

    def try_scan(self, request: ScanRequest) -> None:
        """
        Send a Scan to hear whether DynamoDB understands it; half a unit, no item is kept.

        Raises:
            UsageError: it does not; in its own words, which hold nothing but what was asked.
            PipelineError: DynamoDB does not answer that; the error's own exit code says what follows.
        """
        try:
            self._first_page(request)
        except Rejected as err:
            if err.code != "ValidationException":
                raise
            msg = f"table {request.table!r}: DynamoDB does not understand what is asked: {error_message(err.body)}"
            raise UsageError(msg) from err

    def holds_an_item(self, name: str) -> bool:
        """
        True when a Scan for one item finds one.

        Raises:
            PipelineError: DynamoDB does not answer that; the error's own exit code says what follows.
        """
        key = None
        while True:
            page = self._first_page(ScanRequest(name, start_key=key, limit=1, consistent=True))
            key = page.last_evaluated_key
            if page.count or key is None:
                return bool(page.count)

    def _first_page(self, request: ScanRequest) -> ScanPage:
        pacing = Pacing(CALLS["Scan"].policy, sleep=self._sleep)
        try:
            return call_with_retry(partial(scan_page, self._wire, request), pacing=pacing)
        finally:
            self._wire.close()

    def _unanswered(self, error: GaveUp, name: str) -> PipelineError:
        """Our error for a question that was repeated in vain."""
        last = error.last
        if type(last) is Transient and last.status == 0:
            return TableUnreachableError(f"DynamoDB did not answer; check --region, network and proxy: {last}")
        if isinstance(last, Throttled):
            return self._refusal(last, name)
        damaged = "damaged replies, something between here and DynamoDB changes them" * isinstance(last, BadReply)
        return TableBusyError(f"table {name!r} could not be described in {self._wire.region}: {damaged or last}")

    def _refusal(self, error: WireError, name: str) -> PipelineError:
        """Our error for DynamoDB's error reply."""
        if error.code == "ValidationException":
            return UsageError(f"{name!r} is no table name: 3 to 255 letters, digits, '_', '-' and '.'")
        unknown = (PreconditionError, "table {name!r} could not be described in {region}")
        kind, text = next((row for known, row in _REFUSALS.items() if isinstance(error, known)), unknown)
        resource = _RESOURCE.search(error.body.decode("utf-8", "replace"))
        region = self._wire.region
        own = name if name.startswith("arn:") else f"arn:{partition_of(region)}:dynamodb:{region}:*:table/{name}"
        arn = resource[1] if resource else own
        worded = text.format(name=name, region=self._wire.region, arn=arn)
        return kind(worded if kind is TableMissingError else f"{worded}: {error}")


_REFUSALS: dict[type[WireError], tuple[type[PipelineError], str]] = {
    Gone: (TableMissingError, "table {name!r} not found in {region}; check --region or the spelling"),
    Denied: (DeniedError, "dynamodb:DescribeTable on {arn} is not allowed"),
    ExpiredCredentials: (DeniedError, "DynamoDB in {region} does not accept the credentials"),
    ClockSkewed: (DeniedError, "DynamoDB in {region} does not accept the time of this machine"),
    Throttled: (TableBusyError, "DescribeTable of {name!r} is throttled"),
}


LISTING_ATTEMPTS = 10  # ListTagsOfResource is answered ten times a second (DynamoDB API Reference)
LISTING_RIGHTS = "what patterns need is printed with --table-prefix: `dynamodb-pipeline policy --help`"


def table_names(clients: Clients) -> list[str]:
    """Every table of the region, by ListTables."""
    pages = clients.client("dynamodb", attempts=LISTING_ATTEMPTS).get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"]]


def matching_tables(
    clients: RunClients, patterns: Sequence[str], *, exclude: Sequence[str], tags: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """
    The tables of the region that match one of `patterns` (a name matches itself) and none of `exclude`, by name; with
    `tags` those that have them all.

    Raises:
        PreconditionError: there is none, or DynamoDB cannot be reached.
        DeniedError: ListTables, DescribeTable or ListTagsOfResource is not allowed.
    """
    try:
        every = table_names(clients)
        matching = [name for name in every if _matches(name, patterns) and not _matches(name, exclude)]
        taken = tuple(_tagged(clients, matching, tags)) if tags and matching else tuple(matching)
    except Exception as err:
        if is_denied(err):
            msg = f"{denied_error(err, call='dynamodb:ListTables')}; {LISTING_RIGHTS}"
            raise DeniedError(msg) from err
        if not is_no_answer(err):
            raise
        msg = f"DynamoDB did not answer; check --region, network and proxy: {err}"
        raise UnreachableError(msg) from err
    if not taken:
        wanted = " or ".join(patterns) + "".join(f", but {one}" for one in exclude)
        tagged = "".join(f", tagged {key}={value}" for key, value in tags)
        msg = (
            f"none of the {len(every)} tables in {clients.region} matches {wanted}{tagged}; check --table and --region"
        )
        raise PreconditionError(msg)
    return taken


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _tagged(clients: RunClients, names: Sequence[str], tags: Sequence[tuple[str, str]]) -> list[str]:
    """Those of one region's and account's tables that have all of the tags."""
    first = Tables.of(clients).describe(names[0])
    ask = clients.client("dynamodb", attempts=LISTING_ATTEMPTS).get_paginator("list_tags_of_resource")
    place = first.arn.removesuffix(first.name)

    def has_them(name: str) -> bool:
        pages = ask.paginate(ResourceArn=f"{place}{name}")
        return set(tags) <= {(tag["Key"], tag["Value"]) for page in pages for tag in page["Tags"]}

    return [name for name in names if has_them(name)]
