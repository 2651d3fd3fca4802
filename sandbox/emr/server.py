"""
`python -m sandbox.emr.server [--port N] [--settings FILE] [--folder DIR]`: the sandbox's AWS with EMR, one process.

Prints `ready URL` once it listens; ends on SIGTERM or SIGINT with every process of every cluster stopped.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.emr import access, quotas, reaper, settings, simulator
from sandbox.emr.access import SECRET_KEY, Principals
from sandbox.emr.api import Service
from sandbox.emr.control import Control, Dial
from sandbox.emr.faults import FaultBook
from sandbox.emr.fleet import Fleet
from sandbox.emr.gateway import Gateway
from sandbox.emr.iam_actions import ACCOUNT_ID
from sandbox.emr.ledger import Ledger
from sandbox.emr.performer import Performer, Surroundings
from sandbox.emr.policy_judge import Policy

HOST = "127.0.0.1"


class EmrServer:
    """The parts, put together: fleet, performer, control and gateway around moto."""

    def __init__(self, start: settings.Settings, *, folder: Path, port: int = 0) -> None:
        dial, faults, principals = Dial(start), FaultBook(), Principals()
        self._principals = principals
        self._http: BaseWSGIServer = make_server(
            HOST, port, self._application, threaded=True, request_handler=QuietHandler
        )
        os.environ["MOTO_PORT"] = str(self._http.server_port)  # moto builds some of its URLs from it
        around = Surroundings(lambda: self.url, folder, dial, faults, principals, self.client)
        self._performer = Performer(around)
        fleet = Fleet(clock=time.time, pace=lambda: dial().pace, perform=self._performer.perform)
        self._performer.deliver_to(fleet.send)
        service = Service(fleet, faults, time.time, dial, self._zone_of, ACCOUNT_ID)
        ledger = Ledger()
        self._gateway = Gateway(
            service,
            ledger=ledger,
            principals=principals,
            control=Control(fleet, ledger, faults, dial, principals, self.client),
            moto=DomainDispatcherApplication(create_backend_app),
            own={
                "iam:SimulatePrincipalPolicy": lambda request: simulator.answer(request, _policies_of),
                "servicequotas:GetServiceQuota": lambda request: quotas.answer(request, vcpu_quota=dial().vcpu_quota),
            },
        )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._http.server_port}"

    def _application(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._gateway(environ, start_response)

    def serve(self) -> None:
        """Answer until `stop`."""
        self._http.serve_forever()

    def stop(self) -> None:
        """Stop every cluster's processes, then the server."""
        self._performer.close()
        self._http.shutdown()

    def client(self, service: str, key: str, region: str = "us-east-1") -> Any:
        """Return a boto3 client of this server with somebody's access key."""
        return _client(service, key, region, self.url)

    def _zone_of(self, subnet: str, region: str) -> str | None:
        """Ask EC2 as EMR's service role does."""
        ec2 = self.client("ec2", self._principals.key_for(access.SERVICE, "emr"), region)
        try:
            return str(ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailabilityZone"])
        except ClientError:
            return None


def _policies_of(arn: str) -> list[Policy] | None:
    """Look into moto's IAM itself: asking it over HTTP would be recorded as somebody's action."""
    return simulator.policies_in(iam_backends[ACCOUNT_ID]["aws"], arn)


@lru_cache(maxsize=64)
def _client(service: str, key: str, region: str, url: str) -> Any:
    """Making a client costs a tenth of a second, and it may be used by many threads."""
    session: Any = boto3.session.Session()
    return session.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"max_attempts": 3, "mode": "standard"}),
    )


class QuietHandler(MotoRequestHandler):  # type: ignore[misc]  # moto has no types
    """One line per request would drown the server's own messages; the ledger has them all."""

    disable_nagle_algorithm = True  # headers and body are two small writes

    def log_request(self, *_: Any) -> None:
        """Say nothing."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.emr.server", description="EMR and the rest of AWS")
    parser.add_argument("--port", type=int, default=0, help="0: a free one (%(default)s)")
    parser.add_argument("--settings", type=Path, help="JSON file; see sandbox/emr/settings.py")
    parser.add_argument("--folder", type=Path, help="where clusters keep their files; default: a temporary one")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="sandbox-emr-"))
    _serve(EmrServer(settings.load(options.settings), folder=folder, port=options.port))
    return 0


def _serve(server: EmrServer) -> None:
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    watcher = reaper.start(server.url)
    print(f"ready {server.url}", flush=True)
    over.wait()
    server.stop()
    thread.join()
    watcher.communicate()


if __name__ == "__main__":
    sys.exit(main())
