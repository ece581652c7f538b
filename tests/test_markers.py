"""No patient's value leaves the encrypted file: marked cells are sought in all that stager writes or says."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stager.cli import main
from stager.errors import StagerError
from stager.session import Choice, Decision, Filter, Finding, Intake, Session
from stager.sheets import SHEETS, Code
from tests.cli_calls import own_place
from tests.marked_practice import LEGACY, NHS, STEM, Marks, needles, sheet_bytes, sheets, shown
from tests.spine import every_file, forms_of, run_python, settings_in, whole_text


@dataclass
class Said:
    """One call of the command line: what it was, its exit code, what it wrote."""

    command: tuple[str, ...]
    code: int
    text: str


@dataclass
class Review:
    """A review of the marked practice on the command line, and all that was said on the way."""

    folder: Path
    mark: Marks = field(default_factory=Marks)
    said: list[Said] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def call(self, *command: str | Path) -> Said:
        out, err = io.StringIO(), io.StringIO()
        arguments = tuple(map(str, command))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
        self.said.append(Said(arguments, code, out.getvalue() + err.getvalue()))
        return self.said[-1]

    def document(self, *command: str) -> dict[str, list[dict[str, object]]]:
        text = self.call(*command, "--json").text
        return json.loads(text[: text.rindex("}") + 1])

    def findings(self) -> Findings:
        """The open findings, as numbers by what they are."""
        return Findings(self.document("findings")["findings"])


@dataclass
class Findings:
    """Open findings of which each is given once."""

    left: list[dict[str, object]]

    def __call__(self, **wanted: object) -> str:
        """The number of one that is so."""
        found = next(each for each in self.left if wanted.items() <= each.items())
        self.left.remove(found)
        return str(found["id"])


def go_through(review: Review) -> None:
    """Every command of the review, those that fail among them."""
    call, mark, folder = review.call, review.mark, review.folder
    files = [folder / "csv" / f"{sheet.name}.csv" for sheet in SHEETS]
    for file, rows in zip(files, sheets(mark).values(), strict=True):
        file.write_bytes(sheet_bytes(rows, mark))
    call("ingest", "--dry-run", *files)
    call("ingest", "--verbose", *files, "-t", "maple-surgery")
    call("ingest", *files)
    call("reconcile", "--verbose")
    for command in ("status", "rows", "findings"):
        call(command, "--verbose")
        call(command, "--json")
    call("history", "patients", "3")
    call("history", "notes", "12", "--json")
    decide(review)
    refused(review)
    call("rejects", "--out", "rejected")
    call("ingest", folder / "rejected" / "notes-rejects.csv")
    call("reconcile")
    call("approve", "--sheet", "patients", "--json")
    call("approve")
    call("rebuild")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("stager.session.reading.status", fault_about(mark()))
        call("status")


def fault_about(cell: str) -> Callable[..., None]:
    """A function with a fault whose own text quotes a cell."""

    def fail(*_: object) -> None:
        raise ValueError(f"could not read {cell}") from KeyError(cell)

    return fail


def decide(review: Review) -> None:
    call, mark, number = review.call, review.mark, review.findings()
    call("decide", number(code="value.missing", field="last_name"), "--correct", mark())
    call("decide", number(code="value.unknown", field="severity"), "--correct", "MILD")
    call("decide", number(code="value.suspect", field="mobile_phone"), "--accept")
    call("decide", number(code="value.suspect", field="nhs_number"), "--correct", NHS[3])
    call("decide", number(code="link.unresolved", sheet="notes"), "--link", "row:1:1")
    call("decide", number(code="link.unresolved", sheet="background"), "--suggestion", "1")
    call("decide", number(code="practitioner.unresolved"), "--release")
    call("decide", "--code", "value.invalid", "--exclude", "--yes")
    call("decide", "--row", "patients:11", "--exclude")
    call("decide", "--row", "patients:11", "--put-back")
    seq = re.search(r"as event (\d+)", review.said[-1].text)
    assert seq
    call("undo", seq[1])


def refused(review: Review) -> None:
    """Commands that are refused, each handed marked values to tell tales of."""
    call, mark, number, folder = review.call, review.mark, review.findings(), review.folder
    unknown = number(code="value.unknown")
    call("decide", unknown, "--correct", mark())
    call("decide", number(code="link.unresolved"), "--correct", " ")
    call("decide", number(code="value.suspect"), "--keep-both")
    call("decide", number(code="patient.duplicate"), "--keep-both")
    call("decide", number(code="patient.duplicate"), "--merge", "row:1:2")
    headless, torn, twice = (folder / "csv" / f"{name}.csv" for name in ("headless", "torn", "twice"))
    lines = (folder / "csv" / "patients.csv").read_bytes().split(b"\r\n")
    headless.write_bytes(b"\r\n".join(lines[1:3]))
    torn.write_bytes(lines[0].replace(b"Last Name", b"Lost") + b"\r\n" + lines[1])
    twice.write_bytes(lines[0].replace(b"City", b"Last Name") + b"\r\n" + lines[1])
    for file in (headless, torn, twice):
        call("ingest", file)
        call("ingest", "--sheet", "patients", file)
    call("ingest", "--encoding", "ascii", folder / "csv" / "notes.csv")
    call("ingest", "--delimiter", "|", folder / "csv" / "notes.csv")
    call("history", "notes", "4000")


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Review]:
    """The marked practice, reviewed once for all tests here, with 64 MiB of memory for DuckDB."""
    folder = tmp_path_factory.mktemp("marked")
    (folder / "csv").mkdir()
    (folder / "tmp").mkdir()
    under_way = Review(folder)
    handler = logging.Handler()
    handler.emit = lambda record: under_way.logged.append(handler.format(record))  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as monkeypatch:
        own_place(monkeypatch, folder)
        monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
        monkeypatch.setenv("STAGER_MEMORY", "64MiB")
        monkeypatch.setattr(tempfile, "tempdir", None)
        logging.getLogger().addHandler(handler)
        go_through(under_way)
        logging.getLogger().removeHandler(handler)
        yield under_way


def own_files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file but the practice's own and what `rejects` wrote."""
    for path, content in every_file(folder):
        if not {"csv", "rejected"} & set(path.relative_to(folder).parts):
            yield path, content


