"""Reject files: the records as they came, safe in a spreadsheet, and what happens when they come back."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stager.decisions import Decision
from stager.errors import UsageError
from stager.ingest.round_trip import ROUND_TRIP
from tests import faults
from tests.migration import Migration, as_csv, cloned, drug, note, patient

RUN = ("=", "+", "-", "@", "\t", "\r")


@pytest.fixture
def migration(faulty: Path, tmp_path: Path) -> Iterator[Migration]:
    """The faulty practice, in a copy of its own."""
    made = cloned(faulty, tmp_path / "m")
    yield made
    made.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Migration]:
    made = Migration(tmp_path / "m")
    yield made
    made.close()


def read(data: bytes) -> tuple[list[str], list[list[str]]]:
    """A CSV file's header and records, by Python's own reader."""
    header, *records = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    return header, records


def rejects(migration: Migration) -> dict[str, bytes]:
    return {each.name: each.content for each in migration.session.rejects()}


def give_back(migration: Migration, name: str, change: Callable[[dict[str, str]], None], to: str) -> None:
    """A reject file with each record changed by hand, written and ingested under another name."""
    header, records = read(rejects(migration)[name])
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for record in records:
        cells = dict(zip(header, record, strict=True))
        change(cells)
        writer.writerow(cells.values())
    (migration.folder / to).write_bytes(text.getvalue().encode("utf-8-sig"))
    migration.ingest(migration.folder / to)
    migration.reconcile()


def fingerprints(migration: Migration) -> dict[tuple[int, int], str]:
    """Row → its record's fingerprint, from the events of its arrival."""
    found = [*migration.events("row.accepted"), *migration.events("row.rejected")]
    return {(source, row): json.loads(detail).get("fingerprint", "") for *_, source, row, detail in found}


# --- what is in them ------------------------------------------------------------------------------------


def test_they_hold_exactly_the_rejected_and_held_records_as_they_came(migration: Migration) -> None:
    """Cell by cell what the file had, not what rules or people made of it; with row, line, codes, reasons."""
    written = {
        "patients": faults.PATIENTS,
        "background": faults.BACKGROUND,
        "notes": faults.NOTES,
        "medications": faults.MEDICATIONS,
    }
    made = {each.sheet: each for each in migration.session.rejects()}
    assert list(made) == list(written)
    for sheet, records in written.items():
        header, *originals = csv.reader(io.StringIO(as_csv(sheet, records).decode()))
        out = [line for line in migration.rows(sheet).values() if line.state in ("held", "rejected")]
        assert made[sheet].name == f"{sheet}-rejects.csv"
        assert made[sheet].records == len(out) > 0
        head, rows = read(made[sheet].content)
        assert head == [*header, *ROUND_TRIP]
        assert [row[:-4] for row in rows] == [originals[line.row - 1] for line in out]
        told = [(row[-4], row[-3], row[-2]) for row in rows]
        assert told == [(str(line.row), str(line.line), " ".join(line.codes)) for line in out]
        assert all(row[-1] for row in rows)
    reasons = {row[-4]: row[-1] for row in read(made["patients"].content)[1]}
    assert reasons["12"] == "Last Name: a required value is missing (missing)"
    assert "; " in reasons["13"]


def test_they_are_for_their_owners_eyes_only(migration: Migration) -> None:
    """The folder and the files shut to everybody else; a second writing replaces the first."""
    for _ in range(2):
        written = migration.session.write_rejects(Path("out"))
    assert {path.name for path, _ in written} == set(rejects(migration))
    assert stat.S_IMODE(written[0][0].parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path, _ in written} == {0o600}
    assert [path.read_bytes() for path, _ in written] == list(rejects(migration).values())


def test_a_row_that_is_settled_is_in_none(migration: Migration) -> None:
    """Accepted, excluded, waiting: not there; a sheet without rejects has no file."""
    for finding in migration.findings(sheet="medications"):
        if finding.code != "value.missing":
            migration.decide(Decision.BLANK, finding)
    (rejected,) = {finding.row_no for finding in migration.findings(sheet="medications")}
    migration.exclude(("medications", str(rejected)), ("notes", "3"))
    assert "medications-rejects.csv" not in rejects(migration)
    rows = [record[-4] for record in read(rejects(migration)["notes-rejects.csv"])[1]]
    assert not {"3", "5", "11"} & set(rows)
    assert "14" in rows


