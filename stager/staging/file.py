"""The staging file: one migration for one tenant, in DuckDB, encrypted at rest.

What it guarantees:

- the file, its write-ahead log and its spills are AES-256-GCM; without encryption nothing opens;
- once open, DuckDB reads and writes no other file, loads no extension and takes no setting but how many
  processors it may use;
- one process has it open; a second one is told who holds it;
- what happens inside `transaction()` is there wholly or not at all;
- an older schema is migrated forward by the numbered steps, a newer one is refused.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import duckdb

from stager import sql
from stager.errors import IntegrityFailed, StagerError, StagingUnavailable
from stager.sheets import SHEETS, Kind
from stager.staging.gathering import ROW_GROUP
from stager.staging.opening import (
    asked,
    attach,
    check_place,
    check_there,
    close,
    detach,
    opened,
    own_files,
    spill_folder,
)

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

LEAST_MEMORY, MOST_MEMORY = 320 << 20, 1792 << 20
"""DuckDB's limits of memory, in bytes, where nobody sets one: that of a new file, and the largest."""
BESIDE = 96 << 20
"""What DuckDB leaves of its own to a process that works beside it."""
SMALL = 32 << 20
"""A file of less bytes is asked with one processor: waking others for so little costs more than it saves."""

Places: TypeAlias = Mapping[str, str] | None
"""What a statement's `{places}` are filled with: identifiers composed by `stager.sql`."""

_UNLIKE = (Kind.NARRATIVE, Kind.MOMENT)
"""Columns of which few cells are alike; days are, for a practice has no more than some thousands of them."""

_INSERT = re.compile(r"(?:--[^\n]*\n)*insert into (\w+)")
_MAKE = re.compile(r"(?:--[^\n]*\n)*create or replace temp table (\w+)")


class _Lent:
    """Stands behind a lent name and gives its frame whenever a statement reads that name, while it is lent.

    DuckDB keeps what was registered in a transaction until its end: this, and not the frame.
    """

    def __init__(self, frame: pl.DataFrame | pa.Table) -> None:
        import polars as pl  # here and in `frame`: opening a file and asking a few numbers needs none of it

        # As large strings: string views have no kernels for the filters that DuckDB hands to Arrow.
        self._table = frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)

    def end(self) -> None:
        self._table = None


def memory_for(path: Path, coming: int = 0, *, alone: bool = True) -> str:
    """The limit of memory that a staging file is opened with: a quarter more than its size, within bounds.

    coming: bytes of CSV that are to be taken in; a gibibyte of them is within the lower bound. alone:
    whether no other process works beside this one.
    """
    size = _size(path)
    wanted = max(size + size // 4, LEAST_MEMORY + max(0, coming - (1 << 30)))
    return f"{(min(wanted, MOST_MEMORY) - (0 if alone else BESIDE)) >> 20}MiB"


def _threads_for(path: Path, coming: int = 0) -> int | None:
    """How many processors a staging file is asked with; None for all of them. coming: bytes of CSV."""
    return 1 if _size(path) + coming < SMALL else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):  # none yet, or what opening it will refuse
        return 0


