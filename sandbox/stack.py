"""
One sandbox: DynamoDB (dynalite, one store per region) and everything else of AWS (moto), on 127.0.0.1.

    with Sandbox() as sandbox:
        sandbox.client("s3").create_bucket(Bucket="b")
        subprocess.run(job, env=sandbox.process_env())
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config

from sandbox import state as states
from sandbox.processes import PROJECT, SandboxError, ServerProcess, start_server, wait_for_log

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"  # moto's own; dynalite is told the same
SERVER_ENVIRONMENT = {**os.environ, "AWS_ACCOUNT_ID": ACCOUNT_ID, "PYTHONUNBUFFERED": "1"}
NPM_FOLDER = PROJECT / "sandbox" / "npm"
# Port 9 (discard) refuses; every client repeats the address in its error.
NO_WAY_OUT = "http://127.0.0.1:9/the-sandbox-lets-nothing-through-to-AWS"
READY = r"^ready (http://127\.0\.0\.1:\d+)$"
FOREIGN_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


class Sandbox:
    """
    Servers for DynamoDB and S3 that live as long as the `with` block, or until `stop`.

    Args:
        name: the folder under .sandbox/; a fresh one unless given.
        region: the default region of `client` and `env`; every region works.
        tethered: the servers end with this process however it ends; False: they run until stopped.
    """

    def __init__(self, name: str | None = None, *, region: str = REGION, tethered: bool = True) -> None:
        self.region = region
        self._tethered = tethered
        self._children: list[subprocess.Popen[bytes]] = []
        owner = states.this_process() if tethered else None
        self.state = states.State(name=name or f"run-{os.getpid()}-{secrets.token_hex(3)}", owner=owner)

    @property
    def dynamodb_url(self) -> str:
        return self.state.urls["dynamodb"]

    @property
    def s3_url(self) -> str:
        return self.state.urls["s3"]

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(keep_logs=error is not None)

    def start(self) -> None:
        """Start both servers and wait until they answer; nothing is left behind when one does not."""
        states.sweep()
        self.state.claim()
        try:
            dynamodb = self.launch("dynamodb", dynamodb_command())
            s3 = self.launch("s3", moto_command())
            urls = {"dynamodb": _ready_url(dynamodb), "s3": _ready_url(s3)}
            self._update(urls=urls, environment=environment(urls, region=self.region))
            warm_up(urls["s3"])
        except BaseException:  # Ctrl-C too: what was started is stopped, then the error goes on
            self.stop(keep_logs=True)
            raise

    def stop(self, *, keep_logs: bool = False) -> None:
        """Stop the servers; a second call does nothing."""
        self.state.stop(keep_logs=keep_logs)
        for child in self._children:
            if child.stdin:
                child.stdin.close()
            child.wait()
        self._children.clear()

    def env(self) -> dict[str, str]:
        """Return the variables with which the AWS CLI, boto3 and the jobs reach the sandbox and never AWS."""
        return dict(self.state.environment)

    def process_env(self, **extra: str) -> dict[str, str]:
        """Return a child process's whole environment: `env()` over this one's, without its credentials."""
        inherited = {key: value for key, value in os.environ.items() if key not in FOREIGN_VARIABLES}
        return {**inherited, **self.env(), **extra}

    def client(self, service: str, *, region: str | None = None, **config: Any) -> Any:
        """Return a boto3 client of the sandbox; `config` goes to botocore's Config."""
        session: Any = boto3.session.Session()
        return session.client(
            service,
            region_name=region or self.region,
            endpoint_url=self.state.urls.get(service, self.s3_url),
            aws_access_key_id=self.state.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.state.environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(**config),
        )

    def publish(self, name: str, url: str) -> None:
        """Record where one more server answers."""
        self._update(urls={**self.state.urls, name: url})

    def launch(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> ServerProcess:
        """Start one more server that ends with the sandbox; its log is `logs/<name>.log` in its folder."""
        server, child = start_server(
            name,
            command,
            log=self.state.folder / "logs" / f"{name}.log",
            environment=environment or SERVER_ENVIRONMENT,
            tethered=self._tethered,
        )
        self._children.append(child)
        self._update(servers=(*self.state.servers, server))
        return server

    def _update(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        self.state.save()


def dynamodb_command() -> list[str]:
    """Return the command of the DynamoDB server; SandboxError when its npm package is not installed."""
    if not (NPM_FOLDER / "node_modules" / "dynalite").is_dir():
        raise SandboxError("the DynamoDB emulator is not installed: run `make setup`")
    return ["node", str(NPM_FOLDER / "serve_dynamodb.js")]


def moto_command() -> list[str]:
    """Return the command of the server for S3 and all other services."""
    return [sys.executable, "-m", "sandbox.serve_moto"]


def environment(urls: dict[str, str], *, region: str) -> dict[str, str]:
    """
    Return the variables that point every AWS client at the sandbox.

    AWS_ENDPOINT_URL makes moto the answer for each service not named, so that nothing reaches AWS by mistake.
    What looks past it (an endpoint of its own, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS) goes by https to a proxy that
    nobody is, whose address says why.
    Endpoints given as an IP address get path-style S3 addresses from botocore by themselves.
    """
    return {
        "AWS_ENDPOINT_URL": urls["s3"],
        "AWS_ENDPOINT_URL_DYNAMODB": urls["dynamodb"],
        "AWS_ENDPOINT_URL_S3": urls["s3"],
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), NO_WAY_OUT),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    }


def attach(name: str) -> Sandbox | None:
    """Return the running sandbox `name` that some other process started, None when there is none."""
    state = states.load(name)
    if state is None or not state.environment:
        return None
    sandbox = Sandbox(name, region=state.environment["AWS_REGION"], tethered=False)
    sandbox.state = state
    return sandbox


def warm_up(s3_url: str) -> None:
    """Make moto load its S3 code now (about a second), so that no test's first request pays for it."""
    with urllib.request.urlopen(f"{s3_url}/", timeout=30) as reply:
        reply.read()


def _ready_url(server: ServerProcess) -> str:
    return wait_for_log(server, READY).group(1)
