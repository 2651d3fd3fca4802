"""
The node a cluster's scripts and steps run on: a folder and an environment of its own on this machine.

What EMR has and this machine has not is given here: HOME, `aws`, Hadoop's configuration, credentials of the node
role. What this machine has and EMR has not is kept out: nothing of the server's own environment is passed on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.emr import hadoop_conf
from sandbox.emr.access import SECRET_KEY
from sandbox.emr.processes import CLUSTER_MARK, SERVER_MARK, STEP_MARK
from sandbox.emr.records import Cluster
from sandbox.emr.settings import NodeSettings
from sandbox.processes import PROJECT

SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB")
EXECUTOR_VARIABLES = (
    *ENDPOINT_VARIABLES,
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_EC2_METADATA_DISABLED",
)
AWS_SHIM = """#!/bin/sh
exec env PYTHONPATH='{project}' '{python}' -m sandbox.emr.aws_cli "$@"
"""
SUDO_SHIM = """#!/bin/sh
echo "sudo: refused: on the sandbox's nodes a script writes below \\$HOME only" >&2
exit 1
"""


@dataclass(frozen=True)
class Node:
    """
    One cluster's node.

    Args:
        folder: everything the cluster writes lies below it.
        url: the sandbox's AWS endpoint.
        access_key: stands for the cluster's node role.
    """

    cluster: Cluster
    settings: NodeSettings
    folder: Path
    url: str
    access_key: str

    @property
    def home(self) -> Path:
        return self.folder / "home" / "hadoop"

    def bootstrap_folder(self, number: int) -> Path:
        """Return where a bootstrap action's script and outputs lie."""
        return _made(self.folder / "bootstrap-actions" / str(number))

    def step_folder(self, step_id: str) -> Path:
        """Return where a step's outputs and configuration lie."""
        return _made(self.folder / "steps" / step_id)

    def prepare(self) -> None:
        """Make the folders and the commands that every EMR node has."""
        _made(self.home)
        commands = _made(self.folder / "bin")
        _write_command(commands / "aws", AWS_SHIM.format(project=PROJECT, python=sys.executable))
        _write_command(commands / "sudo", SUDO_SHIM)

    def environment(self) -> dict[str, str]:
        """Return the variables of bootstrap actions. No region: EMR sets none."""
        given = {name: self._placed(value) for name, value in self.settings.environment.items()}
        return {
            "HOME": str(self.home),
            "USER": "hadoop",
            "LOGNAME": "hadoop",
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "TMPDIR": str(_made(self.folder / "tmp")),
            "SPARK_SUBMIT_OPTS": f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            "AWS_EC2_METADATA_DISABLED": "true",
            **dict.fromkeys(ENDPOINT_VARIABLES, self.url),
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            SERVER_MARK: self.url,
            CLUSTER_MARK: self.cluster.id,
            **given,
            "PATH": self._path(given.get("SPARK_HOME")),
        }

    def _path(self, spark_home: str | None) -> str:
        spark = [f"{spark_home}/bin"] if spark_home else []
        return ":".join([str(self.folder / "bin"), *map(self._placed, self.settings.path), *spark, *SYSTEM_PATH])

    def step_environment(self, step_id: str) -> dict[str, str]:
        """Return the variables of a step: the bootstrap actions', Hadoop's and Spark's configuration, exports."""
        environment = self.environment()
        conf = self.step_folder(step_id) / "conf"
        self._write_conf(conf, environment, step_id)
        exports = hadoop_conf.exports_of(self.cluster.request.get("Configurations", []))
        return {
            **environment,
            **{name: self.mapped(value) for name, value in exports.items()},
            "HADOOP_CONF_DIR": str(conf),
            "YARN_CONF_DIR": str(conf),
            "SPARK_CONF_DIR": str(conf),
            STEP_MARK: step_id,
        }

    def _write_conf(self, conf: Path, environment: Mapping[str, str], step_id: str) -> None:
        configurations = self.cluster.request.get("Configurations", [])
        base = environment.get("HADOOP_CONF_DIR")
        s3a = hadoop_conf.s3a_properties(self.url, access_key=self.access_key, secret_key=SECRET_KEY)
        sites = hadoop_conf.sites_of(configurations)
        defaults = {name: self.mapped(value) for name, value in hadoop_conf.spark_defaults_of(configurations).items()}
        hadoop_conf.write(
            conf,
            base=Path(base) if base else None,
            sites={**sites, "core-site": {**sites.get("core-site", {}), **s3a}},
            spark_defaults={**defaults, "spark.yarn.tags": step_id, **_container_variables(environment)},
        )

    def arguments(self, arguments: Sequence[str]) -> list[str]:
        """Return a step's arguments as they run here: as written, but for what only EMR's nodes and Spark have."""
        groups = self.cluster.request.get("Instances", {}).get("InstanceGroups", [])
        nodes = sum(group.get("InstanceCount", 0) for group in groups if group.get("InstanceRole") == "CORE")
        return hadoop_conf.merged_executors([self.mapped(argument) for argument in arguments], nodes=nodes)

    def mapped(self, text: str) -> str:
        """Return a text with EMR's own files replaced by what stands for them."""
        for theirs, ours in self.settings.mapped_paths.items():
            text = text.replace(theirs, self._placed(ours))
        return text

    def _placed(self, text: str) -> str:
        return text.replace("{node}", str(self.folder))


def _container_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """On EMR every container finds the node role by itself; here the variables have to be handed on."""
    known = {name: environment[name] for name in EXECUTOR_VARIABLES if name in environment}
    prefixes = ("spark.executorEnv", "spark.yarn.appMasterEnv")
    return {f"{prefix}.{name}": value for prefix in prefixes for name, value in known.items()}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_command(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)
