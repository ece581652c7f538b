"""dlt's bare load: the four CSV files into four tables of text columns, and nothing else.

No links, events, encryption, keys, constraints or indexes. pyarrow reads each file in batches, every column
as text; dlt writes them as Parquet and its PostgreSQL driver sends them by binary COPY. Of the ways in which
dlt looks at the rows at all this is the quickest (through its CSV files it takes about twice the processors'
time).

Run as a process of its own; prints its figures as JSON. Python's start and dlt's import, seconds both, are
not counted.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dlt
import pyarrow
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from psycopg.conninfo import conninfo_to_dict
from pyarrow import csv as arrow_csv

SHEETS = ("patients", "background", "notes", "medications")
DATASET = "bare"
"""The schema that dlt makes for its tables."""

_BLOCK = 16 << 20
"""Bytes of a file that pyarrow reads at a time."""


def batches(path: Path) -> Iterator[pyarrow.RecordBatch]:
    """The file's rows, every column as text, an empty cell as NULL."""
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    yield from arrow_csv.open_csv(
        path,
        read_options=arrow_csv.ReadOptions(block_size=_BLOCK),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pyarrow.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def credentials(dsn: str) -> PostgresCredentials:
    """The same server, as dlt names it: in its URL a socket's folder stands where a host does."""
    told = conninfo_to_dict(dsn)
    named = PostgresCredentials()
    named.host = quote(str(told["host"]), safe="")
    named.port = int(str(told["port"]))
    named.username = str(told["user"])
    named.password = "unasked"  # the server asks for none, but dlt takes no credentials without one
    named.database = str(told["dbname"])
    return named


def run(files: Path, dsn: str, work: Path) -> dict[str, object]:
    """All of it; seconds on the wall and of this process's processors, and rows by table."""
    destination = dlt.destinations.postgres(credentials(dsn), create_indexes=False)
    pipeline = dlt.pipeline("bench", destination=destination, dataset_name=DATASET, pipelines_dir=str(work))
    sheets = [
        dlt.resource(batches(files / f"{sheet}.csv"), name=sheet, write_disposition="replace")
        for sheet in SHEETS
    ]
    began, used = time.perf_counter(), time.process_time()
    pipeline.run(sheets, loader_file_format="parquet")
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    trace = pipeline.last_trace
    assert trace is not None
    assert trace.last_normalize_info is not None
    rows = {sheet: trace.last_normalize_info.row_counts[sheet] for sheet in SHEETS}
    return {"seconds": seconds, "cpu": cpu, "schema": DATASET, "rows": rows}


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))))
