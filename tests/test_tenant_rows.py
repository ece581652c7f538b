"""What goes in and out of a tenant: rows, ids, ledger, lineage, the snapshot of its people."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator

import polars as pl
import pytest
from msgspec.structs import replace

from stager.errors import IntegrityFailed, StagerError
from stager.row_ids import row_id
from stager.tenant import lineage, people, postgres
from stager.tenant.copying import copy_into, existing_ids
from stager.tenant.ledger import LedgerEntry, advisory_lock, read, write
from stager.tenant.lineage import LineageRow
from stager.tenant.postgres import Connection, DataRefused, transaction
from stager.tenant.profile import Profile
from stager.tenant.registry import Tenant
from tests.postgres import DJANGO_PROFILE

CLINIC = Profile.load("clinic")
DJANGO = Profile.load(DJANGO_PROFILE)
MARKER = "MRK-Penelope"


def pgcopy(*rows: tuple[bytes | None, ...]) -> bytes:
    """A stream in Postgres's binary COPY format."""
    fields = b""
    for row in rows:
        fields += struct.pack(">h", len(row))
        for value in row:
            fields += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value
    return b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0) + fields + struct.pack(">h", -1)


def person(number: int, legacy: str, first_name: bytes | None = b"A") -> tuple[bytes | None, ...]:
    """A row of users_user: id, legacy_id, username, first_name, last_name, date_of_birth, role."""
    text = legacy.encode()
    return (uuid.UUID(int=number).bytes, text, text, first_name, b"B", struct.pack(">i", 0), b"PATIENT")


COLUMNS = ("id", "legacy_id", "username", "first_name", "last_name", "date_of_birth", "role")


def test_copied_rows_arrive_to_the_byte(clinic: Connection) -> None:
    """A stream cut anywhere is one COPY: a lone backslash-dot, tabs and line breaks are only text."""
    name = '\\.\n\t"\\N\r\n\u2028Ä'.encode()
    stream = pgcopy(person(1, "P1", name), person(2, "P2"))
    with transaction(clinic):
        assert copy_into(clinic, "users_user", COLUMNS, [stream[:30], stream[30:77], stream[77:]]) == 2
    row = clinic.execute("select first_name, date_of_birth::text from users_user where legacy_id = 'P1'")
    assert row.fetchone() == (name.decode(), "2000-01-01")


@pytest.mark.parametrize(
    ("bad", "sqlstate", "column"),
    [
        (person(3, "P1"), "23505", None),
        (person(3, "P3", None), "23502", "first_name"),
        (person(3, "P3", MARKER.encode() + b"\0"), "22021", "first_name"),
        (person(3, "P3", MARKER.encode() + b"\xff"), "22021", "first_name"),
    ],
)
def test_a_refused_row_is_named_by_its_line(
    clinic: Connection, bad: tuple[bytes | None, ...], sqlstate: str, column: str | None
) -> None:
    """The third record of the stream is at fault, nothing of it is in, and no value is shown."""
    with pytest.raises(DataRefused) as caught, transaction(clinic):
        copy_into(
            clinic, "users_user", COLUMNS, [pgcopy(person(1, "P1"), person(2, "P2"), bad, person(4, "P4"))]
        )
    assert (caught.value.sqlstate, caught.value.line, caught.value.column) == (sqlstate, 3, column)
    assert MARKER not in str(caught.value)
    assert clinic.execute("select count(*) from users_user").fetchone() == (0,)


def test_a_wrong_stream_is_not_a_rows_fault(clinic: Connection) -> None:
    """Bytes that are no COPY data are stager's own fault: bisecting them would blame every row."""
    with pytest.raises(StagerError) as caught, transaction(clinic):
        copy_into(clinic, "users_user", COLUMNS, [b"nonsense that is long enough for a header"])
    assert type(caught.value) is StagerError
    with pytest.raises(StagerError) as caught, transaction(clinic):
        copy_into(clinic, "users_user", COLUMNS[:2], [pgcopy(person(1, "P1"))])
    assert type(caught.value) is StagerError


