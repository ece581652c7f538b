"""The border to Postgres: connections that keep the TLS rule, and psycopg's errors made ours.

What a server says about a row quotes its cells ("Key (nhs)=(…)", "Failing row contains …").
Of an error only its SQLSTATE and the names of constraint, table and column pass this border.

    StagerError
    ├── DataRefused ............ a row's fault: a constraint, a value that its column cannot hold
    ├── TenantUnavailable ...... the database is down, lost, not set up, or forbids it
    └── StagerError itself ..... stager's fault: a statement that cannot be
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from stager.errors import StagerError, TenantUnavailable
from stager.tenant import embedded
from stager.tenant.connecting import reason_not_connected
from stager.tenant.registry import EMBEDDED, Tenant
from stager.tenant.statements import statement
from stager.tenant.tls import tls_options

Connection = psycopg.Connection[TupleRow]

logging.getLogger("psycopg").addHandler(logging.NullHandler())
"""What psycopg logs of a lost connection quotes libpq; unheard, it would go to standard error."""

CONNECT_SECONDS = 10
"""How long a server may take to answer, unless the dsn says otherwise."""

_COPY_PLACE = re.compile(r"^COPY \S+, line (\d+)(?:, column (\w+))?", re.MULTILINE)


class DataRefused(StagerError):
    """The database refused a row: its own fault, and no other row's.

    sqlstate: five characters, or None where psycopg refused the value before sending it.
    constraint, table, column: as the database names them, where it does.
    line: which record of a COPY, from 1, where the database says so.
    """

    def __init__(
        self,
        sqlstate: str | None,
        *,
        constraint: str | None = None,
        table: str | None = None,
        column: str | None = None,
        line: int | None = None,
    ) -> None:
        named = (("table", table), ("column", column), ("constraint", constraint))
        parts = [f"SQLSTATE {sqlstate or 'none'}", *(f"{kind} {name}" for kind, name in named if name)]
        super().__init__(f"the tenant's database refused a row ({', '.join(parts)})")
        self.sqlstate = sqlstate
        self.constraint = constraint
        self.table = table
        self.column = column
        self.line = line


_ROWS_FAULT = ("22", "23", "44", "54", "P0")
"""SQLSTATE classes of data, integrity, view check, a value too large to index, a trigger's own refusal."""

_OUR_FAULT = {"22P03", "22P04"}
"""Data-class states that say the COPY bytes are wrong: no row can be blamed for those."""

_UNAVAILABLE: dict[str, str] = {
    "42501": "grant the role what docs/tenants.md lists under Roles",
    "42P01": "`stager tenant check` says what differs from the profile",
    "42703": "`stager tenant check` says what differs from the profile",
    "42704": "`stager tenant check` says what differs from the profile",
    "428C9": "`stager tenant check` says what differs from the profile",
    "25006": "the database is read-only: is it a standby?",
    "08": "the connection was lost; run the command again, nothing is written twice",
    "57": "the server ended the statement or the connection; run the command again",
    "53": "the server is out of space, memory or connections",
    "55": "an object is locked or in use by another session; run the command again",
    "58": "the server has a fault of its own; see its log",
    "40": "the server rolled the transaction back in favour of another; run the command again",
    "28": "see the tenant's user and password, and the server's pg_hba.conf",
    "3D": "the database does not exist; create it first",
    "XX": "the server has a fault of its own; see its log",
}
"""SQLSTATE, or its class → what to do, where the database and not a row is at fault."""


def translate(error: psycopg.Error) -> StagerError:
    """Our error for psycopg's: what kind it is and the names it carries, none of its text."""
    state, diag = error.sqlstate, error.diag
    if state is None:
        return _without_state(error)
    if state[:2] in _ROWS_FAULT and state not in _OUR_FAULT:
        place = _COPY_PLACE.search(diag.context or "")
        return DataRefused(
            state,
            constraint=diag.constraint_name,
            table=diag.table_name,
            column=diag.column_name or (place[2] if place else None),
            line=int(place[1]) if place else None,
        )
    named = "".join(f", {kind} {name}" for kind, name in (("table", diag.table_name),) if name)
    hint = _UNAVAILABLE.get(state) or _UNAVAILABLE.get(state[:2])
    if hint is not None:
        return TenantUnavailable(f"the tenant's database ended the work (SQLSTATE {state}{named})", hint=hint)
    return StagerError(f"the tenant's database did not take a statement (SQLSTATE {state}{named})")


def _without_state(error: psycopg.Error) -> StagerError:
    """Errors that no server raised: the connection broke, or psycopg itself refused."""
    if isinstance(error, psycopg.OperationalError):
        return TenantUnavailable(
            "the connection to the tenant's database was lost",
            hint="run the command again; nothing is written twice",
        )
    if isinstance(error, psycopg.DataError):
        return DataRefused(None)
    return StagerError(f"psycopg did not take a call ({type(error).__name__})")


@contextmanager
def guarded() -> Iterator[None]:
    """Let no psycopg error out: raises what `translate` makes of it, without cause or context.

    The psycopg error itself loses its text, since a log that walks `__context__` would show it.
    """
    try:
        yield
    except psycopg.Error as error:
        ours = translate(error)
        _scrub(error)
        raise ours from None


def _scrub(error: BaseException) -> None:
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, psycopg.Error):
            one.args = (f"SQLSTATE {one.sqlstate}",)
        pending += [one.__context__, one.__cause__]


def connect(tenant: Tenant) -> Connection:
    """A connection to the tenant's database, in autocommit: work that writes goes in `transaction`.

    Starts the tenant's embedded server if it has one and it is not running. The search path is
    the role's own. Statements are never prepared on the server, so a pooler may stand between.

    Raises TenantUnavailable, whose message holds no part of the dsn.
    """
    base = _dsn(tenant)
    options = {
        "connect_timeout": conninfo_to_dict(base).get("connect_timeout", CONNECT_SECONDS),
        "application_name": "stager",
        "client_encoding": "UTF8",
        **tls_options(base, tenant.tls),
    }
    failure = ""
    try:
        return psycopg.connect(make_conninfo(base, **options), autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        failure = reason_not_connected(str(error))
    # Raised outside the handler: libpq's text may quote a mistyped password as a host name.
    raise TenantUnavailable(
        f"tenant {tenant.slug}: its database cannot be reached: {failure}",
        hint="`stager tenant list` shows what is registered; try the same dsn with psql",
    )


def _dsn(tenant: Tenant) -> str:
    if tenant.dsn != EMBEDDED:
        return tenant.dsn
    if tenant.embedded_folder is None:
        raise StagerError(f"tenant {tenant.slug}: an embedded tenant without a data folder")
    return embedded.start(tenant.embedded_folder).database(tenant.slug)


@contextmanager
def transaction(connection: Connection, *, dry_run: bool = False) -> Iterator[None]:
    """Everything within is committed together, or not at all; rolled back in any case if `dry_run`.

    Inside another transaction it is a savepoint. psycopg's errors come out as `guarded` makes
    them. A TenantUnavailable at the end leaves open whether the commit arrived: ask the ledger.
    """
    with guarded():
        outermost = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with connection.transaction(force_rollback=dry_run):
            if outermost:
                connection.execute(statement("keep_idle_transaction"))
            yield
