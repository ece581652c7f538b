"""Publishing into an application's own tables: ids from its sequences, its words, its constants, Fernet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stager.crypto.fernet_fields import FernetSealer
from stager.errors import TenantUnavailable, UsageError
from stager.publish import pipeline, sending
from stager.session.reading import find_target
from stager.staging import Staging
from stager.tenant import lineage, postgres
from stager.tenant.postgres import Connection
from stager.tenant.registry import Tenant
from tests.postgres import SLUG
from tests.publish_migration import FILE_KEY, PATIENTS, Migration, clinical, staged_copy
from tests.test_publish_recovery import Killed, dying, nth

TABLES = {
    "accounts_user": 8,
    "records_allergy": 7,
    "records_problem": 7,
    "records_encounter": 14,
    "records_prescription": 14,
}


@pytest.fixture
def migration(tmp_path: Path, django_tenant: Tenant, everything_staged: Path) -> Iterator[Migration]:
    made = staged_copy(everything_staged, tmp_path, django_tenant)
    made.approve()
    yield made
    made.staging.close()


@pytest.fixture
def target(django_tenant: Tenant) -> Iterator[Connection]:
    with postgres.connect(django_tenant) as connection:
        yield connection


def counts(connection: Connection) -> dict[str, int]:
    return {
        table: connection.execute(f"select count(*) from {table}".encode()).fetchall()[0][0]
        for table in TABLES
    }


def drawn(migration: Migration) -> set[tuple[int, int, str, str]]:
    return set(migration.staging._execute("from target_row").fetchall())


def test_rows_get_ids_from_their_sequences(migration: Migration, target: Connection) -> None:
    """Every row has a drawn id, kept in the tenant's lineage and in the staging file; references fit."""
    assert migration.publish().tables == TABLES
    assert counts(target) == TABLES
    kept = target.execute("select row_no, target_table, target_id::text from stager_lineage").fetchall()
    assert sorted(kept) == sorted(row[1:] for row in drawn(migration))
    assert len(kept) == 50
    found = target.execute(
        "select drug, patient.legacy_ref, doctor.legacy_ref from records_prescription as row"
        " join accounts_user as patient on patient.id = user_id"
        " left join accounts_user as doctor on doctor.id = author_id order by row.id limit 2"
    ).fetchall()
    assert found == [("Drug 1 75mg", "P1", "P8"), ("Drug 2", "P2", None)]
    # The application goes on drawing where the import stopped.
    after = target.execute("select nextval('records_note_ids')").fetchall()[0][0]
    assert after > target.execute("select max(id) from records_encounter").fetchall()[0][0]


def test_one_number_is_a_row_of_each_table_that_drew_it(migration: Migration) -> None:
    """Where a row came from is asked by table and id: sequences give the same number more than once."""
    migration.publish()
    rows = drawn(migration)
    ids = [target_id for *_, target_id in rows]
    assert len(set(ids)) < len(ids)
    for source_id, row_no, table, target_id in rows:
        assert find_target(migration.staging, target_id, table) == (source_id, row_no)
    beyond = max(ids, key=int)
    owners = {table for *_, table, target_id in rows if target_id == beyond}
    other = next(table for table in TABLES if table not in owners)
    with pytest.raises(UsageError, match=f"not in {other}"):
        find_target(migration.staging, beyond, other, {other: "notes"})


def test_the_applications_words_and_constants(migration: Migration, target: Connection) -> None:
    """Words are translated, what is absent has the application's stand-in, constants are filled in."""
    migration.publish()
    columns = "sex, role, town, is_active, date_joined::date::text"
    user = f"select {columns} from accounts_user where legacy_ref = 'P8'"
    assert target.execute(user.encode()).fetchall() == [("F", "doctor", "", True, "2026-01-01")]
    allergy = "select severity, is_active, code from records_allergy order by id limit 2"
    assert target.execute(allergy).fetchall() == [(1, True, "E11.9"), (0, True, "E11.9")]


def test_fernet_tokens_open_to_the_source(migration: Migration, target: Connection) -> None:
    """Protected columns hold tokens that the application's encrypted fields read."""
    migration.publish()
    sealer = FernetSealer(migration.keyset, SLUG, "records_encounter", "body")
    rows = target.execute("select body from records_encounter order by id").fetchall()
    texts = [sealer.open(body, b"").decode() for (body,) in rows]
    assert texts == [row["note_text"] for row in clinical(14)["notes"]]


