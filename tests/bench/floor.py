"""The naive floor: what an importer without staging, events or checks would do, each piece by its own clock.

read   DuckDB reads the four CSV files into tables of a file, all columns as text
seal   AES-GCM over the protected cells, in this one thread, a nonce from os.urandom for each
copy   text COPY of the rows into the tables that `stager tenant init` made, then the commit

Only these three count. Linking the rows, drawing their ids (random, as an application's would be) and
fetching them out of DuckDB is not counted: it is measured as `fetch`, to be seen. Rows go in batches, so
that memory is bounded; each batch's COPY ends before the next batch is sealed, so that no clock runs for
two pieces.

Run as a process of its own; prints its figures as JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import sql

BATCH = 100_000
SHEETS = ("patients", "background", "notes", "medications")
PROTECTED = {"users_user": ("nhs_number",), "clinical_data_note": ("note_text", "diagnosis")}
PERSON = "person"

Row = Sequence[str | None]


class Clocks:
    """Seconds by piece: on the wall, and of processors in this process."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("read", "fetch", "seal", "copy"), 0.0)
        self.cpu = dict(self.seconds)

    @contextmanager
    def running(self, piece: str) -> Iterator[None]:
        """Count what happens inside to that piece."""
        began, used = time.perf_counter(), time.process_time()
        yield
        self.cpu[piece] += time.process_time() - used
        self.seconds[piece] += time.perf_counter() - began


def queries() -> dict[str, str]:
    """The queries of ready.sql by name, in their order."""
    text = Path(__file__).with_name("ready.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def read(files: Path, duck: duckdb.DuckDBPyConnection) -> None:
    """The four files into tables, as the sheets are called."""
    for sheet in SHEETS:
        path = str(files / f"{sheet}.csv").replace("'", "''")
        duck.execute(
            f"create table {sheet} as select * from read_csv('{path}', all_varchar = true, header = true)"
        )


def seal(table: str, rows: Sequence[Row], places: Sequence[int], key: AESGCM) -> list[list[bytes | None]]:
    """The protected cells of the rows, sealed for their table and row."""
    sealed: list[list[bytes | None]] = []
    for row in rows:
        associated = f"{table}:{row[0]}".encode()
        cells: list[bytes | None] = []
        for place in places:
            cell = row[place]
            if cell is None:
                cells.append(None)
            else:
                nonce = os.urandom(12)
                cells.append(nonce + key.encrypt(nonce, cell.encode(), associated))
        sealed.append(cells)
    return sealed


def send(
    cursor: psycopg.Cursor[tuple[object, ...]],
    statement: sql.Composed,
    rows: Sequence[Row],
    places: Sequence[int],
    sealed: Sequence[Sequence[bytes | None]],
) -> None:
    """COPY the rows, each with its sealed cells in their places."""
    with cursor.copy(statement) as copy:
        for row, cells in zip(rows, sealed, strict=True):
            fields: list[str | bytes | None] = list(row)
            for place, cell in zip(places, cells, strict=True):
                fields[place] = cell
            copy.write_row(fields)


def fill(
    table: str, duck: duckdb.DuckDBPyConnection, cursor: psycopg.Cursor[tuple[object, ...]], clocks: Clocks
) -> int:
    """One table's ready rows, batch by batch; how many."""
    key = AESGCM(AESGCM.generate_key(256))
    columns = [name for name, *_ in duck.execute(f"describe ready_{table}").fetchall()]
    places = [columns.index(name) for name in PROTECTED.get(table, ())]
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    done = 0
    while True:
        with clocks.running("fetch"):
            limits = f"rowid >= {done} and rowid < {done + BATCH}"
            rows = duck.execute(f"select * from ready_{table} where {limits} order by rowid").fetchall()
        if not rows:
            return done
        with clocks.running("seal"):
            sealed = seal(table, rows, places, key)
        with clocks.running("copy"):
            send(cursor, statement, rows, places, sealed)
        done += len(rows)


def run(files: Path, dsn: str, work: Path) -> dict[str, object]:
    """All of it; seconds by piece, and rows by table."""
    clocks, sent = Clocks(), {}
    with duckdb.connect(work / "floor.duckdb") as duck:
        with clocks.running("read"):
            read(files, duck)
        with psycopg.connect(dsn) as postgres, postgres.cursor() as cursor:
            for table, query in queries().items():
                with clocks.running("fetch"):
                    duck.execute(f"create table ready_{table} as {query}")
                if table != PERSON:
                    sent[table] = fill(table, duck, cursor, clocks)
            with clocks.running("copy"):
                postgres.commit()
    return {"seconds": clocks.seconds, "cpu": clocks.cpu, "rows": sent}


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))))
