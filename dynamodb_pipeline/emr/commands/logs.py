"""`logs`: what a run's steps printed, as EMR has stored it in S3."""

from __future__ import annotations

from dynamodb_pipeline.aws.clients import Clients
from dynamodb_pipeline.emr.calls.console import CommandResult, Console
from dynamodb_pipeline.emr.commands.runs import RunQuery, look_at, target_of
from dynamodb_pipeline.emr.watch.look import Look
from dynamodb_pipeline.emr.watch.step_logs import step_log_files
from dynamodb_pipeline.errors import ExitCode

FOLLOW_S = 15.0


def run_logs(query: RunQuery, clients: Clients, console: Console) -> CommandResult:
    """Say what the run's steps printed; with `follow` go on until they have ended. EMR stores logs every 5 min."""
    target = target_of(query, clients, console)
    printed_chars: dict[str, int] = {}
    while True:
        look = look_at(target, clients, console)
        _say_new_text(look, clients, console, printed_chars=printed_chars)
        if not query.follow or not look.unfinished or console.attention.interrupts:
            break
        console.clock.sleep(FOLLOW_S)
    if not printed_chars:
        console.say(f"no log of run {query.run} has arrived yet; EMR stores them every five minutes")
    return CommandResult(ExitCode.DONE, {"kind": "logs", "run_id": query.run, "files": sorted(printed_chars)})


def _say_new_text(look: Look, clients: Clients, console: Console, *, printed_chars: dict[str, int]) -> None:
    s3, cluster = clients.client("s3"), look.cluster
    for step in look.steps if cluster.log_uri else ():
        for file in step_log_files(s3, cluster.log_uri or "", cluster_id=cluster.id, step_id=step.id):
            start = printed_chars.get(file.location.uri, 0)
            if start == 0 and file.text:
                console.say(f"==> {step.name} {file.location.uri} <==")
            if len(file.text) > start:
                console.say(file.text[start:].rstrip("\n"))
            printed_chars[file.location.uri] = len(file.text)
