"""
Starts Spark for a job, or takes the one spark-submit prepared, and makes sure that it cannot lose items silently.

Its JVMs collect garbage by `COLLECTOR`, unless somebody has chosen another way.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.settings.spark_conf import FIXED_SIZE_CONF, REQUIRED_SPARK_CONF

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

SESSION_CONF = {
    **REQUIRED_SPARK_CONF,
    **FIXED_SIZE_CONF,
    "spark.ui.showConsoleProgress": "false",
    "spark.task.maxFailures": "4",
}
LOCAL_CONF = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}
# Heap of a local run: Spark's own, and of each task the pages that the connector holds when its reader is slower than
# the table. Of those that the relay lets it have (page_buffers.PAGES_MAX, each of PAGE_HEAP_BYTES at most) up to twice
# as many are half taken; with the connector's own limiter it is 600, of as many bytes as their items make.
LOCAL_HEAP_MB, LOCAL_HEAP_MB_PER_TASK, UNBOUND_HEAP_MB_PER_TASK = 288, 224, 1024
# The connector's pages live long enough to make G1 mark all the time: a quarter of the JVM's CPU (own measurement).
COLLECTOR = "-XX:+UseParallelGC"
# A JVM that is given two collectors does not start; a file of options may name one as well.
_MAY_NAME_A_COLLECTOR = re.compile(r"-XX:[+-]Use\w*GC\b|-XX:(?:Flags|VMOptionsFile)=|(?:^|\s)@|--properties-file")
STOP_S = 60.0
JAVA_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
SUBMIT_OPTIONS = "SPARK_SUBMIT_OPTS"  # what Spark's own scripts add to the command line of the JVM they start
EXECUTOR_OPTIONS = "spark.executor.extraJavaOptions"
# What Spark writes at each start on a machine of its own and nobody has to do anything about, and what the relay says
# of an end that the run itself tells.
HARMLESS = re.compile(
    r"^(?:Setting default log level to |To adjust logging level use |[0-9 ,:-]+ relay: the run has ended: )"
    r"|WARN (?:Utils: (?:Your hostname, .* resolves to a loopback address|Set SPARK_LOCAL_IP if )"
    r"|NativeCodeLoader: Unable to load native-hadoop library"
    r"|MetricsConfig: Cannot locate configuration: |MetricsSystemImpl: \w+ metrics system already initialized)"
)
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
THIS_MACHINE = ("127.0.0.1", "localhost")

logger = logging.getLogger(__name__)

CLUSTER_JAR = "/usr/share/aws/emr/ddb/lib/emr-ddb-hadoop.jar"


def start_session(
    app_name: str,
    *,
    jar: str | None = None,
    local: bool = False,
    tasks: int | None = None,
    heap_mb_per_task: int = UNBOUND_HEAP_MB_PER_TASK,
    say: Callable[[str], None] | None = None,
) -> SparkSession:
    """
    Return a SparkSession with the settings of `SESSION_CONF`, asserted.

    Args:
        app_name: shown by YARN.
        jar: connector jar of a local run; under spark-submit `--jars` brought it.
        local: run on this machine's cores instead of where spark-submit says.
        tasks: cores of a local run, None for all.
        heap_mb_per_task: of a local run; less where the relay bounds what the connector holds.
        say: takes a line that the JVM of a local run writes to stderr; None leaves that to be written there.

    Raises:
        UsageError: the command line forces a setting that can lose items.
        PreconditionError: a local run, and no Java.
    """
    if local:
        java_version()
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name)
    conf = dict(SESSION_CONF)
    if local:
        builder = builder.master(f"local[{tasks or '*'}]")
        conf.update(LOCAL_CONF)
        conf["spark.driver.memory"] = f"{LOCAL_HEAP_MB + heap_mb_per_task * (tasks or os.cpu_count() or 1)}m"
        if jar:
            conf["spark.jars"] = jar
    if any(map(os.environ.get, PROXIES)):
        conf.update(bypassing_proxies(os.environ))
    with driver_collector():
        if not local:
            conf.update(executor_collector(_merged_conf(), os.environ))
        for key, value in conf.items():
            builder = builder.config(key, value)
        if local and say is not None:
            launch_java({**conf, "spark.master": f"local[{tasks or '*'}]", "spark.app.name": app_name}, say=say)
        spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    assert_spark_conf(spark.sparkContext)
    return spark


def stop_session(spark: SparkSession, *, within_s: float = STOP_S) -> None:
    """End Spark; a JVM that was started here and does not end within that time is killed."""
    jvm: subprocess.Popen[bytes] | None = getattr(spark.sparkContext._gateway, "proc", None)

    def stop() -> None:
        try:
            spark.stop()
        except Exception as err:  # the JVM may be gone; how the run ended counts
            logger.warning("Spark could not be stopped: %s", err)

    stopping = threading.Thread(target=stop, name="stop-spark", daemon=True)
    stopping.start()
    stopping.join(within_s)
    if stopping.is_alive() and jvm is not None:
        logger.warning("Spark has not ended within %.0f s; its JVM (process %d) is killed", within_s, jvm.pid)
        jvm.kill()


def launch_java(conf: Mapping[str, str], *, say: Callable[[str], None]) -> None:
    """
    Start the JVM that the session then takes, for `say` to hear what it writes to stderr; not what is `HARMLESS`.

    A JVM that an earlier run of this process has started stays as it is.
    """
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:
        return
    reading, writing = os.pipe()
    reader = threading.Thread(target=_say_lines, args=(reading, say), name="stderr of Java", daemon=True)
    reader.start()
    try:
        gateway = launch_gateway(SparkConf(loadDefaults=False).setAll([*conf.items()]), {"stderr": writing})
    finally:
        os.close(writing)
    SparkContext._ensure_initialized(gateway=gateway)


def _say_lines(reading: int, say: Callable[[str], None]) -> None:
    with open(reading, encoding="utf-8", errors="replace") as text:
        for line in text:
            if not HARMLESS.search(line):
                say(line.rstrip("\n").expandtabs())


def chosen_collector(options: Iterable[tuple[str, str]]) -> str | None:
    """The first place of (place, JVM options) whose options name a garbage collector, or may; None where none does."""
    return next((place for place, words in options if _MAY_NAME_A_COLLECTOR.search(words)), None)


def executor_options(conf: Mapping[str, str], environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """
    Every place that the options of executors' JVMs come from, as (place, options).

    Args:
        conf: Spark's, spark-defaults.conf and the command line merged.
        environ: the driver's own; a node's may say the same.
    """
    keys = ["spark.executor.defaultJavaOptions", EXECUTOR_OPTIONS]
    keys += [f"spark.executorEnv.{name}" for name in JAVA_VARIABLES]
    return [(key, conf.get(key, "")) for key in keys] + [(name, environ.get(name, "")) for name in JAVA_VARIABLES]


def executor_collector(conf: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """What makes executors collect by `COLLECTOR`, beside the options they have; nothing where one is named."""
    if chosen_collector(executor_options(conf, environ)):
        return {}
    return {EXECUTOR_OPTIONS: f"{conf.get(EXECUTOR_OPTIONS, '')} {COLLECTOR}".strip()}


def driver_options(environ: Mapping[str, str], folder: Path) -> list[tuple[str, str]]:
    """
    Every place that the options of a JVM come from which this process starts, as (place, options).

    Args:
        folder: Spark's own settings, such as spark-defaults.conf.
    """
    names = (*JAVA_VARIABLES, SUBMIT_OPTIONS, "PYSPARK_SUBMIT_ARGS")
    texts = [(name, _text(folder / name)) for name in ("spark-env.sh", "java-opts")]
    lines = re.sub(r"\\\n\s*", "", _text(folder / "spark-defaults.conf")).splitlines()
    defaults = [line.strip() for line in lines if line.lstrip().startswith("spark.driver.")]
    return [*((name, environ.get(name, "")) for name in names), *texts, *(("spark-defaults.conf", d) for d in defaults)]


@contextmanager
def driver_collector() -> Iterator[None]:
    """While this block runs, a JVM that this process starts collects by `COLLECTOR`, unless another is named."""
    from pyspark.find_spark_home import _find_spark_home

    before = os.environ.get(SUBMIT_OPTIONS)
    folder = os.environ.get("SPARK_CONF_DIR") or os.path.join(_find_spark_home(), "conf")
    if chosen_collector(driver_options(os.environ, Path(folder))) is None:
        os.environ[SUBMIT_OPTIONS] = f"{before or ''} {COLLECTOR}".strip()
    try:
        yield
    finally:
        os.environ.pop(SUBMIT_OPTIONS, None)
        os.environ.update({} if before is None else {SUBMIT_OPTIONS: before})


def java_collectors(sc: SparkContext) -> dict[str, str]:
    """The garbage collectors that are at work, for the run's record: the driver's own, the executors' by options."""
    beans = sc._jvm.java.lang.management.ManagementFactory.getGarbageCollectorMXBeans()
    at_work = {"driver": ", ".join(sorted(str(bean.getName()) for bean in beans))}
    if sc.master.startswith("local"):
        return at_work
    options = executor_options(dict(sc.getConf().getAll()), os.environ)
    place = chosen_collector(options)
    words = _MAY_NAME_A_COLLECTOR.search(dict(options)[place]) if place else None
    return {**at_work, "executors": f"{words[0].strip()} in {place}" if words else "the JVM's own"}


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # none, or one that Spark cannot read either


