"""A small migration for tests: made-up sheets written to files and taken through a session."""

from __future__ import annotations

import csv
import io
import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from stager.decisions import Choice, Decision, Finding
from stager.records import slices
from stager.session import Filter, Intake, Session, Settings
from stager.session.views import RowLine
from stager.sheets import SHEET
from stager.staging import Staging

Cells = Mapping[str, str]
"""A record's cells by field; fields that are left out are blank."""

TODAY = 1_790_000_000_000_000
"""Microseconds since 1970: a day in September 2026."""

NOT_LOG = ("seq", "raised_seq", "closed_seq", "decided_seq", "approval_seq", "undone_seq", "finding_id")
"""Columns of the projections that say where in the log something stands, and nothing else."""

PATIENT: dict[str, str] = {"first_name": "Ann", "last_name": "Archer", "date_of_birth": "1980-02-29"}
NOTE: dict[str, str] = {"consulted_at": "2020-05-01 10:30", "note_text": "Well."}
ALLERGY: dict[str, str] = {"name": "Penicillin", "type": "ALLERGY", "onset_date": "2001-01-31"}
DRUG: dict[str, str] = {"drug_name": "Ramipril", "frequency": "daily", "prescribed_on": "2020-01-01"}


@cache
def nhs(number: int) -> str:
    """The number-th valid NHS number of the test range, as its ten digits."""
    return next(itertools.islice(_numbers(), number, None))


def _numbers() -> Iterator[str]:
    for nine in range(999_000_000, 999_999_999):
        check = 11 - sum(int(d) * w for d, w in zip(str(nine), range(10, 1, -1), strict=True)) % 11
        if check != 10 and len(set(str(nine))) > 1:
            yield f"{nine}{check % 11}"


def patient(legacy_id: str, **cells: str) -> dict[str, str]:
    """A patient like no other: the first name and the birth date are made from the id."""
    born = f"19{10 + sum(map(ord, legacy_id)) % 80}-0{1 + len(legacy_id) % 9}-11"
    name = "".join(chr(ord("a") + ord(c) % 26) for c in legacy_id) or "x"
    return {"legacy_id": legacy_id, "first_name": name, "last_name": "Archer", "date_of_birth": born, **cells}


def note(patient_ref: str, text: str = "Well.", **cells: str) -> dict[str, str]:
    return {**NOTE, "patient_ref": patient_ref, "note_text": text, **cells}


def allergy(patient_ref: str, name: str = "Penicillin", **cells: str) -> dict[str, str]:
    return {**ALLERGY, "patient_ref": patient_ref, "name": name, **cells}


def drug(patient_ref: str, name: str = "Ramipril", **cells: str) -> dict[str, str]:
    return {**DRUG, "patient_ref": patient_ref, "drug_name": name, **cells}


def people_alike(*numbers: str) -> list[dict[str, str]]:
    """So many patients of one name and birth, with these NHS numbers."""
    same = {"first_name": "Ann", "last_name": "Archer", "date_of_birth": "1980-01-01"}
    return [patient(f"A{i}", nhs_number=number, **same) for i, number in enumerate(numbers, 1)]


