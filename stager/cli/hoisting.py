"""Global options wherever they stand: moved before the command's name, where the parser wants them.

Which options take a value is read from the commands themselves, so that a value that looks like a
global option (`--reason --json`) stays where it is. Nothing behind `--` is moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

GLOBAL_OPTIONS = (
    "--staging",
    "--actor",
    "--tenants",
    "--json",
    "--quiet",
    "--verbose",
    "--no-color",
    "--version",
)


def hoist(arguments: Sequence[str], root: Any) -> list[str]:
    """The arguments with the global options first. root: the parser's group of all commands."""
    takes_value = _takes_value(root)
    command, front, rest = root, list[str](), list[str]()
    at = 0
    while at < len(arguments):
        word = arguments[at]
        if word == "--":
            return [*front, *rest, *arguments[at:]]
        name, given, _ = word.partition("=")
        values = takes_value if name in GLOBAL_OPTIONS else _takes_value(command)
        end = at + (2 if values.get(name, False) and not given else 1)
        (front if name in GLOBAL_OPTIONS else rest).extend(arguments[at:end])
        command = _subcommands(command).get(word, command)
        at = end
    return [*front, *rest]


def _takes_value(command: Any) -> dict[str, bool]:
    """Every option of the command → whether the next argument is its value."""
    return {
        name: not param.is_flag
        for param in command.params
        if param.param_type_name == "option"
        for name in (*param.opts, *param.secondary_opts)
    }


def _subcommands(command: Any) -> Mapping[str, Any]:
    return getattr(command, "commands", {})
