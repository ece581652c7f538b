"""What was altered in the tenant's tables or ledger since publishing is found, and the row or chunk named."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from stager.errors import IntegrityFailed, TenantUnavailable
from stager.publish import one_run
from stager.row_ids import row_id
from tests.postgres import SLUG
from tests.verify_migration import Built, Spoilable

NOTE = "(select id from clinical_data_note order by id limit 1)"
USER = "(select id from users_user where nhs_number is not null and legacy_id <> 'OWN1' order by id limit 1)"

ROWS = {
    "an open column": (
        f"update users_user set last_name = 'Other' where id = {USER}",
        r"chunk 1: row \d+, .* holds another value than the approved one .*users_user\.last_name",
    ),
    "an open column emptied": (
        f"update users_user set gender = null where id = {USER} and gender is not null",
        r"users_user\.gender",
    ),
    "a date": (f"update users_user set date_of_birth = date_of_birth + 1 where id = {USER}", "date_of_birth"),
    "a blind index": (
        f"update users_user set nhs_number_index = decode(repeat('00', 16), 'hex') where id = {USER}",
        r"users_user\.nhs_number_index",
    ),
    "a protected column emptied": (
        f"update users_user set nhs_number = null where id = {USER}",
        "nhs_number",
    ),
    "a protected column filled": (
        (
            "update clinical_data_note set diagnosis = note_text where id ="
            " (select id from clinical_data_note where diagnosis is null order by id limit 1)"
        ),
        r"clinical_data_note\.diagnosis",
    ),
    "a moment": (
        f"update clinical_data_note set consulted_at = consulted_at + interval '1 us' where id = {NOTE}",
        "consulted_at",
    ),
    "a patient": (
        (
            f"update clinical_data_note set patient_id = (select id from users_user where id <> patient_id"
            f" limit 1) where id = {NOTE}"
        ),
        r"clinical_data_note\.patient_id",
    ),
    "a practitioner": (
        "update clinical_data_prescription set practitioner_id = null where practitioner_id is not null",
        "practitioner_id",
    ),
    "a row deleted": (f"delete from clinical_data_note where id = {NOTE}", "is not in the tenant's table"),
    "the last row deleted": (
        (
            "delete from clinical_data_note where id ="
            " (select id from clinical_data_note order by id desc limit 1)"
        ),
        "is not in the tenant's table",
    ),
    "all rows deleted": ("delete from clinical_data_allergy", "is not in the tenant's table"),
    "a row moved to another table": (
        (
            "with gone as (delete from clinical_data_allergy where id ="
            " (select id from clinical_data_allergy order by id limit 1) returning *)"
            " insert into clinical_data_condition select * from gone"
        ),
        "is not in the tenant's table",
    ),
    "a row under another id": (
        f"update clinical_data_note set id = '{'2' * 8}-2222-4222-8222-222222222222' where id = {NOTE}",
        "is not in the tenant's table",
    ),
    "a ledger row edited": ("update stager_ledger set rows = rows + 1 where chunk = 2", "chunk 2 has"),
    "a ledger digest edited": (
        "update stager_ledger set digest = decode(repeat('00', 32), 'hex') where chunk = 2",
        "chunk 2 has another content",
    ),
    "a ledger sheet edited": (
        "update stager_ledger set sheet = 'notes' where chunk = 1",
        "chunk 1 has another",
    ),
    "a ledger range edited": (
        "update stager_ledger set last_event = 1 where chunk = 2",
        "chunk 2 has another",
    ),
    "a ledger refusal added": (
        (
            'update stager_ledger set refused = \'[{"row": "1:1", "sqlstate": "23505"}]\', rows = rows - 1'
            " where chunk = 1"
        ),
        "chunk 1 has other rows",
    ),
    "a ledger seal edited": (
        "update stager_ledger set seal_root = decode(repeat('00', 32), 'hex') where chunk = 3",
        "chunk 3 was committed under a seal",
    ),
    "a ledger row deleted": (
        "delete from stager_ledger where chunk = 2",
        "chunk 2 is not in the tenant's ledger",
    ),
    "a ledger row added": (
        (
            "insert into stager_ledger select migration_id, 99, sheet, first_event, last_event, rows, digest,"
            " refused, seal_size, seal_root, now() from stager_ledger where chunk = 1"
        ),
        "chunk 99 of this migration",
    ),
}

DEEP = {
    "a protected byte": (
        (
            f"update clinical_data_note set note_text = set_byte(note_text, 30, get_byte(note_text, 30) # 1)"
            f" where id = {NOTE}"
        ),
        r"protected field that does not open .*clinical_data_note\.note_text",
    ),
    "a field of another row": (
        (
            "update clinical_data_note set note_text ="
            f" (select note_text from clinical_data_note order by id desc limit 1) where id = {NOTE}"
        ),
        "protected field that does not open",
    ),
    "a field of another column": (
        (
            f"update clinical_data_note set diagnosis = note_text where diagnosis is not null and id = {NOTE}"
            " or id = (select id from clinical_data_note where diagnosis is not null order by id limit 1)"
        ),
        "protected field that does not open",
    ),
}


@pytest.fixture(scope="module")
def opened(built: Built) -> Iterator[Spoilable]:
    with built.opened() as found:
        yield found


@pytest.fixture
def spoil(opened: Spoilable, clone: Callable[[Built], Built]) -> Iterator[Callable[..., Spoilable]]:
    """Give the open migration a tenant database that statements have spoilt."""
    built = opened.built

    def make(*statements: str) -> Spoilable:
        cloned = clone(built)
        cloned.spoil_tenant(*statements)
        (built.folder / "tenants.toml").write_bytes((cloned.folder / "tenants.toml").read_bytes())
        return opened

    yield make
    built.register()


@pytest.mark.parametrize(("statement", "named"), ROWS.values(), ids=ROWS)
def test_altered_rows_and_ledgers_are_named(
    spoil: Callable[..., Spoilable], statement: str, named: str
) -> None:
    """Rows edited, deleted, moved; ledger rows edited, deleted, added."""
    with pytest.raises(IntegrityFailed, match=named) as found:
        spoil(statement).session.verify(SLUG)
    assert found.value.__context__ is None


@pytest.mark.parametrize(("statement", "named"), DEEP.values(), ids=DEEP)
def test_altered_ciphertexts_are_named_by_deep(
    spoil: Callable[..., Spoilable], statement: str, named: str
) -> None:
    """A ciphertext altered or moved is seen when it is opened, and only then."""
    spoilt = spoil(statement)
    spoilt.session.verify(SLUG)
    with pytest.raises(IntegrityFailed, match=named):
        spoilt.session.verify(SLUG, deep=True)


def test_a_row_under_an_id_of_ours_is_one_too_many(
    spoil: Callable[..., Spoilable], opened: Spoilable
) -> None:
    """A row that was never published, put in under the id that it would have, is found."""
    sha256 = next(row[2] for row in opened.staging.rows("sources_of_chunks") if row[0] == 3)
    id_ = row_id(SLUG, "notes", sha256, 3)  # excluded by a person
    spoilt = spoil(
        f"insert into clinical_data_note select '{id_}', patient_id, practitioner_id, consulted_at,"
        " note_type, note_text, diagnosis, clinical_code from clinical_data_note limit 1"
    )
    with pytest.raises(IntegrityFailed, match=r"no chunk put there.*sheet notes, row 3"):
        spoilt.session.verify(SLUG)


def test_rows_of_others_are_none_of_its_business(spoil: Callable[..., Spoilable]) -> None:
    """What the practice's own application writes beside the published rows is not an error."""
    spoilt = spoil(
        "insert into clinical_data_allergy select gen_random_uuid(), patient_id, name, onset_date, severity,"
        " status, clinical_code from clinical_data_allergy limit 3"
    )
    assert spoilt.session.verify(SLUG, deep=True).tenant == SLUG


