"""Rows of a chunk that do not go in, and why: as a finding says it, and as the tenant's ledger keeps it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

Place = tuple[int, int]
"""source_id, row_no."""

UNWRITABLE = "unwritable"
"""Stands for the SQLSTATE where stager itself finds that a column cannot hold the value."""


class Refusal(Struct, frozen=True):
    """A row that did not go in, by its own fault or its person's.

    sqlstate: what the database said, or UNWRITABLE. constraint, column: as the database names them.
    table: the target table. person: the refused patient ("source:row") for whose sake the row was left
    out; nothing is said against the row itself then, and sqlstate is None.
    """

    source_id: int
    row_no: int
    sqlstate: str | None = None
    constraint: str | None = None
    table: str | None = None
    column: str | None = None
    person: str | None = None

    @property
    def place(self) -> Place:
        return self.source_id, self.row_no

    @property
    def address(self) -> str:
        return f"{self.source_id}:{self.row_no}"

    @property
    def rule(self) -> str:
        """What a finding names: the SQLSTATE, and constraint or column where there is one."""
        return " ".join(part for part in (self.sqlstate, self.constraint or self.column) if part)

    def to_ledger(self) -> dict[str, object]:
        """As the ledger keeps it."""
        said = {
            "row": self.address,
            "sqlstate": self.sqlstate,
            "constraint": self.constraint,
            "table": self.table,
            "column": self.column,
            "person": self.person,
        }
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def from_ledger(cls, kept: Mapping[str, object]) -> Refusal:
        """What `to_ledger` wrote."""
        source, _, row = str(kept["row"]).partition(":")
        said = {name: str(value) for name, value in kept.items() if name != "row"}
        return cls(int(source), int(row), **said)