def test_the_practice_meets_every_finding(review: Review) -> None:
    """The marks are in cells that were linked, held, rejected and torn; each kind of finding was raised."""
    with Session(settings_in(review.folder)) as session:
        raised = {each.code for each in session.findings(Filter(state=None))}
        sheets_kept = {sheet.sheet: sheet.records for sheet in session.status().sheets}
    beyond = {Code.PATIENT_WAITING, Code.VALUE_NORMALISED, Code.VALUE_DEFAULTED, Code.PUBLISH_REFUSED}
    assert raised == {each.value for each in Code if each not in beyond}
    assert len(sheets_kept) == len(SHEETS)
    assert {said.code for said in review.said} == {0, 1, 2, 3}, [
        (said.command, said.code) for said in review.said
    ]
    assert [said.command for said in review.said if said.code == 1] == [("status",)]
    assert sum(said.code == 0 for said in review.said) > 30


def test_no_file_shows_a_cell(review: Review) -> None:
    """Staging file, log, spill, keys, heads, fault reports and temporary files show no mark in any form."""
    files = dict(own_files(review.folder))
    assert review.folder / "staging.duckdb" in files
    assert len(files) >= 3
    for path, content in files.items():
        assert shown(content, needles()) == [], path
    practice = dict(every_file(review.folder / "csv"))
    for name in ("patients", "background", "notes", "medications"):
        assert shown(practice[review.folder / "csv" / f"{name}.csv"], forms_of([STEM])), "nothing is marked"


def test_no_output_shows_a_cell(review: Review) -> None:
    """Nothing printed or logged shows a cell; a row's LegacyPatientID stands in `stager rows` alone."""
    for said in review.said:
        assert shown(said.text.encode(), needles(legacy=said.command[0] != "rows")) == [], said.command
    assert shown("\n".join(review.logged).encode(), needles()) == []
    rows = [said.text for said in review.said if said.command[0] == "rows"]
    assert all(LEGACY in text for text in rows)


