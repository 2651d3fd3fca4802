"""`--set Path=Value`: changes one place of a cluster config, in EMR's own words."""

from __future__ import annotations

import copy
import json
from typing import Any

from dynamodb_pipeline.errors import UsageError

NAMING_MEMBERS = ("InstanceRole", "Name", "Classification", "Key")


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
            msg = f"--set {override!r} is not Path=Value, e.g. Instances.InstanceGroups.CORE.InstanceCount=2"
            raise UsageError(msg)
        _set(changed, path.split("."), _value(value), override=override)
    return changed


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
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
    msg = f"--set {override!r}: nothing is called {step!r} there; choices: {_choices(names)}"
    raise UsageError(msg)


def _names_of(member: Any) -> list[str]:
    return [str(member[key]) for key in NAMING_MEMBERS if key in member] if isinstance(member, dict) else []


def _choices(names: list[list[str]]) -> str:
    return ", ".join(aliases[0] if aliases else str(index) for index, aliases in enumerate(names)) or "none"