# --- spreadsheets ---------------------------------------------------------------------------------------

ODD = [
    *("=1+1", '=HYPERLINK("http://x","y")', "+44 7700 900123", "-1", "@SUM(A1)", "\tx", "\rx", "'=x"),
    *("''@y", "'", "'quoted'", "''", " =1", "x=1", "'\tz", "=\nnew line", '"=1"', "=", "–1", "{=1}", "+"),
]


def test_what_a_spreadsheet_would_run_is_neutralised_and_comes_back_to_the_letter(empty: Migration) -> None:
    """Cells of known and unknown columns, a header, a column without one: no cell begins as a formula does,
    and the record that is taken in again has the fingerprint of the one that was given out."""
    header = [
        "PatientID",
        "Drug Name",
        "Frequency / Instructions",
        "Prescription Date",
        "Status",
        "=Extra",
        "",
        "B",
    ]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for number, odd in enumerate(ODD):
        writer.writerow([f"P{number}", odd, ODD[number - 1], "2020-01-01", "ODD", odd, odd, f"'{odd}"])
    (empty.folder / "m.csv").write_bytes(text.getvalue().encode())
    empty.ingest(empty.folder / "m.csv")
    empty.reconcile()
    content = rejects(empty)["medications-rejects.csv"]
    head, rows = read(content)
    assert not [cell for row in (head, *rows) for cell in row if cell.startswith(RUN)]
    assert head[:8] == ["PatientID", *header[1:5], "'=Extra", "", "B"]
    unsafe = ("=", "+", "-", "@", "\t", "\r")
    for number, (odd, row) in enumerate(zip(ODD, rows, strict=True)):
        wanted = f"'{odd}" if odd.lstrip("'").startswith(unsafe) else odd
        assert (row[0], row[1], row[5], row[6]) == (f"P{number}", wanted, wanted, wanted)
    (empty.folder / "back.csv").write_bytes(content)
    empty.ingest(empty.folder / "back.csv")
    empty.reconcile()
    prints = fingerprints(empty)
    for row in range(1, len(ODD) + 1):
        assert prints[1, row] == prints[2, row], ODD[row - 1]
        assert empty.values("medications")[row]["drug_name"] == (ODD[row - 1].strip() or None)
    again = read(rejects(empty)["medications-rejects-2.csv"])[1]
    assert [row[:2] for row in again] == [row[:2] for row in rows]


def test_an_apostrophe_in_an_ordinary_file_is_the_patients_own(empty: Migration) -> None:
    """Only what stager put there is taken off: in a file without its four columns nothing is."""
    empty.take(patients=[patient("P1", street_address="'=1", city="'-x")])
    assert (empty.values("patients")[1]["street_address"], empty.values("patients")[1]["city"]) == (
        "'=1",
        "'-x",
    )


# --- coming back ----------------------------------------------------------------------------------------


def test_a_corrected_file_takes_the_place_of_what_it_corrects(migration: Migration) -> None:
    """The old rows are excluded and their findings closed, the new ones stand; the account shows both and
    balances; what is not put right is rejected anew, and is offered again from both files."""

    def mend(cells: dict[str, str]) -> None:
        cells["Note Type"] = cells["Note Type"].replace("CHAT", "TRIAGE")
        cells["PatientID"] = cells["PatientID"].replace("P99", "P10")

    old = [int(row[-4]) for row in read(rejects(migration)["notes-rejects.csv"])[1]]
    before = {line.row: line.codes for line in migration.rows("notes").values()}
    give_back(migration, "notes-rejects.csv", mend, "notes-mended.csv")
    assert {migration.row("notes", row, "notes.csv").state for row in old} == {"excluded"}
    assert [kind for _, kind, *_ in migration.events()].count("row.superseded") == len(old)
    gone = {3: ("link.unresolved",), 8: ("value.unknown",), 9: ("value.unknown",), 14: ("link.unresolved",)}
    for number, row in enumerate(old, 1):
        line = migration.row("notes", number, "notes-mended.csv")
        assert line.codes == (() if row in gone else before[row]), row
    status = migration.session.status()
    (notes,) = [sheet for sheet in status.sheets if sheet.sheet == "notes"]
    assert (notes.records, notes.balances, notes.states["excluded"]) == (14 + len(old), True, len(old))
    assert [each.registered for each in notes.files] == [14, len(old)]
    left = {
        name: [r[-4] for r in read(data)[1]] for name, data in rejects(migration).items() if "notes" in name
    }
    assert list(left) == ["notes-rejects-5.csv"]
    assert all(address.startswith("5:") for address in left["notes-rejects-5.csv"])
    folded, rebuilt = migration.session.rebuild()
    assert folded == rebuilt


