"""Stager's side: the commands as a person types them, each a process of its own, from an empty folder."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench.processes import Ran, run

SLUG = "bench"
WAY = ("ingest", "reconcile", "approve", "publish")
"""The commands from the files to the tenant's rows, in their order."""

LATE = (
    "ingest of ten late notes",
    "reconcile of them",
    "one decision",
    "reconcile after it",
    "approve of the ten",
    "publish of the ten",
)
"""What is done after the whole way, when ten notes come late, one of them for nobody who is known."""

_TENANT = ("-t", SLUG)
_STAGING = "staging.duckdb"
_NOBODY = "no such patient"


@dataclass(frozen=True, slots=True)
class StagerRun:
    """One run. ran: by command, or by what of LATE it did. file_size: bytes of staging after the whole way.

    published, events: of the whole way. late: rows that were published after it.
    """

    ran: dict[str, Ran]
    published: int
    late: int
    events: int
    file_size: int

    @property
    def seconds(self) -> float:
        """The whole way."""
        return sum(self.ran[command].seconds for command in WAY)

    @property
    def peak(self) -> int:
        """The most memory that any command held, in bytes."""
        return max(ran.peak for ran in self.ran.values())

    @property
    def verified(self) -> Verified:
        """What `verify` says of itself."""
        said = json.loads(self.ran["verify"].output)
        return Verified(said["seconds"]["log"], said["events_per_second"])


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One run of `stager import`, the whole way in one command. published: rows in the tenant by it."""

    ran: Ran
    published: int


@dataclass(frozen=True, slots=True)
class Verified:
    """log_seconds: the log alone. events_per_second: events by these seconds."""

    log_seconds: float
    events_per_second: int


class Stager:
    """The installed command line, in one folder with one tenant."""

    def __init__(self, folder: Path, dsn: str, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = {**environ, "XDG_CONFIG_HOME": str(folder / "config"), "STAGER_ACTOR": "bench"}
        # TOML takes JSON's strings.
        tenant = f"[tenants.{SLUG}]\ndsn = {json.dumps(dsn)}\nsynthetic = true\n"
        (folder / "tenants.toml").write_text(tenant, encoding="utf-8")

    def __call__(self, *arguments: str) -> Ran:
        """Run one command; SystemExit where it fails."""
        return run([*_command(), "--json", *arguments], self._folder, self._environ)

    def run(self, files: Sequence[Path]) -> StagerRun:
        """The whole way, then `status` and `verify`, then ten notes that come late."""
        ran = {
            "ingest": self("ingest", *map(str, files), *_TENANT),
            "reconcile": self("reconcile", *_TENANT),
            "approve": self("approve"),
            "publish": self("publish", *_TENANT),
            "status": self("status"),
            "verify": self("verify"),
        }
        size = sum(path.stat().st_size for path in self._folder.glob(f"{_STAGING}*") if path.is_file())
        ran |= self._late(files)
        late = json.loads(ran[LATE[-1]].output)["rows"]
        status = json.loads(ran["status"].output)
        return StagerRun(ran, _published(status), late, status["events"], size)

    def bring_in(self, files: Sequence[Path]) -> ImportRun:
        """The whole way by `stager import`."""
        ran = self("import", *map(str, files), *_TENANT, "--yes")
        return ImportRun(ran, _published(json.loads(self("status").output)))

    def _late(self, files: Sequence[Path]) -> dict[str, Ran]:
        """Take ten notes in, decide whose the one is whose patient is not known, publish the ten."""
        known = late_notes(files, self._folder / "late_notes.csv")
        taken_in = [self("ingest", "late_notes.csv", *_TENANT), self("reconcile", *_TENANT)]
        listed = json.loads(self("findings", "--code", "link.unresolved", "--sheet", "notes").output)
        newest = max(finding["id"] for finding in listed["findings"])
        decided = [self("decide", str(newest), "--link", known), self("reconcile", *_TENANT)]
        sent = [self("approve"), self("publish", *_TENANT)]
        return dict(zip(LATE, [*taken_in, *decided, *sent], strict=True))


def _published(status: Mapping[str, Any]) -> int:
    return sum(sheet["states"].get("published", 0) for sheet in status["sheets"])


def late_notes(files: Sequence[Path], out: Path) -> str:
    """Write a sheet of ten notes: nine for patients of the practice, one for nobody. One of the patients."""
    sheets = {path.stem: path for path in files}
    with sheets["patients"].open(encoding="utf-8", newline="") as file:
        patients = [row["LegacyPatientID"] for row in islice(csv.DictReader(file), 9)]
    with sheets["notes"].open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    with out.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, header, restval="")
        sheet.writeheader()
        for number, patient in enumerate([*patients, _NOBODY]):
            note = {"PatientID": patient, "Consultation Date": f"2026-01-05 09:0{number}"}
            sheet.writerow({**note, "Clinical Note Text": f"Came late, number {number + 1} of ten."})
    return patients[0]


def _command() -> list[str]:
    """The console script beside this Python, else what it would call."""
    script = Path(sys.executable).with_name("stager")
    if script.is_file():
        return [str(script)]
    return [sys.executable, "-c", "from stager.cli import run; run()"]
