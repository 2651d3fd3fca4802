"""EMR's operations on what exists: release labels and instance types."""

from __future__ import annotations

from typing import Any

from sandbox.emr import catalogue, refusals, replies
from sandbox.emr.api import Call, Service

PAGE_SIZE = 100


def list_release_labels(_: Service, call: Call) -> dict[str, Any]:
    """Answer ListReleaseLabels, filtered by prefix; every label has every application that is asked for."""
    prefix = call.params.get("Filters", {}).get("Prefix", "")
    labels = [label for label in catalogue.release_labels(call.region) if label.startswith(prefix)]
    size = call.params.get("MaxResults", PAGE_SIZE)
    return replies.page(labels, marker=call.params.get("NextToken"), size=size, names=("ReleaseLabels", "NextToken"))


def describe_release_label(_: Service, call: Call) -> dict[str, Any]:
    """Answer DescribeReleaseLabel."""
    label = call.params.get("ReleaseLabel", "")
    _check_label(label, call.region)
    return {"ReleaseLabel": label, "Applications": catalogue.applications(label), "AvailableOSReleases": []}


def list_supported_instance_types(_: Service, call: Call) -> dict[str, Any]:
    """Answer ListSupportedInstanceTypes for the call's own region."""
    label = call.params["ReleaseLabel"]
    _check_label(label, call.region)
    details = catalogue.type_details(catalogue.supported_types(label, call.region))
    names = ("SupportedInstanceTypes", "Marker")
    return replies.page(details, marker=call.params.get("Marker"), size=PAGE_SIZE, names=names)


def _check_label(label: str, region: str) -> None:
    if label not in catalogue.release_labels(region):
        raise refusals.invalid(f"The supplied release label is invalid: {label}.")
