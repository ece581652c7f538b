"""Taking files in and reviewing them on the command line, with the made-up practice."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli_calls import Stager, caller, copied, own_place

import sample_data
from stager.sheets import PATIENTS, SHEETS, State

ROOT = Path(__file__).parents[1]
HEADER = "LegacyPatientID,First Name,Last Name,Date of Birth"
ROW_KEYS = ["sheet", "file", "row", "line", "state", "codes", "patient", "via", "target_id"]


@pytest.fixture
def practice(
    staged: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Stager:
    copied(staged, monkeypatch, tmp_path)
    return caller(capsys)


@pytest.fixture
def stager(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stager:
    own_place(monkeypatch, tmp_path)
    return caller(capsys)


def _patients(name: str, *rows: str, header: str = HEADER) -> Path:
    path = Path(name)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def _open(practice: Stager, *filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = practice("findings", *filters, "--json").done().document["findings"]
    return found


def _row(practice: Stager, finding: dict[str, Any]) -> dict[str, Any]:
    lines = practice("rows", "--sheet", finding["sheet"], "--json").done().out.splitlines()
    return next(row for row in map(json.loads, lines) if row["row"] == finding["row"])


def test_ingest_shows_the_files_account(stager: Stager) -> None:
    """Sheet, encoding, delimiter, records, bytes and unknown columns; and the new key is to be backed up."""
    path = _patients("p.csv", "A1,Ann,Lee,1980-01-02,x", "A2,Bob", header=f"{HEADER},Shoe Size")
    called = stager("ingest", path).done()
    for said in ("p.csv: patients", "utf-8", "comma", "2: 1 read, 1 malformed", "Shoe Size", "as source 1"):
        assert said in called.out
    size = path.stat().st_size
    assert f"{size:,} of {size:,} belong" in called.out
    assert "staging.key" in called.err
    assert "back it up" in called.err


def test_the_same_bytes_again_change_nothing(stager: Stager) -> None:
    """And say under which name they are there."""
    stager("ingest", _patients("p.csv", "A1,Ann,Lee,1980-01-02")).done()
    called = stager("ingest", _patients("again.csv", "A1,Ann,Lee,1980-01-02"))
    assert "already staged, the same bytes, as p.csv" in called.done().out
    assert stager("status", "--json").document["sheets"][0]["records"] == 1


def test_a_dry_run_prints_the_same_account_and_writes_nothing(stager: Stager, tmp_path: Path) -> None:
    """No staging file, no key; the counts are those of the real run."""
    path = _patients("p.csv", "A1,Ann,Lee,1980-01-02", "A2,Bob,Lee,never")
    dry = stager("ingest", path, "--dry-run", "--json").done().document
    assert sorted(each.name for each in tmp_path.iterdir()) == ["p.csv"]
    real = stager("ingest", "-f", path, "--json").done().document
    assert (dry["dry_run"], real["dry_run"]) == (True, False)
    [dry_file], [real_file] = dry["files"], real["files"]
    assert dry_file["source_id"] is None
    assert {**dry_file, "source_id": 1} == real_file


def test_a_refused_file_stages_nothing_of_the_others(stager: Stager, tmp_path: Path) -> None:
    """Exit 3; a call stages all of its files or none."""
    _patients("p.csv", "A1,Ann,Lee,1980-01-02")
    _patients("bad.csv", "x", header="LegacyPatientID,First Name")
    called = stager("ingest", "p.csv", "bad.csv")
    assert called.code == 3
    assert "bad.csv" in called.err
    assert not (tmp_path / "staging.duckdb").exists()


def test_hostile_names_and_headers_are_shown_to_the_letter(stager: Stager) -> None:
    """A file's name and its headers are neither markup nor sent to the terminal."""
    path = _patients("[red]p\x1b[2J.csv", "A1,Ann,Lee,1980-01-02,x", header=f"{HEADER},[/b]\u202eodd")
    out = stager("ingest", path, "--verbose").done().out + stager("status", "--verbose").done().out
    assert r"[red]p\x1b[2J.csv" in out
    assert r"[/b]\u202eodd" in out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_status_is_a_statement_that_balances(practice: Stager) -> None:
    """Every sheet's states add up to its records, and the findings carry their meaning."""
    document = practice("status", "--json").done().document
    assert document["balances"]
    expected = json.loads((ROOT / "sample_data" / "expected.json").read_text(encoding="utf-8"))["account"]
    for sheet in document["sheets"]:
        assert sum(sheet["states"].values()) == sheet["records"] == expected[sheet["sheet"]]["records"]
        for state in ("ready", "held", "waiting", "rejected"):
            assert sheet["states"][state] == expected[sheet["sheet"]][state]
    assert document["findings"]["link.unresolved"]["meaning"]
    out = practice("status").done().out
    assert max(map(len, out.splitlines()[3:])) <= 80
    for each in State:
        assert re.search(rf"^{each.value}\s+[\d,]+(\s+[\d,]+)+$", out, re.MULTILINE)
    assert "next: stager approve" in out


