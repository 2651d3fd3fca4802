"""
A real YARN on this machine, ResourceManager and NodeManager from Hadoop's own jars, on which steps run unchanged.

    with Sandbox() as sandbox, YarnCluster(sandbox) as yarn:
        subprocess.run([yarn.spark_submit, "--master", "yarn", "job.py"], env=yarn.process_env())

It needs no root, no installation and about 0.7 GB.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from sandbox.containers import container_processes, kill_containers
from sandbox.jars import JarFolders
from sandbox.processes import SandboxError, ServerProcess, stop_servers, wait_for_log
from sandbox.stack import Sandbox
from sandbox.yarn_conf import HOST, SHORT_LIVED_JAVA, YarnPorts, configuration_files

PACKAGE = "org.apache.hadoop.yarn.server"
RESOURCE_MANAGER = f"{PACKAGE}.resourcemanager.ResourceManager"
NODE_MANAGER = f"{PACKAGE}.nodemanager.NodeManager"
NODE_IS_READY = r"Registered with ResourceManager as (\S+)"
HEAP = "-Xmx512m"


class YarnCluster:
    """
    One ResourceManager and one NodeManager beside a running sandbox, ended with the block or with the sandbox.

    Containers reach the sandbox's DynamoDB and S3; their logs lie under `folder`/containers.
    """

    def __init__(self, sandbox: Sandbox, *, jars: JarFolders | None = None) -> None:
        self._sandbox = sandbox
        self._jars = jars or JarFolders()
        self._servers: list[ServerProcess] = []
        self.folder = sandbox.state.folder / "yarn"

    def __enter__(self) -> YarnCluster:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """
        The ResourceManager's web address, with YARN's REST interface under /ws/v1/cluster.

        These jars answer without the root elements of YARN's manual; killing by PUT apps/ID/state works as there.
        """
        return self._sandbox.state.urls["yarn"]

    @property
    def spark_submit(self) -> str:
        return str(spark_home() / "bin" / "spark-submit")

    def start(self) -> None:
        """Start both daemons and wait until the node is registered; nothing is left behind when it is not."""
        try:
            ports = YarnPorts(*free_ports(5))
            self._write_configuration(ports)
            self._launch("yarn-rm", RESOURCE_MANAGER)
            node = self._launch("yarn-nm", NODE_MANAGER)
            wait_for_log(node, NODE_IS_READY)
            self._sandbox.publish("yarn", f"http://{HOST}:{ports.web}")
        except BaseException:  # Ctrl-C too
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the daemons and every container that the NodeManager did not stop itself; twice does nothing."""
        containers = container_processes(self.folder)
        stop_servers(self._servers)
        kill_containers(containers)
        self._servers.clear()

    def env(self) -> dict[str, str]:
        """Return the variables with which spark-submit finds this YARN, Spark and the S3 client."""
        conf = str(self.folder / "conf")
        return {
            **self._sandbox.env(),
            "HADOOP_CONF_DIR": conf,
            "YARN_CONF_DIR": conf,
            "SPARK_CONF_DIR": conf,
            "SPARK_HOME": str(spark_home()),
            "SPARK_DIST_CLASSPATH": f"{self._jars.of('s3a')}/*",
            "SPARK_LAUNCHER_OPTS": SHORT_LIVED_JAVA,
            "SPARK_LOCAL_IP": HOST,
            "PYSPARK_PYTHON": sys.executable,
        }

    def process_env(self, **extra: str) -> dict[str, str]:
        """Return a whole environment for a child process: this one's with `env()` laid over it."""
        return self._sandbox.process_env(**{**self.env(), **extra})

    def _write_configuration(self, ports: YarnPorts) -> None:
        for name in ("conf", "tmp", "local", "containers", "staging"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        files = configuration_files(self.folder, ports=ports, spark_home=spark_home(), aws=self._sandbox.env())
        for name, content in files.items():
            (self.folder / "conf" / name).write_text(content)

    def _launch(self, name: str, main_class: str) -> ServerProcess:
        folders = [self.folder / "conf", self._jars.of("yarn") / "*"]
        if main_class == NODE_MANAGER:
            folders.append(self._jars.of("s3a") / "*")  # it fetches what a step names by s3://
        classpath = os.pathsep.join(str(folder) for folder in folders)
        flags = [HEAP, *SHORT_LIVED_JAVA.split(), "-XX:-UsePerfData", "--add-opens", "java.base/java.lang=ALL-UNNAMED"]
        command = [java(), *flags, f"-Djava.io.tmpdir={self.folder / 'tmp'}", "-cp", classpath, main_class]
        server = self._sandbox.launch(name, command, environment=self.process_env())
        self._servers.append(server)
        return server


def spark_home() -> Path:
    """Return the folder of the installed pyspark, which is a whole Spark; SandboxError without one."""
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise SandboxError("pyspark is not installed: run `make setup`")
    return Path(found.origin).parent


def java() -> str:
    """Return the Java that Spark takes too: JAVA_HOME's, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if not found:
        raise SandboxError("no Java: install Java 17 or set JAVA_HOME")
    return found


def free_ports(count: int) -> list[int]:
    """Return `count` different ports of 127.0.0.1 that nothing listens on now."""
    with ExitStack() as sockets:
        taken = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in taken]
