"""The tenant's own people, as reconciling compares references with them: ids and digests, no names.

They stay the text that PostgreSQL wrote until someone looks at them: most of the time they are those that
are known already, which the text alone tells. polars is imported where a frame is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from psycopg import sql

from stager.row_ids import FRAME_BEFORE, FRAME_BEHIND, row_id_frame
from stager.tenant.postgres import Connection, guarded
from stager.tenant.profile import IdKind, Profile, Protect, TargetColumn
from stager.tenant.statements import statement

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("target_id", "legacy_id", "nhs_index", "email", "role")
_HEADER = ",".join(COLUMNS).encode() + b"\n"


class Migration(Struct, frozen=True):
    """Whose people are not the tenant's own. sources: SHA-256 of its sheets of patients, in hex."""

    tenant: str
    sources: Sequence[str]


def read(connection: Connection, profile: Profile, but: Migration) -> bytes:
    """Everyone in the profile's table of people but those whom a migration brought, by id.

    CSV without a header, as COPY writes it, of COLUMNS: `target_id` (the id as text), `legacy_id`,
    `nhs_index` (16 bytes in hex), `email`, `role` (the sheet's word where the profile maps it, else as it
    stands). NULL where the value is blank, the profile has no such column, or it is sealed there.

    Raises TenantUnavailable if the table cannot be read.
    """
    people = profile.people
    index = people.column_of(index_of="nhs_number")
    query = statement("read_people").format(
        id=sql.Identifier(people.id_column),
        legacy_id=_text(people.column_of(field="legacy_id")),
        nhs_index=statement("index_of_person").format(column=sql.Identifier(index.name)) if index else _NULL,
        email=_text(people.column_of(field="email")),
        role=_word(people.column_of(field="role")),
        table=people.identifier,
        ours=_ours(profile, but),
    )
    with guarded(), connection.cursor() as cursor, cursor.copy(query) as copy:
        return b"".join(copy)


def count(connection: Connection, profile: Profile, but: Migration) -> int:
    """How many people `read` would give."""
    query = statement("count_people").format(table=profile.people.identifier, ours=_ours(profile, but))
    with guarded():
        found = connection.execute(query).fetchone()
    return int(found[0]) if found else 0


def framed(text: bytes) -> pl.DataFrame:
    """What `read` gives as a frame of COLUMNS: text, and `nhs_index` as its bytes."""
    import polars as pl

    if not text:
        return pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String) | {"nhs_index": pl.Binary})
    people = pl.read_csv(text, has_header=False, new_columns=list(COLUMNS), infer_schema=False)
    return people.with_columns(pl.col("nhs_index").str.decode("hex"))


def lines(people: pl.DataFrame) -> bytes:
    """People as bytes that a digest can be taken of: the same for the same people, in whatever order."""
    import polars as pl

    hexed = people.select(COLUMNS).with_columns(pl.col("nhs_index").cast(pl.Binary).bin.encode("hex"))
    return hexed.sort("target_id").write_csv().encode()


def lines_of(text: bytes) -> bytes:
    """As `lines`, of what `read` gives. Where PostgreSQL quotes nothing polars would not, either."""
    return lines(framed(text)) if b'"' in text else _HEADER + text


_NULL = sql.SQL("null::text")


def _text(column: TargetColumn | None) -> sql.Composable:
    if column is None or column.protect is not Protect.NONE:
        return _NULL
    return statement("text_of_person").format(column=sql.Identifier(column.name))


def _word(role: TargetColumn | None) -> sql.Composable:
    """The sheet's word for what the tenant writes; the first one where two are written alike."""
    text = _text(role)
    if role is None or not role.values:
        return text
    words = [
        statement("word_for_text").format(written=sql.Literal(_as_text(written)), word=sql.Literal(word))
        for word, written in role.values
    ]
    return statement("word_of_person").format(text=text, words=sql.SQL(" ").join(words))


def _as_text(written: object) -> str:
    """As Postgres casts it to text."""
    return str(written).lower() if isinstance(written, bool) else str(written)


def _ours(profile: Profile, migration: Migration) -> sql.Composable:
    """Whether a person was brought by the migration."""
    people = profile.people
    if people.id_kind is IdKind.UUID:
        frames = [row_id_frame(migration.tenant, people.sheet, sha256) for sha256 in migration.sources]
        return statement("has_our_id").format(
            id=sql.Identifier(people.id_column),
            before=sql.Literal(FRAME_BEFORE),
            behind=sql.Literal(FRAME_BEHIND),
            frames=sql.Literal(frames),
        )
    return statement("has_our_lineage").format(
        id=sql.Identifier(people.id_column),
        name=sql.Literal(people.table),
        sheet=sql.Literal(people.sheet),
        sources=sql.Literal([bytes.fromhex(sha256) for sha256 in migration.sources]),
    )