def test_rows_are_json_lines_with_exactly_their_keys(practice: Stager) -> None:
    """Every record of every file, each as what the made-up practice says it must be."""
    rows = [json.loads(line) for line in practice("rows", "--json").done().out.splitlines()]
    assert all(list(row) == ROW_KEYS for row in rows)
    expected = json.loads((ROOT / "sample_data" / "expected.json").read_text(encoding="utf-8"))
    for sheet in sample_data.SHEET_NAMES:
        found = [row for row in rows if row["sheet"] == sheet]
        kept = [{key: row[key] for key in ("row", "state", "codes", "patient", "via")} for row in found]
        assert kept == expected[sheet]


def test_rows_can_be_narrowed(practice: Stager) -> None:
    """By sheet, state and code at once; for people under the file's name."""
    asked = ("rows", "--sheet", "notes", "--state", "held", "--code", "link.unresolved")
    rows = [json.loads(line) for line in practice(*asked, "--json").done().out.splitlines()]
    assert rows
    assert all("link.unresolved" in row["codes"] and row["state"] == "held" for row in rows)
    out = practice(*asked).done().out.splitlines()
    assert out[0] == "notes: notes.csv"
    assert len(out) == len(rows) + 2


def test_findings_show_addresses_and_reasons_and_no_cell(practice: Stager) -> None:
    """Suggestions are rows with why; no identifier, name or number of a patient is printed."""
    called = practice("findings").done()
    assert re.search(r"suggestion 1: row:\d+:\d+ \(leading_zeros, by legacy_id\)", called.out)
    path = sample_data.practice_files()["patients"]
    cells = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig", errors="replace")))
    for cell in (record[name] for record in cells for name in ("LegacyPatientID", "Surname", "NHS No")):
        if cell and len(cell.strip()) > 4:
            assert cell.strip() not in called.out


def test_findings_can_be_asked_for_by_a_columns_name(practice: Stager) -> None:
    """The specification's spelling, without regard to case, or the field's name."""
    named = _open(practice, "--sheet", "patients", "--column", "nhs number")
    assert named
    assert named == _open(practice, "--sheet", "patients", "--column", "nhs_number")
    assert {each["column"] for each in named} == {"NHS Number"}


def test_one_number_decides_one_finding_and_undo_takes_it_back(practice: Stager) -> None:
    """The suggestion's row becomes the patient; undone, the finding is open again."""
    finding = next(each for each in _open(practice, "--code", "link.unresolved") if each["suggestions"])
    done = practice("decide", finding["id"], "--suggestion", 1, "--reason", "seen", "--json").done().document
    assert (done["count"], done["findings"]) == (1, [finding["id"]])
    row = _row(practice, finding)
    assert row["via"] == "decision"
    assert row["patient"]
    assert practice("undo", done["seq"], "--json").done().document["undoes"] == done["seq"]
    assert _row(practice, finding)["via"] is None
    assert finding["id"] in [each["id"] for each in _open(practice)]


def test_every_finding_has_a_number_of_its_own(practice: Stager) -> None:
    """A decision by number can only ever mean one finding."""
    numbers = [each["id"] for each in _open(practice)]
    assert len(numbers) == len(set(numbers))


def test_a_link_names_a_person(practice: Stager) -> None:
    """By LegacyPatientID as by row; nobody of that name is a wrong usage."""
    finding = _open(practice, "--code", "link.unresolved")[0]
    assert practice("decide", finding["id"], "--link", "no such person").code == 2
    done = practice("decide", finding["id"], "--link", "row:1").done()
    assert re.search(r"^decided 1 finding as event \d+: link to row:1:1$", done.out, re.MULTILINE)
    assert _row(practice, finding)["via"] == "decision"


def test_a_value_can_be_corrected_from_standard_input(
    practice: Stager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it stands in no shell's history; what was typed is not printed."""
    finding = next(each for each in _open(practice, "--sheet", "patients") if each["rule"] == "postcode")
    monkeypatch.setattr(sys, "stdin", io.StringIO("SW1A 1AA\n"))
    called = practice("decide", finding["id"], "--correct", "-").done()
    assert "SW1A" not in called.out + called.err
    assert _row(practice, finding)["state"] == "ready"


def test_a_set_is_not_decided_without_a_yes(practice: Stager) -> None:
    """Without a terminal --yes must be said; with it the count and examples are shown and it is one event."""
    asked = ("decide", "--code", "practitioner.unresolved", "--release")
    before = _open(practice, "--code", "practitioner.unresolved")
    refused = practice(*asked)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert practice(*asked, "--json").code == 2
    assert _open(practice, "--code", "practitioner.unresolved") == before
    done = practice(*asked, "--yes", "--json").done()
    assert done.document["count"] == len(before)
    assert f"{len(before)} findings are meant" in done.err
    assert _open(practice, "--code", "practitioner.unresolved") == []


def test_rows_are_excluded_and_put_back(practice: Stager) -> None:
    """A row as such, by sheet and number."""
    practice("decide", "--row", "notes:3:1", "--row", "notes:2", "--exclude", "--reason", "test row").done()
    excluded = practice("rows", "--state", "excluded", "--json").out.splitlines()
    assert [json.loads(line)["row"] for line in excluded] == [1, 2]
    practice("decide", "--row", "notes:1", "--row", "notes:2", "--put-back").done()
    assert practice("rows", "--state", "excluded", "--json").out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["1"],
        ["1", "--accept", "--exclude"],
        ["--accept"],
        ["1", "--code", "value.suspect", "--accept"],
        ["--row", "notes:1", "--accept"],
        ["1", "--put-back"],
        ["999999", "--exclude"],
        ["--row", "notes:9999", "--exclude"],
        ["--row", "letters:1", "--exclude"],
    ],
)
def test_an_unclear_decision_is_a_wrong_usage(practice: Stager, arguments: list[str]) -> None:
    """Exactly one decision, about what is named in exactly one way and is there."""
    assert practice("decide", *arguments).code == 2


