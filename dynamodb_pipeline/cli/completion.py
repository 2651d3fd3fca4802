"""
What a shell completes, and what `help VERB` adds to `--help`: both from the table of options.

The scripts are whole: nothing of ours is started while somebody types.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from dynamodb_pipeline.cli.command_line import VERBS, kinds_of
from dynamodb_pipeline.cli.launcher_options import JOB_VERBS, rows_of
from dynamodb_pipeline.errors import EXIT_CODES, PROGRAM, UsageError, shown
from dynamodb_pipeline.settings.job_options import JOBS
from dynamodb_pipeline.settings.parser import Parser, add_rows
from dynamodb_pipeline.settings.rows import Row

TABLE = "--table Forum --output s3://my-bucket/exports --logs s3://my-bucket/logs --region eu-west-1"
HERE = "--local --engine process"
FOLDER = "s3://my-bucket/exports/Forum"
EXAMPLES: dict[str, tuple[str, ...]] = {
    "export": (TABLE, f"{TABLE} {HERE}", f"{TABLE} --resume latest"),
    "import": (f"--table Forum --input {FOLDER} --latest {HERE} --dry-run", f"--table Forum --input {FOLDER} --latest"),
    "verify": (f"{FOLDER} --latest {HERE}", f"{FOLDER} --latest --table Forum {HERE}"),
    "wait": ("j-2AXXXXXXGAPLF --region eu-west-1",),
    "status": ("20261123T030000Z-7f3a91c2 --region eu-west-1",),
    "logs": ("j-2AXXXXXXGAPLF --region eu-west-1 --follow",),
    "cancel": ("20261123T030000Z-7f3a91c2 --region eu-west-1",),
    "terminate": ("j-2AXXXXXXGAPLF --region eu-west-1",),
    "plan": (f"export {TABLE}",),
    "preflight": (f"export {TABLE}",),
    "schedule": (f"export {TABLE} --cron '0 3 * * ? *' --timezone Europe/Dublin",),
    "policy": ("roles-template --table Forum --bucket my-bucket --prefix exports", "launcher --bucket my-bucket"),
    "migrate-config": ("pipeline.json",),
    "list": ("s3://my-bucket/exports --logs s3://my-bucket/logs",),
    "convert": ("s3://my-bucket/backups/Forum s3://my-bucket/native --key Name:S",),
    "inspect": ("s3://my-bucket/found-somewhere --sample 1",),
    "report": ("20261123T030000Z-7f3a91c2 --logs s3://my-bucket/logs", "copied/run.json"),
    "definition": ("s3://my-bucket/exports/Orders/2026-11-23-03-00-00",),
    "runs": ("--logs s3://my-bucket/logs --region eu-west-1", "--region eu-west-1"),
    "rate": (
        "20261123T030000Z-7f3a91c2 10% --logs s3://my-bucket/logs",
        "20261123T030000Z-7f3a91c2 pause --logs s3://my-bucket/logs",
    ),
    "clean": ("s3://my-bucket/exports --logs s3://my-bucket/logs",),
    "bundle": ("",),
    "init": ("", "--region eu-west-1 --table Forum --output s3://my-bucket/exports"),
    "doctor": ("--region eu-west-1",),
    "completion": ("bash", "zsh", "fish"),
    "help": ("import",),
}
BASH = """\
# dynamodb-pipeline: source <({program} completion bash)
_dynamodb_pipeline() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
  case "${{COMP_WORDS[1]}} $before" in
{values}
  esac
  if [ -z "$words" ]; then
    if [ "$COMP_CWORD" -le 1 ]; then words="{verbs}"; else case "${{COMP_WORDS[1]}}" in
{options}
    esac; fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _dynamodb_pipeline {program}
"""


def script(shell: str) -> str:
    """The script of `bash`, `zsh` or `fish`."""
    if shell == "fish":
        return "\n".join(_fish()) + "\n"
    bash = BASH.format(
        program=PROGRAM,
        verbs=" ".join(VERBS),
        values="\n".join(_values()),
        options="\n".join(f'      {verb}) words="{" ".join(_words(verb))}" ;;' for verb in VERBS),
    )
    return bash if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{bash}"


def _rows(verb: str) -> list[Row[Any]]:
    """The options of a verb; of one that is about a job those of all jobs, each name once."""
    rows = [row for kind in kinds_of(verb) for row in rows_of(verb, kind=kind)]
    return list({row.name: row for row in rows}.values())


def _words(verb: str) -> Iterable[str]:
    """What may stand behind a verb: options, kinds of jobs, choices of its argument."""
    yield from JOBS if verb in JOB_VERBS else ()
    for row in _rows(verb):
        yield from row.choices if row.is_argument else (row.name,)


def _values() -> Iterable[str]:
    for verb in VERBS:
        for row in _rows(verb):
            if row.choices and not row.is_argument:
                yield f'    "{verb} {row.name}") words="{" ".join(row.choices)}" ;;'


def _fish() -> Iterable[str]:
    yield f"complete -c {PROGRAM} -f"
    for verb, text in VERBS.items():
        yield f"complete -c {PROGRAM} -n __fish_use_subcommand -a {verb} -d {_quoted(text)}"
    for verb in VERBS:
        seen = f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from {verb}'"
        yield from (f"{seen} -a {kind}" for kind in (JOBS if verb in JOB_VERBS else ()))
        for row in _rows(verb):
            if row.is_argument:
                yield from (f"{seen} -a {choice}" for choice in row.choices)
            else:
                takes = "" if row.is_flag else f" -x -a {_quoted(' '.join(row.choices))}" if row.choices else " -r -F"
                yield f"{seen} -l {row.name[2:]}{takes} -d {_quoted(row.help)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def help_text(verb: str | None) -> str:
    """
    `--help` of a verb, then examples and exit codes; the verbs where none is named.

    Raises:
        UsageError: there is no such verb.
    """
    if verb is None:
        width = max(map(len, VERBS))
        named = [f"  {name:<{width}}  {text}" for name, text in VERBS.items()]
        more = ["a verb's options, examples and exit codes:", f"  {PROGRAM} help VERB", "to begin with:"]
        return "\n".join([f"{PROGRAM} VERB ...", "", *named, "", *more, f"  {PROGRAM} doctor"]) + "\n"
    if verb not in VERBS:
        close = "".join(f"did you mean {each}? " for each in get_close_matches(verb, VERBS, n=1))
        msg = f"no verb {shown(verb)}; {close}There are: {', '.join(VERBS)}"
        raise UsageError(msg)
    kind = kinds_of(verb)[0]
    words = (PROGRAM, verb, *([str(kind)] if verb in JOB_VERBS else []))
    parser = Parser(prog=" ".join(words), description=VERBS[verb])
    add_rows(parser, rows_of(verb, kind=kind))
    examples = [f"  {PROGRAM} {verb} {example}".rstrip() for example in EXAMPLES[verb]]
    codes = [f"  {int(code):3}  {row.meaning}" for code, row in sorted(EXIT_CODES.items())]
    return "\n".join([parser.format_help(), "examples:", *examples, "", "exit codes:", *codes]) + "\n"
