"""
The sandbox's own endpoints below /sandbox/: what AWS does not have, for tests and for the launcher's demo.

    GET    /sandbox/health            is it up
    GET    /sandbox/actions           every recorded API action       DELETE forgets them
    GET    /sandbox/faults            faults that are still to strike  POST adds one, DELETE clears
    GET    /sandbox/settings          settings                         POST changes some
    POST   /sandbox/fire              fires a schedule: {"name", "group", "region", "scheduled_time"}
    POST   /sandbox/wait              answers once {"cluster", "step" (or absent)} is in one of {"states"}
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.emr import access, protocol, schedules, settings
from sandbox.emr.access import Principals
from sandbox.emr.faults import FaultBook, FaultError
from sandbox.emr.fleet import Fleet
from sandbox.emr.ledger import Ledger
from sandbox.emr.protocol import StartResponse
from sandbox.emr.schedules import ScheduleError
from sandbox.emr.settings import Settings, SettingsError

NOT_FOUND = 404
BAD_REQUEST = 400


class Dial:
    """The settings that hold now."""

    def __init__(self, start: Settings) -> None:
        self._settings = start
        self._lock = threading.Lock()

    def __call__(self) -> Settings:
        return self._settings

    def turn(self, changes: dict[str, Any]) -> Settings:
        """Change some settings; SettingsError leaves all as they were."""
        with self._lock:
            self._settings = settings.changed(self._settings, changes)
            return self._settings


@dataclass(frozen=True)
class Control:
    """The endpoints' application. `client` makes a boto3 client of the sandbox: (service, key, region)."""

    fleet: Fleet
    ledger: Ledger
    faults: FaultBook
    dial: Dial
    principals: Principals
    client: Callable[..., Any]

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        route = (environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/sandbox/"))
        handler = self._routes().get(route)
        if handler is None:
            return protocol.reply_json(start_response, {"error": f"no {route}"}, status=NOT_FOUND)
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            document = json.loads(environ["wsgi.input"].read(length) or b"{}")
            return protocol.reply_json(start_response, handler(document))
        except (FaultError, SettingsError, ScheduleError, ValueError, TypeError, KeyError, TimeoutError) as error:
            return protocol.reply_json(start_response, {"error": str(error)}, status=BAD_REQUEST)
        except (ClientError, BotoCoreError) as error:
            return protocol.reply_json(start_response, {"error": str(error)}, status=BAD_REQUEST)

    def _routes(self) -> dict[tuple[str, str], Callable[[dict[str, Any]], Any]]:
        return {
            ("GET", "health"): lambda _: {"status": "ok"},
            ("GET", "actions"): lambda _: self.ledger.entries(),
            ("DELETE", "actions"): lambda _: self.ledger.clear(),
            ("GET", "faults"): lambda _: self.faults.all(),
            ("POST", "faults"): self.faults.add,
            ("DELETE", "faults"): lambda _: self.faults.clear(),
            ("GET", "settings"): lambda _: asdict(self.dial()),
            ("POST", "settings"): lambda changes: asdict(self.dial.turn(changes)),
            ("POST", "fire"): self._fire,
            ("POST", "wait"): self._wait,
        }

    def _wait(self, wanted: dict[str, Any]) -> dict[str, Any]:
        def state() -> str | None:
            cluster = self.fleet.find(wanted["cluster"])
            thing = cluster.step(wanted["step"]) if cluster and wanted.get("step") else cluster
            return thing.state if thing else None

        is_met = self.fleet.wait_until(lambda: state() in wanted["states"], timeout_s=wanted.get("timeout_s", 30))
        if not is_met:
            raise TimeoutError(f"{wanted.get('step') or wanted['cluster']} is {state()}, not one of {wanted['states']}")
        return {"state": state()}

    def _fire(self, wanted: dict[str, Any]) -> dict[str, Any]:
        region, group = wanted.get("region", "us-east-1"), wanted.get("group", "default")
        reader = self.client("scheduler", self.principals.key_for(access.SERVICE, "scheduler"), region)
        schedule = reader.get_schedule(Name=wanted["name"], GroupName=group)
        key = self.principals.key_for(access.SCHEDULER, schedule["Target"]["RoleArn"])
        return schedules.fire(
            reader,
            self.client("emr", key, region),
            name=wanted["name"],
            group=group,
            scheduled_time=wanted.get("scheduled_time"),
        )