def test_a_suggestion_must_name_one_person_for_all(practice: Stager) -> None:
    """A set whose first suggestions differ cannot be linked by it."""
    called = practice("decide", "--code", "link.unresolved", "--suggestion", 1, "--yes")
    assert called.code == 2


def test_a_set_is_asked_about_on_a_terminal(
    staged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A no decides nothing; the question names the exact count and examples first."""
    copied(staged, monkeypatch, tmp_path)
    said = _on_terminal("decide", "--code", "value.unknown", "--exclude", answers={"[y/N]": "n\n"})
    assert re.search(r"\d+ findings are meant", said)
    assert "decide all of them: exclude? [y/N]" in said
    assert "nothing was decided" in said


def _on_terminal(*arguments: str, answers: dict[str, str]) -> str:
    """What a call in a terminal of its own showed; each answer is typed when its question has appeared."""
    ours, theirs = pty.openpty()
    program = "from stager.cli import run; run()"
    command = [sys.executable, "-c", program, *arguments]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    waiting, said, until = dict(answers), "", time.monotonic() + 60
    with subprocess.Popen(command, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    said += os.read(ours, 65_536).decode()
                except OSError:
                    break
            for question in [each for each in waiting if each in said]:
                os.write(ours, waiting.pop(question).encode())
        process.kill()
    os.close(ours)
    return said


def test_approve_prints_the_plan_hash(practice: Stager) -> None:
    """With --quiet nothing else; a second time there is nothing to approve: exit 4."""
    called = practice("approve", "--quiet").done()
    assert re.fullmatch(r"plan [0-9a-f]{64}\n", called.out)
    assert practice("approve").code == 4


def test_rejects_are_written_for_their_owner_only(practice: Stager, tmp_path: Path) -> None:
    """One file for each sheet, mode 0600, its records counted."""
    document = practice("rejects", "--out", "back", "--json").done().document
    assert {file["sheet"] for file in document["files"]} == {sheet.name for sheet in SHEETS}
    for file in document["files"]:
        path = tmp_path / "back" / Path(file["path"]).name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(list(csv.reader(path.open(encoding="utf-8-sig", newline="")))) == file["records"] + 1


def test_history_tells_a_rows_place_and_events(practice: Stager) -> None:
    """The bytes named are the record's; a row that is not there is a wrong usage."""
    document = practice("history", "background", 5, "--json").done().document
    data = sample_data.practice_files()["background"].read_bytes()
    record = data[document["byte_start"] :][: document["byte_len"]]
    assert data.count(b"\n", 0, document["byte_start"]) + 1 == document["line"]
    assert record.endswith(b"\r\n")
    assert [event["seq"] for event in document["events"]] == sorted(
        event["seq"] for event in document["events"]
    )
    assert "row.accepted" in practice("history", "background", "2:5").done().out
    assert practice("history", "background", 5_000).code == 2


def test_rebuild_reaches_the_same_state(practice: Stager) -> None:
    """And says so with the state's digest."""
    document = practice("rebuild", "--json").done().document
    assert document["before"] == document["after"]


def test_a_projection_that_was_altered_is_an_integrity_failure(
    practice: Stager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 6 where the state was not what the log says."""
    from stager.session import Session

    monkeypatch.setattr(Session, "rebuild", lambda _self: ("one", "two"))
    assert practice("rebuild").code == 6


def test_sheets_show_the_specification_and_write_templates(stager: Stager, tmp_path: Path) -> None:
    """Each sheet's columns within 80 columns, as JSON too; a template has the specification's headers."""
    out = stager("sheets").done().out
    assert max(map(len, out.splitlines())) <= 80
    assert all(sheet.title in out for sheet in SHEETS)
    assert "F is read as FEMALE".casefold() in stager("sheets", "patients").done().out.casefold()
    [patients] = stager("sheets", "patients", "--json").done().document["sheets"]
    assert [column["name"] for column in patients["columns"]] == [column.name for column in PATIENTS.columns]
    stager("sheets", "--templates", "templates").done()
    header = (tmp_path / "templates" / "patients.csv").read_text(encoding="utf-8").strip()
    assert header == ",".join(column.name for column in PATIENTS.columns)
