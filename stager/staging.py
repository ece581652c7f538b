"""The staging file: one migration for one tenant, in DuckDB, encrypted at rest.

The only module that opens DuckDB. What it guarantees:

- the file, its write-ahead log and its spills are AES-256-GCM; without encryption nothing opens;
- once open, DuckDB reads and writes no other file, loads no extension and takes no setting;
- one process has it open; a second one is told who holds it;
- what happens inside `transaction()` is there wholly or not at all;
- an older schema is migrated forward by the numbered steps, a newer one is refused.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import duckdb
import duckdb_extension_httpfs
import polars as pl
import pyarrow as pa

from stager import sql
from stager.errors import IntegrityFailed, StagingUnavailable
from stager.sheets import SHEETS

DEFAULT_MEMORY = "1GiB"
_SAFE_CONFIG = {
    "preserve_insertion_order": "false",  # no query here relies on it, and keeping it costs memory
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
_LOCKED = ("SET temp_file_encryption=true", "SET enable_external_access=false", "SET lock_configuration=true")
_HOLDER = re.compile(r"PID (\d+)")
_INSERT = re.compile(r"(?:--[^\n]*\n)*insert into (\w+)")
_MAKE = re.compile(r"(?:--[^\n]*\n)*create or replace temp table (\w+)")
_ROW_GROUP = 122_880


class Staging:
    """An open staging file. Close it, or use it as a context manager."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self._first_inserts: dict[str, int] = {}

    @classmethod
    def open(cls, path: Path, file_key: str, *, create: bool = True, memory: str = DEFAULT_MEMORY) -> Self:
        """Open the staging file at `path`, made if it is not there and `create` says so.

        file_key: the file's key as base64 text. memory: DuckDB's limit, beyond which it spills.
        Raises StagingUnavailable: not there, not writable, held by another process, wrong key, not a
        staging file, made by a newer stager; or no encryption can be had.
        """
        path = path.absolute()
        fresh = not path.exists()
        if fresh and not create:
            raise StagingUnavailable(
                f"there is no staging file at {path}", hint="stager ingest FILE… makes one"
            )
        _check_place(path)
        connection = _attach(path, file_key, memory)
        staging = cls(connection, path)
        try:
            staging._prepare(fresh=fresh)
        except BaseException:
            staging.close()
            if fresh:
                path.unlink(missing_ok=True)
            raise
        return staging

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Checkpoint and close; leaves no spill behind."""
        self._connection.close()
        shutil.rmtree(_spill_folder(self.path), ignore_errors=True)

    @property
    def migration_id(self) -> str:
        """The migration's id, a UUID as text, made with the file."""
        return self.fact("migration_id")

    def fact(self, name: str) -> str:
        """One of the file's own facts by its name; KeyError if it has none of that name."""
        found = self.rows("migration_fact", name=name)
        if not found:
            raise KeyError(name)
        return str(found[0][0])

    def set_fact(self, name: str, value: str) -> None:
        """Write a fact about the file itself. Facts are written once."""
        self.run("set_migration_fact", name=name, value=value)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside, or nothing of it; checkpointed, so that no log is left to lose."""
        self._execute("begin")
        self._first_inserts.clear()
        try:
            yield
        except BaseException:
            self._execute("rollback")
            raise
        self._execute("commit")
        self._execute("checkpoint stg")

    def run(self, name: str, places: Mapping[str, str] | None = None, /, **parameters: Any) -> None:
        """Run the named statement."""
        text = sql.statement(name, **(places or {}))
        result = self._execute(text, parameters)
        if found := _INSERT.match(text):
            self._watch_insert(found[1], result.fetchall()[0][0])
        elif found := _MAKE.match(text):
            self._first_inserts.pop(found[1], None)

    def fill(self, table: str, name: str, places: Mapping[str, str] | None = None, /, **parameters: Any) -> int:
        """Put what the named query gives into a table; how many rows. Nothing is inserted where it gives none.

        Use it where a query may give nothing and the table gets more rows in the same transaction: see
        `_watch_insert`.
        """
        query = sql.statement(name, **(places or {}))
        self._execute(f"create or replace temp table piece as {query}", parameters)
        count: int = self.one("count_rows_of", {"table": "piece"})
        if count:
            self.run("insert_piece", {"table": table})
        return count

    def _watch_insert(self, table: str, count: int) -> None:
        """Stop where DuckDB 1.5.5 would lose rows without a word (tests/test_staging.py shows that it does).

        An INSERT … SELECT that gives no row, as the first into a table in a transaction, and a later one
        of a row group or more: the second reports its rows and keeps none of them.
        """
        if self._first_inserts.setdefault(table, count) == 0 and count:
            if count >= _ROW_GROUP:
                raise IntegrityFailed(
                    f"{count} rows for {table} came after an empty insert, and DuckDB would lose them",
                    hint="nothing was changed; this is a fault in stager: report it",
                )
            self._first_inserts[table] = count

    def rows(
        self, name: str, places: Mapping[str, str] | None = None, /, **parameters: Any
    ) -> list[tuple[Any, ...]]:
        """The named query's rows; for results that are small by nature."""
        return self._execute(sql.statement(name, **(places or {})), parameters).fetchall()

    def one(self, name: str, places: Mapping[str, str] | None = None, /, **parameters: Any) -> Any:
        """The single value that the named query gives."""
        return self.rows(name, places, **parameters)[0][0]

    def frame(self, name: str, places: Mapping[str, str] | None = None, /, **parameters: Any) -> pl.DataFrame:
        """The named query's result as a polars frame, whole."""
        table = self._execute(sql.statement(name, **(places or {})), parameters).to_arrow_table()
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def batches(
        self,
        name: str,
        places: Mapping[str, str] | None = None,
        /,
        *,
        batch_rows: int = 100_000,
        **parameters: Any,
    ) -> Iterator[pa.RecordBatch]:
        """The named query's result in Arrow batches. Nothing else may run until it is read to its end."""
        yield from self._execute(sql.statement(name, **(places or {})), parameters).to_arrow_reader(
            batch_rows
        )

    @contextmanager
    def lent(self, **frames: pl.DataFrame | pa.Table) -> Iterator[None]:
        """Frames that statements may read as tables by these names, while inside."""
        for name, frame in frames.items():
            self._connection.register(name, frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame)
        try:
            yield
        finally:
            for name in frames:
                self._connection.unregister(name)

    def _execute(self, text: str, parameters: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(text, parameters or None)
        except duckdb.IOException as error:
            raise StagingUnavailable(
                f"the staging file {self.path} could not be read or written: {_short(error)}",
                hint="make room on the disk or mend the folder's rights, then run the command again; nothing was changed",
            ) from None
        except duckdb.OutOfMemoryException as error:
            raise StagingUnavailable(
                f"the memory set aside for the staging file is used up: {_short(error)}",
                hint="set STAGER_MEMORY to more than it is, for example 2GiB",
            ) from None
        except duckdb.FatalException as error:
            raise IntegrityFailed(
                f"the staging file {self.path} is damaged: {_short(error)}", hint="restore it from a copy"
            ) from None

    def _prepare(self, *, fresh: bool) -> None:
        self._execute(sql.statement("macros"))
        done = 0 if fresh else self._schema_version()
        steps = sql.schema_steps()
        if done > len(steps):
            raise StagingUnavailable(
                f"the staging file {self.path} has schema version {done}, newer than this stager's {len(steps)}",
                hint="use the stager that made it, or a newer one",
            )
        if done == len(steps):
            return
        with self.transaction():
            for step in steps[done:]:
                self._execute(sql.script(step))
            self._prepare_rows()
            if fresh:
                self.set_fact("migration_id", str(uuid.uuid4()))
            self.run("forget_migration_fact", name="schema_version")
            self.set_fact("schema_version", str(len(steps)))

    def _prepare_rows(self) -> None:
        """A table for each sheet's rows, with a text column for each of its columns."""
        for sheet in SHEETS:
            self.run("create_rows", {"table": sheet.table})
            for field in (*sheet.fields, "extra"):
                self.run("add_column", {"table": sheet.table, "field": sql.identifier(field)})

    def _schema_version(self) -> int:
        if not self.one("has_table", table="migration"):
            raise StagingUnavailable(
                f"{self.path} is no staging file of stager", hint="name another with --staging"
            )
        return int(self.fact("schema_version"))


def _spill_folder(path: Path) -> Path:
    return path.with_name(path.name + ".spill")


def _check_place(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise StagingUnavailable(f"{path} is not a regular file", hint="name a staging file with --staging")
    if not path.parent.is_dir():
        raise StagingUnavailable(f"the folder {path.parent} does not exist", hint="make it, or name another")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise StagingUnavailable(
            f"{path} cannot be written", hint="mend the rights of its folder, or name another"
        )


def _attach(path: Path, file_key: str, memory: str) -> duckdb.DuckDBPyConnection:
    before = os.umask(0o077)
    connection = duckdb.connect(config={**_SAFE_CONFIG, "memory_limit": memory})
    try:
        connection.execute(f"LOAD {_quoted(_crypto_extension())}")
        connection.execute(f"SET temp_directory={_quoted(str(_spill_folder(path)))}")
        connection.execute(f"ATTACH {_quoted(str(path))} AS stg (ENCRYPTION_KEY $key)", {"key": file_key})
        connection.execute("USE stg")
        for setting in _LOCKED:
            connection.execute(setting)
        _prove_encrypted(connection)
    except BaseException as error:
        connection.close()
        if isinstance(error, duckdb.Error):
            raise _refusal(path, error) from None
        raise
    finally:
        os.umask(before)
    return connection


def _crypto_extension() -> str:
    """DuckDB's signed OpenSSL module, from its wheel; nothing is fetched."""
    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    for found in folder.glob("httpfs.duckdb_extension"):
        return str(found)
    raise StagingUnavailable(
        "DuckDB's encryption is not installed for its version, so patients' data cannot be kept safely",
        hint="install stager again: it brings duckdb and duckdb-extension-httpfs of one version",
    )


def _prove_encrypted(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "select encrypted, cipher from duckdb_databases() where database_name = 'stg'"
    ).fetchall()
    if found != [(True, "GCM")]:
        raise StagingUnavailable("the staging file is not encrypted", hint="name another with --staging")


def _refusal(path: Path, error: duckdb.Error) -> StagingUnavailable:
    text = str(error)
    if "Conflicting lock" in text:
        holder = _HOLDER.search(text)
        who = f"process {holder[1]}" if holder else "another process"
        return StagingUnavailable(f"{path} is in use by {who}", hint="wait until it has ended, or end it")
    if "Wrong encryption key" in text:
        return StagingUnavailable(
            f"the key does not open {path}", hint="name the key that it was made with in STAGER_KEY_FILE"
        )
    if isinstance(error, duckdb.IOException) and "not a valid DuckDB" not in text:
        return StagingUnavailable(
            f"{path} cannot be opened: {_short(error)}", hint="see its folder's rights and room"
        )
    return StagingUnavailable(f"{path} is no staging file of stager", hint="name another with --staging")


def _short(error: duckdb.Error) -> str:
    return str(error).splitlines()[0].split("(LOG")[0]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
