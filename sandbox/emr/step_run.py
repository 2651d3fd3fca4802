"""Run one step's command on its node and say how it ended, with the logs in S3 before that is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.emr import log_layout
from sandbox.emr.log_shipper import LogEvents, LogShipment, repeated
from sandbox.emr.node import Node
from sandbox.emr.processes import STEP_MARK, Command, NodeProcess, kill_strays
from sandbox.emr.records import FailureDetails, Step

COMMAND_RUNNER = "command-runner.jar"
UNSUPPORTED_JAR = 1
MAX_LOG_BYTES_READ = 262_144


@dataclass(frozen=True)
class StepRun:
    """
    One run of one step; `push_s` is how often its logs go to S3 meanwhile, `is_cut` whether the node is gone, `logs`
    the node's client of CloudWatch Logs.
    """

    node: Node
    step: Step
    client: Any
    process: NodeProcess
    push_s: float
    is_cut: Callable[[], bool] = bool
    logs: Any = None

    def run(self) -> FailureDetails | None:
        """Run to the end; return why it failed, None after exit code 0."""
        folder = self.node.step_folder(self.step.id)
        shipment, events = self._shipment(folder), self._events(folder)

        def send() -> None:
            shipment.send()
            if events is not None and not self.is_cut():
                events.send()

        with repeated(send, every_s=self.push_s):
            exit_code = self._execute(folder)
        kill_strays(STEP_MARK, self.step.id)
        send()
        return self._failure(folder, exit_code) if exit_code else None

    def _execute(self, folder: Path) -> int:
        arguments = list(self.step.config["HadoopJarStep"].get("Args", []))
        started_s = time.time()
        controller = folder / "controller"
        controller.write_text(log_layout.controller_start(arguments, now_s=started_s))
        exit_code = self._run_command(arguments, folder)
        with controller.open("a") as log:
            log.write(log_layout.controller_end(arguments, exit_code, started_s=started_s, now_s=time.time()))
        return exit_code

    def _run_command(self, arguments: list[str], folder: Path) -> int:
        jar = self.step.config["HadoopJarStep"].get("Jar", "")
        if jar != COMMAND_RUNNER or not arguments:
            (folder / "stderr").write_text(f"the sandbox runs {COMMAND_RUNNER} with arguments, not {jar!r}\n")
            return UNSUPPORTED_JAR
        command = Command(
            arguments=self.node.arguments(arguments),
            environment=self.node.step_environment(self.step.id),
            working_folder=self.node.home,
            folder=folder,
        )
        exit_code = self.process.run(command)
        with (folder / "stderr").open("a") as log:
            log.write(f"Command exiting with ret '{exit_code}'\n")
        return exit_code

    def _failure(self, folder: Path, exit_code: int) -> FailureDetails:
        texts = [_tail(folder / name) for name in ("stderr", "stdout")]
        return FailureDetails(
            reason="Unknown Error.",
            message=log_layout.failure_message(texts, exit_code=exit_code),
            log_file=self._shipment(folder).address("stderr"),
        )

    def _events(self, folder: Path) -> LogEvents | None:
        monitoring = self.node.cluster.request.get("MonitoringConfiguration") or {}
        config = monitoring.get("CloudWatchLogConfiguration") or {}
        if self.logs is None or not config.get("Enabled"):
            return None
        return LogEvents(self.logs, config, f"{self.node.cluster.id}/{self.step.id}", folder)

    def _shipment(self, folder: Path) -> LogShipment:
        cluster = self.node.cluster
        return LogShipment(
            client=self.client,
            log_uri=cluster.log_uri,
            folder=log_layout.step_folder(cluster.id, self.step.id),
            source=folder,
            names=log_layout.STEP_LOGS,
            suffix=self.node.settings.log_suffix,
            is_cut=self.is_cut,
        )


def _tail(file: Path) -> str:
    if not file.exists():
        return ""
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - MAX_LOG_BYTES_READ))
        return log.read().decode(errors="replace")