def test_an_error_while_encoding_ends_the_copy(clinic: Connection) -> None:
    """What the source of the data raises comes out as it is, and the rows sent so far are not in."""

    def data() -> Iterator[bytes]:
        yield pgcopy(person(1, "P1"))[:-2]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), transaction(clinic):
        copy_into(clinic, "users_user", COLUMNS, data())
    assert clinic.execute("select count(*) from users_user").fetchone() == (0,)


def test_existing_ids_are_found(clinic: Connection, django: Connection) -> None:
    """Which of some ids a table has, uuids and bigints alike."""
    with transaction(clinic):
        copy_into(clinic, "users_user", COLUMNS, [pgcopy(person(1, "P1"), person(2, "P2"))])
    asked = [str(uuid.UUID(int=number)) for number in (2, 3)]
    assert existing_ids(clinic, CLINIC.people, asked) == {asked[0]}
    assert existing_ids(clinic, CLINIC.people, []) == frozenset()
    assert existing_ids(django, DJANGO.people, ["1"]) == frozenset()


ENTRY = LedgerEntry(
    migration_id="m1",
    chunk=3,
    sheet="notes",
    first_event=10,
    last_event=20,
    rows=9,
    digest=b"\1" * 32,
    refused=({"source": 1, "row": 7, "sqlstate": "23505", "constraint": "some_key"},),
    seal_size=100,
    seal_root=b"\2" * 32,
)


def test_a_ledger_entry_comes_back_as_it_was_written(clinic: Connection) -> None:
    """Entries are read in the order of their chunks, for one migration, with the server's time."""
    with transaction(clinic):
        for entry in (ENTRY, replace(ENTRY, chunk=1), replace(ENTRY, migration_id="m2")):
            assert write(clinic, entry) is True
    found = read(clinic, "m1")
    assert [entry.chunk for entry in found] == [1, 3]
    assert found[1].written_at is not None
    assert replace(found[1], written_at=None) == ENTRY
    assert read(clinic, "m3") == []


def test_the_same_chunk_again_is_said_and_not_written(clinic: Connection) -> None:
    """A rerun learns that the chunk is in, also where the staging file's seal has moved on."""
    with transaction(clinic):
        assert write(clinic, ENTRY) is True
        assert write(clinic, ENTRY) is False
    with transaction(clinic):
        assert write(clinic, replace(ENTRY, seal_size=300, seal_root=b"\3" * 32)) is False
    assert len(read(clinic, "m1")) == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(ENTRY, digest=b"\4" * 32),
        replace(ENTRY, sheet="patients"),
        replace(ENTRY, first_event=11),
        replace(ENTRY, last_event=21),
    ],
)
def test_another_content_under_a_used_key_is_refused(clinic: Connection, other: LedgerEntry) -> None:
    """A chunk number that was used for something else is an integrity failure, exit 6."""
    with transaction(clinic):
        write(clinic, ENTRY)
    with pytest.raises(IntegrityFailed, match="chunk 3") as caught, transaction(clinic):
        write(clinic, other)
    assert caught.value.exit_code == 6
    assert replace(read(clinic, "m1")[0], written_at=None) == ENTRY


def test_one_publisher_at_a_time(clinic: Connection, clinic_tenant: Tenant) -> None:
    """The second is refused while the first one's transaction lasts; another tenant is not concerned."""
    with postgres.connect(clinic_tenant) as second:
        with transaction(clinic):
            assert advisory_lock(clinic, "maple-surgery") is True
            with transaction(second):
                assert advisory_lock(second, "maple-surgery") is False
                assert advisory_lock(second, "oak-practice") is True
        with transaction(second):
            assert advisory_lock(second, "maple-surgery") is True


def test_a_lock_outside_a_transaction_is_a_fault(clinic: Connection) -> None:
    """It would be released at once and protect nothing."""
    with pytest.raises(StagerError, match="outside a transaction"):
        advisory_lock(clinic, "maple-surgery")


