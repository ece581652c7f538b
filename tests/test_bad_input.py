"""What a person may hand over that cannot be: each refused by the real command, in words that help, and
without a trace: nothing staged, nothing half written, no cell of the file in what is said.

The command is called in this process; in one of its own where the file could make it hang, or its name has
to go through the system's arguments and streams.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.cli_calls import Called, caller, own_place
from tests.running import Place, require_clean, require_refused

MARK = "Mrkqz"
"""Stands in every cell, and must stand in nothing that is said."""

PATIENTS = "LegacyPatientID,First Name,Last Name,Date of Birth\n"
NOTES = "PatientID,Consultation Date,Clinical Note Text\n"


def patient(number: int) -> str:
    return f"{MARK}{number},{MARK},{MARK},19{70 + number}-01-01\n"


GOOD = PATIENTS + patient(1) + patient(2)
Make = Callable[[Path], object]
State = tuple[int, str, tuple[str, ...]]
"""A row's number, state and codes."""


@dataclass(frozen=True, eq=False)
class Case:
    """What is handed over and what comes of it.

    make: puts it in a folder. says: what the words about it hold. rows: those staged, where it is taken.
    alone: in a process of its own.
    """

    name: str
    arguments: Sequence[str]
    make: Make
    says: Sequence[str]
    code: int = 3
    rows: Sequence[State] = ()
    alone: bool = False

    def __str__(self) -> str:
        return self.name


def file(name: str, content: str | bytes) -> Make:
    """Makes one file."""
    return lambda folder: (folder / name).write_bytes(
        content.encode() if isinstance(content, str) else content
    )


def files(**contents: str | bytes) -> Make:
    """Makes CSV files."""
    return lambda folder: [file(f"{name}.csv", content)(folder) for name, content in contents.items()]


def zipped() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("xl/workbook.xml", f"<workbook>{MARK}</workbook>")
    return whole.getvalue()


def linked(folder: Path) -> None:
    file("p.csv", GOOD)(folder)
    (folder / "l.csv").symlink_to("p.csv")


def with_mapping(text: str) -> Make:
    return lambda folder: (file("p.csv", GOOD)(folder), file("m.toml", text)(folder))


WIDE = ",".join(f"column {number}" for number in range(50_000)) + "\n" + ",".join([MARK] * 50_000) + "\n"
LACKING = f"LegacyPatientID,First Name,Date of Brith\n{MARK},{MARK},{MARK}\n"
DOUBLED = PATIENTS[:-1] + f",Last Name\n{MARK},{MARK},{MARK},1970-01-01,{MARK}\n"
STRANGE = "p\n\x1b[31m\u202e.csv"

