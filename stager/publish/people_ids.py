"""The ids in the tenant's database of the persons that rows are linked to.

A staged patient's is computed, or, where the tenant's sequence gave it, read from the tenant's lineage.
One of the tenant's own people is named by its id outright.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

import numpy as np
import numpy.typing as npt
import polars as pl

from stager.binary import column_of
from stager.errors import IntegrityFailed
from stager.row_ids import ID_BYTES, row_id_bytes
from stager.sheets import PATIENTS
from stager.tenant.profile import IdKind, Profile

_MOST_ROWS = 2**31 - 1

Lineage = Callable[[str, int, int], Mapping[int, tuple[str, int]]]
"""A source's SHA-256 in hex, first and last row → what the tenant's lineage has of the rows there."""


class PeopleIds:
    """Answers for the links of rows. Where ids are drawn, patients must be in before it is asked."""

    def __init__(self, tenant: str, profile: Profile, sha256: Mapping[int, str], lineage: Lineage) -> None:
        """sha256: of each source, in hex. lineage: of the sheet patients."""
        self._tenant, self._sha256, self._lineage = tenant, sha256, lineage
        self._kind = profile.people.id_kind
        self._drawn: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = {}

    def column(self, sources: pl.Series, rows: pl.Series, persons: pl.Series) -> pl.Series:
        """The persons' ids: sixteen bytes or a bigint; NULL where there is no link.

        sources, rows: the staged patient. persons: the id, as text, of one of the tenant's own people.
        """
        if self._kind is IdKind.UUID:
            return self._computed(sources, rows, persons)
        ids: list[int | None] = [None] * sources.len()
        for source_id, places in _by_source(sources):
            known = self._kept(source_id, rows.gather(places)).tolist()
            for place, found in zip(places.to_list(), known, strict=True):
                ids[place] = found
        for place in persons.is_not_null().arg_true().to_list():
            ids[place] = int(persons[place])
        return pl.Series(ids, dtype=pl.Int64)

    def _computed(self, sources: pl.Series, rows: pl.Series, persons: pl.Series) -> pl.Series:
        ids = np.zeros((sources.len(), ID_BYTES), dtype=np.uint8)
        for source_id, places in _by_source(sources):
            sha256, at = self._sha256[source_id], places.to_numpy()
            ids[at] = row_id_bytes(self._tenant, PATIENTS.name, sha256, rows.gather(places).to_numpy())
        for place in persons.is_not_null().arg_true().to_list():
            ids[place] = np.frombuffer(UUID(persons[place]).bytes, dtype=np.uint8)
        return column_of(ids, ID_BYTES, (sources.is_not_null() | persons.is_not_null()).to_numpy())

    def _kept(self, source_id: int, rows: pl.Series) -> npt.NDArray[np.int64]:
        if source_id not in self._drawn:
            self._drawn[source_id] = _sorted(self._lineage(self._sha256[source_id], 1, _MOST_ROWS))
        row_nos, ids = self._drawn[source_id]
        wanted = rows.to_numpy()
        at = np.searchsorted(row_nos, wanted)
        known = at < len(row_nos)
        if not known.all() or not (row_nos[at] == wanted).all():
            raise IntegrityFailed(
                "a published patient is not in the lineage that the tenant's database keeps",
                hint="restore the table stager_lineage: only there it stands which id the patient was given",
            )
        return ids[at]


def _by_source(sources: pl.Series) -> Iterator[tuple[int, pl.Series]]:
    """Each of the sources that are named, with the places where it is."""
    for source_id in sources.drop_nulls().unique().to_list():
        yield source_id, (sources == source_id).fill_null(value=False).arg_true()


def _sorted(lineage: Mapping[int, tuple[str, int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    row_nos = np.array(sorted(lineage), dtype=np.int64)
    return row_nos, np.array([lineage[row][1] for row in row_nos.tolist()], dtype=np.int64)
