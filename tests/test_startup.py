"""How soon a command begins: what is read from disk before the first answer, and what is not."""

from __future__ import annotations

from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, walk_packages
from types import ModuleType

import pytest
from msgspec import Struct

import stager
import tui
from stager import decisions, session
from tests.running import Place
from tests.spine import run_python

STAGES = ("polars", "pyarrow", "numpy", "psycopg", "psutil", "textual")
"""The libraries that the stages, the screens and a file that is held bring, the slowest to be read."""

CALL = """
import sys
from stager.cli import main
code = main(sys.argv[2:])
print("loaded:", *(name for name in sys.argv[1].split() if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


CODES = """
import sys
from datetime import date
import polars
from stager.sheets import NOTES
from stager.values import Rules, normalise
cells = polars.DataFrame({"source_id": [1, 1], "row_no": [1, 2], "clinical_code": ["22298006", None]})
read = normalise(NOTES, cells, Rules(as_of=date(2026, 1, 2)), ["clinical_code"])
print(read.values["clinical_code"].to_list(), "numpy" in sys.modules, "numpy.ma" in sys.modules)
"""


BEGUN = """
import os, sys
from stager.cli import main
from stager.ingest import hands

def begun(files):
    print("begun with:", *(name for name in sys.argv[1].split() if name in sys.modules), flush=True)
    os._exit(7)

hands.hands = begun
main(sys.argv[2:])
"""


LOOKED_FOR = """
import sys
from stager.cli import main
code = main(sys.argv[1:])

class Asked:
    def find_spec(self, name, path=None, target=None):
        print("looked for", name)
        return None

import duckdb
from stager.staging.file import _Lent
import polars
sys.meta_path.insert(1, Asked())  # behind ours, and before those that look on the disk
with duckdb.connect() as connection:
    for value in (1, "text", b"bytes", ["a", "list"]):
        connection.execute("select $value", {"value": value}).fetchall()
    connection.register("lent", _Lent(polars.DataFrame({"number": [1]})))
    assert connection.execute("select number from lent").fetchall() == [(1,)]
sys.exit(code)
"""


@pytest.fixture
def place(staged: Path, tmp_path: Path) -> Place:
    """A practice, staged and reconciled, of one's own."""
    return Place(staged).copied(tmp_path / "place")


def _loaded(place: Place, libraries: tuple[str, ...], *command: str) -> list[str]:
    told = (" ".join(libraries), "--staging", str(place.staging), *command)
    called = run_python(CALL, *told, **place.whole_environ)
    assert called.returncode == 0, called.stderr
    return called.stderr.rpartition("loaded:")[2].split()


@pytest.mark.parametrize("command", [["status"], ["findings"], ["decide", "--help"]])
def test_what_needs_no_stage_waits_for_none(place: Place, command: list[str]) -> None:
    """The account and the findings are asked of DuckDB alone."""
    assert _loaded(place, STAGES, *command) == []


def test_where_nothing_happened_no_row_is_linked_anew(place: Place) -> None:
    """Nor is what links rows read: a decision was linked inside its own command."""
    assert _loaded(place, ("polars", "pyarrow", "numpy"), "reconcile") == []


def test_help_opens_nothing(place: Place) -> None:
    """Nor is DuckDB read for the program's own page."""
    assert _loaded(place, (*STAGES, "duckdb", "cryptography"), "--help") == []


def test_what_is_looked_for_is_found(place: Place) -> None:
    """The libraries would be seen if they were read: to show rows' columns they are."""
    assert {"polars", "pyarrow", "numpy"} <= set(_loaded(place, STAGES, "history", "patients", "1"))


def test_to_read_a_file_brings_no_library_that_nothing_asks_for(place: Place) -> None:
    """Neither another library's frames nor all of Arrow's functions: polars brings them where it can."""
    file = place.folder / "more.csv"
    file.write_text(
        "PatientID,Drug Name,Frequency / Instructions,Prescription Date\n1,Samplazole,daily,2020-01-02\n"
    )
    unused = ("pandas", "pyarrow.dataset", "pyarrow.compute")
    assert _loaded(place, unused, "ingest", str(file), "--sheet", "medications", "--dry-run") == []


def test_to_check_codes_takes_no_masked_arrays() -> None:
    """Numpy would read all that it has for those, in each `publish` of a few rows."""
    called = run_python(CODES)
    assert (called.stdout, called.stderr) == ("['22298006', None] True False\n", "")


def test_the_process_that_reads_files_is_begun_before_the_libraries_are_read(place: Place) -> None:
    """It reads its own meanwhile. DuckDB is there by then: the session itself brings it."""
    libraries = " ".join((*STAGES, "duckdb"))
    called = run_python(BEGUN, libraries, "ingest", "any.csv", **place.whole_environ)
    assert (called.stdout, called.stderr, called.returncode) == ("begun with: duckdb\n", "", 7)


@pytest.mark.parametrize("module", ["stager.ingest.making", "stager.publish.handing"])
def test_processes_that_make_rows_ready_read_no_database(module: str) -> None:
    """They are begun anew for every large command, and touch neither the staging file nor a tenant."""
    called = run_python(f"import sys, {module}; print(*{{'duckdb', 'psycopg'}} & sys.modules.keys())")
    assert (called.stdout.split(), called.stderr) == ([], "")


def test_duckdb_looks_for_no_library_that_it_is_handed_nothing_of(place: Place) -> None:
    """It did for each parameter, which took longer than the statement."""
    called = run_python(LOOKED_FOR, "--version", **place.whole_environ)
    assert called.returncode == 0, called.stderr
    looked_for = set(called.stdout.split()) & {"pandas", "pyarrow.dataset"}
    assert not looked_for


@pytest.mark.parametrize("package", [stager, tui])
def test_no_record_is_a_dataclass(package: ModuleType) -> None:
    """Its methods are compiled anew at every start, half a millisecond of it; those of a Struct are not."""
    names = [each.name for each in walk_packages(package.__path__, f"{package.__name__}.")]
    classes = {
        each
        for name in names
        if not name.endswith("__main__")
        for each in vars(import_module(name)).values()
        if isinstance(each, type) and each.__module__.startswith(f"{package.__name__}.")
    }
    assert any(issubclass(each, Struct) for each in classes)
    assert not [each for each in classes if is_dataclass(each)]


@pytest.mark.parametrize("package", [session, decisions])
def test_every_name_of_a_package_is_there(package: ModuleType) -> None:
    """Also those that are looked up only when asked for; any other is refused as Python does.

    None is the name of a module, too: whichever is read first would stand for both.
    """
    modules = {each.name for each in iter_modules(package.__path__)}
    assert not modules & set(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing
