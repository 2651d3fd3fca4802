"""A cluster's own Hadoop and Spark configuration: the sandbox's, with the cluster's Configurations laid over it."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SPARK_DEFAULTS = "spark-defaults"
INSTANCES, HETEROGENEOUS = "spark.executor.instances", "spark.yarn.heterogeneousExecutors.enabled"
EXPORTING = ("spark-env", "hadoop-env", "yarn-env")  # their nested `export` sets variables of every process


def write(
    target: Path,
    *,
    base: Path | None,
    sites: Mapping[str, Mapping[str, str]],
    spark_defaults: Mapping[str, str],
) -> None:
    """Copy the folder `base` to `target`, add properties to `<name>.xml` files and write spark-defaults.conf."""
    if base:
        shutil.copytree(base, target, dirs_exist_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    for name, properties in sites.items():
        _add_properties(target / f"{name}.xml", properties)
    file = target / "spark-defaults.conf"
    before = file.read_text() if file.exists() else ""
    file.write_text(before + "".join(f"{key} {value}\n" for key, value in spark_defaults.items()))


def _add_properties(file: Path, properties: Mapping[str, str]) -> None:
    """Of several values the last one holds."""
    root = ElementTree.parse(file).getroot() if file.exists() else ElementTree.Element("configuration")
    for name, value in properties.items():
        entry = ElementTree.SubElement(root, "property")
        ElementTree.SubElement(entry, "name").text = name
        ElementTree.SubElement(entry, "value").text = value
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def sites_of(configurations: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the `*-site` classifications of RunJobFlow's Configurations."""
    return {name: properties for name, properties in _flat(configurations).items() if name.endswith("-site")}


def spark_defaults_of(configurations: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the properties of spark-defaults."""
    return _flat(configurations).get(SPARK_DEFAULTS, {})


def exports_of(configurations: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the variables that spark-env and its like export."""
    nested = [
        inner
        for outer in configurations
        if outer.get("Classification") in EXPORTING
        for inner in outer.get("Configurations", [])
    ]
    return _flat(nested).get("export", {})


def _flat(configurations: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    merged: dict[str, dict[str, str]] = {}
    for entry in configurations:
        merged.setdefault(entry.get("Classification", ""), {}).update(entry.get("Properties", {}))
    return merged


def s3a_properties(endpoint: str, *, access_key: str, secret_key: str) -> dict[str, str]:
    """Return core-site properties under which s3:// addresses work on the sandbox as EMRFS makes them work on EMR."""
    return {
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.s3a.endpoint": endpoint,
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": "false",
        "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "fs.s3a.access.key": access_key,
        "fs.s3a.secret.key": secret_key,
    }


def merged_executors(arguments: Sequence[str], *, nodes: int) -> list[str]:
    """
    Return a spark-submit's arguments with one executor a node, where more are asked for and EMR's Spark may merge them.

    That is its default (`spark.yarn.heterogeneousExecutors.enabled`, EMR best practices 5.1.5); how it chooses is not
    documented, so the sandbox always does what it may do. The list is `[..., "--conf", "key=value", ...]`.
    """
    settings = dict(
        value.split("=", 1) for flag, value in zip(arguments, arguments[1:]) if flag == "--conf" and "=" in value
    )
    asked = settings.get(INSTANCES, "0")
    merges = settings.get(HETEROGENEOUS, "true").lower() != "false"
    if not (merges and nodes and asked.isdigit() and int(asked) > nodes):
        return list(arguments)
    return [f"{INSTANCES}={nodes}" if one == f"{INSTANCES}={asked}" else one for one in arguments]
