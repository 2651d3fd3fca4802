"""
Checks a request against botocore's own model of the service, without a network.

botocore checks names, types and lengths but not enums (`ScaleDownBehavior="NOPE"` passes its validator), so
the enums are walked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any


@cache
def _service_model(service: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def request_problems(request: dict[str, Any], *, service: str, operation: str) -> list[str]:
    """Every way in which `request` does not fit the operation's input, each with its path."""
    from botocore.validate import ParamValidator

    shape = _service_model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape).generate_report()
    return [*report.splitlines(), *_enum_problems(request, shape, path="")]


def _enum_problems(value: Any, shape: Any, *, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, member in value.items():
            if name in shape.members:
                yield from _enum_problems(member, shape.members[name], path=f"{path}.{name}".lstrip("."))
    elif shape.type_name == "list" and isinstance(value, list):
        for index, member in enumerate(value):
            yield from _enum_problems(member, shape.member, path=f"{path}[{index}]")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}={value!r} is not one of {', '.join(shape.enum)}"
