"""Files read by a process of its own: the same facts and events, and no end of either process costs any."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from sample_data.generate import Practice, generate
from stager.errors import InputRefused, StagerError
from stager.ingest import hands
from stager.session import Intake, intake
from stager.sheets import SHEETS
from tests.migration import Migration, cloned
from tests.running import Place, require_refused
from tests.test_ingest_memory import write_large
from tests.test_rejects import give_back

FACTS = ("source", "source_block", "span")
SOME = Practice(patients=400, background=900, notes=32_000, medications=2_000, dirt=0.02)
THEIRS = """
[columns]
"Pt Ref" = "LegacyPatientID"
[synonyms.Gender]
"1" = "MALE"
[constants]
City = "Samplebury"
"""
THEIR_PATIENTS = """Pt Ref,Forename,Surname,DOB,Sex,Shoe size
7001,Alys,Sample,1980-02-29,1,39
7002,Bram,Sample,1975-11-02,3,"4
1"
7003,Cara,Sam"ple,1975-11-02,1,
"""


@pytest.fixture(autouse=True)
def _little_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read by a process of its own, too."""
    monkeypatch.setattr(hands, "MUCH_BYTES", 1)


def ours() -> list[psutil.Process]:
    """The processes that this one has begun to read files."""
    return [each for each in psutil.Process().children() if "spawn_main" in " ".join(each.cmdline())]


def taken(migration: Migration) -> dict[str, Any]:
    """What stands in the staging file: the root over all events, and of each table of facts a digest."""
    found: dict[str, Any] = {"root": migration.session.status().root}
    for table in (*FACTS, *(sheet.table for sheet in SHEETS)):
        query = f"select count(*), bit_xor(hash({table})) from {table}"
        found[table] = migration.staging._execute(query).fetchone()
    return found


def corrected(cells: dict[str, str]) -> None:
    cells["Clinical Note Text"] = "'=1"


def test_whose_hands_it_is_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of several blocks, with faults, one of them twice; a mapped one; corrected records come back."""
    files = tmp_path / "files"
    manifest = generate(files, SOME)
    sheets = [files / manifest.files[sheet.name].file for sheet in SHEETS]
    begun = Migration(tmp_path / "begun")
    begun.ingest(begun.write("first.csv", "patients", []))  # so that both have the same keys
    begun.close()
    found = {}
    for name, much in (("process", 1), ("thread", 1 << 40)):
        monkeypatch.setattr(hands, "MUCH_BYTES", much)
        migration = cloned(begun.folder, tmp_path / name)
        seen: list[int] = []

        def progress(*_: object, seen: list[int] = seen) -> None:
            seen.append(len(ours()))

        told = Intake(synthetic=True)
        accounts = migration.session.ingest([*sheets, sheets[2]], told, actor="engineer", progress=progress)
        assert [account.known_as for account in accounts].count("notes.csv") == 1
        assert set(seen) == ({1} if name == "process" else {0})
        assert len(seen) > len(sheets)
        (migration.folder / "theirs.toml").write_text(THEIRS)
        (migration.folder / "theirs.csv").write_text(THEIR_PATIENTS)
        migration.ingest(migration.folder / "theirs.csv", mapping=migration.folder / "theirs.toml")
        give_back(migration, "notes-rejects.csv", corrected, "back.csv")
        assert migration.events("row.superseded")
        assert migration.session.verify().events == migration.session.status().events
        found[name] = taken(migration)
        assert ours() == []
        migration.close()
    assert found["process"] == found["thread"]
    assert all(count for count, _ in (found["thread"][table] for table in FACTS))


def test_a_reading_process_that_ends_is_told_and_stages_nothing(tmp_path: Path) -> None:
    """Killed while the first blocks are written: no new staging file is left; a second command does it."""
    generate(tmp_path, SOME)
    files = [tmp_path / f"{name}.csv" for name in ("patients", "background", "notes", "medications")]
    made = Migration(tmp_path / "m")

    def kill(*_: object) -> None:
        for each in ours():
            each.kill()

    with pytest.raises(StagerError, match="ended before its time") as told:
        made.session.ingest(files, Intake(synthetic=True), actor="engineer", progress=kill)
    assert "run the same command again" in told.value.hint
    assert list(made.folder.glob("*.duckdb*")) == []
    made.ingest(*files)
    assert made.session.verify().sources == len(files)
    made.close()


def test_a_file_that_changes_after_it_was_recognised_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the process finds is refused here as if it had been found here: with the file's name, exit 3."""
    made = Migration(tmp_path / "m")
    path = made.write("notes.csv", "notes", [{"patient_ref": "P1", "note_text": "Well."}])
    recognise = intake.open_sources

    def then_changed(*given: Any) -> Any:
        found = recognise(*given)
        path.write_bytes(path.read_bytes().replace(b"Well", b"Ill!"))
        return found

    monkeypatch.setattr(intake, "open_sources", then_changed)
    with pytest.raises(InputRefused, match=r"the file changed while it was read \(notes.csv\)"):
        made.ingest(path)
    assert list(made.folder.glob("*.duckdb*")) == []
    made.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with a file so large that a process of its own reads it, as the command decides."""
    place = Place(tmp_path_factory.mktemp("large"))
    write_large(place.folder / "notes.csv", place.folder / "made", int(1.5 * hands.MUCH_BYTES))
    return place


def reading(theirs: list[psutil.Process], place: Place, pid: int) -> Callable[[], bool]:
    """Reached when the staging file is there and a process of this one has read for a while; notes which."""

    def reached() -> bool:
        try:
            theirs[:] = psutil.Process(pid).children(recursive=True) or theirs
            read = sum(each.cpu_times().user for each in theirs)
        except psutil.NoSuchProcess:
            return False
        return read > 1.0 and place.staging.exists()

    return reached


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_reading_process_ends_with_the_command(
    large: Place, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed, or stopped by Ctrl-C in its terminal: no process is left, nothing is staged."""
    place, theirs = large.copied(tmp_path / "place"), list[psutil.Process]()
    running = place.start("ingest", "--synthetic", "notes.csv")
    reached = reading(theirs, place, running.process.pid)
    called = running.when(reached, number, group=number is signal.SIGINT)
    assert theirs, "it ended before a process was seen"
    assert psutil.wait_procs(theirs, timeout=10)[1] == []
    if number is signal.SIGINT:
        require_refused(called, 130)
        assert not place.staging.exists()
    else:
        with place.session() as session:
            assert session.status().events == 0
