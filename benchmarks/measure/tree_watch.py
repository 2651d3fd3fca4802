"""
What only shows while a process tree runs: its peak memory, and CPU that no parent will tell of.
"""

from __future__ import annotations

import threading
from types import TracebackType

from benchmarks.measure.process_tree import ignores_children, pss_bytes, tree

INTERVAL_S = 0.5


class TreeWatch:
    """
    Samples a tree every `interval_s` seconds until the `with` block ends.

    `peak_bytes` is the highest sum of PSS; `peak_by_name` the highest single process of each name ("java", "python3"
    ...). A peak shorter than the interval can be missed. `unwaited_cpu_s` has, by process id, the CPU last seen of
    children whose parent ignores SIGCHLD, as pyspark's daemon does: the kernel forgets it with them.
    """

    def __init__(self, root_pid: int, *, interval_s: float = INTERVAL_S) -> None:
        self._root_pid = root_pid
        self._interval_s = interval_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tree-watch")
        self.peak_bytes = 0
        self.peak_by_name: dict[str, int] = {}
        self.unwaited_cpu_s: dict[int, float] = {}

    def __enter__(self) -> TreeWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def sample(self) -> None:
        """Look once."""
        found = tree(self._root_pid)
        sizes = [(info.name, pss_bytes(info.pid)) for info in found]
        self.peak_bytes = max(self.peak_bytes, sum(size for _, size in sizes))
        for name, size in sizes:
            self.peak_by_name[name] = max(size, self.peak_by_name.get(name, 0))
        careless = {info.pid for info in found if ignores_children(info.pid)}
        self.unwaited_cpu_s |= {info.pid: info.cpu_s for info in found if info.parent_pid in careless}

    def _run(self) -> None:
        while not self._over.wait(self._interval_s):
            self.sample()
