"""The tenant's own people, as reconciling compares references with them: ids and digests, no names."""

from __future__ import annotations

import polars as pl
from psycopg import sql

from stager.tenant.postgres import Connection, transaction
from stager.tenant.profile import Profile, Protect, TargetColumn
from stager.tenant.statements import statement

SNAPSHOT = pl.Schema(
    {
        "target_id": pl.String,
        "legacy_id": pl.String,
        "nhs_index": pl.Binary,
        "email": pl.String,
        "role": pl.String,
    }
)

_BATCH = 50_000


def snapshot(connection: Connection, profile: Profile) -> pl.DataFrame:
    """Everyone in the profile's table of people, in no order.

    Columns: `target_id` (the id as text), `legacy_id`, `nhs_index` (16 bytes), `email`, `role` (the
    sheet's word where the profile maps it, else as it stands). NULL where the value is blank, the
    profile has no such column, or it is sealed there.

    Raises TenantUnavailable if the table cannot be read.
    """
    people = profile.people
    role = people.column_of(field="role")
    query = statement("snapshot_people").format(
        id=sql.Identifier(people.id_column),
        legacy_id=_text(people.column_of(field="legacy_id")),
        nhs_index=_or_null(people.column_of(index_of="nhs_number")),
        email=_text(people.column_of(field="email")),
        role=_text(role),
        table=people.identifier,
    )
    frames = [pl.DataFrame(schema=SNAPSHOT)]
    with transaction(connection), connection.cursor(name="stager_people", binary=True) as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(_BATCH):
            frames.append(pl.DataFrame(rows, schema=SNAPSHOT, orient="row"))
    return pl.concat(frames).with_columns(pl.col("role").replace(_sheet_words(role)))


def lines(people: pl.DataFrame) -> bytes:
    """A snapshot as bytes that a digest can be taken of: the same for the same people, in whatever order."""
    hexed = people.select(SNAPSHOT.names()).with_columns(pl.col("nhs_index").bin.encode("hex"))
    return hexed.sort("target_id").write_csv().encode()


def _text(column: TargetColumn | None) -> sql.Composable:
    if column is None or column.protect is not Protect.NONE:
        return sql.SQL("null::text")
    return statement("text_of_person").format(column=sql.Identifier(column.name))


def _or_null(column: TargetColumn | None) -> sql.Composable:
    return sql.Identifier(column.name) if column else sql.SQL("null::bytea")


def _sheet_words(role: TargetColumn | None) -> dict[str, str]:
    """What the tenant writes → the sheet's word; the first one where two are written alike."""
    words: dict[str, str] = {}
    for word, written in role.values if role else ():
        words.setdefault(_as_text(written), word)
    return words


def _as_text(written: object) -> str:
    """As Postgres casts it to text."""
    return str(written).lower() if isinstance(written, bool) else str(written)
