"""
The sandbox with an EMR in it: DynamoDB, S3 and the rest of AWS, and a YARN that the clusters' steps run on.

    with EmrSandbox() as sandbox:
        cluster = sandbox.client("emr").run_job_flow(...)["JobFlowId"]
        subprocess.run(launcher, env=sandbox.process_env())
        sandbox.control.actions()

All clusters share the one YARN. Steps are not tied to this process but to the EMR server, which ends with it.
"""

from __future__ import annotations

import json
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sandbox.emr import access
from sandbox.emr.control_client import ControlClient
from sandbox.emr.settings import EMR_CONNECTOR_JAR
from sandbox.jars import JarFolders
from sandbox.processes import ServerProcess, wait_for_log
from sandbox.stack import READY, Sandbox
from sandbox.yarn import YarnCluster

FAST_PACE = {"starting_s": 0.2, "terminating_s": 0.1, "log_push_s": 2.0}
YARN_VARIABLES = (
    "HADOOP_CONF_DIR",
    "SPARK_HOME",
    "SPARK_DIST_CLASSPATH",
    "SPARK_LAUNCHER_OPTS",
    "SPARK_LOCAL_IP",
    "PYSPARK_PYTHON",
)


class EmrSandbox(Sandbox):
    """
    A sandbox whose AWS endpoint has EMR.

    Args:
        yarn: False starts no YARN: steps can then run anything but Spark on YARN.
        node_python: the interpreter of PySpark on nodes, this one by default (`bare_python` for one without boto3).
        settings: settings of the EMR server over this sandbox's fast pace.
        others: as for Sandbox.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        yarn: bool = True,
        node_python: str = sys.executable,
        settings: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(name, **others)
        self._node_python = node_python
        self._settings = {"pace": FAST_PACE, **(settings or {})}
        self._yarn = YarnCluster(cast(Sandbox, _AsNode(self))) if yarn else None

    @property
    def control(self) -> ControlClient:
        """What AWS does not have: recorded actions, faults, settings, schedules that fire now."""
        return ControlClient(self.s3_url)

    def start(self) -> None:
        """Start everything and wait until it answers."""
        super().start()
        if self._yarn:
            try:
                self._yarn.start()
                self.control.set(node=self._node_settings(self._yarn))
            except BaseException:  # as in Sandbox.start
                self.stop(keep_logs=True)
                raise

    def stop(self, *, keep_logs: bool = False) -> None:
        """Stop everything; the EMR server ends its steps first."""
        if self._yarn:
            self._yarn.stop()
        super().stop(keep_logs=keep_logs)

    def env(self) -> dict[str, str]:
        """As Sandbox.env, but DynamoDB too is reached through the server that records who asks for what."""
        return {**super().env(), "AWS_ENDPOINT_URL_DYNAMODB": self.s3_url}

    def launch(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> ServerProcess:
        """Start a server; where the plain sandbox starts moto, this one starts EMR with moto inside."""
        taken = self._emr_command() if name == "s3" else command
        return super().launch(name, taken, environment=environment)

    def _emr_command(self) -> list[str]:
        dynamodb_url = wait_for_log(self.state.servers[0], READY).group(1)
        folder = self.state.folder / "emr"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "settings.json"
        file.write_text(json.dumps({**self._settings, "dynamodb_url": dynamodb_url}))
        return [sys.executable, "-m", "sandbox.emr.server", "--settings", str(file), "--folder", str(folder)]

    def _node_settings(self, yarn: YarnCluster) -> dict[str, Any]:
        known = {**yarn.env(), "PYSPARK_PYTHON": self._node_python}
        return {
            "environment": {name: known[name] for name in YARN_VARIABLES},
            "mapped_paths": {EMR_CONNECTOR_JAR: str(connector_jar())},
            "yarn_url": yarn.url,
            **self._settings.get("node", {}),
        }


class _AsNode:
    """The sandbox as YARN's daemons see it: what they fetch they fetch with a node's key, not the launcher's."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sandbox, name)

    def env(self) -> dict[str, str]:
        return {**self._sandbox.env(), "AWS_ACCESS_KEY_ID": access.access_key(access.NODE, "")}

    def process_env(self, **extra: str) -> dict[str, str]:
        return self._sandbox.process_env(**{**self.env(), **extra})


def connector_jar(jars: JarFolders | None = None) -> Path:
    """Return the connector that stands for the one on EMR's nodes; SandboxError when it was not fetched."""
    folder = (jars or JarFolders()).of("connector")
    return next(folder.glob("emr-dynamodb-hadoop-*.jar"))


def bare_python(folder: Path) -> str:
    """Make an interpreter in `folder` that has nothing but the standard library, as a node may; return its path."""
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python")
