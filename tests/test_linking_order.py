"""Linking again: the order of files, reruns, files that come later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stager.decisions import Decision
from tests.migration import Migration, allergy, drug, nhs, note, patient


@pytest.fixture
def migration(tmp_path: Path) -> Iterator[Migration]:
    made = Migration(tmp_path / "m")
    yield made
    made.close()


def small_practice() -> dict[str, list[dict[str, str]]]:
    """One of everything that links: found, ambiguous, unresolved, repeated, before birth."""
    return {
        "patients": [
            patient("P1", nhs_number=nhs(1), email="ann@example.org"),
            patient("P02"),
            patient("X"),
            patient("X", first_name="Other", last_name="Baker"),
            patient("D1", role="CLINICIAN"),
            patient("H1", gender="odd"),
        ],
        "background": [allergy("P1"), allergy("P02", onset_date="1850-01-01"), allergy("H1"), allergy("P1")],
        "notes": [note("ANN@example.org", practitioner_ref="D1"), note("P2"), note("X"), note("P1")],
        "medications": [drug(nhs(1)), drug("P02", practitioner_ref="P1"), drug("P02")],
    }


def told(migration: Migration) -> list[Any]:
    """Rows and open findings, sources by their sheet's name and not by when they came."""
    names = dict(migration.staging._execute("select source_id::varchar, sheet from source").fetchall())

    def named(places: str | None) -> list[str]:
        parts = [place.split(":") for place in (places or "").split()]
        return sorted(f"{names[source]}:{row}" for source, row in parts)

    findings = [
        (f.sheet, f.row_no, f.code, f.field, f.rule, named(f.related), len(f.suggestions or ""))
        for f in migration.findings()
    ]
    rows = [(r.sheet, r.row, r.state, r.codes, r.patient, r.via) for r in migration.session.rows()]
    return [rows, sorted(findings, key=str)]


def test_the_order_in_which_files_come_makes_no_difference(tmp_path: Path) -> None:
    """All together; each alone and the last first, linked every time; in a third order, linked at the end."""
    sheets = small_practice()
    backwards, mixed = list(sheets)[::-1], ["notes", "patients", "medications", "background"]
    wanted = None
    for number, (order, at_once) in enumerate(((list(sheets), True), (backwards, False), (mixed, True))):
        one = Migration(tmp_path / str(number))
        for name in order:
            one.ingest(one.write(f"{name}.csv", name, sheets[name]))
            if not at_once:
                one.reconcile()
        if at_once:
            one.reconcile()
        wanted = wanted or told(one)
        assert told(one) == wanted, order
        one.close()
    assert wanted
    assert {code for _, _, code, *_ in wanted[1]} >= {"link.ambiguous", "link.unresolved", "row.repeated"}


def test_a_rerun_appends_its_own_event_and_nothing_else(migration: Migration) -> None:
    """Nothing new, nothing said; what a person decided stays decided, whatever the rules still find."""
    migration.take(**small_practice())
    accepted = [("value.suspect", 2), ("row.repeated", 4)]
    findings = [migration.finding(code, "background", row) for code, row in accepted]
    migration.decide(Decision.ACCEPT, *findings)
    migration.decide(Decision.LINK, migration.finding("link.ambiguous", "notes", 3), target="1:4")
    migration.decide(Decision.RELEASE, migration.finding("practitioner.unresolved", "medications", 2))
    before = migration.stand()
    migration.undo(migration.exclude(("patients", "2")))
    events = migration.events()
    outcome = migration.reconcile()
    assert (outcome.linked, outcome.withdrawn, outcome.raised, outcome.closed) == (0, 0, 0, 0)
    assert [kind for _, kind, *_ in migration.events()[len(events) :]] == ["reconcile.finished"]
    assert migration.stand() == before
    assert (migration.row("notes", 3).patient, migration.row("notes", 3).via) == ("X", "decision")


def test_a_file_that_comes_later_ends_as_if_all_had_come_at_once(tmp_path: Path) -> None:
    """A second notes file: only its rows and those that equal one of them are looked at."""
    sheets = small_practice()
    later = [note("P1"), note("P02", "new"), note("nobody", "new"), note("P02", "new")]
    one, other = Migration(tmp_path / "one"), Migration(tmp_path / "other")
    for migration in (one, other):
        files = [migration.write(f"{name}.csv", name, records) for name, records in sheets.items()]
        migration.ingest(*files)
        second = migration.write("notes2.csv", "notes", later)
        if migration is one:
            migration.reconcile()
        migration.ingest(second)
    outcome = one.reconcile()
    other.reconcile()
    assert outcome.rows < 10
    assert told(one) == told(other)
    assert one.stand()["row_state"] == other.stand()["row_state"]
    assert one.row("notes", 1, "notes2.csv").codes == ("row.repeated",)
    one.close()
    other.close()
