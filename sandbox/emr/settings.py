"""What can be set on the sandbox's EMR: its pace, the node its steps run on, the policy it plays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

EMR_CONNECTOR_JAR = "/usr/share/aws/emr/ddb/lib/emr-ddb-hadoop.jar"
LOG_PUSH_S = 300.0  # Management Guide, "View log files": pushed to S3 every 5 minutes


class SettingsError(ValueError):
    """A setting has an unknown name or a wrong value."""


@dataclass(frozen=True)
class Pace:
    """
    How long things take, in seconds.

    `idle_factor` shortens auto-termination, whose least value on AWS is 60 s, without changing what clients see.
    """

    starting_s: float = 2.0
    terminating_s: float = 1.0
    log_push_s: float = LOG_PUSH_S
    idle_factor: float = 1.0


@dataclass(frozen=True)
class NodeSettings:
    """
    What a step finds on its node.

    Args:
        environment: variables of bootstrap actions and steps; `{node}` stands for the cluster's own folder.
        path: folders before the system's on PATH.
        mapped_paths: files that only a real EMR node has, and what stands for them here.
        yarn_url: the ResourceManager's web address; applications a step leaves behind are killed there.
        interrupt_scope: whom SEND_INTERRUPT reaches: the step's process "group" or the "leader" alone. AWS says
            "the step child process" (Management Guide, "Cancel steps") and not which one that is.
        log_suffix: what log names end in; on AWS `.gz`, but `.txt.gz` and `.<time>.gz` have been met too.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    mapped_paths: Mapping[str, str] = field(default_factory=dict)
    yarn_url: str | None = None
    interrupt_scope: str = "group"
    log_suffix: str = ".gz"


@dataclass(frozen=True)
class Settings:
    """
    Everything that can be set, at start or while it runs.

    Args:
        require_tag: "key=value" that RunJobFlow must carry, as the shipped policies demand; None: no policy.
        dynamodb_url: where DynamoDB requests that come to this address go; None: moto's own DynamoDB.
        vcpu_quota: EC2's quota of running on-demand standard instances, in vCPUs.
        default_zone: where EMR puts a cluster that names no subnet, such as us-east-1d; None: the first zone.
        table_keys: KMS key ARN by the table that is encrypted with it; DynamoDB here knows no keys.
    """

    pace: Pace = Pace()
    node: NodeSettings = NodeSettings()
    require_tag: str | None = None
    dynamodb_url: str | None = None
    vcpu_quota: float = 256.0
    default_zone: str | None = None
    table_keys: Mapping[str, str] = field(default_factory=dict)


def load(path: Path | None) -> Settings:
    """Return the settings of a JSON file, the defaults without one; SettingsError names what is wrong."""
    return changed(Settings(), json.loads(path.read_text())) if path else Settings()


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with `changes` laid over them, level by level; SettingsError on an unknown name."""
    result: Settings = _changed(settings, changes, where="")
    if result.node.interrupt_scope not in ("group", "leader"):
        raise SettingsError(f"node.interrupt_scope is {result.node.interrupt_scope!r}; take group or leader")
    return result


def _changed(value: Any, changes: Mapping[str, Any], *, where: str) -> Any:
    known = {item.name: getattr(value, item.name) for item in fields(value)}
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise SettingsError(f"no setting {where}{unknown[0]}; there are: {', '.join(known)}")
    return replace(value, **{key: _merged(known[key], new, f"{where}{key}.") for key, new in changes.items()})


def _merged(old: Any, new: Any, where: str) -> Any:
    if isinstance(old, (Pace, NodeSettings)):
        return _changed(old, new, where=where)
    return tuple(new) if isinstance(new, list) else new
