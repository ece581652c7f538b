"""A first bulk load: keys and indexes are put off while it goes in, and come back whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from stager.errors import IntegrityFailed
from stager.publish import bulk_load, pipeline, sending
from stager.tenant import ledger, postgres, putting_off
from stager.tenant.comparison import Differs, check
from stager.tenant.postgres import Connection, DataRefused, transaction
from stager.tenant.registry import Tenant
from tests.postgres import defined
from tests.publish_migration import Migration, staged_copy
from tests.test_publish_recovery import Killed, dying, nth

PUT_OFF = {
    "clinical_data_allergy": 2,
    "clinical_data_condition": 2,
    "clinical_data_note": 4,
    "clinical_data_prescription": 4,
}
"""Foreign keys and plain indexes of each table."""

ODD_FORMS = (
    'create index "Odd ""name"" 100%" on clinical_data_note (lower(note_type)) where note_type like \'a%\'',
    "create index on clinical_data_note using hash (note_type) with (fillfactor = 70)",
    "create index described on clinical_data_note (clinical_code)",
    "comment on index described is 'by the practice'",
    "alter table clinical_data_note drop constraint clinical_data_note_patient_id_fkey",
    (
        'alter table clinical_data_note add constraint "whose %s" foreign key (patient_id)'
        " references users_user (id) on delete restrict deferrable initially deferred"
    ),
)


@pytest.fixture
def migration(tmp_path: Path, clinic_tenant: Tenant, everything_staged: Path) -> Iterator[Migration]:
    made = staged_copy(everything_staged, tmp_path, clinic_tenant)
    made.approve()
    yield made
    made.staging.close()


def removable(target: Connection) -> dict[str, int]:
    """How many foreign keys and plain indexes each of the clinical tables has."""
    rows = target.execute(
        "select relid::text, sum(n) from ("
        " select conrelid::regclass as relid, count(*) as n from pg_constraint where contype = 'f' group by 1"
        " union all select indrelid::regclass, count(*)"
        " from pg_index join pg_class on pg_class.oid = indexrelid"
        " where not indisunique and relnamespace = 'public'::regnamespace group by 1"
        ") as each group by 1"
    ).fetchall()
    return {table: int(count) for table, count in rows}


def watching(monkeypatch: pytest.MonkeyPatch, target: Connection) -> list[dict[str, int]]:
    """What stands of keys and indexes at each copy into a table, filled as publishing goes."""
    seen: list[dict[str, int]] = []
    real = sending.copy_into

    def copy_into(*args: Any) -> int:
        seen.append(removable(target))
        return real(*args)

    monkeypatch.setattr(sending, "copy_into", copy_into)
    return seen


def killed_midway(migration: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish, ended after some chunks without a chance to put anything back, as by kill -9."""

    def dead(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "send", nth(sending.send, 9, False, Killed()))
        patched.setattr(bulk_load, "put_back", dead)
        with pytest.raises(Killed):
            migration.publish(writing=dying(migration))


