"""How a call begins and ends: help, exit codes, faults, interruptions."""

from __future__ import annotations

import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cli_calls import Stager, caller, own_place
from spine import run_python

import stager as package
from stager.cli import help_pages
from stager.errors import (
    InputRefused,
    IntegrityFailed,
    ReviewNeeded,
    StagerError,
    TenantUnavailable,
    UsageError,
    Where,
)
from stager.session import Session

ROOT = Path(__file__).parents[1]
MAIN = "from stager.cli import run; run()"


@pytest.fixture
def stager(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stager:
    own_place(monkeypatch, tmp_path)
    return caller(capsys)


def _process(*arguments: str, program: str = MAIN, **settings: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)


def _raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def status(_self: Session, *, at: int | None = None) -> None:
        raise error

    monkeypatch.setattr(Session, "status", status)


def test_no_argument_prints_the_help(stager: Stager) -> None:
    """The same as --help, and done."""
    assert stager().done().out == stager("--help").done().out


def test_the_version_is_the_packages(stager: Stager) -> None:
    """Whatever else stands on the line."""
    assert stager("status", "--version").done().out == f"stager {package.__version__}\n"


def test_the_commands_page_is_what_help_says(stager: Stager) -> None:
    """docs/commands.md is equal to every command's --help on a terminal of 80 columns."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == help_pages.as_markdown(), "python -m stager.cli.help_pages > docs/commands.md"
    for title, text in help_pages.helps():
        assert stager(*title.split()[1:], "--help").done().out == f"{text}\n"


def test_every_command_says_in_a_sentence_what_it_does_and_gives_examples() -> None:
    """A first sentence that stands whole in the list of commands, and one to three examples of itself."""
    for title, text in help_pages.helps():
        sentence = text.splitlines()[2].strip()
        assert sentence[0].isupper(), title
        examples = re.findall(r"^    (stager .*)$", text.partition("Examples:")[2], re.MULTILINE)
        assert 1 <= len(examples) <= 3, title
        assert max(map(len, text.splitlines())) <= 84, title
        listed = text.partition("Commands:")[2].partition("Examples:")[0]
        assert "..." not in listed, title


def test_an_example_is_of_its_own_command() -> None:
    """Every example names the command whose help it stands in."""
    for title, text in help_pages.helps():
        for example in re.findall(r"^    (stager .*)$", text.partition("Examples:")[2], re.MULTILINE):
            words = [word for word in example.split() if not word.startswith("-") and "." not in word]
            assert words[: len(title.split())] == title.split()


def test_help_brings_no_heavy_library() -> None:
    """`stager --help` opens no driver, no data frames and no cryptography, so it is there at once."""
    program = (
        "import sys; from stager.cli import main; main(['decide', '--help']); "
        "heavy = {'polars', 'duckdb', 'psycopg', 'cryptography', 'rich'}; "
        "sys.exit(not heavy.isdisjoint(sys.modules))"
    )
    assert _process(program=program).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["stauts"],
        ["status", "--bogus"],
        ["publish"],
        ["tenant"],
        ["rows", "--state", "gone"],
        ["rows", "--sheet", "allergies"],
        ["undo", "twelve"],
        ["ingest"],
        ["findings", "--column", "Shoe Size"],
    ],
)
def test_wrong_usage_ends_with_2(stager: Stager, arguments: list[str]) -> None:
    """Told on standard error with the way to the help; standard output stays empty, with --json too."""
    called = stager(*arguments, "--json")
    assert called.code == 2
    assert called.out == ""
    assert re.fullmatch(r"stager: .+\n  → .+\n", called.err)


def test_a_mistyped_command_is_told_its_neighbour(stager: Stager) -> None:
    """The nearest command is named."""
    assert "Did you mean 'status'?" in stager("stauts").err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StagerError("a"), 1),
        (UsageError("a"), 2),
        (InputRefused("a"), 3),
        (ReviewNeeded("a"), 4),
        (TenantUnavailable("a"), 5),
        (IntegrityFailed("a"), 6),
    ],
)
def test_an_errors_kind_is_its_exit_code(
    stager: Stager, monkeypatch: pytest.MonkeyPatch, error: StagerError, code: int
) -> None:
    """Each branch of the error tree ends the program with its own code."""
    _raising(monkeypatch, error)
    assert stager("status").code == code


def test_an_error_says_what_where_and_what_next(stager: Stager, monkeypatch: pytest.MonkeyPatch) -> None:
    """In two lines; what stands in it is shown, never acted on or read as markup."""
    where = Where(file="[red]a\x1b[2J.csv", row=7)
    _raising(monkeypatch, InputRefused("it is [/no] file", where=where, hint="mend it"))
    assert stager("status").err == "stager: it is [/no] file ([red]a\\x1b[2J.csv, row 7)\n  → mend it\n"


def test_a_missing_staging_file_is_unavailable_and_is_not_made(stager: Stager, tmp_path: Path) -> None:
    """Looking at a migration that is not there makes none."""
    assert stager("status").code == 5
    assert not list(tmp_path.glob("*.duckdb*"))


def test_a_fault_shows_no_message_and_keeps_its_places(
    stager: Stager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An unexpected exception ends with 1 and a report that holds classes, files and lines, and no text."""
    _raising(monkeypatch, ValueError("patient 943 476 5919"))
    called = stager("status", "--json")
    assert called.code == 1
    assert called.out == ""
    report = re.search(r"report ([0-9a-f]{8}): (\S+)", called.err)
    assert report
    path = Path(report[2])
    assert path == tmp_path / "state" / "stager" / "faults" / f"{report[1]}.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "builtins.ValueError" in text
    assert f"{Path(__file__)}:" in text
    for said in (text, called.err):
        assert "943" not in said.replace(report[1], "")
        assert "Traceback" not in said


def test_a_fault_is_told_also_where_no_report_can_be_written(
    stager: Stager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The exit code and the id are the same."""
    (tmp_path / "state").write_text("in the way")
    _raising(monkeypatch, ValueError("patient"))
    called = stager("status")
    assert called.code == 1
    assert "no file could be written" in called.err


def test_ctrl_c_says_how_to_go_on(stager: Stager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 130, and no traceback."""
    _raising(monkeypatch, KeyboardInterrupt())
    called = stager("status")
    assert called.code == 130
    assert called.err == (
        "stager: stopped; everything so far is consistent\n  → run the same command again to go on\n"
    )


def test_ctrl_c_stops_a_long_query_in_a_real_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB makes its own error of an interrupted query; it is told as what it is."""
    own_place(monkeypatch, tmp_path)
    program = """
import sys
from stager.cli import main
from stager.session import Session
def status(self, at=None):
    connection = self._open(create=True).staging._connection
    print("ready", file=sys.stderr, flush=True)
    connection.execute("select sum(hash(range) % 7) from range(100000000000)").fetchall()
Session.status = status
sys.exit(main(["status"]))
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert said.startswith("stager: stopped")


AMID_AN_IMPORT = """
import signal, sys, time
from stager.cli import app, main
from stager.session import Session
amid = compile("signal.raise_signal(signal.SIGINT)", "<frozen importlib._bootstrap>", "exec")
"""


def test_ctrl_c_amid_an_import_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What swallows whatever an import raises, as DuckDB does, does not swallow it: it comes once more."""
    own_place(monkeypatch, tmp_path)
    program = """
def status(self, at=None):
    try:
        exec(amid)
    except BaseException:
        print("swallowed", file=sys.stderr)
    time.sleep(30)
    print("waited to the end")
Session.status = status
sys.exit(main(["status"]))
"""
    called = run_python(AMID_AN_IMPORT + program)
    assert (called.returncode, called.stdout) == (130, "")
    assert called.stderr.startswith("stager: stopped")


def test_ctrl_c_that_comes_too_late_interrupts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amid the last import of a command that fails: neither what it says then nor what comes after it."""
    own_place(monkeypatch, tmp_path)
    program = """
def status(self, at=None):
    exec(amid)
    raise KeyError
def slowly(told, *given):
    time.sleep(0.2)
    return told(*given)
interrupted = app.interrupted
app.interrupted = lambda *given: slowly(interrupted, *given)
Session.status = status
code = main(["status"])
time.sleep(0.2)
sys.exit(code)
"""
    called = run_python(AMID_AN_IMPORT + program)
    assert (called.returncode, called.stdout) == (130, "")
    assert "Traceback" not in called.stderr


def test_ctrl_c_pressed_twice_interrupts_once_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is cleared up behind the second is not interrupted by the first, which is looked at again."""
    own_place(monkeypatch, tmp_path)
    program = """
def status(self, at=None):
    try:
        exec(amid)
        signal.raise_signal(signal.SIGINT)
    finally:
        time.sleep(0.2)
        print("cleared up", file=sys.stderr)
Session.status = status
sys.exit(main(["status"]))
"""
    called = run_python(AMID_AN_IMPORT + program)
    assert called.returncode == 130
    assert called.stderr.startswith("cleared up\nstager: stopped")


def test_a_terminal_that_is_not_unicode_gets_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrows and dashes have plain forms, and a name that does not fit is escaped."""
    own_place(monkeypatch, tmp_path)
    called = _process("ingest", "Zoë.csv", PYTHONIOENCODING="ascii")
    assert called.returncode == 3
    assert r"Zo\xeb.csv" in called.stderr
    assert "  -> " in called.stderr


def test_the_shells_completion_knows_commands_options_and_sheets() -> None:
    """What is typed so far is completed from the commands, their options and what these may be."""

    def offered(typed: str) -> str:
        settings = {"_STAGER_COMPLETE": "complete_bash", "COMP_WORDS": typed}
        return _process(**settings, COMP_CWORD=str(len(typed.split(" ")) - 1)).stdout

    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    typed = f"{shlex.join([sys.executable, '-c', MAIN])} --show-completion; exit $?"
    shown = subprocess.run(["bash", "-c", typed], env=environ, capture_output=True, text=True, check=True)
    assert "_STAGER_COMPLETE" in shown.stdout
    assert "status" in offered("stager st")
    assert "--state" in offered("stager rows --st")
    assert "medications" in offered("stager rows --sheet med")
