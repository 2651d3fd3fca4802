"""What a command cost: its children and its orphans included, other processes not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure.machine import machine_note, steal_share
from benchmarks.measure.process_tree import children, process_info, tree
from benchmarks.measure.usage import Command, run_measured

BURN = "import time\nend = time.process_time() + {cpu_s}\nwhile time.process_time() < end: pass\n"
NESTED = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], check=True)"
ORPHANING = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}])"


CARELESS = (
    "import os, signal, time\n"
    "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    "if os.fork() == 0:\n    exec({code!r})\n    time.sleep(2.5)\n    os._exit(0)\n"
    "time.sleep(4)"
)


def measured(tmp_path: Path, code: str):
    return run_measured(Command((sys.executable, "-c", code), output=tmp_path / "out"))


@pytest.mark.parametrize(
    "wrapper", ["{code}", NESTED, ORPHANING, CARELESS], ids=["itself", "child", "orphan", "unwaited child"]
)
def test_cpu_of_the_whole_tree_is_counted(tmp_path, wrapper):
    burn = BURN.format(cpu_s=0.4)
    code = burn if wrapper == "{code}" else wrapper.format(code=burn)
    usage = measured(tmp_path, code)
    assert usage.exit_code == 0
    assert 0.4 <= usage.cpu_s < 2.0


def test_idle_command_costs_little(tmp_path):
    assert measured(tmp_path, "pass").cpu_s < 2.0


def test_other_children_are_left_alone(tmp_path):
    """A server started before must neither be counted nor waited for."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as server:
        measured(tmp_path, "pass")
        assert server.poll() is None
        server.communicate(b"\n")


def test_peak_memory_and_output_are_told(tmp_path):
    usage = measured(tmp_path, "import time; kept = bytearray(b'x') * (60 << 20); print('done'); time.sleep(3)")
    assert usage.peak_pss_bytes > 60 << 20
    assert max(usage.peak_pss_by_name.values()) > 60 << 20
    assert usage.output_bytes == len("done\n")


def test_failure_is_told(tmp_path):
    assert measured(tmp_path, "raise SystemExit(5)").exit_code == 5


def test_tree_finds_this_process_below_its_parent():
    assert os.getpid() in {info.pid for info in tree(os.getppid())}
    assert os.getpid() in children(os.getppid())


def test_name_with_blanks_and_parentheses_is_read(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a) b (c)) S 3 " + " ".join("0" * 9) + " 150 50 0 0 20 0")
    info = process_info(7, proc=tmp_path)
    assert (info.name, info.parent_pid) == ("a) b (c)", 3)
    assert info.cpu_s == 200 / os.sysconf("SC_CLK_TCK")


def test_process_that_is_gone_is_none(tmp_path):
    assert process_info(8, proc=tmp_path) is None


def test_steal_is_a_share_of_all_processor_time():
    assert steal_share("cpu  10 0 10 70 0 0 0 10 0 0\ncpu0 1 2 3\n") == pytest.approx(0.1)


def test_machine_note_names_what_a_reader_needs():
    assert {"processor", "cores", "kernel", "python", "load_average"} <= machine_note().keys()


def test_orphans_of_others_do_not_come_to_this_process(tmp_path):
    """Nobody would wait for them here, and they would stay."""
    measured(tmp_path, "pass")
    orphan = subprocess.run(
        ["sh", "-c", "sleep 30 >/dev/null & echo $!"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    parent = process_info(int(orphan))
    os.kill(int(orphan), signal.SIGKILL)
    assert parent
    assert parent.parent_pid != os.getpid()
