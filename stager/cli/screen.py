"""The screen: results on standard output, words about the work on standard error.

With `--json` standard output carries the one document and nothing else. Every text goes through
`visible`, and none is read as markup.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from msgspec import Struct, field

from stager.visible import fitting, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Cell = str | int | None
"""A cell of a table; numbers stand to the right, with separators for the thousands."""

WIDEST = 120
_GAP = 2


class Screen(Struct, frozen=True):
    """Where a command prints. as_json: documents only. quiet: no words about the work."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: bool = True
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    def say(self, text: str = "", *, style: str = "") -> None:
        """A line of the result; it is left whole, however long."""
        if not self.as_json:
            self._print(self.out, text, style)

    def tell(self, text: str, *, style: str = "") -> None:
        """A line of the result that a quiet person does without."""
        if not self.quiet:
            self.say(text, style=style)

    def note(self, text: str) -> None:
        """A line about the work, on standard error."""
        if not self.quiet:
            self._print(self.err, text, "")

    def warn(self, text: str, *, style: str = "") -> None:
        """A line on standard error that is never left out."""
        self._print(self.err, text, style)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, last: bool = False) -> None:
        """An aligned table of the result. last: its last row is a sum, set off from the others."""
        if self.as_json:
            return
        from rich.table import Table

        cells = [list(row) for row in rows]
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for place, heading in enumerate(headings):
            numbers = any(isinstance(row[place], int) for row in cells)
            table.add_column(self._text(heading, ""), justify="right" if numbers else "left", overflow="fold")
        for place, row in enumerate(cells):
            style = "bold" if last and place == len(cells) - 1 else ""
            table.add_row(*(self._text(_shown(cell), style) for cell in row))
        console = self.console(self.out)
        with console.capture() as captured:
            console.print(table)
        self.out.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))

    def document(self, value: Mapping[str, Any] | Sequence[Any]) -> None:
        """The command's one JSON document, where one is asked for. Pure ASCII, so that nothing in it acts."""
        if self.as_json:
            self.out.write(json.dumps(value, indent=2, default=str) + "\n")

    def line(self, value: Mapping[str, Any]) -> None:
        """One line of JSON Lines."""
        self.out.write(json.dumps(value, separators=(",", ":")) + "\n")

    @contextmanager
    def list_for_readers(self) -> Iterator[None]:
        """A long list is printed inside: a reader who has seen enough (`| head`) ends it, and is no error."""
        try:
            yield
            self.out.flush()
        except BrokenPipeError:
            self.let_go()

    def finish(self) -> None:
        """Send what is still unprinted when the work is done."""
        with self.list_for_readers():
            pass

    def let_go(self) -> None:
        """Send what is still to be printed nowhere: the reader of standard output has gone."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.out.fileno())

    def can_ask(self) -> bool:
        """Whether a person is there to answer."""
        return sys.stdin.isatty() and self.err.isatty() and not self.as_json

    def ask(self, question: str) -> bool:
        """A question to be answered with yes or no; anything but yes is no."""
        self.err.write(fitting(visible(f"{question} [y/N] "), self.err.encoding or "ascii"))
        self.err.flush()
        return sys.stdin.readline().strip().casefold() in ("y", "yes")

    def console(self, stream: TextIO) -> Console:
        """A console on that stream that reads no markup."""
        from rich.console import Console

        plain = not self.color or "NO_COLOR" in os.environ
        console = Console(
            file=stream,
            markup=False,
            highlight=False,
            emoji=False,
            color_system=None if plain else "auto",
        )
        console.width = min(console.width, WIDEST)
        return console

    def _print(self, stream: TextIO, text: str, style: str) -> None:
        if style and stream.isatty():
            self.console(stream).print(self._text(text, style), soft_wrap=True)
        else:
            stream.write(fitting(visible(text), stream.encoding or "ascii") + "\n")

    def _text(self, text: str, style: str) -> Text:
        from rich.text import Text

        return Text(fitting(visible(text), self.out.encoding or "ascii"), style=style)


def _shown(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) else cell
