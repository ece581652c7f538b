"""`report`, `--expect`, `--at`, `why` and `history` as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stager.cli import telling
from stager.events import EVENT_KINDS
from stager.session.views import EventLine
from tests.cli_calls import Stager, caller, copied


@pytest.fixture
def practice(
    staged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Stager:
    copied(staged, monkeypatch, tmp_path / "work")
    return caller(capsys)


def test_a_report_is_written_and_named(practice: Stager, tmp_path: Path) -> None:
    """Each form; the document says where, and what differs from what was expected."""
    told = practice("report", "--expect", "patients=70", "--json").done().document
    assert told["files"] == [str(tmp_path / "work" / "report.html")]
    assert told["differences"] == {"patients": 2}
    assert "70 records were expected" in practice("report", "--format", "json", "--out", "r.json").done().err
    assert json.loads(Path("r.json").read_text())["format"] == "stager/report/1"
    assert practice("report", "--format", "csv", "--out", "tables").done().out.count("wrote") == 5
    packed = practice("report", "--pack", "pack.zip", "--json").done().document
    assert "report/report.json" in packed["members"]
    practice("verify", "pack.zip").done()


def test_a_wrong_call_is_told_what_to_do(practice: Stager) -> None:
    """An unknown form, a pack of the past, a past that never was: exit 2, nothing written."""
    for arguments in (
        ("--format", "pdf"),
        ("--at", "5", "--pack", "p.zip"),
        ("--at", "5", "--expect", "notes=1"),
        ("--at", "0"),
        ("--at", "999999"),
        ("--pack", "p.zip", "--out", "r.html"),
    ):
        assert practice("report", *arguments).code == 2, arguments
    assert not Path("report.html").exists()
    assert not Path("p.zip").exists()
    assert practice("status", "--at", "3", "--expect", "notes=1").code == 2


def test_the_past_is_shown_on_the_command_line(practice: Stager) -> None:
    """Status, rows and findings as they stood before rows were linked."""
    now = practice("status", "--json").done().document
    log = [now["events"], *range(1, now["events"])]
    assert practice("status", "--at", log[0], "--json").done().document["sheets"] == now["sheets"]
    first = practice("status", "--at", "30").done().out
    assert "as it stood after event 30" in first
    assert "in the midst of a command" in first
    assert "next:" not in first
    rows = practice("rows", "--at", "200", "--sheet", "notes", "--json").done().out.splitlines()
    assert all(json.loads(line)["patient"] is None for line in rows)
    assert practice("findings", "--at", "1", "--json").done().document["findings"] == []


def test_a_row_is_told_in_words_and_its_values_only_when_asked_for(practice: Stager) -> None:
    """No cell without --show-values; with it the cells, the bytes, and an event in the row's history."""
    plain = practice("history", "notes", "1", "--json").done().document
    assert "values" not in plain
    shown = practice("history", "notes", "1", "--show-values", "--json").done().document
    cells = {cell["column"]: cell["came"] for cell in shown["values"]["cells"]}
    text = cells["Clinical Note Text"]
    assert text
    assert text not in json.dumps(plain)
    assert text.split("\n")[0] in shown["values"]["record"]
    after = practice("history", "notes", "1").done()
    assert "values.shown" in after.out
    assert text not in after.out
    one = (
        practice("history", "notes", "1", "--column", "Note Type", "--show-values", "--json").done().document
    )
    assert [cell["column"] for cell in one["values"]["cells"]] == ["Note Type"]
    assert one["values"]["record"] is None


def test_having_values_shown_changes_nothing_else(practice: Stager) -> None:
    """An approved row stays approved after somebody looked at it, and needs no new reconciliation."""
    practice("approve", "--quiet").done()
    before = practice("status", "--json").done().document
    practice("history", "patients", "1", "--show-values").done()
    after = practice("status", "--json").done().document
    assert after["sheets"] == before["sheets"]
    assert after["next"] == before["next"]
    assert after["events"] == before["events"] + 1


def test_every_change_to_a_row_is_named_by_column_and_rule(practice: Stager) -> None:
    """A normalised cell stands in the story with its column, rule and meaning."""
    found = None
    for row in range(1, 73):
        called = practice("history", "patients", row, "--json")
        if called.code == 0 and called.document["changes"]:
            found = called.document
            break
    assert found is not None
    change = found["changes"][0]
    assert change["column"]
    assert change["meaning"]
    seqs = {event["seq"]: event["kind"] for event in found["events"]}
    assert seqs[change["seq"]] == change["kind"]


def test_every_kind_of_event_about_rows_can_be_told(practice: Stager) -> None:
    """The words cope with an event of each kind, however little it says."""
    for name in EVENT_KINDS:
        assert isinstance(
            telling.said(EventLine(1, "", "x", name, {"code": "link.unresolved", "count": 1})), str
        )
