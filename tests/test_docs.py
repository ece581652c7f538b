"""The documentation keeps its word: its commands are run, its files are read, its tables are the code's.

A ```console block is a session in a terminal: a line that begins with `$ ` is run, what follows is what it
prints, standard output before standard error. In what is printed, `…` stands for any text, and a line of
nothing else for any lines. In a command, HASH and ID stand for the plan hash and the row id seen last. A file
that `cat` shows and that is not there is made with what the page says it holds, and a ```toml block that
begins with `# NAME.toml` is that file.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

import sample_data
from stager import __version__
from stager.cli import main
from stager.crypto.places import key_folder
from stager.errors import StagerError
from stager.event_log import EventLog
from stager.events import EVENT_KINDS
from stager.ingest.grammar import Reason
from stager.ingest.mapping import load_mapping
from stager.session import Settings
from stager.session.workspace import Workspace
from stager.sheets import State
from stager.tenant.registry import Registry, Tenant

ROOT = Path(__file__).parent.parent
README, CHANGELOG, DOCS = ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "docs"
MAPPING, STAGING, EVENTS = DOCS / "mapping.md", DOCS / "staging.md", DOCS / "events.md"
ARCHITECTURE, SAFETY = DOCS / "architecture.md", DOCS / "safety.md"
OURS = (README, CHANGELOG, MAPPING, STAGING, EVENTS, ARCHITECTURE, SAFETY)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_ASSIGNMENT = re.compile(r"[A-Z_]+=")
_CODE = re.compile(r"`([^`\n]+)`")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """The page's fenced blocks of these languages, in order: language and text."""
    found = _FENCE.findall(text_of(page))
    return [(language, text) for language, text in found if language in languages]