def _merged_conf() -> dict[str, str]:
    """Spark's conf before there is a context: spark-defaults.conf and spark-submit's command line."""
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


def bypassing_proxies(environ: MutableMapping[str, str]) -> dict[str, str]:
    """
    Keep requests to this machine from going through a proxy, in this process and in executors; returns Spark's conf.

    The AWS SDK of the connector would ask the proxy for the relay at 127.0.0.1, which is the proxy's own machine.
    """
    conf = {}
    for name in ("NO_PROXY", "no_proxy"):
        known = [host for host in environ.get(name, environ.get("NO_PROXY", "")).split(",") if host.strip()]
        environ[name] = ",".join([*known, *(host for host in THIS_MACHINE if host not in known)])
        conf[f"spark.executorEnv.{name}"] = environ[name]
    return conf


def slots(sc: SparkContext) -> int:
    """How many tasks run at once: the registered executors' cores (local mode: the master's own count)."""
    if sc.master.startswith("local"):
        return max(1, int(sc.defaultParallelism))
    executors, cores = len(executor_addresses(sc)), int(sc.getConf().get("spark.executor.cores", "1"))
    asked = int(sc.getConf().get("spark.executor.instances", "1"))
    if executors < asked:
        logger.warning("%d of %d executors have come; the run goes on with those", executors, asked)
    return max(1, executors * cores)


