"""What a shell completes, asked of the shell itself, and `help VERB`: both from the table of options."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from dynamodb_pipeline.cli.command_line import VERBS, kinds_of, line_of
from dynamodb_pipeline.cli.completion import EXAMPLES, help_text, script
from dynamodb_pipeline.cli.launcher_options import SHELLS, rows_of
from dynamodb_pipeline.cli.main import main, settings_of
from dynamodb_pipeline.errors import EXIT_CODES

ASK = """
COMP_WORDS=({words}); COMP_CWORD={last}
_dynamodb_pipeline
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(*words: str) -> set[str]:
    """What bash offers for the last word of `dynamodb-pipeline WORDS`."""
    line = " ".join(shlex.quote(word) for word in ("dynamodb-pipeline", *words))
    asked = script("bash") + ASK.format(words=line, last=len(words))
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True, cwd="/")
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_verbs_options_choices_and_jobs() -> None:
    assert completed("") == set(VERBS)
    assert completed("ex") == {"export"}
    assert completed("export", "--rea") == {"--read-units", "--reader"}
    assert completed("export", "--reader", "") == {"connector", "direct"}
    assert completed("plan", "ex") == {"export"}
    assert completed("policy", "nodes") == {"nodes-export", "nodes-import"}


@pytest.mark.parametrize("verb", VERBS)
def test_bash_completes_every_option_of_a_verb(verb: str) -> None:
    options = {row.name for kind in kinds_of(verb) for row in rows_of(verb, kind=kind) if not row.is_argument}
    assert completed(verb, "--") >= options


def test_fish_has_every_option() -> None:
    text = script("fish")
    options = [(verb, row.name[2:]) for verb in VERBS for kind in kinds_of(verb) for row in rows_of(verb, kind=kind)]
    wanted = {f"'__fish_seen_subcommand_from {verb}' -l {name} " for verb, name in options if not name.isupper()}
    assert len(wanted) > 100
    assert {each for each in wanted if each not in text and "-" in each.rpartition(" -l ")[2]} == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_what_its_shell_takes(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == script(shell)
    if shutil.which(shell):  # bash is always there
        subprocess.run([shell, "-n"], input=script(shell), text=True, check=True, capture_output=True)


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_options_examples_that_parse_and_exit_codes(verb: str) -> None:
    text = help_text(verb)
    assert all(f"{int(code):3}  {row.meaning}" in text for code, row in EXIT_CODES.items())
    assert EXAMPLES[verb]
    for example in EXAMPLES[verb]:
        line = line_of([verb, *shlex.split(example)], file=None)
        assert line.kind is None or settings_of(line)
        assert f"  dynamodb-pipeline {verb} {example}".rstrip() in text.splitlines()


def test_help_of_no_verb_names_the_one_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "imprt"]) == 2
    assert "did you mean import?" in capsys.readouterr().err


def test_help_alone_lists_the_verbs_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for verb, text in VERBS.items():
        assert any(line.split(maxsplit=1) == [verb, text] for line in lines)
    assert lines[-4:] == [
        "a verb's options, examples and exit codes:",
        "  dynamodb-pipeline help VERB",
        "to begin with:",
        "  dynamodb-pipeline doctor",
    ]