def as_csv(sheet: str, records: Sequence[Cells]) -> bytes:
    """The records under all of the sheet's headers, as UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in SHEET[sheet].columns)
    for record in records:
        assert set(record) <= set(SHEET[sheet].fields), set(record) - set(SHEET[sheet].fields)
        writer.writerow(record.get(field, "") for field in SHEET[sheet].fields)
    return text.getvalue().encode()


class Migration:
    """A staging file with its keys in a folder of its own, and a session on it."""

    def __init__(self, folder: Path, *, tenants: str | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if tenants is not None:
            (folder / "tenants.toml").write_text(tenants)
        ticks = itertools.count(TODAY, 1_000_000)
        environ = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
        self.session = Session(Settings(Path("s.duckdb"), environ, folder, clock=lambda: next(ticks)))

    @property
    def staging(self) -> Staging:
        return self.session._open(create=True).staging

    def clone(self, folder: Path) -> Migration:
        """The same migration in another folder, to take another way from here."""
        self.session.close()
        return cloned(self.folder, folder)

    def write(self, name: str, sheet: str, records: Sequence[Cells]) -> Path:
        path = self.folder / name
        path.write_bytes(as_csv(sheet, records))
        return path

    def ingest(self, *files: Path, **told: Any) -> list[Any]:
        return self.session.ingest(files, Intake(synthetic=True, **told), actor="engineer")

    def take(self, **sheets: Sequence[Cells]) -> Migration:
        """Ingest a file of each sheet and reconcile."""
        for sheet, records in sheets.items():
            known = len(list(self.folder.glob(f"{sheet}*.csv")))
            self.ingest(self.write(f"{sheet}{known + 1}.csv", sheet, records))
        self.reconcile()
        return self

    def reconcile(self, tenant: str | None = None) -> Any:
        return self.session.reconcile(actor="engineer", tenant=tenant)

    def rows(self, sheet: str) -> dict[Any, RowLine]:
        """The sheet's rows, by number where it has one file, else by file name and number."""
        lines = list(self.session.rows(sheet=sheet))
        several = len({line.file for line in lines}) > 1
        return {(line.file, line.row) if several else line.row: line for line in lines}

    def row(self, sheet: str, row: int, file: str | None = None) -> RowLine:
        return self.rows(sheet)[row if file is None else (file, row)]

    def codes(self, sheet: str) -> dict[Any, list[str]]:
        """The open codes of the sheet's rows, of those that have any."""
        return {row: list(line.codes) for row, line in self.rows(sheet).items() if line.codes}

    def states(self, sheet: str) -> list[str]:
        return [line.state for line in self.session.rows(sheet=sheet)]

    def findings(self, code: str | None = None, **wanted: Any) -> list[Finding]:
        return self.session.findings(Filter(code=code, **wanted))

    def finding(self, code: str, sheet: str, row: int, **wanted: Any) -> Finding:
        (found,) = self.findings(code, sheet=sheet, row=row, **wanted)
        return found

    def decide(self, decision: Decision, *findings: Finding, **choice: Any) -> int:
        return self.session.decide(findings, Choice(decision, **choice), actor="reviewer")

    def exclude(self, *rows: tuple[str, str]) -> int:
        return self.session.decide_rows(rows, Choice(Decision.EXCLUDE), actor="reviewer")

    def put_back(self, *rows: tuple[str, str]) -> int:
        return self.session.decide_rows(rows, Choice(Decision.PUT_BACK), actor="reviewer")

    def undo(self, seq: int) -> int:
        return self.session.undo(seq, actor="reviewer")

    def approve(self, **told: Any) -> Any:
        return self.session.approve(actor="lead", **told)

    def links(self, sheet: str) -> dict[int, tuple[str | None, str | None]]:
        """Row → the places of its patient and its practitioner."""
        self.session._open()
        query = (
            "select row_no, coalesce(patient_source || ':' || patient_row, 'tenant:' || patient_person), "
            "coalesce(practitioner_source || ':' || practitioner_row, 'tenant:' || practitioner_person) "
            "from row_state where sheet = $sheet"
        )
        found = self.staging._execute(query, {"sheet": sheet}).fetchall()
        return {row: (whom, by) for row, whom, by in found}

    def values(self, sheet: str) -> dict[int, dict[str, Any]]:
        """Row → its typed values as they would be published; of the sheet's last file if it has several."""
        found = {}
        for part in slices(self.staging, SHEET[sheet]):
            for row in part.normalised().values.iter_rows(named=True):
                found[row["row_no"]] = row
        return found

    def events(self, kind: str | None = None) -> list[tuple[Any, ...]]:
        query = "select seq, kind, sheet, source_id, row_no, detail from event order by seq"
        return [row for row in self.staging._execute(query).fetchall() if kind in (None, row[1])]

    def stand(self) -> dict[str, list[str]]:

        queries = {
            "row_state": "true",
            "finding": "state <> 'closed'",
            "decision": "undone_seq is null",
        }
        found = {}
        for table, condition in queries.items():
            described = self.staging._execute(f"describe {table}").fetchall()
            columns = ", ".join(name for name, *_ in described if name not in NOT_LOG)
            query = f"select {{{', '.join(f'{c}: {c}' for c in columns.split(', '))}}}::varchar from {table}"
            found[table] = sorted(
                row[0] for row in self.staging._execute(f"{query} where {condition}").fetchall()
            )
        return found

    @contextmanager
    def nothing_changes(self) -> Iterator[None]:
        """What is done inside leaves log and projections as they are."""
        before = (self.events(), self.stand())
        yield
        assert (self.events(), self.stand()) == before

    def close(self) -> None:
        self.session.close()


class Scene:
    """Records in named groups, so that one migration can stand for many: each group has its own people."""

    def __init__(self) -> None:
        self.records: dict[str, list[Cells]] = {}
        self._at: dict[tuple[str, str], range] = {}

    def add(self, group: str, **sheets: Sequence[Cells]) -> None:
        for sheet, records in sheets.items():
            kept = self.records.setdefault(sheet, [])
            self._at[group, sheet] = range(len(kept) + 1, len(kept) + len(records) + 1)
            kept += records

    def row(self, group: str, sheet: str, number: int) -> int:
        """The row number of the group's number-th record, from 1."""
        return self._at[group, sheet][number - 1]

    def lines(self, migration: Migration, group: str, sheet: str) -> list[RowLine]:
        known = migration.rows(sheet)
        return [known[row] for row in self._at[group, sheet]]

    def codes(self, migration: Migration, group: str, sheet: str) -> dict[int, list[str]]:
        """The open codes of the group's records, numbered from 1, of those that have any."""
        lines = self.lines(migration, group, sheet)
        return {number: list(line.codes) for number, line in enumerate(lines, 1) if line.codes}

    def finding(self, migration: Migration, code: str, group: str, sheet: str, number: int) -> Finding:
        return migration.finding(code, sheet, self.row(group, sheet, number))


def prepared(folder: Path, build: Callable[[Migration], object]) -> Path:
    """A migration built in the folder and closed, for each test to clone."""
    migration = Migration(folder)
    build(migration)
    migration.close()
    return folder


def cloned(home: Path, folder: Path) -> Migration:
    """A copy of a prepared migration."""
    shutil.copytree(home, folder)
    return Migration(folder)
