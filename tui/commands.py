"""The command palette: every action that can be done from where one is, with its key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen

_UNSAID = frozenset(
    {"command_palette", "app.focus_next", "app.focus_previous", "help_quit", "quit", "screen.copy_text"}
)
"""What the palette leaves out: itself, and keys that mean nothing without a widget to use them on."""


class Actions(Provider):
    """Offers the actions of the focused widget, of the screen and of the program."""

    async def discover(self) -> Hits:
        for words, keys, command in self._actions():
            yield DiscoveryHit(Content(f"{words}  ({keys})"), command, text=words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for words, keys, command in self._actions():
            if (score := matcher.match(f"{words} {keys}")) > 0:
                yield Hit(score, Content(f"{words}  ({keys})"), command, text=words)

    def _actions(self) -> Iterator[tuple[str, str, Any]]:
        for words, keys, active in actions(self.screen):
            yield words, keys, partial(self.app.run_action, active.binding.action, active.node)


def actions(screen: Screen[Any]) -> Iterator[tuple[str, str, ActiveBinding]]:
    """What can be done on the screen now: in words, by which keys, and how."""
    found: dict[tuple[int, str], list[tuple[str, ActiveBinding]]] = {}
    for active in screen.active_bindings.values():
        action = active.binding.action
        if active.enabled and active.binding.description and action not in _UNSAID:
            shown = screen.app.get_key_display(active.binding)
            found.setdefault((id(active.node), action), []).append((shown, active))
    for each in sorted(found.values(), key=lambda each: not each[0][1].binding.show):
        keys = list(dict.fromkeys(key for key, _ in each))
        active = each[0][1]
        words = active.tooltip or active.binding.description
        yield words[:1].upper() + words[1:], " ".join(keys), active