def table_under(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = re.split(r"^#", text_of(page).split(heading, 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


@dataclass
class Terminal:
    """Runs a page's commands in a folder: stager in this process, `cat`, `cp` and the like by the shell."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    seen: dict[str, str] = field(default_factory=dict)
    code: int = 0

    def run(self, command: str, shown: str) -> str:
        """What the command prints. shown: what the page says, which `cat` takes a missing file from."""
        words = shlex.split(command.replace("$?", str(self.code)))
        words = [self.seen.get(word, word) for word in words]
        with self.monkeypatch.context() as env:
            while words and _ASSIGNMENT.match(words[0]):
                name, _, value = words.pop(0).partition("=")
                env.setenv(name, os.path.expandvars(value))
            output = self._stager(words[1:]) if words[0] == "stager" else self._shell(words, shown)
        for name, pattern in (("HASH", _HASH), ("ID", _ID)):
            if found := pattern.findall(output):
                self.seen[name] = found[-1]
        return output

    def _stager(self, arguments: Sequence[str]) -> str:
        self.capsys.readouterr()
        self.code = main(arguments)
        return "".join(self.capsys.readouterr())

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


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    """A terminal in a folder with the made-up practice's files, and with settings of its own."""
    for path in sample_data.practice_files().values():
        shutil.copyfile(path, tmp_path / path.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("STAGER_")]:
        monkeypatch.delenv(name)
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("STAGER_ACTOR", "sam")
    return Terminal(capsys, monkeypatch)


def registered(tenant: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the tenant under its slug, in a file that goes before the page's own."""
    path = folder / "registered.toml"
    path.write_text(f'[tenants.{tenant.slug}]\ndsn = "{tenant.dsn}"\n', encoding="utf-8")
    monkeypatch.setenv("STAGER_TENANTS", str(path))


def test_the_readmes_migration(terminal: Terminal, blank_tenant: Tenant, tmp_path: Path) -> None:
    """Every command of the README does what it shows, from an empty database to the published rows."""
    registered(blank_tenant, tmp_path, terminal.monkeypatch)
    run_page(README, terminal)


@pytest.mark.parametrize("page", [MAPPING, STAGING], ids=lambda page: page.stem)
def test_a_pages_commands(page: Path, terminal: Terminal) -> None:
    """Every command of the page does what it shows."""
    run_page(page, terminal)


def test_the_readmes_tenants_file_is_read(tmp_path: Path) -> None:
    """The README's tenants.toml registers the tenant that its commands name."""
    [text] = [text for _, text in blocks(README, "toml") if text.startswith("# tenants.toml")]
    path = tmp_path / "tenants.toml"
    path.write_text(text, encoding="utf-8")
    assert Registry.load(path, {}, tmp_path).tenant("maple-surgery").dsn


def test_the_readmes_make_targets_exist() -> None:
    """Every `make …` that a page names is a target of the Makefile."""
    targets = set(re.findall(r"^(\w+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = {target for page in OURS for target in re.findall(r"\bmake (\w+)\b(?=[`\s]*(?:#|$|`))", text_of(page))}
    assert {"demo", "test", "check"} <= named <= targets


def test_mapping_profiles_are_read(tmp_path: Path) -> None:
    """Every profile on the mapping page is one that stager reads."""
    profiles = [text for _, text in blocks(MAPPING, "toml")]
    for number, text in enumerate(profiles):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        load_mapping(path)
    assert len(profiles) >= 2


def test_every_reason_for_a_malformed_record_is_explained() -> None:
    """The mapping page's table has each reason once and no other."""
    named = [cells[0].strip("`") for cells in table_under(MAPPING, "## Malformed records")]
    assert named == [reason.value for reason in Reason]


def test_the_table_of_events_is_the_catalogue() -> None:
    """Kind, version, what it is about, the keys of its detail and its meaning, in the catalogue's order."""
    told = [
        [f"`{kind.name}`", str(kind.version), kind.about, ", ".join(f"`{key}`" for key in kind.detail), kind.meaning]
        for kind in EVENT_KINDS.values()
    ]
    assert table_under(EVENTS, "## The catalogue") == told


def test_every_state_of_a_row_is_explained() -> None:
    """The events page's table has each state once and no other."""
    named = [cells[0].strip("`") for cells in table_under(EVENTS, "## Row states")]
    assert named == [state.value for state in State]


@dataclass(frozen=True)
class Log:
    """A migration's log as the events page's code reads it, and the names which that code defines."""

    page: dict[str, Any]
    events: list[tuple[Any, ...]]
    leaves: list[bytes]
    seals: list[tuple[Any, ...]]
    path: Path


@pytest.fixture
def log(terminal: Terminal, tmp_path: Path) -> Log:
    """The log of a small migration with a person's decision in it, read without stager."""
    run_page(EVENTS, terminal)
    names: dict[str, Any] = {}
    for _, text in blocks(EVENTS, "python"):
        exec(text, names)
    path = tmp_path / "staging.duckdb"
    key = (key_folder(os.environ) / "staging.key").read_text(encoding="ascii")
    return Log(names, *names["read_log"](path, key), path)


def test_the_events_pages_code_recomputes_the_log(log: Log) -> None:
    """Every leaf, every seal's root, the chain and the signatures come out by the page's code alone."""
    assert [log.page["leaf"](event) for event in log.events] == log.leaves
    assert {event[3] for event in log.events} >= {"row.accepted", "finding.decided", "approval.granted"}
    log.page["check_seals"](log.events, log.seals)
    assert len(log.seals) > 2


def test_the_events_pages_code_notices_what_was_altered(log: Log) -> None:
    """Another actor in one event, another time in one seal: the page's code refuses both."""
    forged = [(*event[:2], "mallory", *event[3:]) if event[0] == 3 else event for event in log.events]
    with pytest.raises(AssertionError):
        log.page["check_seals"](forged, log.seals)
    resealed = [(*log.seals[0][:1], log.seals[0][1] + 1, *log.seals[0][2:]), *log.seals[1:]]
    with pytest.raises((AssertionError, InvalidSignature)):
        log.page["check_seals"](log.events, resealed)


def test_the_plan_hash_is_made_as_the_page_says(log: Log, terminal: Terminal) -> None:
    """The lines that the page describes, hashed, are the hash that `approve` printed."""
    assert log.page["plan_hash"](log.path, (key_folder(os.environ) / "staging.key").read_text()) == (
        terminal.seen["HASH"]
    )


def test_the_events_pages_code_stands_alone() -> None:
    """It imports nothing of stager."""
    trees = [ast.parse(text) for _, text in blocks(EVENTS, "python")]
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported
    assert not any(name.startswith("stager") for name in imported)


def test_every_variable_is_in_the_table() -> None:
    """The staging page's table of the environment has each variable that the code reads, and no other."""
    read = {"NO_COLOR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"}
    for source in (ROOT / "stager").rglob("*.py"):
        read |= set(re.findall(r"[\"'](STAGER_[A-Z_]+)[\"']", source.read_text(encoding="utf-8")))
    told = {cells[0].strip("`") for cells in table_under(STAGING, "## Environment variables")}
    assert told == read - {"STAGER_COMPLETE"}


def _named_tests() -> set[tuple[str, str]]:
    return {
        (file, name)
        for page in OURS
        for file, name in re.findall(r"`(test_\w+\.py)::(test_\w+)`", text_of(page))
    }


def test_the_tests_that_pages_name_exist() -> None:
    """A test that is named as a proof is there, under that name, in that file."""
    named = _named_tests()
    for file, name in named:
        source = ROOT / "tests" / file
        assert source.exists(), file
        assert re.search(rf"^def {name}\(", text_of(source), re.MULTILINE), f"{file}::{name}"
    assert len(named) > 40


def test_every_line_of_the_safety_list_is_answered() -> None:
    """Lines 1 to 31, each once and in order; each names a test, or says that there is none yet."""
    rows = re.findall(r"^\| (\d+) \|([^\n]*)\|$", text_of(SAFETY), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 32))
    for number, cells in rows:
        assert "test_" in cells or "not yet" in cells.lower(), number


def test_every_page_can_be_reached() -> None:
    """Each page of docs/ is linked from the README or from another page."""
    pages = [README, CHANGELOG, *DOCS.glob("*.md")]
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in pages
        for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page))
        if (page.parent / link.partition("#")[0]).resolve() != page
    }
    assert {page for page in DOCS.glob("*.md") if page.resolve() not in linked} == set()


def test_the_files_that_pages_name_exist() -> None:
    """A path in code type that lies in the project leads to something."""
    for page in OURS:
        for named in _CODE.findall(_FENCE.sub("", text_of(page))):
            if re.fullmatch(r"(?:stager|docs|tests|sample_data|tui)/[\w./-]*", named):
                assert (ROOT / named).exists(), f"{page.name}: {named}"


def test_the_modules_that_the_architecture_names_are_all_there_are() -> None:
    """Every module and package directly below `stager` stands in the page's tables."""
    there = {path.stem for path in (ROOT / "stager").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    told = set(re.findall(r"`(\w+)`", "\n".join(" ".join(row) for row in table_under(ARCHITECTURE, "## Layers"))))
    assert there - {"__init__", "__main__"} <= told


def test_the_changelog_has_this_version() -> None:
    """Its first entry is the version that the package says it is."""
    [first, *_] = re.findall(r"^## (\S+)", text_of(CHANGELOG), re.MULTILINE)
    assert first == __version__