REFUSED = [
    Case("no such file", ["p.csv"], lambda _: None, ["there is no such file (p.csv)", "check the name"]),
    Case("a folder", ["d.csv"], lambda at: (at / "d.csv").mkdir(), ["this is a folder (d.csv)"]),
    Case("an empty file", ["p.csv"], files(p=""), ["the file is empty (p.csv)", "export it again"]),
    Case("a spreadsheet", ["p.xlsx"], file("p.xlsx", zipped()), [".xlsx", "save it as CSV"]),
    Case("a PDF", ["p.csv"], files(p=b"%PDF-1.7\n%\xe2\xe3\xcf"), ["this is a PDF", "save it as CSV"]),
    Case("gzip", ["p.csv.gz"], file("p.csv.gz", gzip.compress(GOOD.encode())), ["a gzip file", "unpack it"]),
    Case("binary", ["p.csv"], files(p=bytes(range(256)) + bytes(200)), ["binary data", "save it as CSV"]),
    Case(
        "another sheet than said",
        ["--sheet", "patients", "n.csv"],
        files(n=f"{NOTES}{MARK},2020-01-01,{MARK}\n"),
        ["lacks required columns of the sheet patients", "First Name", "n.csv", "patients needs the columns"],
    ),
    Case(
        "a missing column",
        ["p.csv"],
        files(p=LACKING),
        ["lacks required columns", "Last Name, Date of Birth", 'seen: "Date of Brith"', "--mapping"],
    ),
    Case(
        "a doubled column", ["p.csv"], files(p=DOUBLED), ["a column twice", "Last Name", "rename or remove"]
    ),
    Case("no header", ["p.csv"], files(p=patient(1) + patient(2)), ["looks like a record", "p.csv"]),
    Case(
        "50,000 columns", ["p.csv"], files(p=WIDE), ["more than 1,000 columns (p.csv)", "export the columns"]
    ),
    Case("a pattern", ["x*.csv"], files(xa=GOOD, xb=GOOD), ["no such file (x*.csv)", "not as a pattern"]),
    Case("a strange name", [STRANGE], lambda _: None, [r"no such file (p\n\x1b[31m\u202e.csv)"], alone=True),
    Case("a symbolic link", ["l.csv"], linked, ["this is a symbolic link (l.csv)", "name the file"]),
    Case("a pipe", ["f.csv"], lambda at: os.mkfifo(at / "f.csv"), ["not a regular file (f.csv)"], alone=True),
    Case("a device without end", ["/dev/zero"], lambda _: None, ["not a regular file (zero)"], alone=True),
    Case("one of several", ["a.csv", "b.csv"], files(a=GOOD, b=LACKING), ["(b.csv)", "lacks required"]),
    Case("no encoding", ["--encoding", "klingon", "p.csv"], files(p=GOOD), ["no encoding of that", "utf-8"]),
    Case("no text encoding", ["--encoding", "base64", "p.csv"], files(p=GOOD), ["no encoding of that name"]),
    Case("no delimiter", ["--delimiter", "xx", "p.csv"], files(p=GOOD), ["cannot be a delimiter", "or tab"]),
    Case(
        "no sheet", ["--sheet", "pills", "p.csv"], files(p=GOOD), ["no sheet 'pills'", "background"], code=2
    ),
    Case("nothing", [], lambda _: None, ["no file is named", "stager ingest FILE"], code=2),
    Case("a dash", ["-n.csv"], file("-n.csv", GOOD), ["No such option: -n", "stager ingest --help"], code=2),
    Case(
        "no mapping",
        ["--mapping", "m.toml", "p.csv"],
        files(p=GOOD),
        ["no such mapping file (m.toml)"],
        code=2,
    ),
    Case(
        "a mapping that never ends",
        ["--mapping", "/dev/zero", "p.csv"],
        files(p=GOOD),
        ["no such mapping file"],
        code=2,
        alone=True,
    ),
    Case(
        "a mapping that is no TOML",
        ["--mapping", "m.toml", "p.csv"],
        with_mapping("[columns\nx ="),
        ["cannot be read: not TOML", "line 1", "(m.toml)"],
        code=2,
    ),
    Case(
        "a mapping with an unknown key",
        ["--mapping", "m.toml", "p.csv"],
        with_mapping("colums = {}\n"),
        ["unknown key: colums (m.toml)", "did you mean columns?"],
        code=2,
    ),
]