def test_no_event_shows_a_cell(review: Review) -> None:
    """The log, the findings, decisions and seals can be handed to an auditor."""
    with Session(settings_in(review.folder)) as session:
        staging = session._open().staging
        kinds = staging._execute("select distinct kind from event").fetchall()
        assert len(kinds) >= 13
        for table in ("event", "finding", "decision", "row_state", "standing", "seal", "migration"):
            lines = staging._execute(f"select to_json(whole)::varchar from (select * from {table}) as whole")
            text = "\n".join(row[0] for row in lines.fetchall())
            assert text, table
            assert shown(text.encode(), needles()) == [], table
        typed = staging._execute("select value from correction").fetchall()
        assert any(STEM in (row[0] or "") for row in typed), "what was typed in is kept as a fact"


def refusal(session: Session, finding: Finding, choice: Choice) -> str:
    """All that the refusal of a decision could ever show; a decision that is not refused is undone."""
    try:
        seq = session.decide([finding], choice, actor="lee")
    except StagerError as error:
        return whole_text(error)
    session.undo(seq, actor="lee")
    return ""


def test_no_refusal_shows_a_cell(review: Review) -> None:
    """What a decision is refused with names the row, and neither its cells nor what was typed."""
    choices = (
        Choice(Decision.CORRECT, value=f"{STEM}\0\n"),
        Choice(Decision.MERGE, target="1:2"),
        Choice(Decision.LINK, target="tenant:none"),
        Choice(Decision.ACCEPT),
    )
    with Session(settings_in(review.folder)) as session:
        open_now = session.findings(Filter())[::4]
        texts = [refusal(session, finding, choice) for finding in open_now for choice in choices]
    assert sum(map(bool, texts)) > 20
    assert shown("\n".join(texts).encode(), needles()) == []


def test_a_fault_is_reported_without_what_it_was_about(review: Review) -> None:
    """A fault whose own text quotes a cell leaves a report of its places in the code."""
    assert (review.said[-1].command, review.said[-1].code) == (("status",), 1)
    (report,) = (review.folder / "state").rglob("*.txt")
    assert "ValueError" in report.read_text()
    assert "test_markers.py" in report.read_text()


DIES_SPILLING = """
import os, signal, sys
from pathlib import Path
from stager.session import Intake
from stager.staging import Staging
from tests.marked_practice import LEGACY, NHS, STEM, Marks, needles, sheet_bytes, sheets, shown
from tests.spine import session_in
real, spill = Staging._execute, Path(sys.argv[1], "staging.duckdb.spill")

def execute(self, text, parameters=None):
    if spill.is_dir() and sum(path.stat().st_size for path in spill.iterdir()) > 100_000:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, text, parameters)

Staging._execute = execute
with session_in(Path(sys.argv[1]), STAGER_MEMORY=sys.argv[3]) as session:
    session.ingest([Path(sys.argv[2])], Intake(), actor="eng")
"""


def test_killed_while_it_spills_no_file_shows_a_cell(tmp_path: Path) -> None:
    """With too little memory for the file, and killed with its spills on the disk, nothing can be read."""
    work, file = tmp_path / "work", tmp_path / "notes.csv"
    (work / "tmp").mkdir(parents=True)
    mark = Marks()
    with file.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["PatientID", "Consultation Date", "Clinical Note Text", "Diagnosis"])
        for _ in range(30_000):
            writer.writerow([mark(stem=LEGACY), "2011-12-13", mark("saw ", " " * 200), mark()])
    died = run_python(DIES_SPILLING, work, file, "32MiB", TMPDIR=str(work / "tmp"))
    assert (died.returncode, died.stderr) == (-signal.SIGKILL, "")
    assert any("spill" in str(path) for path, _ in every_file(work))
    sought = forms_of([STEM, LEGACY])
    for path, content in every_file(work):
        assert shown(content, sought) == [], path
    with Session(settings_in(work)) as session:
        assert session.status().sheets == ()
        session.ingest([file], Intake(), actor="eng")
        assert session.status().balances
    for path, content in every_file(work):
        assert shown(content, sought) == [], path


def test_every_column_is_filled() -> None:
    """The practice has a cell in every column of every sheet, and in one that no sheet knows."""
    made = sheets(Marks())
    for sheet in SHEETS:
        filled = {name for row in made[sheet.name] for name, cell in row.items() if cell}
        assert filled == {*(column.name for column in sheet.columns), "Private"}