def test_the_same_file_back_says_the_same_and_once_more_says_nothing(migration: Migration) -> None:
    """Unchanged, the records are held as before, the old ones in the background; the very bytes again are
    known."""
    before = {line.codes for line in migration.rows("notes").values() if line.state == "held"}
    give_back(migration, "notes-rejects.csv", lambda cells: None, "same.csv")
    lines = migration.rows("notes")
    now = {line.codes for (file, _), line in lines.items() if file == "same.csv"}
    assert now == before
    assert not [at for at, line in lines.items() if at[0] == "notes.csv" and line.state == "held"]
    events = migration.events()
    (account,) = migration.ingest(migration.folder / "same.csv")
    assert (account.known_as, migration.events()) == ("same.csv", events)


def test_a_decision_made_meanwhile_does_not_double_the_row(migration: Migration) -> None:
    """Given out, then accepted and approved, then corrected in the file as well: the file's record stands,
    and the other one is excluded, its approval void."""
    content = rejects(migration)["medications-rejects.csv"]
    migration.decide(Decision.BLANK, migration.finding("value.suspect", "medications", 1))
    migration.decide(Decision.RELEASE, migration.finding("practitioner.unresolved", "medications", 3))
    migration.approve()
    assert migration.row("medications", 1).state == "approved"
    (migration.folder / "back.csv").write_bytes(content.replace(b"as directed", b"28"))
    migration.ingest(migration.folder / "back.csv")
    migration.reconcile()
    assert migration.row("medications", 1, "medications.csv").state == "excluded"
    assert migration.row("medications", 1, "back.csv").state == "ready"
    drugs = [line for line in migration.rows("medications").values() if line.state in ("ready", "approved")]
    assert sorted((line.file, line.row) for line in drugs) == [("back.csv", 1), ("medications.csv", 4)]


def test_a_second_correction_takes_the_place_of_the_first(migration: Migration) -> None:
    """The same reject file corrected twice: of three records of one drug the last one stands."""
    content = rejects(migration)["medications-rejects.csv"]
    for number, amount in enumerate((b"28", b"56"), 1):
        path = migration.folder / f"back{number}.csv"
        path.write_bytes(content.replace(b"as directed", amount))
        migration.ingest(path)
        migration.reconcile()
    states = [line.state for at, line in migration.rows("medications").items() if at[1] == 1]
    assert sorted(states) == ["excluded", "excluded", "ready"]
    assert migration.row("medications", 1, "back2.csv").state == "ready"
    assert migration.session.status().balances


def test_a_correction_of_what_a_person_took_out_is_asked_about(migration: Migration) -> None:
    """Excluded, merged, or an address in another line: held, and a person says what it is."""
    content = rejects(migration)["patients-rejects.csv"]
    migration.exclude(("patients", "9"))
    migration.decide(Decision.MERGE, migration.finding("patient.duplicate", "patients", 5), target="1:6")
    header, records = read(content)
    wanted = {"9": "corrects_excluded", "5": "corrects_excluded", "12": "corrects_unknown", "13": None}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for record in records:
        if record[-4] in wanted:
            record[0], record[1] = f"NEW{record[-4]}", f"New {record[-4]}"
            record[-3] = "999" if record[-4] == "12" else record[-3]
            writer.writerow(record)
    (migration.folder / "back.csv").write_bytes(text.getvalue().encode())
    migration.ingest(migration.folder / "back.csv")
    migration.reconcile()
    found = {f.row_no: (f.rule, f.related) for f in migration.findings("row.repeated", sheet="patients")}
    order = [record[-4] for record in records if record[-4] in wanted]
    assert found == {
        order.index("9") + 1: ("corrects_excluded", "1:9"),
        order.index("5") + 1: ("corrects_excluded", "1:5"),
        order.index("12") + 1: ("corrects_unknown", None),
    }
    assert migration.row("patients", 12, "patients.csv").state == "rejected"
    assert migration.row("patients", 13, "patients.csv").state == "excluded"
    five = order.index("5") + 1
    with pytest.raises(UsageError, match="superseded"):
        migration.put_back(("patients", "1:13"))
    migration.decide(
        Decision.KEEP_BOTH,
        *[f for f in migration.findings("row.repeated", sheet="patients") if f.row_no == five],
    )
    assert "row.repeated" not in migration.row("patients", five, "back.csv").codes