@pytest.mark.parametrize("n", [5, *(pytest.param(n, marks=pytest.mark.soak) for n in (2, 12))])
def test_killed_and_run_again(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    """After a crash no source row has two ids, and the staging file knows them all."""
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "send", nth(sending.send, n, False, Killed()))
        with pytest.raises(Killed):
            migration.publish(writing=dying(migration))
    migration.publish()
    assert counts(target) == TABLES
    assert len(drawn(migration)) == 50
    assert migration.states() == {"published": 50}


def test_a_lost_ledger_doubles_nothing(migration: Migration, target: Connection, tmp_path: Path) -> None:
    """The lineage alone keeps rows from getting a second id."""
    migration.staging.close()
    shutil.copy(migration.staging.path, tmp_path / "older.duckdb")
    migration.staging = Staging.open(migration.staging.path, FILE_KEY)
    migration.publish()
    before = drawn(migration)
    migration.staging.close()
    shutil.copy(tmp_path / "older.duckdb", migration.staging.path)
    migration.staging = Staging.open(migration.staging.path, FILE_KEY)
    target.execute("delete from stager_ledger")
    done = migration.publish()
    assert (done.already, sum(done.tables.values())) == (50, 0)
    assert counts(target) == TABLES
    assert drawn(migration) == before


def test_a_later_run_finds_the_ids_of_earlier_patients(migration: Migration, target: Connection) -> None:
    """Notes approved later hang on the ids that the lineage has of their patients."""
    migration.publish()
    migration.add("notes", clinical(1)["notes"], [{"patient": "1:2", "via": "legacy_id"}])
    migration.approve()
    assert migration.publish().rows == 1
    found = target.execute(
        "select legacy_ref from records_encounter join accounts_user on accounts_user.id = user_id"
        " order by records_encounter.id desc limit 1"
    ).fetchall()
    assert found == [("P2",)]


def test_a_dry_run_leaves_nothing(migration: Migration, target: Connection) -> None:
    """Rows, lineage and ledger are as before; only sequences have moved on, as they do."""
    dry = migration.publish(dry_run=True)
    assert dry.tables == TABLES
    assert sum(counts(target).values()) == 0
    assert target.execute("select count(*) from stager_lineage").fetchall() == [(0,)]
    assert migration.publish().tables == TABLES


def test_a_sequence_behind_its_table_is_said(migration: Migration, target: Connection) -> None:
    """Ids that the table has already are the sequence's fault and no row's."""
    migration.publish()
    target.execute("alter sequence records_note_ids restart with 5")
    migration.add("notes", clinical(1)["notes"], [{"patient": "1:2", "via": "legacy_id"}])
    migration.approve()
    with pytest.raises(TenantUnavailable, match="records_note_ids gives ids") as told:
        migration.publish()
    assert migration.states() == {"published": 50, "approved": 1}
    assert told.value.exit_code == 5


def test_a_word_without_a_translation_is_refused(migration: Migration, target: Connection) -> None:
    """A role of the tenant's own that the profile does not translate is not written as something else."""
    rules = '{"as_of": "2026-11-22", "roles": ["PHARMACIST"], "version": 1}'
    row = {**PATIENTS[0], "legacy_id": "P77", "nhs_number": "", "email": "", "role": "pharmacist"}
    source = migration.add("patients", [row, {**row, "legacy_id": "P78", "role": ""}])
    migration.staging._execute(
        "update source set rules = $rules where source_id = $id", {"rules": rules, "id": source}
    )
    migration.approve()
    done = migration.publish()
    assert done.refused == (f"{source}:1",)
    assert "unwritable role" in migration.events("finding.raised")[0]


def test_a_lost_lineage_is_an_integrity_failure(migration: Migration, target: Connection) -> None:
    """A patient whose drawn id nobody knows any more gets no notes hung on a guess."""
    migration.publish()
    target.execute("delete from stager_lineage where sheet = 'patients' and row_no = 2")
    migration.add("notes", clinical(1)["notes"], [{"patient": "1:2", "via": "legacy_id"}])
    migration.approve()
    with pytest.raises(Exception, match="not in the lineage"):
        migration.publish()
    assert lineage.read_lineage(target, "patients", bytes(32), 1, 9) == {}
