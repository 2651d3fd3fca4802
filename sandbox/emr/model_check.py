"""
Check a request against botocore's service model as the service does: names, types, ranges, **enum values**.

botocore itself checks no enum before it sends, so a client's own check cannot be tested against botocore.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session

TYPES: Mapping[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float, str),
}


def problems(service: str, operation: str, params: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a request, one sentence per member; empty when nothing is."""
    shape = _service_model(service).operation_model(operation).input_shape
    return list(_check(shape, params, "")) if shape else []


def operations(service: str) -> frozenset[str]:
    """Return the names of all operations of a service."""
    return frozenset(_service_model(service).operation_names)


@cache
def _service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _check(shape: Any, value: Any, path: str) -> Iterator[str]:
    expected = TYPES.get(shape.type_name)
    if expected and not _is_of(value, expected):
        yield f"{path or 'request'} must be a {shape.type_name}"
    elif shape.type_name == "structure":
        yield from _check_structure(shape, value, path)
    elif shape.type_name == "list":
        for index, entry in enumerate(value):
            yield from _check(shape.member, entry, f"{path}[{index}]")
    elif shape.type_name == "map":
        for key, entry in value.items():
            yield from _check(shape.value, entry, f"{path}.{key}")
    else:
        yield from _check_scalar(shape, value, path)


def _is_of(value: Any, expected: tuple[type, ...]) -> bool:
    return isinstance(value, expected) and (bool in expected or not isinstance(value, bool))


def _check_structure(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for name in shape.required_members:
        if name not in value:
            yield f"{prefix}{name} is required"
    for name, entry in value.items():
        if name not in shape.members:
            yield f"{prefix}{name} is not a member of {shape.name}"
        elif entry is not None:
            yield from _check(shape.members[name], entry, f"{prefix}{name}")


def _check_scalar(shape: Any, value: Any, path: str) -> Iterator[str]:
    enum = getattr(shape, "enum", [])
    if enum and value not in enum:
        yield f"{path} must be one of {', '.join(enum)}; it is {value!r}"
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    size = len(value) if isinstance(value, str) else value
    if (least is not None and size < least) or (most is not None and size > most):
        yield f"{path} must lie between {least} and {most}"
