"""The border to Postgres: whose fault an error is, and that no cell's value crosses it."""

from __future__ import annotations

import logging
import os
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest

from stager.errors import StagerError, TenantUnavailable
from stager.tenant import embedded, postgres
from stager.tenant.connecting import reason_not_connected
from stager.tenant.embedded import Server
from stager.tenant.postgres import Connection, DataRefused, guarded, transaction
from stager.tenant.registry import Tenant
from tests.postgres import create_database, tenant_at

MARKER = "MRK-9434765919-Penelope"

TABLE = """
create table leaky (
    id integer primary key,
    legacy text unique,
    born date,
    short varchar(5),
    needed text not null default 'x',
    checked text check (checked <> 'never'),
    other integer references leaky (id)
);
create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'no %', new.legacy; end $$;
"""

REFUSING = "create trigger t before insert on leaky for each row execute function refuse();"

ROW_FAULTS = [
    (f"insert into leaky (id, legacy) values (1, '{MARKER}'), (2, '{MARKER}')", "23505", "leaky_legacy_key"),
    (f"insert into leaky (id, legacy, needed) values (1, '{MARKER}', null)", "23502", None),
    (
        f"insert into leaky (id, legacy, checked) values (1, '{MARKER}', 'never')",
        "23514",
        "leaky_checked_check",
    ),
    (f"insert into leaky (id, legacy, other) values (1, '{MARKER}', 7)", "23503", "leaky_other_fkey"),
    (f"insert into leaky (id, short) values (1, '{MARKER}')", "22001", None),
    (f"insert into leaky (id, born) values (1, '{MARKER}')", "22007", None),
    (
        f"{REFUSING} insert into leaky (id, legacy) values (1, '{MARKER}')",
        *("P0001", None),
    ),
]


def everything_shown(error: BaseException) -> str:
    """What any handler could print: message, hint, repr, traceback, and the chain behind it."""
    parts, pending, seen = [], [error], set()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        parts += [str(one), repr(one), getattr(one, "hint", ""), *traceback.format_exception(one)]
        pending += [link for link in (one.__cause__, one.__context__) if link is not None]
    return "\n".join(parts)


@pytest.fixture
def leaky(blank: Connection) -> Connection:
    """A connection to a table with a constraint of every kind."""
    blank.execute(TABLE.encode())
    return blank


@pytest.mark.parametrize(("statement", "sqlstate", "constraint"), ROW_FAULTS)
def test_a_rows_fault_names_the_constraint_and_shows_no_value(
    leaky: Connection,
    caplog: pytest.LogCaptureFixture,
    statement: str,
    sqlstate: str,
    constraint: str | None,
) -> None:
    """SQLSTATE and constraint cross the border; the value does not, also not in logs or a traceback."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DataRefused) as caught, transaction(leaky):
        leaky.execute(statement.encode())
    assert (caught.value.sqlstate, caught.value.constraint) == (sqlstate, constraint)
    assert sqlstate in str(caught.value)
    # Lines of source are in a traceback; the parameters of this test are not.
    assert MARKER not in everything_shown(caught.value)
    assert MARKER not in caplog.text


def test_the_column_is_named(leaky: Connection) -> None:
    """Where the server names a column, it is in the error."""
    with pytest.raises(DataRefused, match="table leaky, column needed") as caught, transaction(leaky):
        leaky.execute("insert into leaky (id, needed) values (1, null)")
    assert caught.value.column == "needed"


def test_a_value_that_psycopg_refuses_is_the_rows_fault(leaky: Connection) -> None:
    """A NUL in a text never reaches the server, and is refused the same way."""
    with pytest.raises(DataRefused) as caught, transaction(leaky):
        leaky.execute("insert into leaky (id, legacy) values (1, %s)", [f"{MARKER}\0"])
    assert caught.value.sqlstate is None
    assert MARKER not in everything_shown(caught.value)


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        ("select * from nowhere", "stager tenant check"),
        ("select nothing from leaky", "stager tenant check"),
        ("set local statement_timeout = 1; select pg_sleep(1)", "run the command again"),
        ("set local transaction_read_only = on; insert into leaky (id) values (1)", "standby"),
    ],
)
def test_the_databases_fault_says_what_to_do(leaky: Connection, statement: str, hint: str) -> None:
    """A database that is not set up, cut off or read-only is no row's fault."""
    with pytest.raises(TenantUnavailable) as caught, transaction(leaky):
        leaky.execute(statement.encode())
    assert hint in caught.value.hint


def test_a_missing_privilege_is_the_databases_fault(leaky: Connection) -> None:
    """A role that may not write is told which grants it needs."""
    with pytest.raises(TenantUnavailable) as caught, transaction(leaky):
        leaky.execute("set local role pg_read_all_stats; insert into leaky (id) values (1)")
    assert "Roles" in caught.value.hint


def test_a_statement_that_cannot_be_is_stagers_fault(leaky: Connection) -> None:
    """A syntax error or a misuse of psycopg is neither the row's nor the tenant's."""
    with pytest.raises(StagerError) as caught, guarded():
        leaky.execute(f"selec '{MARKER}'".encode())
    assert type(caught.value) is StagerError
    assert MARKER not in everything_shown(caught.value)
    with pytest.raises(StagerError) as caught, guarded():
        leaky.execute("select %s", [])
    assert caught.value.exit_code == 1


def test_an_error_at_the_commit_is_translated_too(leaky: Connection) -> None:
    """A deferred constraint speaks at COMMIT, which is inside the border."""
    leaky.execute("alter table leaky alter constraint leaky_other_fkey deferrable initially deferred")
    with pytest.raises(DataRefused, match="leaky_other_fkey"), transaction(leaky):
        leaky.execute("insert into leaky (id, other) values (1, 99)")
    assert leaky.execute("select count(*) from leaky").fetchone() == (0,)


