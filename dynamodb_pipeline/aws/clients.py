"""
The one place that builds AWS clients.

Jobs and the command line make one `AwsClients` and hand clients on as arguments. A Spark worker cannot be handed a
client, so it gets the picklable `AwsSettings` and builds its own here: on AWS with the node's own credentials, and
with the driver's keys only where every endpoint is a loopback address (the sandbox).
"""

from __future__ import annotations

import io
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, overload
from urllib.parse import urlsplit

from dynamodb_pipeline.aws.keys import AssumedCredentials, assume_role, checked_session, without_secrets
from dynamodb_pipeline.errors import DeniedError, UsageError

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.client import BaseClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_emr import EMRClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sts import STSClient

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 60
ANY_REGION = "us-east-1"  # botocore follows S3 to the region of a bucket, and every STS knows its caller
ATTEMPTS = 4
SMALL_BYTES = 65_536  # of a body that goes out with its head
# A label of a host name, as botocore has it; stands in each signature's header.
REGION = re.compile(r"(?![0-9]+\Z)(?!-)[a-z0-9-]{1,63}(?<!-)")
REGION_SHOWN_CHARS = 40
SERVICES_WITH_OWN_ENDPOINT = ("dynamodb", "s3")
OF_TABLES = ("dynamodb", "application-autoscaling")  # asked in the name of the table's role, where there is one


@dataclass(frozen=True)
class TableRole:
    """A role in whose name tables are asked, read and written; buckets, clusters and logs stay with the caller."""

    arn: str
    external_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AwsSettings:
    """What a process needs to reach AWS: region, endpoints that are not AWS's own, and keys for loopback only."""

    region: str
    endpoints: tuple[tuple[str, str], ...] = ()
    loopback_keys: tuple[str, str, str | None] | None = field(default=None, repr=False)
    bucket_owner: str | None = None
    table_role: TableRole | None = None

    def endpoint(self, service: str) -> str | None:
        return dict(self.endpoints).get(service)


def is_loopback(url: str | None) -> bool:
    """True when `url` names this machine by a loopback address or name."""
    return url is not None and (urlsplit(url).hostname or "") in LOOPBACK_HOSTS


class Clients(Protocol):
    """AWS clients by service name: `AwsClients`, or a test's own."""

    region: str
    bucket_owner: str | None

    @overload
    def client(
        self, service: Literal["dynamodb"], *, region: str | None = ..., attempts: int | None = ...
    ) -> DynamoDBClient: ...
    @overload
    def client(self, service: Literal["ec2"], *, region: str | None = ..., attempts: int | None = ...) -> EC2Client: ...
    @overload
    def client(self, service: Literal["emr"], *, region: str | None = ..., attempts: int | None = ...) -> EMRClient: ...
    @overload
    def client(self, service: Literal["iam"], *, region: str | None = ..., attempts: int | None = ...) -> IAMClient: ...
    @overload
    def client(self, service: Literal["s3"], *, region: str | None = ..., attempts: int | None = ...) -> S3Client: ...
    @overload
    def client(
        self, service: Literal["service-quotas"], *, region: str | None = ..., attempts: int | None = ...
    ) -> ServiceQuotasClient: ...
    @overload
    def client(self, service: Literal["sts"], *, region: str | None = ..., attempts: int | None = ...) -> STSClient: ...
    @overload
    def client(self, service: str, *, region: str | None = ..., attempts: int | None = ...) -> BaseClient: ...
    def client(self, service: str, *, region: str | None = None, attempts: int | None = None) -> Any:
        """The kept client of that service, region and number of attempts; 1 never repeats a call by itself."""


class RunClients(Clients, Protocol):
    """
    Clients from which a worker elsewhere can build its own, and a wire of ours its signatures.

    Attributes:
        session: whose keys sign requests about tables.
    """

    session: Session

    def settings(self) -> AwsSettings:
        """The picklable form."""


class NoRegionError(UsageError):
    """Neither an option nor the AWS configuration names a region."""


