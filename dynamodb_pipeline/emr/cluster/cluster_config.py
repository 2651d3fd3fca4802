"""
Cluster configs: files in EMR's own RunJobFlow words, single places of them changed by `--set Path=Value`, checked
before anything is contacted.

A config says what the cluster is. What a run is (name, steps, tags, logs) belongs to the launcher, and what
would keep a cluster billing or open (keep-alive, termination protection, SSH keys) is refused.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamodb_pipeline.aws.model_check import request_problems
from dynamodb_pipeline.emr.cluster.instance_types import first_label_problem, known_types, region_problem
from dynamodb_pipeline.emr.cluster.packaged_files import json_file, project_folder
from dynamodb_pipeline.emr.cluster.release_labels import PATTERN, label_problem
from dynamodb_pipeline.errors import UsageError, shown
from dynamodb_pipeline.secret_patterns import secret_problem

PIPELINE_TAG = "dynamodbdatapipeline"  # with the value "true" on every cluster: rights and alarms depend on it
NAMING_MEMBERS = ("InstanceRole", "Name", "Classification", "Key")
MAX_NODES = 4000  # of one cluster: EMR management guide, "Plan and configure instances"
LAUNCHER_MEMBERS = ("Name", "Steps", "LogUri")
REFUSED_INSTANCE_MEMBERS = {
    "KeepJobFlowAliveWhenNoSteps": "the cluster must end by itself",
    "TerminationProtected": "a failed launch must be able to end the cluster",
    "Ec2KeyName": "nodes are built without an SSH key",
}


def tag_command(cluster_id: str, *, region: str) -> str:
    """The command that gives a standing cluster the tag."""
    return f"aws emr add-tags --resource-id {cluster_id} --tags {PIPELINE_TAG}=true --region {region}"


def with_overrides(config: dict[str, Any], overrides: tuple[str, ...]) -> dict[str, Any]:
    """
    Return a copy of `config` with each `Path=Value` applied, in order.

    A path is dotted; a list's member is chosen by number or by its role, name or classification:
    `Instances.InstanceGroups.CORE.InstanceCount=4`. A value is JSON when it parses as JSON, else text.

    Raises:
        UsageError: no `=`, or the path leads through something that is not there.
    """
    changed = copy.deepcopy(config)
    for override in overrides:
        path, mark, value = override.partition("=")
        if not mark or not path:
            msg = f"--set {shown(override)} is not Path=Value, e.g. Instances.InstanceGroups.CORE.InstanceCount=2"
            raise UsageError(msg)
        _set(changed, path.split("."), _value(value), override=override)
    return changed


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or nested beyond what any member of a request is
        return text


def _set(target: Any, steps: list[str], value: Any, *, override: str) -> None:
    for step in steps[:-1]:
        target = _member(target, step, override=override)
    if isinstance(target, dict):
        target[steps[-1]] = value
    else:
        target[_index(target, steps[-1], override=override)] = value


def _member(target: Any, step: str, *, override: str) -> Any:
    if isinstance(target, dict):
        return target.setdefault(step, {})
    return target[_index(target, step, override=override)]


def _index(target: Any, step: str, *, override: str) -> int:
    names = [_names_of(member) for member in target] if isinstance(target, list) else []
    for index, aliases in enumerate(names):
        if step == str(index) or step in aliases:
            return index
    msg = f"--set {shown(override)}: nothing is called {shown(step)} there; choices: {_choices(names)}"
    raise UsageError(msg)


def _names_of(member: Any) -> list[str]:
    return [str(member[key]) for key in NAMING_MEMBERS if key in member] if isinstance(member, dict) else []


def _choices(names: list[list[str]]) -> str:
    return ", ".join(aliases[0] if aliases else str(index) for index, aliases in enumerate(names)) or "none"


@dataclass(frozen=True)
class NodeGroup:
    """One instance group: `role` is MASTER (the leader), CORE or TASK."""

    role: str
    type_name: str
    count: int


@dataclass(frozen=True)
class ClusterConfig:
    """A valid cluster config. `request` is the part of the RunJobFlow request it stands for."""

    name: str
    request: dict[str, Any]

    @property
    def release_label(self) -> str:
        return str(self.request["ReleaseLabel"])

    @property
    def groups(self) -> tuple[NodeGroup, ...]:
        return node_groups(self.request)

    @property
    def leader(self) -> NodeGroup:
        return next(group for group in self.groups if group.role == "MASTER")

    @property
    def core(self) -> NodeGroup:
        return next(group for group in self.groups if group.role == "CORE")


def load_cluster_config(name: str, *, region: str, overrides: tuple[str, ...] = ()) -> ClusterConfig:
    """
    Read, override and check a config; `name` is `m3`, `m5`, `large` or the path of a JSON file.

    Raises:
        UsageError: not found, not JSON, or every problem of the config in one message.
    """
    request = with_overrides(_read(_path(name)), overrides)
    problems = config_problems(request, region=region)
    if problems:
        about = f"cluster config {shown(name)} cannot be used:"
        raise UsageError.of_lines([about, *(f"  {problem}" for problem in problems)])
    return ClusterConfig(name=name, request=request)


def _path(name: str) -> Path:
    if name.endswith(".json"):
        return Path(name)
    folder = project_folder("cluster_configs")
    shipped = sorted(path.stem for path in folder.glob("*.json"))
    if name not in shipped:
        msg = f"cluster config {shown(name)} not found; choose {', '.join(shipped)} or give a path ending in .json"
        raise UsageError(msg)
    return folder / f"{name}.json"


def _read(path: Path) -> dict[str, Any]:
    config = json_file(path, what="cluster config")
    if not isinstance(config, dict):
        msg = f"cluster config {path} must be one JSON object of RunJobFlow members"
        raise UsageError(msg)
    return config


def config_problems(request: dict[str, Any], *, region: str) -> list[str]:
    """Every reason why this config cannot be launched in `region`; empty when it can."""
    shape = request_problems({"Name": "check", **request}, service="emr", operation="RunJobFlow")
    if shape:
        return shape
    ownership, label = _ownership_problems(request), _label_problems(request)
    return [*ownership, *label, *_group_problems(request, region=region)]


def _ownership_problems(request: dict[str, Any]) -> list[str]:
    problems = [f"{name} is set by the launcher; remove it" for name in LAUNCHER_MEMBERS if name in request]
    for name, reason in REFUSED_INSTANCE_MEMBERS.items():
        if request["Instances"].get(name):
            problems.append(f"Instances.{name} is refused: {reason}")
    return [*problems, *secret_problems(request, where="the config")]


def secret_problems(value: Any, *, where: str) -> list[str]:
    """
    Every text in the config that looks like a credential, by its own form or by the name it is set under.

    Anybody who may describe the cluster reads `Configurations`, whatever they configure.
    """
    if isinstance(value, list):
        return [problem for member in value for problem in secret_problems(member, where=where)]
    if not isinstance(value, dict):
        problem = secret_problem(str(value), where=where)
        return [problem] if problem else []
    named = (secret_problem(f"{key}={text}", where=where) for key, text in value.items() if isinstance(text, str))
    deeper = (secret_problems(member, where=where) for member in value.values() if not isinstance(member, str))
    return [problem for problem in named if problem] + [problem for problems in deeper for problem in problems]


def _label_problems(request: dict[str, Any]) -> list[str]:
    label = request.get("ReleaseLabel", "")
    if not PATTERN.fullmatch(label):
        return [f"ReleaseLabel {shown(label)} is not of the form emr-x.y.z"]
    problem = label_problem(label)
    return [problem] if problem else []


def _group_problems(request: dict[str, Any], *, region: str) -> list[str]:
    if "InstanceGroups" not in request["Instances"]:
        return ["Instances.InstanceGroups is missing (fleets are not supported: Spark is sized per type)"]
    roles = [group.role for group in node_groups(request)]
    if roles.count("MASTER") != 1 or roles.count("CORE") != 1:
        return ["Instances.InstanceGroups needs exactly one MASTER and one CORE group"]
    by_group = [_type_problems(request, group, region=region) for group in node_groups(request)]
    return list(dict.fromkeys(problem for problems in by_group for problem in problems))


def _type_problems(request: dict[str, Any], group: NodeGroup, *, region: str) -> list[str]:
    if group.type_name not in known_types():
        return [f"{group.role} type {shown(group.type_name)} is not one of {', '.join(known_types())}"]
    problems = [region_problem(group.type_name, region)]
    label = request.get("ReleaseLabel", "")
    if PATTERN.fullmatch(label):
        problems.append(first_label_problem(group.type_name, label))
    if not 1 <= group.count <= MAX_NODES:
        problems.append(f"{group.role} InstanceCount is {shown(str(group.count))}; 1 to {MAX_NODES}")
    return [problem for problem in problems if problem]


def node_groups(request: dict[str, Any]) -> tuple[NodeGroup, ...]:
    """The instance groups of a RunJobFlow request."""
    groups = request["Instances"]["InstanceGroups"]
    return tuple(NodeGroup(g["InstanceRole"], g["InstanceType"], g["InstanceCount"]) for g in groups)
