"""The connector's heap on tables that as Java objects are many times their size, and a JVM that answers no more."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.contenders import BUCKET, export_options
from benchmarks.measure.process_tree import process_info, tree
from benchmarks.servers import serving
from dynamodb_pipeline.errors import ExitCode

pytestmark = [pytest.mark.spark, pytest.mark.slow]

WORDS = (*export_options("spark", "connector"), "--table", "items", "--output", f"s3://{BUCKET}/out")


@pytest.mark.parametrize(("maker", "count"), [("small", 1_000_000), ("wide", 150_000)])
def test_items_of_many_values_do_not_fill_the_heap(tmp_path: Path, maker: str, count: int) -> None:
    """With pages of 200 KB the JVM collected garbage and did nothing else, for ever."""
    with serving("--items", str(count), "--maker", maker, "--warm-segments", "4") as servers:
        done = subprocess.run(
            WORDS, env=servers.process_env(), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280
        )
    assert done.returncode == 0, done.stderr
    assert f'"items": {count}' in done.stdout


def test_run_ends_when_its_jvm_answers_no_more(tmp_path: Path) -> None:
    """Stopped instead of out of memory, which looks the same from outside."""
    with (
        serving("--items", "1000000") as servers,
        subprocess.Popen(WORDS, env=servers.process_env(), cwd=tmp_path, stderr=subprocess.PIPE, text=True) as run,
    ):
        try:
            while len(servers.dynamodb.ledger()) < 50 and run.poll() is None:
                time.sleep(0.5)
            (jvm,) = (info.pid for info in tree(run.pid) if info.name == "java")
            os.kill(jvm, signal.SIGSTOP)
            run.terminate()
            said = run.communicate(timeout=280)[1]
        finally:
            run.kill()
    assert run.returncode == ExitCode.TERMINATED, said
    assert "it is left" in said
    assert "is killed" in said
    while process_info(jvm) is not None:  # whoever inherits it reaps it soon
        time.sleep(0.5)
