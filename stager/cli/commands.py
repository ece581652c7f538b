"""The program's commands, each made for the parser when it is asked for.

To make all of them takes longer than a short command does: typer reads the type of every option anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_command_name

families = typer.Typer()
"""What the families of commands are added to."""


class Program(TyperGroup):
    """The group of all commands that were added to `families`."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = cast("MutableMapping[str, Any]", _Commands(families))


class _Commands(Mapping[str, Any]):
    """Name → command or group, in the order in which they were added."""

    def __init__(self, app: typer.Typer) -> None:
        self._apps = {_name(command): _alone(command) for command in app.registered_commands}
        for group in app.registered_groups:
            if group.typer_instance:
                self._apps[str(group.typer_instance.info.name)] = group.typer_instance
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = get_command(self._apps[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._apps)

    def __len__(self) -> int:
        return len(self._apps)


def _name(command: typer.models.CommandInfo) -> str:
    return command.name or get_command_name(getattr(command.callback, "__name__", ""))


def _alone(command: typer.models.CommandInfo) -> typer.Typer:
    """An app of one command is that command."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.registered_commands.append(command)
    return app