def test_another_tenants_database_is_unavailable(spoil: Callable[..., Spoilable]) -> None:
    """A database that says it is another tenant's is not looked at."""
    with pytest.raises(TenantUnavailable, match="belongs to the tenant oak"):
        spoil("update stager_tenant set slug = 'oak'").session.verify(SLUG)


def test_drawn_ids_are_held_against_the_lineage(
    built_on_sequences: Built, clone: Callable[[Built], Built]
) -> None:
    """Where ids are drawn, a lineage edited, shortened or lengthened is found."""
    for statement, named in (
        (
            (
                "update stager_lineage set row_no = row_no + 5000"
                " where ctid = (select min(ctid) from stager_lineage)"
            ),
            "has no id in the tenant's lineage|does not have row|not in the lineage",
        ),
        (
            (
                "insert into stager_lineage select sheet, source_sha256, 9999, target_table, 999999"
                " from stager_lineage limit 1"
            ),
            "does not have row 9999",
        ),
    ):
        cloned = clone(built_on_sequences)
        cloned.spoil_tenant(statement)
        with pytest.raises(IntegrityFailed, match=named):
            cloned.verify(tenant=True)


def test_kept_drawn_ids_are_bound(built_on_sequences: Built) -> None:
    """A drawn id, edited or lost in the staging file, is found by the digest in its chunk's event."""
    with built_on_sequences.opened() as opened:
        first = "source_id = 1 and row_no = (select min(row_no) from target_row where source_id = 1)"
        for statement in (
            f"update target_row set target_id = '424242' where {first}",
            f"update target_row set target_table = 'other' where {first}",
            f"delete from target_row where {first}",
        ):
            with opened.spoilt(statement), pytest.raises(IntegrityFailed, match="chunk 1: the ids kept"):
                opened.session.verify()


def test_a_chunk_that_was_not_recorded_yet_is_in_order(
    cloned: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher killed between commit and record leaves no fault; the chunk is counted as unrecorded."""

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with cloned.session() as session:
        session.approve(actor="lead")
        monkeypatch.setattr(one_run, "record_committed", killed)
        with pytest.raises(KeyboardInterrupt):
            session.publish(SLUG, actor="engineer")
        monkeypatch.undo()
        found = session.verify(SLUG, deep=True)
        assert found.unrecorded > 0
        session.publish(SLUG, actor="engineer")
        again = session.verify(SLUG)
        assert (again.unrecorded, again.published) == (0, found.published)


def test_rotated_and_reencrypted_fields_verify(cloned: Built) -> None:
    """After a change of keys every field still opens to the approved value."""
    before = cloned.verify(deep=True).opened
    with cloned.session() as session:
        session.rotate_keys(SLUG)
        assert session.verify(SLUG, deep=True).opened == before
        session.reencrypt(SLUG)
        assert session.verify(SLUG, deep=True).opened == before


def test_a_lost_connection_is_unavailable(cloned: Built) -> None:
    """A database that cannot be reached is exit 5, and no fault of the migration."""
    text = (cloned.folder / "tenants.toml").read_text().replace(cloned.database, "nowhere")
    (cloned.folder / "tenants.toml").write_text(text)
    with pytest.raises(TenantUnavailable):
        cloned.verify(tenant=True)
