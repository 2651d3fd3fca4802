"""
Peak memory of a process tree, sampled while it runs.
"""

from __future__ import annotations

import threading
from types import TracebackType

from benchmarks.measure.process_tree import pss_bytes, tree

INTERVAL_S = 0.5


class PeakMemory:
    """
    Samples the summed PSS of a tree every `interval_s` seconds until the `with` block ends.

    `peak_bytes` is the highest sum; `peak_by_name` the highest single process of each name ("java", "python3" ...).
    A peak shorter than the interval can be missed.
    """

    def __init__(self, root_pid: int, *, interval_s: float = INTERVAL_S) -> None:
        self._root_pid = root_pid
        self._interval_s = interval_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peak-memory")
        self.peak_bytes = 0
        self.peak_by_name: dict[str, int] = {}

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def sample(self) -> None:
        """Look once."""
        sizes = [(info.name, pss_bytes(info.pid)) for info in tree(self._root_pid)]
        self.peak_bytes = max(self.peak_bytes, sum(size for _, size in sizes))
        for name, size in sizes:
            self.peak_by_name[name] = max(size, self.peak_by_name.get(name, 0))

    def _run(self) -> None:
        while not self._over.wait(self._interval_s):
            self.sample()
