"""A target profile: which of the tenant's tables and columns take what of the sheets, as values.

A profile is written in TOML (`profile_file` reads it, docs/tenants.md explains it); the built-in
`clinic` is `profiles/clinic.toml`. Everything here is frozen and plain, so that a profile can be
compared, hashed, and sent to a worker process.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, to_builtins

if TYPE_CHECKING:
    from psycopg import sql

Constant = str | int | bool | date | datetime
"""What a profile may write outright: text, a number, true or false, a date, a moment with its offset."""


class Protect(Enum):
    """How a column's values are written: open, or sealed by `stager.crypto`."""

    NONE = "none"
    AES_256_GCM = "aes-256-gcm"
    FERNET = "fernet"


class IdKind(Enum):
    """How a table's ids are made: computed from the source row, or drawn from the table's sequence."""

    UUID = "uuid"
    SEQUENCE = "sequence"

    @property
    def type(self) -> str:
        """The Postgres type of such an id, and of every column that refers to one."""
        return "uuid" if self is IdKind.UUID else "bigint"


class Source(Enum):
    """Where a column's values come from; the attribute of TargetColumn of that name says which."""

    FIELD = "field"
    DERIVED = "derived"
    CONSTANT = "constant"
    INDEX_OF = "index_of"


class Derived(Enum):
    """Values made from several cells, or from a link.

    PATIENT, PRACTITIONER: the target id of the person that the row is linked to; PRACTITIONER may
        be NULL.
    USERNAME: the email address where given, else the legacy ID.
    DRUG: the drug name, and the strength after a space where given.
    """

    PATIENT = "patient"
    PRACTITIONER = "practitioner"
    USERNAME = "username"
    DRUG = "drug"

    @property
    def fields(self) -> tuple[str, ...]:
        """The sheet's fields that it is made from."""
        return _MADE_FROM[self]

    @property
    def is_person(self) -> bool:
        return self in (Derived.PATIENT, Derived.PRACTITIONER)


_MADE_FROM = {
    Derived.PATIENT: ("patient_ref",),
    Derived.PRACTITIONER: ("practitioner_ref",),
    Derived.USERNAME: ("email", "legacy_id"),
    Derived.DRUG: ("drug_name", "strength"),
}


class TargetColumn(Struct, frozen=True, kw_only=True):
    """One column that stager fills.

    name: the column, type: its Postgres type as `check` compares it, e.g. `text`, `varchar(150)`.
    source: which of `field`, `derived`, `constant`, `index_of` is set.
    field: the sheet's field that is written. index_of: the field whose blind index is written.
    protect: how the value is sealed; a blind index is a digest and counts as NONE.
    values: (word of the sheet, what is written for it); empty: words are written as they are.
    absent: written where the sheet has no value; None: NULL is.
    nullable: whether stager may write NULL here.
    unique: whether the column is unique in its table.
    """

    name: str
    type: str
    source: Source
    field: str | None = None
    derived: Derived | None = None
    constant: Constant | None = None
    index_of: str | None = None
    protect: Protect = Protect.NONE
    values: tuple[tuple[str, Constant], ...] = ()
    absent: Constant | None = None
    nullable: bool = True
    unique: bool = False

    @property
    def base_type(self) -> str:
        """The type without its length: what decides the bytes on the wire."""
        return self.type.partition("(")[0]


class Condition(Struct, frozen=True, kw_only=True):
    """Which rows of a sheet go to a table: those whose `field` holds one of `words`."""

    field: str
    words: tuple[str, ...]


class TargetTable(Struct, frozen=True, kw_only=True):
    """One table that rows of one sheet go to.

    table: its name, with its schema before a dot if it is not on the search path.
    when: which rows; None: all of the sheet.
    sequence: the sequence that ids are drawn from; None where they are uuids.
    columns: without the id column.
    left_out: fields of the sheet that the profile says are not written.
    bulk_load: whether its indexes and its foreign keys to people may be put off while it is first filled.
    """

    sheet: str
    table: str
    when: Condition | None
    id_column: str
    id_kind: IdKind
    sequence: str | None
    columns: tuple[TargetColumn, ...]
    left_out: tuple[str, ...] = ()
    bulk_load: bool = False

    @property
    def identifier(self) -> sql.Identifier:
        return qualified(self.table)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns of a COPY: the id first."""
        return (self.id_column, *(column.name for column in self.columns))

    def column_of(self, *, field: str | None = None, index_of: str | None = None) -> TargetColumn | None:
        """The column that holds a field, or a field's blind index; None if the profile has none."""
        for column in self.columns:
            if (field and column.field == field) or (index_of and column.index_of == index_of):
                return column
        return None


class Profile(Struct, frozen=True, kw_only=True):
    """Every table that a migration fills, in the order of their foreign keys.

    format: how protected columns are sealed where they do not say it themselves.
    """

    name: str
    format: Protect
    tables: tuple[TargetTable, ...]

    @classmethod
    def load(cls, name_or_path: str | Path) -> Profile:
        """A built-in profile by its name, or one from a TOML file.

        Raises UsageError if there is no such profile or it cannot be, saying where and why.
        """
        from stager.tenant.profile_file import load_profile  # here: it reads into these values

        return load_profile(name_or_path)

    def tables_of(self, sheet: str) -> tuple[TargetTable, ...]:
        """The tables that rows of the sheet go to."""
        return tuple(table for table in self.tables if table.sheet == sheet)

    def table(self, name: str) -> TargetTable | None:
        """The table of that name, or None."""
        return next((table for table in self.tables if table.table == name), None)

    @property
    def people(self) -> TargetTable:
        """The table of the tenant's people, which every patient and practitioner id refers to."""
        return self.tables_of("patients")[0]

    @property
    def draws_ids(self) -> bool:
        """Whether any table's ids come from a sequence, so that the tenant keeps a lineage."""
        return any(table.id_kind is IdKind.SEQUENCE for table in self.tables)

    def digest(self) -> str:
        """SHA-256 in hex over all that the profile says is written: another profile, another digest."""
        said = to_builtins(self, builtin_types=(date, datetime))  # of them `_plain` tells the type
        for table in said["tables"]:
            del table["bulk_load"]  # how the rows come in, not which
        text = json.dumps(said, sort_keys=True, default=_plain)
        return hashlib.sha256(b"stager/profile/1\0" + text.encode()).hexdigest()


def qualified(name: str) -> sql.Identifier:
    """`table` or `schema.table` as a quoted identifier."""
    from psycopg import sql  # here: processes that make rows ready never speak to Postgres

    return sql.Identifier(*name.split("."))


def _plain(value: object) -> str:
    """JSON for what JSON lacks, with its type: a date and the same text are different constants."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, date):
        return f"{type(value).__name__} {value.isoformat()}"
    raise TypeError(f"a profile holds a {type(value).__name__}")
