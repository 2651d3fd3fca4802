"""
The configuration of the sandbox's YARN and of Spark on it, as pure functions from values to file contents.

Hosts are 127.0.0.1 throughout. `s3://` is S3A at the sandbox's S3, so that the URIs of a step need no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

HOST = "127.0.0.1"
MEMORY_MB = 12288  # what YARN may promise, not what is used
CORES = 8
NODE_HEARTBEAT_MS = 100  # 1,000 by default: each container waits for one or two
REPORT_INTERVAL = "200ms"
# Jobs here run for seconds: without the second compiler a cold spark-submit takes 40 % less CPU.
SHORT_LIVED_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# Containers get these from the NodeManager, as they get a role's credentials and region on a real node.
AWS_VARIABLES = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
)


@dataclass(frozen=True)
class YarnPorts:
    """The ResourceManager's ports; the NodeManager takes free ones by itself."""

    manager: int
    scheduler: int
    tracker: int
    admin: int
    web: int


def configuration_files(folder: Path, *, ports: YarnPorts, spark_home: Path, aws: Mapping[str, str]) -> dict[str, str]:
    """Return {file name: content} of the folder that HADOOP_CONF_DIR and SPARK_CONF_DIR name."""
    return {
        "yarn-site.xml": hadoop_xml(yarn_site(folder, ports=ports, spark_home=spark_home)),
        "core-site.xml": hadoop_xml(core_site(folder, aws=aws)),
        "capacity-scheduler.xml": hadoop_xml(CAPACITY_SCHEDULER),
        "log4j.properties": DAEMON_LOG,
        "spark-defaults.conf": "".join(
            f"{key} {value}\n" for key, value in spark_defaults(folder, spark_home=spark_home).items()
        ),
    }


def hadoop_xml(properties: Mapping[str, object]) -> str:
    """Return a Hadoop configuration file."""
    rows = [
        f"  <property><name>{escape(name)}</name><value>{escape(str(value))}</value></property>"
        for name, value in properties.items()
    ]
    return "\n".join(["<configuration>", *rows, "</configuration>", ""])


def yarn_site(folder: Path, *, ports: YarnPorts, spark_home: Path) -> dict[str, object]:
    """Return yarn-site.xml: both daemons on loopback, containers under `folder`."""
    return {
        "yarn.resourcemanager.hostname": HOST,
        "yarn.resourcemanager.bind-host": HOST,
        "yarn.resourcemanager.address": f"{HOST}:{ports.manager}",
        "yarn.resourcemanager.scheduler.address": f"{HOST}:{ports.scheduler}",
        "yarn.resourcemanager.resource-tracker.address": f"{HOST}:{ports.tracker}",
        "yarn.resourcemanager.admin.address": f"{HOST}:{ports.admin}",
        "yarn.resourcemanager.webapp.address": f"{HOST}:{ports.web}",
        "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": NODE_HEARTBEAT_MS,
        "yarn.nodemanager.hostname": HOST,
        "yarn.nodemanager.bind-host": HOST,
        "yarn.nodemanager.address": f"{HOST}:0",
        "yarn.nodemanager.localizer.address": f"{HOST}:0",
        "yarn.nodemanager.webapp.address": f"{HOST}:0",
        "yarn.nodemanager.collector-service.address": f"{HOST}:0",
        "yarn.nodemanager.local-dirs": folder / "local",
        "yarn.nodemanager.log-dirs": folder / "containers",
        "yarn.nodemanager.resource.memory-mb": MEMORY_MB,
        "yarn.nodemanager.resource.cpu-vcores": CORES,
        "yarn.scheduler.minimum-allocation-mb": 128,
        "yarn.scheduler.maximum-allocation-mb": MEMORY_MB,
        "yarn.nodemanager.sleep-delay-before-sigkill.ms": 100,  # how long its end waits for containers
        "yarn.nodemanager.process-kill-wait.ms": 100,
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.pmem-check-enabled": "false",
        "yarn.nodemanager.disk-health-checker.enable": "false",
        "yarn.nodemanager.env-whitelist": ",".join(("JAVA_HOME", "HADOOP_CONF_DIR", *AWS_VARIABLES)),
        "yarn.application.classpath": f"{folder / 'conf'},{spark_home / 'jars' / '*'}",
    }


def core_site(folder: Path, *, aws: Mapping[str, str]) -> dict[str, object]:
    """Return core-site.xml: local files by default, `s3://` and `s3a://` at the sandbox's S3."""
    return {
        "fs.defaultFS": "file:///",
        "hadoop.tmp.dir": folder / "tmp",
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
        "fs.s3a.endpoint": aws["AWS_ENDPOINT_URL_S3"],
        "fs.s3a.endpoint.region": aws["AWS_REGION"],
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": "false",
        "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "fs.s3a.access.key": aws["AWS_ACCESS_KEY_ID"],
        "fs.s3a.secret.key": aws["AWS_SECRET_ACCESS_KEY"],
        "fs.s3a.buffer.dir": folder / "tmp",
    }


def spark_defaults(folder: Path, *, spark_home: Path) -> dict[str, object]:
    """Return spark-defaults.conf: Spark's jars stay where they are (not 300 MB uploaded per job), short waits."""
    return {
        "spark.yarn.jars": f"local:{spark_home / 'jars' / '*'}",
        "spark.yarn.stagingDir": (folder / "staging").as_uri(),
        "spark.yarn.report.interval": REPORT_INTERVAL,
        "spark.driver.extraJavaOptions": SHORT_LIVED_JAVA,
        "spark.yarn.am.extraJavaOptions": SHORT_LIVED_JAVA,
        "spark.executor.extraJavaOptions": SHORT_LIVED_JAVA,
        "spark.driver.host": HOST,
        "spark.driver.bindAddress": HOST,
        "spark.ui.enabled": "false",
        "spark.local.dir": folder / "tmp",
    }


CAPACITY_SCHEDULER: dict[str, object] = {
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": 100,
    "yarn.scheduler.capacity.maximum-am-resource-percent": 0.5,
    "yarn.scheduler.capacity.resource-calculator": "org.apache.hadoop.yarn.util.resource.DefaultResourceCalculator",
}

DAEMON_LOG = """\
log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n
"""
