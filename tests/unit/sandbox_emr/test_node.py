"""What a step finds on its node: variables, configuration, arguments."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from sandbox.emr import hadoop_conf
from sandbox.emr.node import Node
from sandbox.emr.settings import EMR_CONNECTOR_JAR, NodeSettings
from tests.unit.sandbox_emr.emr_builders import cluster_of, run_job_flow

URL = "http://127.0.0.1:9"


def node(folder: Path, *, configurations: list[dict[str, Any]] | None = None, **settings: Any) -> Node:
    cluster = cluster_of(request=run_job_flow(Configurations=configurations or []))
    return Node(cluster, NodeSettings(**settings), folder=folder, url=URL, access_key="ASIANODE")


def properties(file: Path) -> dict[str, str]:
    root = ElementTree.parse(file).getroot()
    return {entry.findtext("name", ""): entry.findtext("value", "") for entry in root.findall("property")}


def spark_defaults(file: Path) -> dict[str, str]:
    """Return what Spark makes of the file: the last value of a key counts."""
    lines = (line.partition(" ") for line in file.read_text().splitlines())
    return {key: value for key, _, value in lines}


def test_only_the_connector_jar_is_mapped_and_the_rest_runs_as_written(tmp_path: Path) -> None:
    arguments = ["spark-submit", "--jars", f"{EMR_CONNECTOR_JAR},s3://b/x.jar", "s3://b/job.py", "--table", "A B"]
    mapped = node(tmp_path, mapped_paths={EMR_CONNECTOR_JAR: "/jars/c.jar"}).arguments(arguments)
    assert mapped == ["spark-submit", "--jars", "/jars/c.jar,s3://b/x.jar", "s3://b/job.py", "--table", "A B"]


@pytest.mark.parametrize(
    ("conf", "given"),
    [
        ((), "1"),
        (("--conf", "spark.yarn.heterogeneousExecutors.enabled=true"), "1"),
        (("--conf", "spark.yarn.heterogeneousExecutors.enabled=false"), "2"),
    ],
)
def test_of_two_executors_on_a_node_emrs_spark_may_make_one(tmp_path: Path, conf: tuple[str, ...], given: str) -> None:
    arguments = ["spark-submit", "--conf", "spark.executor.instances=2", *conf, "s3://b/job.py"]
    found = node(tmp_path).arguments(arguments)
    assert found == ["spark-submit", "--conf", f"spark.executor.instances={given}", *conf, "s3://b/job.py"]


def test_the_environment_is_the_nodes_and_nothing_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    environment = node(tmp_path, environment={"SPARK_HOME": "/spark", "LIBS": "{node}/libs"}).environment()
    assert {"AWS_PROFILE", "PYTHONPATH", "AWS_REGION", "AWS_DEFAULT_REGION"}.isdisjoint(environment)
    assert (environment["AWS_ACCESS_KEY_ID"], environment["AWS_ENDPOINT_URL_S3"]) == ("ASIANODE", URL)
    assert environment["HOME"] == f"{tmp_path}/home/hadoop"
    assert environment["LIBS"] == f"{tmp_path}/libs"
    assert environment["PATH"].split(":")[:2] == [f"{tmp_path}/bin", "/spark/bin"]


def test_a_steps_configuration_is_the_sandboxs_with_the_clusters_over_it(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "core-site.xml").write_text(
        "<configuration><property><name>fs.s3a.access.key</name><value>launcher</value></property>"
        "<property><name>fs.defaultFS</name><value>file:///</value></property></configuration>"
    )
    (base / "spark-defaults.conf").write_text("spark.ui.enabled false\nspark.a old\n")
    configurations = [
        {"Classification": "spark-defaults", "Properties": {"spark.a": "new"}},
        {"Classification": "core-site", "Properties": {"fs.x": "1"}},
        {
            "Classification": "spark-env",
            "Configurations": [{"Classification": "export", "Properties": {"PYSPARK_PYTHON": "/usr/bin/python3.11"}}],
        },
    ]
    built = node(tmp_path / "n", configurations=configurations, environment={"HADOOP_CONF_DIR": str(base)})
    environment = built.step_environment("s-1")
    conf = Path(environment["HADOOP_CONF_DIR"])
    core = properties(conf / "core-site.xml")
    assert (core["fs.s3a.access.key"], core["fs.defaultFS"], core["fs.x"]) == ("ASIANODE", "file:///", "1")
    defaults = spark_defaults(conf / "spark-defaults.conf")
    assert (defaults["spark.a"], defaults["spark.ui.enabled"], defaults["spark.yarn.tags"]) == ("new", "false", "s-1")
    assert defaults["spark.executorEnv.AWS_ACCESS_KEY_ID"] == "ASIANODE"
    assert environment["PYSPARK_PYTHON"] == "/usr/bin/python3.11"
    assert (base / "spark-defaults.conf").read_text().count("spark.a") == 1


def test_every_node_has_its_own_commands(tmp_path: Path) -> None:
    node(tmp_path).prepare()
    assert {file.name for file in (tmp_path / "bin").iterdir() if file.stat().st_mode & 0o100} == {"aws", "sudo"}


def test_configurations_of_one_name_are_merged() -> None:
    configurations = [
        {"Classification": "spark-defaults", "Properties": {"a": "1", "b": "1"}},
        {"Classification": "spark-defaults", "Properties": {"b": "2"}},
        {"Classification": "spark", "Properties": {"maximizeResourceAllocation": "true"}},
    ]
    assert hadoop_conf.spark_defaults_of(configurations) == {"a": "1", "b": "2"}
    assert hadoop_conf.sites_of(configurations) == {}
