"""Options as the words of a command line."""

from __future__ import annotations

from collections.abc import Collection


def without_options(words: tuple[str, ...], names: Collection[str]) -> tuple[str, ...]:
    """`words` without the options `names`, given as `--name value` or `--name=value`."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in names:
            skip = True
        elif word.partition("=")[0] not in names:
            kept.append(word)
    return tuple(kept)


def option_value(arguments: list[str] | tuple[str, ...], option: str) -> str | None:
    """The value of `--option value` or `--option=value` in an argument list, None when absent."""
    for position, argument in enumerate(arguments):
        if argument == option and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(f"{option}="):
            return argument.partition("=")[2]
    return None
