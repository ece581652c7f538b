"""`stager demo`: the whole way, in a folder and a PostgreSQL of its own, as often as one likes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from cli_calls import Stager, caller, own_place

from stager.tenant import embedded


@pytest.fixture
def stager(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stager:
    own_place(monkeypatch, tmp_path)
    return caller(capsys)


def test_the_demo_goes_the_whole_way_and_begins_afresh(
    stager: Stager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What it shows is so when commands are typed in its folder, also after a second demo."""
    first = stager("demo", "--out", "practice").done()
    for said in (
        "$ stager ingest patients.csv",
        "$ stager publish -t demo",
        "balances",
        "suggestion 1",
        "next",
    ):
        assert said in first.out
    typed = first.out.partition("what a person would type next")[2]
    for command in re.findall(r"^  stager ((?:tenant )?[a-z]+)", typed, re.MULTILINE):
        assert stager(*command.split(), "--help").code == 0, command
    second = stager("demo", "--out", "practice", "--json").done().document
    assert second["status"]["balances"]
    assert second["published"]["sheets"] == second["approved"]["plan"]["rows"]
    monkeypatch.chdir(tmp_path / "practice")
    published = [
        sheet["states"]["published"] for sheet in stager("status", "--json").done().document["sheets"]
    ]
    assert sum(published) == second["published"]["rows"] > 0
    assert "nothing to publish" in stager("publish", "-t", "demo").done().out
    assert stager("tenant", "stop", "-t", "demo").done().out == "stopped\n"
    assert stager("tenant", "stop", "-t", "demo").done().out == "it was not running\n"


def test_the_demo_takes_no_folder_of_somebody_elses(stager: Stager, tmp_path: Path) -> None:
    """A folder with anything in it that no demo made is refused and left as it is."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "staging.duckdb").write_text("precious")
    assert stager("demo", "--out", "work").code == 2
    assert (tmp_path / "work" / "staging.duckdb").read_text() == "precious"


def test_the_demo_removes_no_database_of_a_persons_own(stager: Stager, tmp_path: Path) -> None:
    """A tenant of the person's that is called `demo`, too, keeps its server's data."""
    data = embedded.data_folder(os.environ, "demo") / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18")
    called = stager("demo")
    assert called.code == 5
    assert "not the demo's" in called.err
    assert (data / "PG_VERSION").read_text() == "18"
    assert not (data.parents[2] / "demo").exists()
