"""
`make fuzz`: the targets for as long as you like, each in a process of its own under a coverage-guided fuzzer (Atheris).

    make fuzz SECONDS=3600             in all; as many targets at once as there are cores
    make fuzz TARGET=protocol SEED=7   one of them; the same seed and corpus draw the same inputs
    make fuzz TARGET=protocol INPUT=.build/fuzz/protocol/crash-0a1b
    make fuzz TARGET=protocol NUMBER=4711   an input of the short form

What it learned stays in `.build/fuzz/<target>/corpus` and is where the next run begins. Exit code 1: something was
found; the input lies in `.build/fuzz/<target>`, its command is printed.
"""

from __future__ import annotations

import importlib
import os
import resource
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.fuzz.target import BYTES_MAX, Target, try_one, variant

TARGETS = ("protocol", "http", "options", "state", "readers")  # modules of this folder
FOLDER = Path(".build/fuzz")
SECONDS = 300
INPUT_S_MAX = 10  # of one input; the machine may be slow, a loop without end is slower


def option(name: str) -> str:
    """A variable of `make`, as its user wrote it (see the Makefile); empty when not given."""
    return os.environ.get(f"PIPELINE_{name}", "").strip()


def main() -> int:
    chosen = option("TARGET")
    if chosen and chosen not in TARGETS:
        sys.exit(f"TARGET={chosen!r}: it is one of {', '.join(TARGETS)}")
    if option("INPUT") or option("NUMBER"):
        return again(target_of(chosen or sys.exit("give TARGET, too: whose input that is")))
    return campaign((chosen,) if chosen else TARGETS)


def target_of(name: str) -> Target:
    found: Target = importlib.import_module(f"tests.fuzz.{name}").TARGET
    return found


def again(target: Target) -> int:
    """Try one input once more; what it raises is shown whole."""
    path, number = option("INPUT"), option("NUMBER")
    data = Path(path).read_bytes() if path else variant(target, int(number))
    try_one(target, data, again="the same command")
    sys.stdout.write(f"{target.name}: {len(data)} bytes, nothing found\n")
    return 0


def campaign(names: tuple[str, ...]) -> int:
    """Every target for its share of the time; returns 1 when one of them failed."""
    at_once = min(len(names), os.cpu_count() or 1)
    seconds = max(1, int(option("SECONDS") or SECONDS) * at_once // len(names))
    seed = int(option("SEED") or secrets.randbelow(2**31 - 1) + 1)
    sys.stdout.write(f"fuzz: {', '.join(names)}: {seconds} s each, {at_once} at once, SEED={seed}\n")
    sys.stdout.flush()
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(lambda name: hunted(name, seconds=seconds, seed=seed), names))
    return int(any(found))


def hunted(name: str, *, seconds: int, seed: int) -> bool:
    """Run one target in a process of its own; True when it failed. Its output is in a log beside its corpus."""
    place = FOLDER / name
    (place / "corpus").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", "--hunt", name, str(seconds), str(seed)]
    with (place / "log").open("wb") as log:
        code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
    lines = (place / "log").read_bytes().decode(errors="replace").splitlines()
    shown = [line for line in lines if line.startswith(("Done", "#")) or "stat::" in line][-1:] or lines[-1:]
    sys.stdout.write(f"{name}: {'FOUND' if code else 'nothing found'}; {' '.join(shown)}\n")
    if code:
        kept = [line.rpartition(" ")[2] for line in lines if "Test unit written to" in line]
        inputs = [f"again: make fuzz TARGET={name} INPUT={path}" for path in kept] or [f"its log: {place / 'log'}"]
        sys.stdout.write("\n".join([*lines[-40:], *inputs]) + "\n")
    sys.stdout.flush()
    return code != 0


def hunt(name: str, *, seconds: int, seed: int) -> None:
    """In the child: instrument the library, hand the target to libFuzzer; never returns."""
    import atheris

    with atheris.instrument_imports(include=["dynamodb_pipeline"]):
        target = target_of(name)
    place = FOLDER / name
    examples = place / "examples"
    examples.mkdir(exist_ok=True)
    for number, data in enumerate(target.examples):
        (examples / str(number)).write_bytes(data)
    (place / "words").write_text("".join(f'"{_quoted(word)}"\n' for word in target.words))
    own_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    flags: dict[str, Any] = {
        **{
            "max_total_time": seconds,
            "seed": seed,
            "timeout": INPUT_S_MAX,
            "max_len": BYTES_MAX,
            "print_final_stats": 1,
        },
        **{"rss_limit_mb": own_mib + target.memory_mib, "artifact_prefix": f"{place}/", "dict": str(place / "words")},
    }
    words = [f"-{key}={value}" for key, value in flags.items()]
    atheris.Setup([sys.argv[0], *words, str(place / "corpus"), str(examples)], target.run)
    atheris.Fuzz()


def _quoted(word: bytes) -> str:
    """As libFuzzer's dictionaries write bytes."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hunt"]:
        hunt(sys.argv[2], seconds=int(sys.argv[3]), seed=int(sys.argv[4]))
    sys.exit(main())
