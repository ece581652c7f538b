"""What the program remembers of a person between two sittings: where they left off, the look, the tour seen.

Kept in `$XDG_STATE_HOME/stager/review`, readable for its owner only, and never a patient's value: a search
for text, which may be one, is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, to_builtins

_PERSON = "person.json"


class Place(Struct, frozen=True):
    """Where somebody left off in a migration's queue: the filter without its text, the order, the finding."""

    code: str | None = None
    sheet: str | None = None
    field: str | None = None
    order: str | None = None
    finding: int | None = None


class Person(Struct, frozen=True):
    """What holds for somebody in every migration."""

    theme: str | None = None
    tour_seen: bool = False


class Memory:
    """Reads and writes what is remembered. Where it cannot be, nothing is remembered, and that is all."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        state = Path(environ.get("XDG_STATE_HOME", ""))
        if not state.is_absolute():
            state = Path(environ.get("HOME", "/")) / ".local" / "state"
        self._folder = state / "stager" / "review"

    def person(self) -> Person:
        told = self._read(_PERSON)
        return Person(theme=_text(told.get("theme")), tour_seen=told.get("tour_seen") is True)

    def keep_person(self, person: Person) -> None:
        self._write(_PERSON, to_builtins(person))

    def place(self, migration: str) -> Place:
        """Where it was left off in that migration; the beginning where nothing is known."""
        told = self._read(f"{migration}.json")
        finding = told.get("finding")
        words = {name: _text(told.get(name)) for name in Place.__struct_fields__ if name != "finding"}
        return Place(**words, finding=finding if isinstance(finding, int) else None)

    def keep_place(self, migration: str, place: Place) -> None:
        self._write(f"{migration}.json", to_builtins(place))

    def _read(self, name: str) -> dict[str, object]:
        try:
            told = json.loads((self._folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def _write(self, name: str, told: Mapping[str, object]) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._folder / name
            path.touch(mode=0o600)
            path.write_text(json.dumps(told, indent=1, sort_keys=True), encoding="utf-8")
        except OSError:
            return False
        return True


def _text(told: object) -> str | None:
    return told if isinstance(told, str) else None