class AwsClients:
    """
    AWS clients of one region, made on first use and kept.

    Raises:
        NoRegionError: no region given and none configured. UsageError: one that cannot be a region's name.
    """

    def __init__(
        self,
        region: str | None = None,
        *,
        bucket_owner: str | None = None,
        table_role: TableRole | None = None,
        settings: AwsSettings | None = None,
    ):
        import boto3
        from botocore.exceptions import BotoCoreError

        self._clients: dict[tuple[str, str, int], Any] = {}
        self._building = threading.Lock()  # a session is not made for several threads; its clients are
        keys = (settings.loopback_keys if settings else None) or (None, None, None)
        wanted = settings.region if settings else region
        try:
            self._caller: Any = boto3.Session(
                aws_access_key_id=keys[0],
                aws_secret_access_key=keys[1],
                aws_session_token=keys[2],
                region_name=wanted,
                botocore_session=checked_session(),
            )
            self.region: str = self._caller.region_name or ""
        except BotoCoreError as err:  # no such profile, a config file that cannot be read
            why = without_secrets(str(err))
            msg = f"the AWS configuration cannot be used: {why}; check AWS_PROFILE and ~/.aws/config"
            raise UsageError(msg) from err
        if not self.region:
            msg = "no region: give --region (it is the table's and the cluster's region)"
            raise NoRegionError(msg)
        check_region(self.region)
        self.bucket_owner = settings.bucket_owner if settings else bucket_owner
        self._settings = settings
        self._table_role = settings.table_role if settings else table_role
        self.session: Any = self._of_tables(self._table_role) if self._table_role else self._caller

    def _of_tables(self, role: TableRole) -> Any:
        """A session in the role's name; nothing is asked before the first request about a table."""
        import boto3

        keys = AssumedCredentials(lambda: assume_role(self.client("sts"), role.arn, role.external_id))
        return boto3.Session(region_name=self.region, botocore_session=checked_session(role=keys))

    def client(self, service: str, *, region: str | None = None, attempts: int | None = None) -> Any:
        """
        Return the kept client of `service`.

        Args:
            region: default the run's region.
            attempts: how often a call is sent at most; 1 for calls that must never be repeated unseen.

        Raises:
            UsageError: a malformed region; an endpoint that is no URL, names a user, or is plain http elsewhere.
            DeniedError: the AWS keys are malformed, or a provider of them failed.
        """
        check_region(region or self.region)
        place = (service, region or self.region, attempts or ATTEMPTS)
        with self._building:
            if place not in self._clients:
                self._clients[place] = self._build(*place)
            return self._clients[place]

    def _build(self, service: str, region: str, attempts: int) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": attempts},
        )
        endpoint = self._settings.endpoint(service) if self._settings else None
        try:
            session = self.session if service in OF_TABLES else self._caller
            client = session.client(service, region_name=region, config=config, endpoint_url=endpoint)
        except ValueError as err:
            if "endpoint" not in str(err).lower():
                raise
            # botocore's text holds the whole URL
            msg = f"the endpoint configured for {service} is not a URL of the form https://host[:port]"
            raise UsageError(msg) from None
        refuse_user_in_url(client.meta.endpoint_url)
        refuse_plain_http(client.meta.endpoint_url)
        if service == "s3":
            client.meta.events.register_last("before-call.s3", send_at_once)
        return client

    def settings(self) -> AwsSettings:
        """The picklable form for Spark workers."""
        services = (*SERVICES_WITH_OWN_ENDPOINT, *(("sts",) if self._table_role else ()))
        endpoints = {s: self.client(s).meta.endpoint_url for s in services}
        own = tuple(sorted((s, url) for s, url in endpoints.items() if is_loopback(url)))
        keys = self._keys() if len(own) == len(endpoints) else None
        return AwsSettings(self.region, own, keys, self.bucket_owner, self._table_role)

    def _keys(self) -> tuple[str, str, str | None]:
        frozen = self.credentials().get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token

    def credentials(self) -> Any:
        """
        The caller's own (refreshable) botocore credentials.

        Raises:
            DeniedError: the usual chain found none.
        """
        credentials = self._caller.get_credentials()
        if credentials is None:
            msg = "no AWS credentials found; configure a profile, environment variables or a role"
            raise DeniedError(msg)
        return credentials


def regionless_clients(region: str | None, *, bucket_owner: str | None = None) -> AwsClients:
    """
    Clients for what every region answers (objects, the caller's name): of this region or the configured one, of any
    where nobody says one.
    """
    try:
        return AwsClients(region, bucket_owner=bucket_owner)
    except NoRegionError:
        return AwsClients(ANY_REGION, bucket_owner=bucket_owner)


class ExpectedOwner(TypedDict, total=False):
    """The argument of S3's calls that names the account a bucket must belong to; without it any account may."""

    ExpectedBucketOwner: str


def expected_owner(account: str | None) -> ExpectedOwner:
    """The argument for `account`, 12 digits; none for None."""
    return {"ExpectedBucketOwner": account} if account else {}


def send_at_once(params: dict[str, Any], **_: Any) -> None:
    """
    Take `Expect: 100-continue` from a small PutObject; a handler of botocore's event `before-call`.

    It would cost a round trip for each ledger entry; and after a reply that is not 100 on a connection which stays
    open, botocore takes the head of the next such reply for its body and waits for more until the read times out.
    """
    body = params["body"]
    if isinstance(body, io.BytesIO) and body.getbuffer().nbytes <= SMALL_BYTES:
        params["headers"].pop("Expect", None)


def check_region(region: str) -> None:
    """Raise UsageError for what cannot be the name of a region."""
    if not REGION.fullmatch(region):
        msg = f"{region[:REGION_SHOWN_CHARS]!r} is no region's name, which looks like eu-west-1; check --region"
        raise UsageError(msg)


def refuse_user_in_url(url: str) -> None:
    """Raise UsageError for an endpoint with a user or password, which error texts of every client would show."""
    if "@" in urlsplit(url).netloc:
        msg = f"endpoint {without_secrets(url)} was configured with a user or password; remove them from the URL"
        raise UsageError(msg)


def refuse_plain_http(url: str) -> None:
    """Raise UsageError for an unencrypted endpoint that is not on this machine."""
    if url.startswith("http://") and not is_loopback(url):
        msg = f"endpoint {url} is plain http; only https, or a loopback address, is allowed"
        raise UsageError(msg)
