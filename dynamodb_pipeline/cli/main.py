"""
The `dynamodb-pipeline` command: picks the verb, checks its options, runs it here or hands it to the launcher.

What is said where is voice.py's; the exit code is the table in errors.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from dynamodb_pipeline.aws.api_errors import denied_error, is_denied
from dynamodb_pipeline.aws.node_boto3 import ensure_boto3
from dynamodb_pipeline.cli.command_line import CommandLine, read_line
from dynamodb_pipeline.cli.launcher_options import ENGINE, LOCAL, REFRESH
from dynamodb_pipeline.cli.local_verbs import LOCAL_VERBS
from dynamodb_pipeline.cli.voice import Voice, first_voice, import_question, somebody_is_there, voice_of
from dynamodb_pipeline.errors import PROGRAM, ExitCode, PipelineError, UsageError
from dynamodb_pipeline.job_main import result_in_words, run_settings
from dynamodb_pipeline.output import Result
from dynamodb_pipeline.secret_patterns import refuse_access_keys
from dynamodb_pipeline.settings.job import JobSettings
from dynamodb_pipeline.settings.job_options import JOBS, READER
from dynamodb_pipeline.settings.parse import SETTINGS_OF
from dynamodb_pipeline.settings.rows import Problems


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    voice: Voice | None = None
    try:
        refuse_access_keys(words)
        line = read_line(words)
        voice = voice_of(line.verb, line.options)
        code = run_line(line, voice)
    except UsageError as err:
        return int(print_refusal(words, err, voice or first_voice(words)))
    except KeyboardInterrupt:
        (voice or first_voice(words)).lines.say("interrupted; nothing was written or started")
        return int(ExitCode.INTERRUPTED)
    return int(code)


def print_refusal(words: Sequence[str], err: UsageError, voice: Voice) -> ExitCode:
    """Tell a wrong command line as every other failure: a line for people, one result, the exit code."""

    def work() -> Result:
        raise err

    verb = next((word for word in words if not word.startswith("-")), PROGRAM)
    return voice.end(verb, work)


def run_line(line: CommandLine, voice: Voice) -> ExitCode:
    """Do what a command line says."""
    if line.verb in LOCAL_VERBS:
        return LOCAL_VERBS[line.verb](line, voice)
    return run_job(line, voice) if line.verb in JOBS else run_launcher(line, voice)


def run_job(line: CommandLine, voice: Voice) -> ExitCode:
    """Run a job here or on a cluster."""
    kind, options = line.verb, line.options
    settings = settings_of(line)
    problems = Problems()
    process = options[ENGINE] == "process"
    problems.require(options[LOCAL] or not process, f"{ENGINE} process runs on this machine: it needs {LOCAL}")
    through_connector = options.given.text(READER) == "connector"
    problems.require(
        not (process and through_connector),
        f"{READER} connector needs Java: it cannot run with {ENGINE} process; leave one of them out",
    )
    problems.end()
    if not options[LOCAL]:
        return run_launcher(line, voice)

    def work() -> Result:
        job = _agreed_job(kind, settings, voice)
        reporter = voice.reporter()
        return result_in_words(
            run_settings(kind, settings, reporter=reporter, local=True, engine=options[ENGINE], job=job)
        )

    return voice.end(kind, work)


def settings_of(line: CommandLine) -> JobSettings:
    """
    The checked settings of the job that a line is about.

    Raises:
        UsageError: every problem that single options do not show, one a line.
    """
    return SETTINGS_OF[line.kind or line.verb](line.options, program=line.program)


def run_launcher(line: CommandLine, voice: Voice) -> ExitCode:
    """Run a command of the launcher and print its result."""
    from dynamodb_pipeline.cli import launcher as launch

    def work() -> Result:
        try:
            done = _launcher_command(line, launch, voice)()
        except Exception as err:
            if isinstance(err, PipelineError) or not is_denied(err):
                raise
            raise denied_error(err, call=getattr(err, "operation_name", line.verb)) from err
        return Result(done.to_json(), done.words, bare=done.bare)

    return voice.end(line.verb, work)


def _launcher_command(line: CommandLine, launch: Any, voice: Voice) -> Callable[[], Any]:
    if line.verb == "schedule" and line.options[REFRESH]:
        return lambda: launch.refresh_schedule(line, voice=voice)
    if line.kind is not None:
        settings = settings_of(line)
        run = launch.print_schedule if line.verb == "schedule" else launch.run_on_cluster
        return lambda: run(line, settings, voice=voice)
    verbs = {"policy": launch.print_policy, "migrate-config": launch.run_migrate}
    run = verbs.get(line.verb, launch.run_run_verb)
    return lambda: run(line, voice=voice)


def _agreed_job(kind: str, settings: Any, voice: Voice) -> Callable[..., dict[str, Any]] | None:
    """
    An import that somebody said yes to, of the files that the question was about; None where nobody is to be asked.

    Raises:
        DeclinedError: the answer is not yes.
    """
    if kind != "import" or settings.yes or settings.dry_run or not somebody_is_there():
        return None
    ensure_boto3()
    from dynamodb_pipeline.aws.clients import AwsClients
    from dynamodb_pipeline.importing.job import find_source
    from dynamodb_pipeline.importing.table import import_table
    from dynamodb_pipeline.store.anywhere import object_store

    common = settings.common
    source = find_source(object_store(AwsClients(common.region, bucket_owner=common.bucket_owner)), settings)
    question = import_question(settings, lambda: source)
    if question is not None:
        voice.confirm(question)
    return partial(import_table, source=source)


if __name__ == "__main__":
    sys.exit(main())
