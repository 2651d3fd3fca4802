"""
What a job does around its work: options in, one result out, an exit code in every case.

Of a job script stdout carries exactly one JSON document, stderr progress, errors and the result in words (output.py);
the command line may ask for the words alone. Under spark-submit in client mode
Python's own stderr arrives on spark-submit's stdout, so there everything for people goes through the JVM's stderr.
"""

from __future__ import annotations

import io
import os
import re
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from dynamodb_pipeline import __version__
from dynamodb_pipeline.aws.keys import without_secrets
from dynamodb_pipeline.aws.node_boto3 import SPARK_GATEWAY, ensure_boto3
from dynamodb_pipeline.errors import PROGRAM, ExitCode, PipelineError
from dynamodb_pipeline.output import Lines, Result, Say, print_result, standard_error
from dynamodb_pipeline.result_words import result_words
from dynamodb_pipeline.run.progress import Reporter
from dynamodb_pipeline.secret_patterns import refuse_access_keys
from dynamodb_pipeline.settings.job import JobSettings
from dynamodb_pipeline.settings.parse import SETTINGS_OF
from dynamodb_pipeline.settings.parser import job_options
from dynamodb_pipeline.settings.spark_conf import RunPrices, launched_by

SPARK_SUBMIT = ".deploy.SparkSubmit"  # the last words of the class that the JVM runs
REDACTED = re.compile("(?i)secret|password|token|access[.]?key")  # Spark's own spark.redaction.regex


def main(kind: str) -> None:
    """Entry of `jobs/<kind>_table.py` under spark-submit; ends the process with the run's exit code."""
    lines = error_lines()
    if SPARK_GATEWAY in os.environ:
        sys.stderr = TextTo(lines.say)  # warnings and logging would arrive on spark-submit's stdout
    sys.exit(int(run_command_line(kind, sys.argv[1:], lines=lines)))


def run_command_line(kind: str, argv: Sequence[str], *, lines: Lines, **how: Any) -> ExitCode:
    """
    Parse `argv`, run the job, print its JSON result, return its exit code; never raises a PipelineError.

    Args:
        kind: `export`, `import` or `verify`.
        lines: for people.
        how: `local` and `engine` of a run on this machine, see `run_settings`.
    """

    def work() -> Result:
        return result_in_words(run_settings(kind, job_settings(kind, argv), reporter=Reporter(lines.say), **how))

    return run_and_print(kind, work, lines=lines)


def result_in_words(document: dict[str, Any]) -> Result:
    """A job's result with its words."""
    return Result(document, result_words(document))


def job_settings(kind: str, argv: Sequence[str]) -> JobSettings:
    """
    The settings of a job as its script is given them.

    Raises:
        UsageError: every problem of the words, one a line.
    """
    refuse_access_keys(argv)
    submitted = parent_words(os.getppid()) if SPARK_GATEWAY in os.environ else ()
    settings = SETTINGS_OF[kind](job_options(kind, argv), program=program_of(kind, submitted))
    return replace(settings, common=replace(settings.common, launch_prices=RunPrices.of_words(submitted)))


def program_of(kind: str, submitted: Sequence[str]) -> tuple[str, ...]:
    """
    What has to stand before a job's options to run it again: the launcher's command, or `spark-submit` with its own.

    Args:
        submitted: the words of the JVM that runs the job's script, as `parent_words` has them; `...` stands for those
            of a spark-submit that cannot be seen, or that look like a secret.
    """
    launched = launched_by(submitted)
    if launched is not None:
        return (PROGRAM, *launched)
    script = f"{kind}_table.py"
    begin = next((number for number, word in enumerate(submitted, 1) if word.endswith(SPARK_SUBMIT)), None)
    end = next((number for number, word in enumerate(submitted, 1) if word.rpartition("/")[2] == script), None)
    if begin is None or end is None or any(map(REDACTED.search, submitted)):
        return ("spark-submit", "...", f"jobs/{script}")
    return ("spark-submit", *submitted[begin:end])


def parent_words(pid: int, *, processes: Path = Path("/proc")) -> tuple[str, ...]:
    """The command line of a process; empty where the system does not tell."""
    try:
        text = (processes / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(word.decode("utf-8", "replace") for word in text.split(b"\0")[:-1])


def run_and_print(kind: str, work: Callable[[], Result], *, lines: Lines, as_json: bool = True) -> ExitCode:
    """Run `work`, print its result or its error, and return the exit code; see `print_result`."""
    try:
        result = work()
    except PipelineError as err:
        result = Result(failure(kind, err))
        first, *more = map(without_secrets, err.lines)
        lines.say_all(result_words(result.document))
        lines.say(f"{err.heading}: {first}")
        lines.say_all([*more, *result.document.get("rows", ())])
    except Exception as err:
        lines.say_all(without_secrets(traceback.format_exc()).splitlines())
        result = Result(failure(kind, err))
        lines.say(f"ERROR 1 ({ExitCode.UNEXPECTED.meaning}): {type(err).__name__}: {result.document['error']}")
    print_result(result, as_json=as_json, lines=lines)
    return ExitCode.of(result.document.get("exit_code", ExitCode.DONE))


def failure(kind: str, err: BaseException) -> dict[str, Any]:
    """The JSON result of a run that raised."""
    code = ExitCode.of_error(err)
    facts = dict(err.facts) if isinstance(err, PipelineError) else {}
    rows = {"rows": [*map(without_secrets, err.rows)]} if isinstance(err, PipelineError) and err.rows else {}
    outcome = {"exit_code": int(code), "error": without_secrets(str(err)) or type(err).__name__, **rows}
    return {"status": code.row.status, **facts, "kind": kind, **outcome}


def run_settings(
    kind: str,
    settings: Any,
    *,
    reporter: Reporter,
    local: bool = False,
    engine: str = "spark",
    job: Callable[..., dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """
    Run one job with checked settings and return its result.

    Args:
        reporter: says what happens while it happens.
        local: on this machine instead of where spark-submit says.
        engine: `spark`, or `process` for threads of this process and no JVM.
        job: the work, where it is not that of its kind as `job_of` has it.

    Raises:
        PipelineError: with the exit code the process must end with; `facts` of the run are attached.
    """
    ensure_boto3()
    from dynamodb_pipeline.run.run import Run

    run = Run(
        kind,
        settings,
        reporter=reporter,
        local=local,
        engine=engine,
        tool_version=__version__,
        job=job or job_of(kind),
    )
    return run.execute()


def job_of(kind: str) -> Callable[..., dict[str, Any]]:
    """The work of an export, import or verification; imported when asked for: the three share little."""
    if kind == "export":
        from dynamodb_pipeline.exporting.tables import export_tables

        return export_tables
    if kind == "import":
        from dynamodb_pipeline.importing.table import import_table

        return import_table
    from dynamodb_pipeline.verifying.verify import verify

    return verify


class TextTo(io.TextIOBase):
    """A text stream that hands whole lines on; safe for several threads."""

    def __init__(self, say: Say):
        self._say, self._part, self._lock = say, "", threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._part = (self._part + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def writable(self) -> bool:
        return True


def error_lines() -> Lines:
    """Lines for people: on this process's stderr, or under spark-submit on the JVM's."""
    if SPARK_GATEWAY not in os.environ:
        return standard_error()
    from pyspark import SparkContext

    SparkContext._ensure_initialized()  # connects to the gateway spark-submit started; no context yet
    err = SparkContext._jvm.java.lang.System.err

    def put(text: str) -> None:
        err.println(text.rstrip("\n"))

    return Lines(put)