def test_they_are_gone_while_rows_go_in_and_back_afterwards(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are put off at once; primary keys and unique constraints stay; at the end each is as it was."""
    before = defined(target)
    assert removable(target) == PUT_OFF
    seen = watching(monkeypatch, target)
    assert migration.publish().rows == 50
    assert seen
    assert all(each == {} for each in seen)
    assert defined(target) == before
    assert target.execute("select to_regclass('stager_deferred')").fetchall() == [(None,)]


def test_what_is_unique_is_kept_so_meanwhile(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only foreign keys and plain indexes are ever away."""
    unique = [each for each in defined(target) if "UNIQUE" in each[2] or "PRIMARY" in each[2]]
    killed_midway(migration, monkeypatch)
    assert [each for each in defined(target) if "UNIQUE" in each[2] or "PRIMARY" in each[2]] != []
    kept = [each for each in defined(target) if "stager_deferred" not in each[0]]
    assert [each for each in kept if "UNIQUE" in each[2] or "PRIMARY" in each[2]] == unique
    assert not any("FOREIGN" in each[2] for each in kept)


def test_killed_and_put_back_by_the_next_publish(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was put off stands in the tenant; check names each; the next publish begins by putting it back."""
    before = defined(target)
    killed_midway(migration, monkeypatch)
    assert len(putting_off.standing(target)) == sum(PUT_OFF.values())
    found = check(target, migration.tenant, migration.profile)
    assert {each.kind for each in found} == {Differs.PUT_OFF}
    assert len(found) == sum(PUT_OFF.values())
    assert "run stager publish again" in str(found[0])
    done = migration.publish()
    assert done.resumed
    assert migration.states() == {"published": 50}
    assert defined(target) == before
    assert check(target, migration.tenant, migration.profile) == []


def test_killed_when_all_was_recorded(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing left to publish the next publish still puts everything back."""
    before = defined(target)

    def dead(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(putting_off, "put_back", dead)
        with pytest.raises(Killed):
            migration.publish()
    assert migration.states() == {"published": 50}
    assert putting_off.standing(target)
    done = migration.publish()
    assert (done.run, done.rows) == (None, 0)
    assert defined(target) == before


def test_a_stop_puts_them_back(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publish that ends in an error leaves the tables as they were."""
    before = defined(target)
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "send", nth(sending.send, 9, False, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            migration.publish()
    assert defined(target) == before


@pytest.mark.parametrize("why", ["rows", "profile", "few", "lock", "dry"])
def test_left_alone(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """A table with rows, a profile that does not allow it, few rows, a lock in other hands, a rehearsal."""
    before, expected, changed = defined(target), dict(PUT_OFF), dict[str, Any]()
    with psycopg.connect(migration.tenant.dsn) as other:
        if why == "rows":
            own_note(target)
            expected = {"clinical_data_note": PUT_OFF["clinical_data_note"]}
        elif why == "profile":
            tables = tuple(replace(table, bulk_load=False) for table in migration.profile.tables)
            migration.profile = replace(migration.profile, tables=tables)
        elif why == "few":
            changed = {"chunk_rows": 51}
        elif why == "lock":
            other.execute("select count(*) from clinical_data_note")
        else:
            changed = {"dry_run": True}
        seen = watching(monkeypatch, target)
        assert migration.publish(**changed).rows == 50
    assert seen
    assert all(each == expected for each in seen)
    assert defined(target) == before


def own_note(target: Connection) -> None:
    """A note of the tenant's own, of a person of the tenant's own."""
    target.execute(
        "with person as (insert into users_user"
        " (id, legacy_id, username, first_name, last_name, date_of_birth, role)"
        " values (gen_random_uuid(), 'OWN', 'own', 'a', 'b', '1990-01-01', 'PATIENT') returning id)"
        " insert into clinical_data_note (id, patient_id, consulted_at, note_type, note_text)"
        " select gen_random_uuid(), id, now(), 'GP', '' from person"
    )


def test_a_role_that_owns_nothing_goes_on_with_them(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch, new_role: Callable[[], str]
) -> None:
    """The application's role may publish into tables that it may not alter."""
    role = new_role()
    seen = watching(monkeypatch, target)

    def connect() -> Connection:
        connection = postgres.connect(migration.tenant)
        connection.execute(f"set role {role}".encode())
        return connection

    assert migration.publish(connect=connect).rows == 50
    assert seen
    assert all(each == PUT_OFF for each in seen)


@pytest.fixture
def new_role(target: Connection) -> Iterator[Callable[[], str]]:
    """A role that may read and write every table, and owns none."""

    def make() -> str:
        target.execute("create role bulk_writer")
        target.execute("grant select, insert on all tables in schema public to bulk_writer")
        return "bulk_writer"

    yield make
    with suppress(psycopg.Error):
        target.execute("drop owned by bulk_writer")
        target.execute("drop role bulk_writer")


def test_a_person_deleted_meanwhile(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key that rows break is named, without a value; all else is back, and it too once they are gone."""
    before = defined(target)
    real = sending.send

    def send(*args: Any) -> Any:
        sent = real(*args)
        if sent.chunk.sheet == "medications":
            target.execute("delete from users_user where legacy_id = 'P3'")
        return sent

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "send", send)
        with pytest.raises(IntegrityFailed, match=r"foreign key clinical_data_\w+_patient_id_fkey") as told:
            migration.publish()
    assert "(SQLSTATE 23503)" in told.value.message
    assert "P3" not in told.value.message
    assert migration.states() == {"published": 50}
    missing = putting_off.standing(target)
    assert {each.kind for each in missing} == {"foreign key"}
    with pytest.raises(IntegrityFailed, match="cannot be put back"):
        migration.publish()
    for each in PUT_OFF:
        target.execute(
            f"delete from {each} as gone where not exists"
            " (select from users_user where users_user.id = gone.patient_id)".encode()
        )
    migration.publish()
    assert defined(target) == before


def test_a_person_gone_before_is_the_rows_finding(migration: Migration, target: Connection) -> None:
    """Where rows refer to someone who is there no more nothing is put off: the rows are refused by name."""
    migration.publish()
    target.execute("truncate clinical_data_allergy, clinical_data_condition")
    target.execute("truncate clinical_data_note, clinical_data_prescription")
    target.execute("delete from users_user where legacy_id = 'P3'")
    patients = migration.sources["patients"]
    link = {"patient": f"{patients}:3", "via": "legacy_id"}
    rows = [{"consulted_at": "2011-07-01 09:30", "note_text": "late", "note_type": "gp"}] * 4
    added = migration.add("notes", rows, [link] * 4, salt="late")
    migration.approve()
    done = migration.publish()
    assert done.refused == tuple(f"{added}:{number}" for number in range(1, 5))
    refused = [each.refused for each in ledger.read(target, migration.staging.migration_id) if each.refused]
    assert {each["constraint"] for chunk in refused for each in chunk} == {
        "clinical_data_note_patient_id_fkey"
    }


def test_whatever_form_they_have(migration: Migration, target: Connection) -> None:
    """Names that need quotes, expressions, predicates, deferred keys, another schema in the search path:
    all come back the same. What its definition alone does not bring back is not taken."""
    for text in ODD_FORMS:
        target.execute(text.encode())
    before = defined(target)
    with transaction(target, dry_run=True):
        found = putting_off.put_off(target, migration.profile, migration.profile.tables[1:])
        assert {'"Odd ""name"" 100%"', '"whose %s"'} <= {each.name.removeprefix("public.") for each in found}
        assert "public.described" not in {each.name for each in found}
    migration.publish()
    assert defined(target) == before


def test_put_back_by_hand(migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody has made again meanwhile is there; only the rest is put back."""
    before = defined(target)
    killed_midway(migration, monkeypatch)
    for each in putting_off.standing(target)[::2]:
        target.execute(each.restoration)
    migration.publish()
    assert defined(target) == before


def test_two_at_once(migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second publisher is turned away before it could put back what the first has put off."""
    real, turned_away = sending.copy_into, list[str]()

    def copy_into(*args: Any) -> int:
        if not turned_away:
            with pytest.raises(Exception, match="another publisher") as told:
                migration.publish()
            turned_away.append(str(told.value))
            assert removable(target) == {}
        return real(*args)

    monkeypatch.setattr(sending, "copy_into", copy_into)
    assert migration.publish().rows == 50
    assert turned_away


def test_a_broken_key_cannot_come_back_unnoticed(target: Connection, migration: Migration) -> None:
    """A foreign key is validated over the whole table as it comes back."""
    with transaction(target):
        putting_off.put_off(target, migration.profile, migration.profile.tables[1:2])
    target.execute(
        "insert into clinical_data_allergy (id, patient_id, name, onset_date, severity, status)"
        " values (gen_random_uuid(), gen_random_uuid(), 'a', '1990-01-01', 'MILD', 'ACTIVE')"
    )
    [key] = [each for each in putting_off.standing(target) if each.kind == "foreign key"]
    with pytest.raises(IntegrityFailed), transaction(target):
        putting_off.put_back(target, key)
    assert key in putting_off.standing(target)
    with pytest.raises(DataRefused), postgres.guarded():
        target.execute(key.restoration)
