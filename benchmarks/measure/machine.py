"""
A note on the machine, to stand beside every figure.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path


def machine_note(*, proc: Path = Path("/proc")) -> dict[str, str]:
    """What a reader needs to judge a figure: processor, cores, load, steal, kernel, versions."""
    return {
        "processor": _cpu_model((proc / "cpuinfo").read_text()),
        "cores": str(os.cpu_count()),
        "memory_gib": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f}",
        "load_average": " ".join((proc / "loadavg").read_text().split()[:3]),
        "stolen_share": f"{steal_share((proc / 'stat').read_text()):.3f}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "java": _java_version(),
    }


def steal_share(stat: str) -> float:
    """The share of processor time since boot that the host gave to others (man 5 proc, field 8 of `cpu`)."""
    fields = [int(text) for text in stat.splitlines()[0].split()[1:]]
    return fields[7] / sum(fields[:8])


def _cpu_model(cpuinfo: str) -> str:
    names = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _java_version() -> str:
    java = shutil.which("java")
    if java is None:
        return "none"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    return next(line for line in told.splitlines() if not line.startswith("Picked up "))