def test_ids_are_drawn_from_the_tables_own_sequence(django: Connection) -> None:
    """A block ascends, never repeats, and the application's next row comes after it."""
    sequence = DJANGO.tables_of("notes")[0].sequence
    assert sequence == "records_note_ids"
    first = lineage.draw_ids(django, sequence, 1000)
    assert first == list(range(first[0], first[0] + 1000))
    assert lineage.draw_ids(django, sequence, 1)[0] > first[-1]
    assert lineage.draw_ids(django, sequence, 0) == []


SOURCE = bytes(range(32))
KEPT = [LineageRow("notes", SOURCE, row_no, "records_encounter", 100 + row_no) for row_no in (1, 2, 5)]


def test_lineage_leads_from_a_source_row_to_its_id_and_back(django: Connection) -> None:
    """A slice of a source's rows is read with its tables and ids; an id leads to its source row."""
    with transaction(django):
        assert lineage.write_lineage(django, KEPT) == 3
    assert lineage.read_lineage(django, "notes", SOURCE, 2, 9) == {
        2: ("records_encounter", 102),
        5: ("records_encounter", 105),
    }
    assert lineage.read_lineage(django, "patients", SOURCE, 1, 9) == {}
    assert lineage.source_of(django, "records_encounter", 105) == KEPT[2]
    assert lineage.source_of(django, "records_encounter", 106) is None


@pytest.mark.parametrize(
    "again", [replace(KEPT[0], target_id=999), LineageRow("notes", SOURCE, 77, "records_encounter", 101)]
)
def test_a_source_row_gets_one_id_for_ever(django: Connection, again: LineageRow) -> None:
    """Neither a second id for a row nor a second row for an id."""
    with transaction(django):
        lineage.write_lineage(django, KEPT)
    with pytest.raises(IntegrityFailed) as caught, transaction(django):
        lineage.write_lineage(django, [again])
    assert caught.value.__cause__ is None


ADD_USER = (
    "insert into accounts_user (password, is_superuser, is_staff, is_active, date_joined, username,"
    " first_name, last_name, email, birth_date, phone, sex, address, town, postcode, next_of_kin,"
    " next_of_kin_phone, role) values ('!', false, false, true, now(), %s, '', '', '', '1990-01-01',"
    " '', 'N', '', '', '', '', '', %s)"
)
OTHERS = people.Migration("oak", ["ab" * 32])
"""A migration that brought nobody yet."""


def own_people(connection: Connection, profile: Profile, but: people.Migration = OTHERS) -> pl.DataFrame:
    """The tenant's own people as a frame, looked at as reconciling does."""
    text = people.read(connection, profile, but)
    found = people.framed(text)
    assert people.count(connection, profile, but) == found.height
    assert people.lines_of(text) == people.lines(found)
    assert found.schema == people.framed(b"").schema
    return found


def add_person(connection: Connection, id_: uuid.UUID, legacy_id: str, role: str = "PATIENT") -> None:
    connection.execute(
        "insert into users_user (id, legacy_id, username, first_name, last_name, date_of_birth, role)"
        " values (%s, %s, %s, 'A', 'B', '1990-01-01', %s)",
        [id_, legacy_id, id_, role],
    )


def test_the_snapshot_of_a_clinic(clinic: Connection) -> None:
    """Everyone is in it, staff too; blanks are NULL, and the blind index comes as its 16 bytes."""
    clinic.execute(
        "insert into users_user (id, legacy_id, username, first_name, last_name, date_of_birth,"
        " nhs_number_index, email, role) values"
        " (%(a)s, 'P1', 'u1', 'A', 'B', '1990-01-01', %(index)s, 'a@example.org', 'PATIENT'),"
        " (%(b)s, ' ', 'u2', 'C', 'D', '1990-01-01', null, '', 'CLINICIAN')",
        {"a": uuid.UUID(int=1), "b": uuid.UUID(int=2), "index": b"\1" * 16},
    )
    assert own_people(clinic, CLINIC).rows() == [
        (str(uuid.UUID(int=1)), "P1", b"\1" * 16, "a@example.org", "PATIENT"),
        (str(uuid.UUID(int=2)), None, None, None, "CLINICIAN"),
    ]


