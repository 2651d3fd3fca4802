"""Run a cluster's bootstrap actions on its node: fetched from S3, run with bash, logged where EMR logs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.emr import log_layout
from sandbox.emr.log_shipper import LogShipment
from sandbox.emr.node import Node
from sandbox.emr.processes import Command, NodeProcess
from sandbox.emr.records import ErrorDetail

DOCS = "https://docs.aws.amazon.com/emr/latest/ManagementGuide/"
NON_ZERO = "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE"
NO_DOWNLOAD = "BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY"


@dataclass(frozen=True)
class BootstrapRun:
    """
    The bootstrap actions of one node.

    Args:
        process_for: gives the process that is to run an action, so that others can stop it.
        fails_on_demand: the first action is not run and counts as failed.
    """

    node: Node
    client: Any
    process_for: Callable[[], NodeProcess]
    fails_on_demand: bool = False

    def run(self) -> ErrorDetail | None:
        """Run all actions in order; return what stopped the first that failed, None when none did."""
        if self.fails_on_demand:
            return failure_detail(self.node, number=1, exit_code=1, path="(on demand)")
        actions = self.node.cluster.request.get("BootstrapActions", [])
        for number, action in enumerate(actions, start=1):
            failure = self._run_action(number, action["ScriptBootstrapAction"])
            if failure:
                return failure
        return None

    def _run_action(self, number: int, script: Mapping[str, Any]) -> ErrorDetail | None:
        folder = self.node.bootstrap_folder(number)
        try:
            file = self._download(script["Path"], folder)
            exit_code = self._execute(file, script.get("Args", []), folder)
        except (BotoCoreError, ClientError, ValueError) as error:
            (folder / "stderr").write_text(f"{error}\n")
            return download_detail(self.node, number=number, path=script["Path"], cause=str(error))
        finally:
            self._shipment(number, folder).send()
        if exit_code:
            return failure_detail(self.node, number=number, exit_code=exit_code, path=script["Path"])
        return None

    def _download(self, uri: str, folder: Path) -> Path:
        bucket, key = log_layout.split_uri(uri)
        if not uri.startswith("s3://") or not key:
            raise ValueError(f"bootstrap action {uri!r} is not an s3:// address")
        file = folder / Path(key).name
        file.write_bytes(self.client.get_object(Bucket=bucket, Key=key.rstrip("/"))["Body"].read())
        return file

    def _execute(self, file: Path, arguments: list[str], folder: Path) -> int:
        command = Command(
            arguments=["bash", str(file), *self.node.arguments(arguments)],
            environment=self.node.environment(),
            working_folder=self.node.home,
            folder=folder,
        )
        exit_code = self.process_for().run(command)
        (folder / "controller").write_text(f"bootstrap action {file.name} ended with exit code {exit_code}\n")
        return exit_code

    def _shipment(self, number: int, folder: Path) -> LogShipment:
        cluster = self.node.cluster
        return LogShipment(
            client=self.client,
            log_uri=cluster.log_uri,
            folder=log_layout.bootstrap_folder(cluster.id, cluster.leader.id, number),
            source=folder,
            names=log_layout.BOOTSTRAP_LOGS,
            suffix=self.node.settings.log_suffix,
        )


def failure_detail(node: Node, *, number: int, exit_code: int, path: str) -> ErrorDetail:
    """Return the ErrorDetail of an action that ended with an exit code other than 0."""
    leader = node.cluster.leader.id
    message = f"On the master instance ({leader}), bootstrap action {number} returned a non-zero return code"
    data = {
        "primary-instance-id": leader,
        "bootstrap-action": str(number),
        "return-code": str(exit_code),
        "amazon-s3-path": path,
        "public-doc": f"{DOCS}{NON_ZERO}.html",
    }
    return ErrorDetail(NON_ZERO, message, data)


def download_detail(node: Node, *, number: int, path: str, cause: str) -> ErrorDetail:
    """Return the ErrorDetail of an action whose script could not be fetched."""
    leader = node.cluster.leader.id
    message = f"On the master instance ({leader}), bootstrap action {number} could not be downloaded: {cause}"
    data = {
        "primary-instance-id": leader,
        "bootstrap-action": str(number),
        "amazon-s3-path": path,
        "public-doc": f"{DOCS}{NO_DOWNLOAD}.html",
    }
    return ErrorDetail(NO_DOWNLOAD, message, data)
