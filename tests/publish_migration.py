"""A small migration staged by hand, approved and ready to be published, for the tests of publishing."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stager import sql
from stager.approvals import approve, void_changed
from stager.crypto.keyset import Keyset, new_keyset
from stager.crypto.signing import Signer
from stager.event_log import EventLog
from stager.projections import fold
from stager.publish.publishing import Published, publish
from stager.sheets import SHEET
from stager.staging import Staging
from stager.tenant import postgres
from stager.tenant.postgres import Connection
from stager.tenant.profile import Profile
from stager.tenant.registry import Tenant
from stager.values import Rules
from tests.postgres import SLUG

FILE_KEY = base64.b64encode(bytes(32)).decode()
RULES = Rules(as_of=date(2026, 11, 22), synthetic=True)

PATIENTS = [
    {
        "legacy_id": f"P{number}",
        "first_name": f"First{number}",
        "last_name": "Made-Up",
        "date_of_birth": f"19{50 + number % 50}-03-04",
        "nhs_number": nhs,
        "email": f"p{number}@example.com" if number % 2 else "",
        "gender": "female",
        "postcode": "ls1 4ap",
    }
    for number, nhs in enumerate(
        ["999 000 0018", "9990000026", "", "9990000034", "", "9990000042", "", "9990000050"], start=1
    )
]
"""The last of them is the practice's doctor."""
PATIENTS[-1]["role"] = "CLINICIAN"


def clinical(count: int) -> dict[str, list[dict[str, str]]]:
    """Rows of the three clinical sheets; row n belongs to patient row (n - 1) % 7 + 1."""
    return {
        "background": [
            {
                "name": f"Thing {n}",
                "type": "allergy" if n % 2 else "Medical Condition",
                "onset_date": f"2001-02-{n % 28 + 1:02}",
                "severity": "mild" if n % 3 else "",
                "clinical_code": "10939881000119104"[:0] or "E11.9",
            }
            for n in range(1, count + 1)
        ],
        "notes": [
            {
                "consulted_at": f"2011-07-{n % 28 + 1:02} 09:30",
                "note_text": f"Note {n}\r\nwith “quotes”, a \\. line\n\\.\n and a tab\t",
                "diagnosis": f"Diagnosis {n}" if n % 2 else "",
                "note_type": "gp",
            }
            for n in range(1, count + 1)
        ],
        "medications": [
            {
                "drug_name": f"Drug {n}",
                "frequency": "once a day",
                "prescribed_on": f"2012-05-{n % 28 + 1:02}",
                "strength": "75mg" if n % 2 else "",
                "quantity": "28 tablets",
            }
            for n in range(1, count + 1)
        ],
    }


