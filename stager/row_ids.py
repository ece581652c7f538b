"""The ids of published rows: UUID version 8, computed from what a row is and never drawn.

The same source row has the same id in the same tenant for ever, so a row that is sent again meets
itself. 94 bits of SHA-256 over tenant, sheet and source say whose row it is; 28 bits of row number are
laid among them so that one source's ids ascend row by row and lie together in an index:

    bytes 0-3   digest
    bytes 4-5   row number, its upper 16 bits
    bytes 6-7   version (4 bits, 8) and the row number's lower 12 bits
    byte  8     variant (2 bits, 10) and 6 bits of the digest
    bytes 9-15  digest

numpy, polars and pyarrow are imported where columns are made: for one row's id they are not worth the wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from stager.binary import column_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

ID_BYTES = 16
FRAME_BEFORE, FRAME_BEHIND = 8, 18
LAST_ROW = 2**28 - 1
"""The highest row number that an id can hold."""

_LABEL = b"stager/row-id/1"


def row_id(tenant: str, sheet: str, sha256: str, row_no: int) -> UUID:
    """The id of one row. sha256: of the source file, in hex. row_no: from 1 to LAST_ROW, else ValueError."""
    if not 1 <= row_no <= LAST_ROW:
        raise _outside()
    whole = bytearray(_frame(tenant, sheet, sha256))
    whole[4:6] = (row_no >> 12).to_bytes(2, "big")
    whole[6:8] = (0x8000 | row_no & 0xFFF).to_bytes(2, "big")
    return UUID(bytes=bytes(whole))


def row_id_bytes(
    tenant: str, sheet: str, sha256: str, row_nos: Sequence[int] | npt.NDArray[np.integer]
) -> npt.NDArray[np.uint8]:
    """The ids of a source's rows, one of 16 bytes for each row number, in their order."""
    import numpy as np

    rows = np.asarray(row_nos, dtype=np.int64)
    if rows.size and not (rows.min() >= 1 and rows.max() <= LAST_ROW):
        raise _outside()
    whole = np.empty((rows.size, ID_BYTES), dtype=np.uint8)
    whole[:] = np.frombuffer(_frame(tenant, sheet, sha256), dtype=np.uint8)
    whole[:, 4] = rows >> 20
    whole[:, 5] = (rows >> 12) & 0xFF
    whole[:, 6] = 0x80 | (rows >> 8) & 0xF
    whole[:, 7] = rows & 0xFF
    return whole


def row_id_frame(tenant: str, sheet: str, sha256: str) -> str:
    """What is alike in the ids of all of a source's rows, written as PostgreSQL writes a UUID: the first
    FRAME_BEFORE characters and, put to them, the last FRAME_BEHIND.
    """
    whole = str(UUID(bytes=_frame(tenant, sheet, sha256)))
    return whole[:FRAME_BEFORE] + whole[-FRAME_BEHIND:]


def row_id_column(
    tenant: str, sheet: str, sha256: str, row_nos: Sequence[int] | npt.NDArray[np.integer]
) -> pl.Series:
    """As `row_id_bytes`, as a column of binary."""
    return column_of(row_id_bytes(tenant, sheet, sha256, row_nos), ID_BYTES)


def _frame(tenant: str, sheet: str, sha256: str) -> bytes:
    """The id's 16 bytes without version and row number; the variant is in."""
    whose = b"".join(
        b"%d:%s," % (len(part), part) for part in (each.encode() for each in (tenant, sheet, sha256))
    )
    digest = hashlib.sha256(_LABEL + whose).digest()
    return digest[:4] + bytes(4) + bytes([0x80 | digest[4] & 0x3F]) + digest[5:12]


def _outside() -> ValueError:
    return ValueError(f"a row number of an id is from 1 to {LAST_ROW}")
