"""`make bench` measures every side and says what it found; how fast they are is not asked here."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stager.sheets import SHEET
from stager.tenant.profile import Profile, Protect
from tests.bench import floor, page, rounds, run
from tests.bench.processes import run as run_program
from tests.bench.stager_side import LATE, WAY, late_notes

TINY = ("--patients=200", "--background=200", "--notes=1200", "--medications=400", "--repeat=1")
LINES = (
    "floor: DuckDB reads the files",
    "floor: AES-GCM pass",
    "floor: text COPY",
    "floor, whole",
    "not counted: linking, fetching",
    "dlt's bare load",
    "ingest",
    "reconcile",
    "approve",
    "publish",
    "stager, the four commands",
    "stager import, all in one",
    "the same, beside dlt",
    "status",
    "ingest of ten late notes",
    "reconcile of them",
    "one decision",
    "reconcile after it",
    "approve of the ten",
    "publish of the ten",
    "verify",
    "verify: the log alone",
    "peak memory",
    "staging file",
)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What a run on a tiny practice prints, and the page that it wrote."""
    out = tmp_path_factory.mktemp("bench") / "performance.md"
    shutil.copyfile(run.PAGE, out)
    command = [sys.executable, str(run.ROOT / "tests/bench/run.py"), *TINY, "--write", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, out.read_text(encoding="utf-8")


@pytest.mark.soak
def test_every_line_of_the_table_is_printed(printed: tuple[str, str]) -> None:
    """All parts of every side are there, in their order, and each command has its time and memory."""
    rows = [line.strip("| ").split(" | ") for line in printed[0].splitlines() if line.startswith("| ")][2:]
    assert tuple(row[0] for row in rows) == LINES
    for row in rows:
        if row[0] in (*WAY, *LATE, "status", "verify"):
            assert float(row[1]) > 0, row
            assert float(row[2]) > 0, row
            assert int(row[4]) > 10, row


@pytest.mark.soak
def test_every_side_sent_every_row(printed: tuple[str, str]) -> None:
    """A practice without spoilt rows is in the tenant as a whole, by every way."""
    assert "The floor: 2,000 rows sent." in printed[0]
    assert "Stager: 2,000 rows published" in printed[0]
    assert ("dlt: 2,000 rows loaded." in printed[0]) == (not rounds.missing("dlt"))


@pytest.mark.soak
def test_the_machine_is_described_and_not_named(printed: tuple[str, str]) -> None:
    """The figures say on what they were measured, and neither whose machine it is nor where on it."""
    assert all(f"- {name}: " in printed[0] for name in ("CPU", "RAM", "OS", "Python", "duckdb", "PostgreSQL"))
    assert socket.gethostname() not in printed[0]
    assert not re.search(r"(^|[\s`(])/\w", printed[0])


@pytest.mark.soak
def test_the_page_keeps_its_prose(printed: tuple[str, str]) -> None:
    """Only what stands between the marks is replaced, by what was printed."""
    text, written = printed
    prose = run.PAGE.read_text(encoding="utf-8")
    marks = page.ROUNDS
    before, after = prose.split(marks.begins)[0], prose.split(marks.ends)[1]
    assert written == before + marks.begins + text.rstrip("\n") + "\n" + marks.ends + after


@pytest.mark.soak
def test_sizes_are_written_with_their_pictures(tmp_path: Path) -> None:
    """The table of the sizes is in its own place of the page, the pictures beside it."""
    out = tmp_path / "performance.md"
    shutil.copyfile(run.PAGE, out)
    command = [
        sys.executable,
        str(run.ROOT / "tests/bench/run.py"),
        "--sizes=10k",
        "--write",
        "--out",
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    marks = page.SIZES
    written = out.read_text(encoding="utf-8").split(marks.begins)[1].split(marks.ends)[0]
    assert written == done.stdout.rstrip("\n") + "\n"
    assert "| 10,000 | " in written
    pictures = re.findall(r"\]\((pictures/[^)]+)\)", written)
    assert pictures
    assert all((tmp_path / name).is_file() for name in pictures)


def test_a_page_without_marks_is_refused() -> None:
    """The tables are not written to a page that has no place for them."""
    with pytest.raises(ValueError, match="no place"):
        page.with_tables("# Performance\n", "| table |\n", page.SIZES)


def test_the_page_has_a_place_for_each_table() -> None:
    """What stands between one pair of marks is replaced, and what stands between the other stays."""
    text = run.PAGE.read_text(encoding="utf-8")
    for marks, other in ((page.ROUNDS, page.SIZES), (page.SIZES, page.ROUNDS)):
        new = page.with_tables(text, "a new table\n", marks)
        assert f"{marks.begins}a new table\n{marks.ends}" in new
        kept = text.split(other.begins)[1].split(other.ends)[0]
        assert f"{other.begins}{kept}{other.ends}" in new


def test_the_page_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """An option of the command line has its row in the page, and the other way round."""
    with pytest.raises(SystemExit):
        run.asked(["--help"])
    known = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}
    rows = [line for line in run.PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `--")]
    assert {option for line in rows for option in re.findall(r"--[a-z]+", line.split(" | ")[0])} == known


@pytest.mark.parametrize(
    "wrong",
    [
        ["--dirt=0.1"],
        ["--write", "--only=floor"],
        ["--repeat=0"],
        ["--sizes=5k"],
        ["--sizes=10k", "--only=stager"],
        ["--sizes=10k", "--notes=5"],
    ],
)
def test_what_cannot_be_measured_is_refused(wrong: list[str]) -> None:
    """Spoilt files beside the floor, a page with one side, no runs, no such size: wrong usage."""
    with pytest.raises(SystemExit) as ended:
        run.asked(wrong)
    assert ended.value.code == 2


def test_sizes_are_measured_once_each_the_least_first() -> None:
    """Whatever order they are named in."""
    wanted = run.asked(["--sizes=100k,10k,100k", "--seed=7"])
    assert [practice.total for practice in wanted.sizes] == [10_000, 100_000]
    assert {practice.seed for practice in wanted.sizes} == {7}
    assert run.asked([]).sizes == ()


def test_a_side_that_is_not_installed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra `bench` the others are measured; asked for by name, it is wrong usage."""
    monkeypatch.setitem(rounds.NEEDED, "dlt", ("no_such_module_anywhere",))
    assert run.asked([]).rounds.sides == ("floor", "stager", "import")
    with pytest.raises(SystemExit) as ended:
        run.asked(["--only=dlt"])
    assert ended.value.code == 2
    assert "no_such_module_anywhere" in capsys.readouterr().err


def test_the_sides_take_turns_at_being_first() -> None:
    """In as many rounds as there are sides, each is in each place once."""
    turns = [rounds.in_turn(("a", "b", "c"), number) for number in range(3)]
    assert turns == [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b")]


def test_ten_notes_come_late(tmp_path: Path) -> None:
    """Nine are for patients of the practice, in a sheet with its own columns, and one is for nobody."""
    patients, notes = tmp_path / "patients.csv", tmp_path / "notes.csv"
    patients.write_text("LegacyPatientID,Role\n" + "".join(f"{n:03},PATIENT\n" for n in range(20)))
    notes.write_text("PatientID,Consultation Date,Clinical Note Text,Diagnosis\n")
    late = tmp_path / "late.csv"
    assert late_notes([patients, notes], late) == "000"
    with late.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["PatientID"] for row in rows][:9] == [f"{n:03}" for n in range(9)]
    assert rows[9]["PatientID"] not in {f"{n:03}" for n in range(20)}
    assert len(rows) == len({row["Clinical Note Text"] for row in rows}) == 10


def test_the_floor_fills_the_profiles_tables() -> None:
    """Its rows have the columns of `clinic` but for the blind index, and it seals what `clinic` protects."""
    with duckdb.connect() as duck:
        for sheet in SHEET.values():
            columns = ", ".join(f'"{column.name}" varchar' for column in sheet.columns)
            duck.execute(f"create table {sheet.name} ({columns})")
        for name, query in floor.queries().items():
            duck.execute(f"create table ready_{name} as {query}")
        for table in Profile.load("clinic").tables:
            made = [name for name, *_ in duck.execute(f"describe ready_{table.table}").fetchall()]
            wanted = [column.name for column in table.columns if column.index_of is None]
            assert sorted(made) == sorted([table.id_column, *wanted])
            sealed = tuple(column.name for column in table.columns if column.protect is not Protect.NONE)
            assert floor.PROTECTED.get(table.table, ()) == sealed


def test_the_floor_seals_each_cell_for_its_row() -> None:
    """Every cell opens with its own nonce, table and row, and an empty one stays empty."""
    key = AESGCM(bytes(32))
    rows = [("1", "text", "cough"), ("2", "text", None)]
    sealed = floor.seal("note", rows, [1, 2], key)
    cells = [cell for row in sealed for cell in row if cell]
    assert len({cell[:12] for cell in cells}) == 3
    for row, cell in (("1", sealed[0][0]), ("2", sealed[1][0])):
        assert cell is not None
        assert key.decrypt(cell[:12], cell[12:], f"note:{row}".encode()) == b"text"
    assert sealed[1][1] is None


def test_a_program_is_measured_with_its_children(tmp_path: Path) -> None:
    """Time and output are the program's, memory its own and that of the processes it began."""
    hold = "import time; held = b'x' * 60_000_000; time.sleep(0.6)"
    begin = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {hold!r}])"
    both = f"{begin}; {hold}; child.wait(); print('held')"
    ran = run_program([sys.executable, "-c", both], tmp_path, os.environ)
    assert ran.output == "held\n"
    assert ran.seconds > 0.6
    assert ran.cpu > 0
    assert ran.peak > 120_000_000


def test_a_program_that_fails_ends_the_measurement(tmp_path: Path) -> None:
    """What it said is shown, and no figure is made of it."""
    with pytest.raises(SystemExit, match="no such thing"):
        run_program([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path, os.environ)