class Staging:
    """An open staging file. Close it, or use it as a context manager."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, memory: str) -> None:
        self._connection = connection
        self.path, self.memory = path, memory
        self._first_inserts: dict[str, int] | None = None  # by table, while in a transaction
        self._threads: int | None = None  # as opened, while it is asked with one

    @classmethod
    def open(
        cls,
        path: Path,
        file_key: str,
        *,
        create: bool = True,
        memory: str | None = None,
        coming: int = 0,
    ) -> Self:
        """Open the staging file at `path`, made if it is not there and `create` says so.

        file_key: the file's key as base64 text. memory: DuckDB's limit, beyond which it spills; by
        default that of `memory_for`. coming: bytes of CSV that are to go into it: what is large, or will
        be, is asked with all processors.
        Raises StagingUnavailable: not there, not writable, held by another process, wrong key, not a
        staging file, made by a newer stager; or no encryption can be had.
        """
        path = path.absolute()
        memory = memory_for(path, coming) if memory is None else memory
        if not create:
            check_there(path)
        check_place(path)
        make = None if path.exists() else partial(cls._make, path, file_key, memory)
        connection = opened(path, file_key, memory, _threads_for(path, coming), make)
        staging = cls(connection, path, memory)
        try:
            staging._prepare(fresh=False)
        except BaseException:
            staging.close()
            raise
        return staging

    @classmethod
    def _make(cls, path: Path, file_key: str, memory: str, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the file beside its place and link it in when it is whole: a kill leaves none or all of it."""
        spare = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
        try:
            attach(connection, spare, file_key)
            cls(connection, spare, memory)._prepare(fresh=True)
            detach(connection)
            with suppress(FileExistsError):  # another process made one just now: that one is opened
                os.link(spare, path)
        except OSError as error:
            raise StagingUnavailable(
                f"{path} cannot be made: {error.strerror}", hint="name another folder with --staging"
            ) from None
        except StagingUnavailable as error:
            if spare.name not in error.message:
                raise
            raise StagingUnavailable(
                f"{path} cannot be made: there is no room for it",
                hint="make room on the disk, or name another folder with --staging",
            ) from None
        finally:
            for left in (spare, spare.with_name(spare.name + ".wal")):
                left.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Checkpoint and close; leaves no spill behind."""
        close(self._connection)
        shutil.rmtree(spill_folder(self.path), ignore_errors=True)

    def remove_unused(self) -> None:
        """Remove the file where no command has written into it; while it is open no other process has it."""
        with suppress(StagingUnavailable, IntegrityFailed, duckdb.Error):
            if self.one("event_head") == 0:
                for left in (self.path, self.path.with_name(self.path.name + ".wal")):
                    left.unlink(missing_ok=True)

    @contextmanager
    def one_processor(self) -> Iterator[None]:
        """Inside, DuckDB works on the calling thread alone; the other processors are for what works beside.

        With several of them whoever waits for DuckDB does not sleep meanwhile, but asks whether it is done.
        """
        if self._threads is not None:  # it does already
            yield
            return
        self._threads = self.one("threads")
        self.run("use_threads", {"threads": "1"})
        try:
            yield
        finally:
            self._use_all()

    def _use_all(self) -> None:
        """As many processors as when it was opened. A transaction that failed takes no setting any more."""
        if self._threads is not None:
            with suppress(StagerError):
                self.run("use_threads", {"threads": str(self._threads)})
                self._threads = None

    @cached_property
    def migration_id(self) -> str:
        """The migration's id, a UUID as text, made with the file; asked of it once."""
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
    def transaction(self, committed: Callable[[], None] | None = None) -> Iterator[None]:
        """All that is done inside, or nothing of it; checkpointed, so that no log is left to lose.

        committed: called when it is done for good, before the checkpoint.
        """
        self._execute("begin")
        self._first_inserts = {}
        try:
            yield
        except BaseException:
            # Where not even this works nothing was committed either, and the first error tells why.
            with suppress(duckdb.Error):
                self._connection.execute("rollback")
            self._use_all()
            raise
        finally:
            self._first_inserts = None
        with own_files():
            self._execute("commit")
            if committed:
                committed()
            self._checkpoint()

    def _checkpoint(self) -> None:
        try:
            self._execute("checkpoint stg")
        except StagingUnavailable as error:
            raise StagingUnavailable(
                f"the command is done, and stands in {self.path.name}.wal beside the staging file, but "
                f"could not be written into it: {error.message}",
                hint="make room on the disk, keep both files, and run stager status",
            ) from None

    def run(self, name: str, places: Places = None, /, **parameters: Any) -> None:
        """Run the named statement."""
        text = sql.statement(name, **(places or {}))
        result = asked(self.path, self._execute(text, parameters).fetchall)
        if found := _INSERT.match(text):
            self._watch_insert(found[1], result[0][0])
        elif (found := _MAKE.match(text)) and self._first_inserts is not None:
            self._first_inserts.pop(found[1], None)
            if result:  # made from a query, which counts as its first insert
                self._watch_insert(found[1], result[0][0])

    def fill(self, table: str, name: str, places: Places = None, /, **parameters: Any) -> int:
        """Put what the named query gives into a table; how many rows. An empty result inserts nothing.

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

        An INSERT or CREATE TABLE … AS SELECT that gives no row, as the first into a table in a
        transaction, and a later INSERT of a row group or more: it reports its rows and keeps none of them.
        """
        if self._first_inserts is None:
            return
        if self._first_inserts.setdefault(table, count) == 0 and count:
            if count >= ROW_GROUP:
                raise IntegrityFailed(
                    f"{count} rows for {table} came after an empty insert, and DuckDB would lose them",
                    hint="nothing was changed; this is a fault in stager: report it",
                )
            self._first_inserts[table] = count

    def filling(self, name: str, lent: str, places: Places = None, /) -> Callable[[pl.DataFrame], None]:
        """What runs the named statement with the frame that it is given lent to it by the name `lent`."""

        def run(frame: pl.DataFrame) -> None:
            with self.lent(**{lent: frame}):
                self.run(name, places)

        return run

    def rows(self, name: str, places: Places = None, /, **parameters: Any) -> list[tuple[Any, ...]]:
        """The named query's rows; for results that are small by nature."""
        result = self._execute(sql.statement(name, **(places or {})), parameters)
        return asked(self.path, result.fetchall)

    def one(self, name: str, places: Places = None, /, **parameters: Any) -> Any:
        """The single value that the named query gives."""
        return self.rows(name, places, **parameters)[0][0]

    def frame(self, name: str, places: Places = None, /, **parameters: Any) -> pl.DataFrame:
        """The named query's result as a polars frame, whole."""
        import polars as pl

        result = self._execute(sql.statement(name, **(places or {})), parameters)
        frame = pl.from_arrow(asked(self.path, result.to_arrow_table))
        assert isinstance(frame, pl.DataFrame)
        return frame

    def batches(
        self,
        name: str,
        places: Places = None,
        /,
        *,
        batch_rows: int = 100_000,
        **parameters: Any,
    ) -> Iterator[pa.RecordBatch]:
        """The named query's result in Arrow batches. Nothing else may run until it is read to its end."""
        result = self._execute(sql.statement(name, **(places or {})), parameters)
        reader = asked(self.path, lambda: result.to_arrow_reader(batch_rows))
        while (batch := asked(self.path, lambda: next(reader, None))) is not None:
            yield batch

    @contextmanager
    def lent(self, **frames: pl.DataFrame | pa.Table) -> Iterator[None]:
        """Frames that statements may read as tables by these names, while inside."""
        lent = {name: _Lent(frame) for name, frame in frames.items()}
        for name, each in lent.items():
            self._connection.register(name, each)
        try:
            yield
        finally:
            for name, each in lent.items():
                self._connection.unregister(name)
                each.end()

    def _execute(self, text: str, parameters: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
        return asked(self.path, lambda: self._connection.execute(text, parameters or None))

    def _prepare(self, *, fresh: bool) -> None:
        self._execute(sql.statement("macros"))
        done = 0 if fresh else self._schema_version()
        steps = sql.schema_steps()
        if done > len(steps):
            raise StagingUnavailable(
                f"{self.path} has schema version {done}, newer than this stager's {len(steps)}",
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
            else:
                # Nothing is folded, as far as the newer projections go: whoever opens the file refolds.
                self.run("forget_standing", name="folded")
            self.run("forget_migration_fact", name="schema_version")
            self.set_fact("schema_version", str(len(steps)))

    def _prepare_rows(self) -> None:
        """A table for each sheet's rows, with a text column for each of its columns."""
        for sheet in SHEETS:
            self.run("create_rows", {"table": sheet.table})
            kinds = {column.field: column.kind for column in sheet.columns}
            for field in (*sheet.fields, "extra"):
                step = "add_unlike" if kinds.get(field) in _UNLIKE else "add_column"
                self.run(step, {"table": sheet.table, "field": sql.identifier(field)})

    def _schema_version(self) -> int:
        if not self.one("has_table", table="migration"):
            raise StagingUnavailable(
                f"{self.path} is no staging file of stager", hint="name another with --staging"
            )
        return int(self.fact("schema_version"))
