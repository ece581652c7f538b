"""Global options may stand anywhere before `--`, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_calls import Stager, caller, own_place
from typer.main import get_command

from stager.cli.app import app
from stager.cli.hoisting import GLOBAL_OPTIONS, hoist


@pytest.fixture
def stager(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stager:
    own_place(monkeypatch, tmp_path)
    return caller(capsys)


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("status --json", "--json status"),
        ("tenant list --tenants x.toml", "--tenants x.toml tenant list"),
        ("tenant --quiet list", "--quiet tenant list"),
        ("rows --staging=a.duckdb --state held", "--staging=a.duckdb rows --state held"),
        ("undo 3 --reason --json", "undo 3 --reason --json"),
        ("undo 3 --reason --json --json", "--json undo 3 --reason --json"),
        ("decide 3 --correct --actor", "decide 3 --correct --actor"),
        ("decide 3 --correct=--actor --actor Lee", "--actor Lee decide 3 --correct=--actor"),
        ("ingest -f --json --verbose", "--verbose ingest -f --json"),
        ("ingest -- --json", "ingest -- --json"),
        ("--actor --json status", "--actor --json status"),
        ("ingest a.csv -t --quiet b.csv", "ingest a.csv -t --quiet b.csv"),
        ("", ""),
    ],
)
def test_global_options_move_to_the_front_and_values_stay(given: str, parsed: str) -> None:
    """A global option is hoisted with its value; what is another option's value, or behind `--`, is not."""
    assert hoist(given.split(), get_command(app)) == parsed.split()


def test_every_option_of_the_program_but_help_and_completion_is_global() -> None:
    """The list that is hoisted by is the list that the program declares."""
    declared = {name for param in get_command(app).params for name in param.opts if name.startswith("--")}
    assert declared - {"--install-completion", "--show-completion", "--help"} == set(GLOBAL_OPTIONS)


def test_a_staging_file_may_be_named_before_and_after_the_command(stager: Stager) -> None:
    """Both places lead to the same file, which here is not there."""
    before = stager("--staging", "gone.duckdb", "status")
    after = stager("status", "--staging", "gone.duckdb")
    assert before.code == after.code == 5
    assert before.err == after.err
    assert "gone.duckdb" in after.err


def test_an_actor_that_cannot_be_shown_is_refused(stager: Stager) -> None:
    """A name with control characters, or a blank one, would stand in the events for ever."""
    assert stager("status", "--actor", "a\x1b[31m").code == 2
    assert stager("status", "--actor", "  ").code == 2