READY: tuple[str, ...] = ()
TAKEN = [
    Case("a header alone", ["p.csv"], files(p=PATIENTS), ["records    0", "no record below it"]),
    Case(
        "NUL bytes in a record",
        ["p.csv"],
        files(p=PATIENTS + patient(1) + patient(2).replace("q", "\0") + patient(3)),
        ["3: 2 read, 1 malformed"],
        rows=[(1, "ready", READY), (2, "rejected", ("row.malformed",)), (3, "ready", READY)],
    ),
    Case(
        "UTF-16 without a mark",
        ["p.csv"],
        files(p=(PATIENTS + patient(1).replace("Mrk", "Mṛk")).encode("utf-16-le")),
        ["utf-16-le", "1: 1 read, 0 malformed"],
        rows=[(1, "ready", READY)],
    ),
    Case(
        "a cell of 50 MB",
        ["p.csv"],
        lambda at: file("p.csv", f"{PATIENTS}1,{MARK * 10_000_000},{MARK},1970-01-01\n{patient(2)}")(at),
        ["2: 1 read, 1 malformed", "bytes      50,000,"],
        rows=[(1, "rejected", ("row.malformed",)), (2, "ready", READY)],
    ),
    Case(
        "a last line cut off",
        ["p.csv"],
        files(p=PATIENTS + patient(1) + patient(2)[:-18]),
        ["2: 1 read, 1 malformed"],
        rows=[(1, "ready", READY), (2, "rejected", ("row.malformed",))],
    ),
    Case(
        "a last line cut off within quotes",
        ["p.csv"],
        files(p=PATIENTS + patient(1) + f'{MARK},{MARK},"{MARK}'),
        ["2: 1 read, 1 malformed"],
        rows=[(1, "ready", READY), (2, "rejected", ("row.malformed",))],
    ),
    Case(
        "a name like a pattern",
        ["p[12].csv"],
        lambda at: (file("p[12].csv", GOOD)(at), file("p1.csv", LACKING)(at)),
        ["p[12].csv: patients"],
        rows=[(1, "ready", READY), (2, "ready", READY)],
    ),
    Case(
        "a question mark",
        ["?.csv"],
        lambda at: (file("?.csv", GOOD)(at), file("a.csv", LACKING)(at)),
        ["?.csv: patients"],
        rows=[(1, "ready", READY), (2, "ready", READY)],
    ),
    Case(
        "a name like an option",
        ["--", "-n.csv"],
        file("-n.csv", GOOD),
        ["-n.csv: patients"],
        rows=[(1, "ready", READY), (2, "ready", READY)],
    ),
    Case(
        "a name that would act",
        [STRANGE],
        file(STRANGE, GOOD),
        [r"p\n\x1b[31m\u202e.csv: patients"],
        rows=[(1, "ready", READY), (2, "ready", READY)],
        alone=True,
    ),
    Case(
        "the same file twice",
        ["p.csv", "p.csv"],
        files(p=GOOD),
        ["already staged, the same bytes, as p.csv"],
        rows=[(1, "ready", READY), (2, "ready", READY)],
    ),
]
TAKEN = [replace(case, code=0) for case in TAKEN]


@dataclass(frozen=True)
class Outcome:
    """What came of a case: the place, what it held before, and the call."""

    place: Place
    before: frozenset[str]
    called: Called


def contents(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir())


@pytest.fixture
def outcome(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Outcome]:
    """The outcome of the case."""
    folder = tmp_path / "case"
    folder.mkdir()
    case.make(folder)
    place, before = Place(folder), contents(folder)
    if case.alone:
        yield Outcome(place, before, place.call("ingest", *case.arguments))
    else:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "STAGER_ACTOR"):
            monkeypatch.setenv(name, place.whole_environ[name])
        monkeypatch.chdir(folder)
        yield Outcome(place, before, caller(capsys)("ingest", *case.arguments))
    for large in folder.glob("*.csv"):
        if large.is_file() and large.stat().st_size > 1 << 20:
            large.unlink()  # pytest keeps its folders


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused_and_nothing_left_behind(outcome: Outcome, case: Case) -> None:
    """The exit code and the words are right, and the folder is as it was: no staging file, no key."""
    require_refused(outcome.called, case.code, *case.says)
    require_clean(outcome.called, MARK)
    assert outcome.called.out == ""
    assert contents(outcome.place.folder) == outcome.before


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_taken_and_accounted_for(outcome: Outcome, case: Case) -> None:
    """What can be read is staged, what cannot is rejected by its row, and the account says so."""
    assert outcome.called.code == 0, outcome.called.err
    for each in case.says:
        assert each in outcome.called.out
    require_clean(outcome.called, MARK)
    with outcome.place.session() as session:
        assert [(row.row, row.state, row.codes) for row in session.rows()] == list(case.rows)
        assert all(sheet.balances for sheet in session.status().sheets)


def test_refusals_leave_a_staging_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is a staging file already, not a byte of it changes."""
    own_place(monkeypatch, tmp_path)
    stager = caller(capsys)
    file("other.csv", PATIENTS + patient(5))(tmp_path)
    stager("ingest", "other.csv").done()
    before = Path("staging.duckdb").read_bytes()
    for number, case in enumerate(REFUSED):
        folder = tmp_path / str(number)
        folder.mkdir()
        case.make(folder)
        monkeypatch.chdir(folder)
        assert stager("--staging", tmp_path / "staging.duckdb", "ingest", *case.arguments).code == case.code
        assert (tmp_path / "staging.duckdb").read_bytes() == before, case.name
