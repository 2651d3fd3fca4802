"""What a Spark session is told beside the settings that keep items safe."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dynamodb_pipeline.workers.spark_session import (
    COLLECTOR,
    EXECUTOR_OPTIONS,
    SUBMIT_OPTIONS,
    _say_lines,
    bypassing_proxies,
    chosen_collector,
    driver_options,
    executor_collector,
    stop_session,
)

G1 = "-Dx=y -XX:+UseG1GC"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "169.254.169.254,.internal"}, "169.254.169.254,.internal,127.0.0.1,localhost"),
        ({"NO_PROXY": "localhost,,"}, "localhost,127.0.0.1"),
    ],
)
def test_this_machine_is_asked_without_a_proxy(environ: dict[str, str], expected: str) -> None:
    conf = bypassing_proxies(environ)
    assert conf == {"spark.executorEnv.NO_PROXY": expected, "spark.executorEnv.no_proxy": expected}
    assert (environ["NO_PROXY"], environ["no_proxy"]) == (expected, expected)
    assert bypassing_proxies(environ) == conf


LINES = """Setting default log level to "WARN".
To adjust logging level use sc.setLogLevel(newLevel). For SparkR, use setLogLevel(newLevel).
26/11/30 06:45:00 WARN Utils: Your hostname, vm resolves to a loopback address: 127.0.0.1; using 192.0.2.2 instead
26/11/30 06:45:00 WARN Utils: Set SPARK_LOCAL_IP if you need to bind to another address
26/11/30 06:45:01 WARN NativeCodeLoader: Unable to load native-hadoop library for your platform... using builtin-java
26/11/30 06:45:15 WARN MetricsConfig: Cannot locate configuration: tried hadoop-metrics2.properties
26/11/30 06:45:17 WARN MetricsSystemImpl: JobTracker metrics system already initialized!
2026-11-30 06:47:59,604 relay: the run has ended: stopped by SIGINT
"""
TOLD = """26/11/30 06:45:20 WARN Utils: Service 'sparkDriver' could not bind on port 0. Attempting port 1.
26/11/30 06:45:21 ERROR Executor: Exception in task 0.0
2026-11-30 06:47:59,604 relay: the relay was killed by signal 9 and is started again
"""


def test_of_what_java_writes_only_what_is_known_to_be_harmless_is_not_said() -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{LINES}{TOLD}\tat org.apache.Spark\n".encode())
    os.close(writing)
    said: list[str] = []
    _say_lines(reading, said.append)
    assert said == [*TOLD.splitlines(), "        at org.apache.Spark"]


@pytest.mark.parametrize(
    "options",
    [
        "-XX:+UseG1GC",
        "-Xmx1g -XX:+UseSerialGC",
        "-XX:-UseParallelGC",
        "-XX:+UseConcMarkSweepGC -XX:CMSInitiatingOccupancyFraction=70",
        "-XX:+UseZGC -XX:+ZGenerational",
        "-XX:Flags=/etc/java.flags",
        "-XX:VMOptionsFile=/etc/java.options",
        "@/etc/java.args",
        "--properties-file other.conf pyspark-shell",
    ],
)
def test_options_that_name_a_collector_or_may(options: str) -> None:
    assert chosen_collector([("nowhere", "-Dx=y"), ("here", options)]) == "here"


@pytest.mark.parametrize(
    "options",
    ["", "-verbose:gc -XX:+PrintGCDetails", "-XX:-UseGCOverheadLimit -XX:MaxHeapFreeRatio=70", "-Dto=me@example.org"],
)
def test_options_that_name_none(options: str) -> None:
    assert chosen_collector([("here", options)]) is None


@pytest.mark.parametrize(
    ("conf", "environ", "expected"),
    [
        ({}, {}, {EXECUTOR_OPTIONS: COLLECTOR}),
        ({EXECUTOR_OPTIONS: "-Dx=y"}, {}, {EXECUTOR_OPTIONS: f"-Dx=y {COLLECTOR}"}),
        ({"spark.driver.extraJavaOptions": G1}, {}, {EXECUTOR_OPTIONS: COLLECTOR}),
        ({EXECUTOR_OPTIONS: G1}, {}, {}),
        ({"spark.executor.defaultJavaOptions": G1}, {}, {}),
        ({"spark.executor.defaultJavaOptions": G1, EXECUTOR_OPTIONS: "-Dx=y"}, {}, {}),
        ({"spark.executorEnv.JAVA_TOOL_OPTIONS": G1}, {}, {}),
        ({}, {"JAVA_TOOL_OPTIONS": G1}, {}),
        ({}, {"JDK_JAVA_OPTIONS": G1}, {}),
    ],
)
def test_executors_get_a_collector_unless_one_is_named(
    conf: dict[str, str], environ: dict[str, str], expected: dict[str, str]
) -> None:
    assert executor_collector(conf, environ) == expected


@pytest.mark.parametrize(
    ("environ", "files", "place"),
    [
        ({}, {}, None),
        ({"JAVA_TOOL_OPTIONS": G1}, {}, "JAVA_TOOL_OPTIONS"),
        ({SUBMIT_OPTIONS: G1}, {}, SUBMIT_OPTIONS),
        ({"PYSPARK_SUBMIT_ARGS": f"--driver-java-options '{G1}' pyspark-shell"}, {}, "PYSPARK_SUBMIT_ARGS"),
        ({}, {"spark-defaults.conf": f"spark.driver.extraJavaOptions {G1}"}, "spark-defaults.conf"),
        ({}, {"spark-defaults.conf": f" spark.driver.defaultJavaOptions=-Da=b \\\n  {G1}"}, "spark-defaults.conf"),
        ({}, {"spark-defaults.conf": f"# spark.driver.extraJavaOptions {G1}"}, None),
        ({}, {"spark-defaults.conf": f"spark.executor.extraJavaOptions {G1}"}, None),
        ({}, {"spark-env.sh": f"export JAVA_TOOL_OPTIONS='{G1}'"}, "spark-env.sh"),
        ({}, {"java-opts": G1}, "java-opts"),
    ],
)
def test_driver_here_is_asked_wherever_spark_looks(
    tmp_path: Path, environ: dict[str, str], files: dict[str, str], place: str | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert chosen_collector(driver_options(environ, tmp_path)) == place


def session_of(stop: Callable[[], object], **gateway: Any) -> Any:
    """What `stop_session` knows of a session."""
    return SimpleNamespace(stop=stop, sparkContext=SimpleNamespace(_gateway=SimpleNamespace(**gateway)))


def test_jvm_of_our_own_that_does_not_end_is_killed() -> None:
    over = threading.Event()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as jvm:
        stop_session(session_of(over.wait, proc=jvm), within_s=0.01)
        assert jvm.wait(60) < 0
    over.set()


def test_jvm_that_ends_and_one_of_spark_submit_are_left_alone() -> None:
    def gone() -> None:
        raise ConnectionRefusedError

    over, jvm = threading.Event(), SimpleNamespace()  # has no `kill`
    for stop in (lambda: None, gone):
        stop_session(session_of(stop, proc=jvm), within_s=60.0)
    stop_session(session_of(over.wait), within_s=0.01)
    over.set()