def test_rows_of_several_files_are_named_with_their_source(empty: Migration) -> None:
    """Two notes files: an own reject file each, its rows "source:row"; a file given out while there was one
    still means that one."""
    empty.take(patients=[patient("P1")], notes=[note("P1", "a"), note("X1", "b"), note("X2", "c")])
    early = rejects(empty)["notes-rejects.csv"]
    empty.take(notes=[note("X3", "d"), note("P1", "e")])
    files = rejects(empty)
    assert list(files) == ["notes-rejects-2.csv", "notes-rejects-3.csv"]
    assert [row[-4] for row in read(files["notes-rejects-2.csv"])[1]] == ["2:2", "2:3"]
    assert [row[-4] for row in read(files["notes-rejects-3.csv"])[1]] == ["3:1"]
    (empty.folder / "early.csv").write_bytes(early.replace(b"X1", b"P1").replace(b"X2", b"P1"))
    (empty.folder / "late.csv").write_bytes(files["notes-rejects-3.csv"].replace(b"X3", b"P1"))
    empty.ingest(empty.folder / "early.csv", empty.folder / "late.csv")
    empty.reconcile()
    lines = list(empty.rows("notes").values())
    assert {(line.file, line.row) for line in lines if line.state == "excluded"} == {
        ("notes1.csv", 2),
        ("notes1.csv", 3),
        ("notes2.csv", 1),
    }
    assert [line.state for line in lines].count("ready") == 5


def test_records_that_could_not_be_parsed_are_given_out_and_come_back_whole(empty: Migration) -> None:
    """Too few fields, a quote that never closes, bytes that are no text: what is text of them stands in the
    first cell, also when it looks like a formula; the record put right takes the row's place."""
    good = as_csv("medications", [drug("P1")])
    bad = [b'P1,"never closed,daily,2020-01-01,,,,\n', b"=P1,\xff\xfe,daily\n", b"P1,short\n"]
    (empty.folder / "m.csv").write_bytes(good + b"".join(bad))
    empty.take(patients=[patient("P1")])
    empty.ingest(empty.folder / "m.csv")
    empty.reconcile()
    assert empty.codes("medications") == {row: ["row.malformed"] for row in (2, 3, 4)}
    rows = read(rejects(empty)["medications-rejects.csv"])[1]
    assert [row[0] for row in rows] == [bad[0].decode().rstrip("\n"), "'=P1,\\xff\\xfe,daily", "P1,short"]
    assert {tuple(row[1:-4]) for row in rows} == {("",) * 7}

    def mend(cells: dict[str, str]) -> None:
        names = ("PatientID", "Drug Name", "Frequency / Instructions", "Prescription Date")
        cells.update(zip(names, ("P1", f"Drug {cells['stager_row']}", "daily", "2020-01-01"), strict=True))

    give_back(empty, "medications-rejects.csv", mend, "back.csv")
    states = {at: line.state for at, line in empty.rows("medications").items()}
    assert [states["m.csv", row] for row in (1, 2, 3, 4)] == ["ready", "excluded", "excluded", "excluded"]
    assert [states["back.csv", row] for row in (1, 2, 3)] == ["ready"] * 3
    assert empty.session.status().balances
    assert empty.findings() == []


def test_new_records_may_stand_in_a_file_that_comes_back(migration: Migration) -> None:
    """A line that a person added, with no row to correct, is a row like any other."""
    header, records = read(rejects(migration)["notes-rejects.csv"])
    record = dict.fromkeys(header, "") | {
        "PatientID": "P10",
        "Consultation Date": "2021-01-01",
        "Clinical Note Text": "added",
    }
    text = io.StringIO()
    csv.writer(text).writerows([header, *records, list(record.values())])
    (migration.folder / "back.csv").write_bytes(text.getvalue().encode())
    migration.ingest(migration.folder / "back.csv")
    migration.reconcile()
    assert migration.row("notes", len(records) + 1, "back.csv").state == "ready"