def executor_addresses(sc: SparkContext) -> list[str]:
    """`host:port` of every executor that is registered now; in local mode the driver is the only one."""
    known = sc._jsc.sc().getExecutorMemoryStatus().keySet().iterator()
    addresses = []
    while known.hasNext():
        addresses.append(str(known.next()))
    driver = str(sc._jsc.sc().env().blockManager().blockManagerId().hostPort())
    return addresses if sc.master.startswith("local") else [a for a in addresses if a != driver]


def driver_host(sc: SparkContext) -> str:
    """The address at which executors reach the driver; loopback in local mode."""
    return "127.0.0.1" if sc.master.startswith("local") else str(sc.getConf().get("spark.driver.host"))


def java_version(*, timeout_s: float = 60.0) -> str:
    """
    The first line of `java -version`, by JAVA_HOME or PATH, where Spark's own scripts look.

    Raises:
        PreconditionError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None or not Path(java).is_file():
        where = f"JAVA_HOME is {home}, without bin/java" if home else "no java on PATH, and JAVA_HOME is not set"
        msg = f"{where}; Spark on this machine needs Java 17: install it, or run without it by --engine process"
        raise PreconditionError(msg)
    done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=timeout_s, check=False)
    return next(iter(done.stderr.splitlines()), java)


def find_jar(given: str | None) -> str:
    """
    The connector jar of a run on this machine.

    Raises:
        PreconditionError: none given and none found where EMR or `make setup` put it.
    """
    own = Path(__file__).parents[2] / "jars" / "connector"
    candidates = [Path(given)] if given else [Path(CLUSTER_JAR), *sorted(own.glob("emr-dynamodb-hadoop-*.jar"))]
    jar = next((p for p in candidates if p.is_file()), None)
    if jar is None:
        looked = given or f"{CLUSTER_JAR}, {own}"
        ways = "run `make setup` in a checkout, give --connector-jar, or --engine process, which needs none"
        msg = f"connector jar not found ({looked}); {ways}"
        raise PreconditionError(msg)
    return str(jar)


def assert_spark_conf(sc: SparkContext) -> None:
    """
    Raises:
        UsageError: a setting of `REQUIRED_SPARK_CONF` has another value; names it and the value it must have.
    """
    conf = sc.getConf()
    wrong = [
        f"{key}={conf.get(key)} (must be {value})"
        for key, value in REQUIRED_SPARK_CONF.items()
        if (conf.get(key) or "").lower() != value
    ]
    if wrong:
        msg = "Spark settings that can lose items silently: " + "; ".join(wrong) + "; remove them from the command"
        raise UsageError(msg)
