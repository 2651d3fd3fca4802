"""
Reads an exported AWS Data Pipeline definition, in both of its forms.

`aws datapipeline get-pipeline-definition` writes objects with inline fields; the API answers with `fields` lists.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from dynamodb_pipeline.errors import UsageError

EXPRESSION = re.compile(r"#\{(?P<name>my\w+)\}")

Objects = list[dict[str, Any]]


def read_definition(path: Path) -> dict[str, Any]:
    """
    Raises:
        UsageError: unreadable or not a pipeline definition.
    """
    try:
        definition = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        msg = f"pipeline definition {path} cannot be read: {err.strerror}"
        raise UsageError(msg) from err
    except ValueError as err:
        msg = f"pipeline definition {path} is not JSON: {err}"
        raise UsageError(msg) from err
    if not isinstance(definition, dict) or not isinstance(_objects_of(definition), list):
        msg = f"{path} has no list of pipeline objects; export it with aws datapipeline get-pipeline-definition"
        raise UsageError(msg)
    return definition


def _objects_of(definition: dict[str, Any]) -> Any:
    return definition.get("objects", definition.get("pipelineObjects"))


def flat_objects(definition: dict[str, Any]) -> Objects:
    """The pipeline's objects, each with its fields beside its id."""
    return [_flat(one) for one in _objects_of(definition)]


def _flat(one: dict[str, Any]) -> dict[str, Any]:
    """One object with its fields beside its id; the API's form keeps them in a list."""
    fields = {f["key"]: f.get("stringValue", f.get("refValue")) for f in one.get("fields", []) if "key" in f}
    return {**{key: value for key, value in one.items() if key != "fields"}, **fields}


def of_type(objects: Objects, name: str) -> Objects:
    """The objects of one type."""
    return [one for one in objects if one.get("type") == name]


def parameter_values(definition: dict[str, Any]) -> dict[str, str]:
    """Parameter values over parameter defaults."""
    by_id: dict[str, str] = {}
    for parameter in definition.get("parameters", definition.get("parameterObjects", [])):
        flat = {**parameter, **{a["key"]: a.get("stringValue") for a in parameter.get("attributes", [])}}
        if flat.get("default") is not None:
            by_id[flat["id"]] = str(flat["default"])
    values = definition.get("values", definition.get("parameterValues", {}))
    pairs = values.items() if isinstance(values, dict) else [(v["id"], v.get("stringValue")) for v in values]
    by_id.update({key: str(value[0] if isinstance(value, list) else value) for key, value in pairs})
    return by_id


def _resolved(text: Any, values: dict[str, str]) -> str:
    return EXPRESSION.sub(lambda match: values.get(match["name"], match[0]), str(text or "")).strip()


def first_field(objects: Objects, name: str, values: dict[str, str]) -> str:
    """The first object's field of that name with its parameters filled in, empty when there is none."""
    return next((_resolved(one[name], values) for one in objects if one.get(name)), "")
