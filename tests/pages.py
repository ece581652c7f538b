"""Pages of the documentation: their blocks and tables, and their terminal sessions run as they are shown.

A ```console block is a session in a terminal: a line that begins with `$ ` is run, what follows is what it
prints, on whichever stream. In what is printed, `…` stands for any text, and a line of nothing else for any
lines. In a command, HASH and ID stand for the plan hash and the row id seen last. A file that `cat` shows
and that is not there is made with what the page says it holds, and a ```toml block that begins with
`# NAME.toml` is that file.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import sample_data
from stager.cli import main

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_ASSIGNMENT = re.compile(r"[A-Z_]+=")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """The page's fenced blocks of these languages, in order: language and text."""
    found = FENCE.findall(text_of(page))
    return [(language, text) for language, text in found if language in languages]


def table_under(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = re.split(r"^#", text_of(page).split(heading, 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


@dataclass
class Terminal:
    """Runs a page's commands in a folder: stager in this process, `cat`, `cp` and the like by the shell."""

    monkeypatch: pytest.MonkeyPatch
    seen: dict[str, str] = field(default_factory=dict)
    code: int = 0

    def run(self, command: str, shown: str) -> str:
        """What the command prints. shown: what the page says, which `cat` takes a missing file from."""
        words = shlex.split(command.replace("$?", str(self.code)))
        words = [os.path.expandvars(self.seen.get(word, word)) for word in words]
        with self.monkeypatch.context() as env:
            while words and _ASSIGNMENT.match(words[0]):
                name, _, value = words.pop(0).partition("=")
                env.setenv(name, value)
            output = self._stager(words[1:]) if words[0] == "stager" else self._shell(words, shown)
        for name, pattern in (("HASH", _HASH), ("ID", _ID)):
            if found := pattern.findall(output):
                self.seen[name] = found[-1]
        return output

    def _stager(self, arguments: Sequence[str]) -> str:
        printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
        with redirect_stdout(printed), redirect_stderr(printed):
            self.code = main(arguments)
        printed.seek(0)
        return printed.read()

    def _shell(self, words: Sequence[str], shown: str) -> str:
        if words[0] == "cat" and not Path(words[1]).exists():
            Path(words[1]).write_text(shown, encoding="utf-8")
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        self.code = done.returncode
        return done.stdout + done.stderr


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """A console block's commands, each with the text shown under it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def pattern_of(shown: str) -> str:
    """A regular expression for what is shown, its `…` standing for anything."""
    lines = []
    for line in shown.splitlines():
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ ]*\n")
    return "".join(lines)


def run_page(page: Path, terminal: Terminal) -> None:
    """Make the page's files and run its commands in the working folder, each as the page shows it."""
    for language, text in blocks(page, "console", "toml"):
        if language == "toml":
            if named := re.match(r"# ([\w-]+\.toml)\n", text):
                Path(named[1]).write_text(text, encoding="utf-8")
            continue
        for command, shown in sessions(text):
            output = terminal.run(command, shown)
            assert re.fullmatch(pattern_of(shown), output), f"{page.name}: $ {command}\n{output}"


def terminal_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in a folder with the made-up practice's files, and with settings of its own."""
    for path in sample_data.practice_files().values():
        shutil.copyfile(path, folder / path.name)
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("STAGER_")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "PWD"):
        monkeypatch.setenv(name, str(folder))
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("STAGER_ACTOR", "sam")
    return Terminal(monkeypatch)
