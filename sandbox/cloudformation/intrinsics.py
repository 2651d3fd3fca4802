"""
The intrinsic functions of a template, and in which order its resources can be made.

CloudFormation Template Reference, "Intrinsic functions" and "Pseudo parameters". A function that is not known here is
an error and not left as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


class TemplateError(ValueError):
    """The template says something that CloudFormation refuses, or that is not known here."""


@dataclass(frozen=True)
class Made:
    """One resource as it is: its physical id, what Ref gives, and its attributes."""

    kind: str
    physical_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Values:
    """What names stand for: pseudo parameters and resources that were made."""

    pseudo: Mapping[str, str]
    made: Mapping[str, Made]

    def ref(self, name: str) -> str:
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.made:
            return self.made[name].physical_id
        raise TemplateError(f"Unresolved resource dependencies [{name}] in the Resources block of the template")

    def attribute(self, name: str, attribute: str) -> str:
        if name not in self.made or attribute not in self.made[name].attributes:
            raise TemplateError(
                f"Template error: instance of Fn::GetAtt references undefined resource {name}.{attribute}"
            )
        return self.made[name].attributes[attribute]


def resolved(value: Any, values: Values) -> Any:
    """Return `value` with every function replaced by what it gives."""
    if isinstance(value, list):
        return [resolved(one, values) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name == "Ref":
            return values.ref(argument)
        if name == "Fn::GetAtt":
            return values.attribute(*argument)
        if name == "Fn::Sub":
            return _substituted(argument, values)
        if name.startswith("Fn::"):
            raise TemplateError(f"function {name} is not known here")
    return {key: resolved(one, values) for key, one in value.items()}


def _substituted(text: str, values: Values) -> str:
    def replacement(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return f"${{{name}}}"
        resource, dot, attribute = name.partition(".")
        return values.attribute(resource, attribute) if dot else values.ref(name)

    return VARIABLE.sub(replacement, text)


def ordered(resources: Mapping[str, Any]) -> list[str]:
    """Return the logical names so that each stands after those it refers to; TemplateError for a circle."""
    order: list[str] = []
    waiting = dict(resources)
    while waiting:
        ready = [name for name in waiting if not (set(_named(waiting[name])) & set(waiting)) - {name}]
        if not ready:
            raise TemplateError(f"Circular dependency between resources: [{', '.join(waiting)}]")
        order += ready
        for name in ready:
            del waiting[name]
    return order


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _named(one)
    elif isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        if isinstance(value.get("Fn::Sub"), str):
            yield from (name.partition(".")[0] for bang, name in VARIABLE.findall(value["Fn::Sub"]) if not bang)
        for one in value.values():
            yield from _named(one)