@dataclass
class Migration:
    """One staging file with its tenant, profile and keys."""

    staging: Staging
    tenant: Tenant
    profile: Profile
    keyset: Keyset = field(default_factory=lambda: new_keyset(SLUG, datetime(2026, 1, 1, tzinfo=UTC)))
    chunk_rows: int = 3
    sources: dict[str, int] = field(default_factory=dict)
    _signer: Signer = field(default_factory=lambda: Signer(bytes(32)))

    @contextmanager
    def writing(self) -> Iterator[EventLog]:
        """One command's events, folded, sealed and committed, as the session does it."""
        with self.staging.transaction():
            log = EventLog(self.staging, "tester", lambda: 1_700_000_000_000_000)
            before = log.head
            yield log
            fold(self.staging)
            void_changed(self.staging, log, before)
            log.seal(self._signer)

    def connect(self) -> Connection:
        return postgres.connect(self.tenant)

    def publish(self, **changed: Any) -> Published:
        """Publish with this migration's settings, but for those given."""
        settings: dict[str, Any] = {
            "writing": self.writing,
            "tenant": self.tenant,
            "profile": self.profile,
            "keyset": self.keyset,
            "connect": self.connect,
            "chunk_rows": self.chunk_rows,
            **changed,
        }
        return publish(self.staging, **settings)

    def add(
        self,
        sheet: str,
        rows: Sequence[Mapping[str, str]],
        links: Sequence[Mapping[str, str] | None] | None = None,
        salt: str = "",
    ) -> int:
        """Stage rows as a source of their own, with their links; the source's number."""
        with self.writing() as log:
            source_id: int = self.staging.one("next_source")
            self._add_facts(sheet, source_id, rows, salt)
            for row_no in range(1, len(rows) + 1):
                detail = {"fingerprint": f"{source_id:08x}{row_no:08x}"}
                log.append("row.accepted", detail, sheet=sheet, source_id=source_id, row_no=row_no)
            for row_no, link in enumerate(links or [], start=1):
                if link is not None:
                    log.append("link.resolved", link, sheet=sheet, source_id=source_id, row_no=row_no)
            log.append("reconcile.finished", {"sources": source_id})
        self.sources[sheet] = source_id
        return source_id

    def approve(self, sheet: str | None = None) -> str:
        """Approve what is ready; the plan's hash."""
        return approve(self.staging, writing=self.writing, sheet=sheet).plan.hash

    def states(self) -> dict[str, int]:
        """Rows by state."""
        return dict(self.staging._execute("select state, count(*) from row_state group by 1").fetchall())

    def events(self, kind: str) -> list[str]:
        """The details of every event of a kind."""
        found = self.staging._execute(
            "select detail from event where kind = $kind order by seq", {"kind": kind}
        )
        return [detail for (detail,) in found.fetchall()]

    def _add_facts(self, sheet: str, source_id: int, rows: Sequence[Mapping[str, str]], salt: str) -> None:
        name = f"{sheet}{source_id}.csv"
        known = {
            "sha256": hashlib.sha256(f"{name}{salt}".encode()).hexdigest(),
            "size": 1,
            "encoding": "utf-8",
            "confidence": 1.0,
            "evidence": "test",
            "delimiter": ",",
            "newline": "\n",
            "columns": "[]",
            "mapping": None,
            "rules": RULES.to_json(),
            "content_root": "00" * 32,
        }
        self.staging.run("add_source", source_id=source_id, sheet=sheet, file_name=name, **known)
        fields = SHEET[sheet].fields
        cells = pl.DataFrame(
            {
                "source_id": [source_id] * len(rows),
                "row_no": list(range(1, len(rows) + 1)),
                "line": list(range(2, len(rows) + 2)),
                "byte_start": [0] * len(rows),
                "byte_len": [1] * len(rows),
                "fingerprint": [bytes(16)] * len(rows),
                **{name: [row.get(name, "") for row in rows] for name in (*fields, "extra")},
            }
        )
        with self.staging.lent(gathered_rows=cells):
            self.staging.run("add_rows", {"table": SHEET[sheet].table, "fields": sql.identifiers(fields)})


def stage_everything(migration: Migration, clinical_rows: int = 14) -> None:
    """All four sheets; notes and medications by the doctor, every other one without a practitioner."""
    patients = migration.add("patients", PATIENTS)
    doctor = f"{patients}:{len(PATIENTS)}"
    for sheet, rows in clinical(clinical_rows).items():
        links: list[Mapping[str, str] | None] = []
        for n in range(1, len(rows) + 1):
            link = {"patient": f"{patients}:{(n - 1) % 7 + 1}", "via": "legacy_id"}
            practised = sheet != "background" and n % 2
            links.append({**link, "practitioner": doctor} if practised else link)
        migration.add(sheet, rows, links)


@pytest.fixture(scope="session")
def everything_staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a staging file of all four sheets, for each test to copy: see `staged_copy`."""
    folder = tmp_path_factory.mktemp("everything")
    made = open_migration(folder, Tenant(slug=SLUG, dsn=""))
    stage_everything(made)
    made.staging.close()
    return folder


def staged_copy(home: Path, folder: Path, tenant: Tenant) -> Migration:
    """A copy of the staging file in `home`, with all four sheets, as that tenant's migration."""
    shutil.copy(home / "staging.duckdb", folder)
    made = open_migration(folder, tenant)
    made.sources |= dict(made.staging._execute("select sheet, source_id from source").fetchall())
    return made


def open_migration(path: Path, tenant: Tenant) -> Migration:
    """The migration of that tenant in that folder, empty where there is none."""
    return Migration(Staging.open(path / "staging.duckdb", FILE_KEY), tenant, Profile.load(tenant.profile))