def test_the_snapshot_of_an_application_speaks_the_sheets_words(django: Connection) -> None:
    """The application's `doctor` is the sheet's CLINICIAN; a role that is not mapped stays as it is."""
    for username, role in (("u1", "doctor"), ("u2", "pharmacist")):
        django.execute(ADD_USER, [username, role])
    found = own_people(django, DJANGO)
    assert found["target_id"].to_list() == ["1", "2"]
    assert found["role"].to_list() == ["CLINICIAN", "pharmacist"]


@pytest.mark.parametrize(
    "odd", ['say "x"', "a,b", "two\nlines", "two\r\nlines", "\r", "\\.", "\\N", "'", "Ä\u2028"]
)
def test_whatever_the_tenant_writes_is_read(clinic: Connection, odd: str) -> None:
    """Text that CSV has to quote comes as it stands, among text that it need not."""
    for number, legacy_id in enumerate(["P0", odd, f"P{odd}2"], 1):
        add_person(clinic, uuid.UUID(int=number), legacy_id)
    assert own_people(clinic, CLINIC)["legacy_id"].to_list() == ["P0", odd.strip(" "), f"P{odd}2"]


def test_many_people_are_read_whole(clinic: Connection) -> None:
    """None is lost between the pieces they come in; a line break or a quote inside a text ends nothing."""
    clinic.execute(
        "insert into users_user (id, legacy_id, username, first_name, last_name, date_of_birth, role)"
        " select gen_random_uuid(), case n % 1000 when 0 then n || e'\\n\"P' else n::text end, n, 'A', 'B',"
        " '1990-01-01', 'PATIENT' from generate_series(1, 50001) as n"
    )
    found = own_people(clinic, CLINIC)
    assert found.height == found["legacy_id"].n_unique() == 50_001
    assert found["legacy_id"].str.contains('\n"P', literal=True).sum() == 50


def test_whom_the_migration_brought_is_not_the_tenants_own(clinic: Connection) -> None:
    """Whatever row of one of its files it was; another file's, sheet's or tenant's person is."""
    ours = [
        row_id("oak", "patients", sha256, row) for sha256 in ("ab" * 32, "cd" * 32) for row in (1, 70_000)
    ]
    theirs = [
        row_id("oak", "patients", "ef" * 32, 1),
        row_id("elm", "patients", "ab" * 32, 1),
        uuid.UUID(int=1),
    ]
    for number, each in enumerate([*ours, *theirs]):
        add_person(clinic, each, f"P{number}")
    found = own_people(clinic, CLINIC, people.Migration("oak", ["ab" * 32, "cd" * 32]))
    assert found["target_id"].to_list() == sorted(map(str, theirs))
    nobody = people.Migration("oak", [])
    assert people.count(clinic, CLINIC, nobody) == len(ours + theirs)


def test_whom_the_migration_drew_an_id_for_is_not_the_applications_own(django: Connection) -> None:
    """The lineage knows whose rows they were; a number that another table drew is nobody's."""
    for username in ("u1", "u2", "u3"):
        django.execute(ADD_USER, [username, "patient"])
    with transaction(django):
        lineage.write_lineage(
            django,
            [
                LineageRow("patients", bytes.fromhex("ab" * 32), 1, "accounts_user", 1),
                LineageRow("notes", bytes.fromhex("ab" * 32), 1, "records_note", 2),
                LineageRow("patients", bytes.fromhex("ef" * 32), 1, "accounts_user", 3),
            ],
        )
    assert own_people(django, DJANGO)["target_id"].to_list() == ["2", "3"]
    assert people.count(django, DJANGO, people.Migration("oak", [])) == 3


def test_an_empty_tenant_has_nobody(clinic: Connection) -> None:
    """No people is a frame with its columns and no rows."""
    assert people.read(clinic, CLINIC, OTHERS) == b""
    assert own_people(clinic, CLINIC).is_empty()