def test_a_lost_connection_is_the_tenants_fault(leaky: Connection, blank_tenant: Tenant) -> None:
    """A session that the server ends, and one that is gone afterwards, are both exit 5."""
    with postgres.connect(blank_tenant) as other:
        other.execute("select pg_terminate_backend(%s)", [leaky.info.backend_pid])
    for _ in range(2):
        with pytest.raises(TenantUnavailable) as caught, transaction(leaky):
            leaky.execute("select 1")
        assert caught.value.exit_code == 5


def test_our_own_errors_pass_unchanged(leaky: Connection) -> None:
    """What is raised inside a transaction rolls it back and comes out as it is."""

    def fail() -> None:
        with transaction(leaky):
            leaky.execute("insert into leaky (id) values (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert leaky.execute("select count(*) from leaky").fetchone() == (0,)


def test_a_dry_run_is_rolled_back(leaky: Connection) -> None:
    """The same statements run, and nothing stays."""
    with transaction(leaky, dry_run=True):
        leaky.execute("insert into leaky (id) values (1)")
        assert leaky.execute("select count(*) from leaky").fetchone() == (1,)
    assert leaky.execute("select count(*) from leaky").fetchone() == (0,)
    with transaction(leaky):
        leaky.execute("insert into leaky (id) values (1)")
    assert leaky.execute("select count(*) from leaky").fetchone() == (1,)


def test_an_inner_transaction_is_a_savepoint(leaky: Connection) -> None:
    """A refused row inside leaves the rest of the transaction as it was."""
    with transaction(leaky):
        leaky.execute("insert into leaky (id) values (1)")
        with pytest.raises(DataRefused), transaction(leaky):
            leaky.execute("insert into leaky (id) values (1)")
        leaky.execute("insert into leaky (id) values (2)")
    assert leaky.execute("select count(*) from leaky").fetchone() == (2,)


def test_a_transaction_may_wait_for_its_client(leaky: Connection) -> None:
    """The server's limit for idle transactions is off inside a transaction, and only there."""
    leaky.execute("set idle_in_transaction_session_timeout = '9s'")
    show = "show idle_in_transaction_session_timeout"
    with transaction(leaky):
        assert leaky.execute(show).fetchone() == ("0",)
    assert leaky.execute(show).fetchone() == ("9s",)


def test_a_connection_leaves_the_search_path_alone(
    postgres_server: Server, templates: tuple[str, ...]
) -> None:
    """A tenant that is a schema of a shared database works by its role's or its dsn's search path."""
    tenant = tenant_at(postgres_server, "blank")
    dsn = f"{tenant.dsn} options='-c search_path=maple'"
    with postgres.connect(Tenant(slug="maple", dsn=dsn)) as connection:
        assert connection.execute("show search_path").fetchone() == ("maple",)
        assert connection.execute("show client_encoding").fetchone() == ("UTF8",)
        assert connection.execute("show application_name").fetchone() == ("stager",)


def test_nothing_is_prepared_on_the_server(blank: Connection) -> None:
    """Behind a pooler the next statement may meet another session, which knows of no prepared one."""
    for number in range(10):
        blank.execute("select %s::integer", [number])
    assert blank.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


UNREACHABLE = [
    (lambda d: d.replace("dbname=", "dbname=no"), "the database does not exist"),
    (lambda d: d.replace("user=postgres", "user=nobody-here"), "the user does not exist"),
    (lambda d: "host=/nowhere/at/all", "no server's socket is there"),
    (lambda d: "host=127.0.0.1 port=9 connect_timeout=3", "no server listens there"),
    (lambda d: "service=not-there", "service"),
]


@pytest.mark.parametrize(("change", "reason"), UNREACHABLE)
def test_an_unreachable_tenant_says_why(
    blank_tenant: Tenant, change: Callable[[str], str], reason: str
) -> None:
    """Exit 5, the tenant's slug and the reason in our words; never the dsn."""
    tenant = Tenant(slug="oak", dsn=change(blank_tenant.dsn) + f" password={MARKER}")
    with pytest.raises(TenantUnavailable, match=f"tenant oak: .*{reason}") as caught:
        postgres.connect(tenant)
    assert caught.value.exit_code == 5
    assert MARKER not in everything_shown(caught.value)


def test_libpqs_own_words_are_not_passed_on() -> None:
    """A mistyped password comes back as a host name in libpq's sentence."""
    said = f'could not translate host name "{MARKER}@db" to address: Name or service not known'
    assert reason_not_connected(said) == "its host name is not known"
    assert MARKER not in reason_not_connected(f"something new about {MARKER}")


def test_a_killed_server_is_unavailable_and_comes_back(killable_server: Server) -> None:
    """kill -9 of the whole server inside a transaction: exit 5, then start again and nothing half done."""
    create_database(killable_server, "maple")
    tenant = tenant_at(killable_server, "maple")
    connection = postgres.connect(tenant)
    connection.execute("create table kept (id integer)")

    def write() -> None:
        with transaction(connection):
            connection.execute("insert into kept values (1)")
            kill_server(killable_server)

    with pytest.raises(TenantUnavailable):
        write()  # fails at the commit, when the server is gone
    connection.close()
    embedded.start(killable_server.folder)
    with postgres.connect(tenant) as again:
        assert again.execute("select count(*) from kept").fetchone() == (0,)


def kill_server(server: Server) -> None:
    """kill -9 of the postmaster and its children, as a machine that loses its power."""
    pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        backends = connection.execute("select pid from pg_stat_activity").fetchall()
    for (one,) in [(pid,), *backends]:
        with suppress(ProcessLookupError):  # backends end by themselves when they see that the first is gone
            os.kill(one, signal.SIGKILL)
