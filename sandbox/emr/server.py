"""
`python -m sandbox.emr.server [--port N] [--settings FILE] [--folder DIR]`: the sandbox's AWS with EMR, one process.

Prints `ready URL` once it listens; ends on SIGTERM or SIGINT with every process of every cluster stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.cloudformation.api import CloudFormation
from sandbox.emr import access, key_actions, launch_rules, quotas, reaper, settings, simulator, size_limits
from sandbox.emr.access import SECRET_KEY, Principals
from sandbox.emr.account import Account, assumed_role, make_managed_policy, reach_internet
from sandbox.emr.api import Service
from sandbox.emr.control import Control, Dial
from sandbox.emr.faults import FaultBook
from sandbox.emr.fleet import Fleet
from sandbox.emr.gateway import Gateway, OwnAnswer
from sandbox.emr.iam_actions import ACCOUNT_ID, Action
from sandbox.emr.ledger import Ledger
from sandbox.emr.performer import Performer, Surroundings
from sandbox.emr.policy_judge import Policy
from sandbox.emr.protocol import Request

HOST = "127.0.0.1"
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # nobody starts instances here; they take half a second


class EmrServer:
    """The parts, put together: fleet, performer, control and gateway around moto."""

    def __init__(self, start: settings.Settings, *, folder: Path, port: int = 0) -> None:
        dial, faults, principals = Dial(start), FaultBook(), Principals(assumed_role)
        self._principals = principals
        self._http: BaseWSGIServer = make_server(
            HOST, port, self._application, threaded=True, request_handler=QuietHandler
        )
        os.environ["MOTO_PORT"] = str(self._http.server_port)  # moto builds some of its URLs from it
        around = Surroundings(lambda: self.url, folder, dial, faults, principals, self.client)
        self._performer = Performer(around)
        fleet = Fleet(clock=time.time, pace=lambda: dial().pace, perform=self._performer.perform)
        self._performer.deliver_to(fleet.send)
        account = Account()
        service = Service(fleet, faults, time.time, dial, account, account.policies_of, ACCOUNT_ID)
        ledger = Ledger()
        self._gateway = Gateway(
            service,
            ledger=ledger,
            principals=principals,
            control=Control(fleet, ledger, faults, dial, principals, self.client),
            moto=DomainDispatcherApplication(create_backend_app),
            account=account,
            own={
                **OWN_ANSWERS,
                **CloudFormation(self._administrator, account_id=ACCOUNT_ID).answers(),
                "servicequotas:GetServiceQuota": lambda request: quotas.answer(request, vcpu_quota=dial().vcpu_quota),
            },
            implied=lambda *call: _implied(*call, account=account, table_keys=dial().table_keys),
        )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._http.server_port}"

    def _administrator(self, service: str, region: str) -> Any:
        """A client for what CloudFormation does for whoever may deploy."""
        return self.client(service, self._principals.key_for(access.SERVICE, "cloudformation"), region)

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


def _policies_of(arn: str) -> list[Policy] | None:
    """Look into moto's IAM itself: asking it over HTTP would be recorded as somebody's action."""
    return simulator.policies_in(iam_backends[ACCOUNT_ID]["aws"], arn)


def _implied(
    request: Request, actions: tuple[Action, ...], *, account: Account, table_keys: Mapping[str, str]
) -> tuple[Action, ...]:
    """Return what a request needs beside its own actions, as the account is now: keys, and EMR's clean-up role."""
    keys = key_actions.key_actions(request, actions, keys=account, table_keys=table_keys)
    is_first = request.target == "RunJobFlow" and not account.has_cleanup_role()
    return (*keys, launch_rules.cleanup_action()) if is_first else keys


def _checked(check: Callable[[Request], None]) -> OwnAnswer:
    """An answer that refuses what the check refuses and leaves the rest to moto."""

    def answer(request: Request) -> None:
        check(request)

    return answer


def _inline_policies(kind: str, name: str) -> dict[str, str]:
    backend = iam_backends[ACCOUNT_ID]["aws"]
    holders = {"UserName": backend.users, "GroupName": backend.groups, "RoleName": backend.roles}[kind].values()
    texts: dict[str, Any] = next((one.policies for one in holders if one.name == name), {})
    return {key: text if isinstance(text, str) else json.dumps(text) for key, text in texts.items()}


OWN_ANSWERS: dict[str, OwnAnswer] = {
    **dict.fromkeys(("scheduler:CreateSchedule", "scheduler:UpdateSchedule"), _checked(size_limits.check_schedule)),
    "iam:SimulatePrincipalPolicy": lambda request: simulator.answer(request, _policies_of),
    "iam:AttachRolePolicy": _checked(lambda request: make_managed_policy(request.form.get("PolicyArn", ""))),
    "ec2:DescribeRouteTables": _checked(lambda request: reach_internet(request.region)),
    **{f"iam:{name}": _checked(size_limits.check_managed) for name in ("CreatePolicy", "CreatePolicyVersion")},
    **{
        f"iam:{name}": _checked(lambda request: size_limits.check_inline(request, inline_of=_inline_policies))
        for name in size_limits.INLINE
    },
}


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
