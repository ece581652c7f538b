"""Stager and PostgreSQL ended at any moment: the same command again leaves every row once, and nothing lost.

Real processes, ended by signals: a made-up practice is staged, linked and approved once; every test
publishes a copy of it into a database of its own and compares that with one that nothing disturbed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import sql

from sample_data.generate import Practice, generate
from stager.crypto.fields import FieldSealer, row_id_bytes
from stager.tenant import embedded
from stager.tenant.embedded import Server
from stager.tenant.profile import Profile, Protect
from stager.tenant.registry import Tenant
from tests.cli_calls import Called
from tests.postgres import SLUG, create_database, defined, tenant_at
from tests.running import (
    ROUNDS,
    Capture,
    Place,
    Reached,
    Running,
    after,
    new_chance,
    require_clean,
    require_refused,
)

CHUNK_ROWS = 250
SIZES = Practice(patients=300, background=900, notes=3600, medications=1200, seed=11, dirt=0.01)
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Undisturbed:
    """The practice before and after a publish that nothing disturbed.

    approved: the place before; copies of it are published. published: the place after.
    tables, ledger: what the tenant has then. seconds: how long it took. defined: the tenant's constraints
    and indexes, as they were before.
    """

    approved: Place
    published: Place
    tables: Rows
    ledger: list[tuple[Any, ...]]
    seconds: float
    defined: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Server, templates: tuple[str, ...]
) -> Undisturbed:
    folder = tmp_path_factory.mktemp("practice")
    files = tmp_path_factory.mktemp("files")
    generate(files, SIZES)
    create_database(postgres_server, "undisturbed", "clinic")
    tenant = tenant_at(postgres_server, "undisturbed")
    approved = Place(folder / "approved", {"STAGER_CHUNK_ROWS": str(CHUNK_ROWS)})
    approved.folder.mkdir()
    approved.register(SLUG, tenant.dsn)
    approved.call("ingest", "--synthetic", *sorted(files.glob("*.csv")), "-t", SLUG).done()
    approved.call("reconcile", "-t", SLUG).done()
    approved.call("approve").done()
    published = approved.copied(folder / "published")
    with psycopg.connect(tenant.dsn) as connection:
        constraints = defined(connection)
    began = time.monotonic()
    published.call("publish", "-t", SLUG).done()
    seconds = time.monotonic() - began
    tables, ledger = tables_of(tenant, published), ledger_of(tenant)
    return Undisturbed(approved, published, tables, ledger, seconds, constraints)


def tables_of(tenant: Tenant, place: Place) -> Rows:
    """Every row of the tenant's tables in the order of their ids, protected cells opened."""
    keyset = place.session().doors.keyset(SLUG)
    found: Rows = {}
    with psycopg.connect(tenant.dsn) as connection:
        for table in Profile.load(tenant.profile).tables:
            names = [table.id_column, *(column.name for column in table.columns)]
            query = sql.SQL("select {} from {} order by 1").format(
                sql.SQL(", ").join(map(sql.Identifier, names)), table.identifier
            )
            columns = list(zip(*connection.execute(query).fetchall(), strict=True)) or [()] * len(names)
            ids = [row_id_bytes(id_) for id_ in columns[0]]
            for at, column in enumerate(table.columns, start=1):
                if column.protect is Protect.AES_256_GCM:
                    sealer = FieldSealer(keyset, SLUG, table.table, column.name)
                    columns[at] = tuple(sealer.open_column(columns[at], ids))
            found[table.table] = list(zip(*columns, strict=True))
    return found


@pytest.fixture
def published_tenant(undisturbed: Undisturbed, new_tenant: Callable[[str], Tenant]) -> Tenant:
    """A database as the undisturbed publish left it."""
    return new_tenant("undisturbed")


def ledger_of(tenant: Tenant) -> list[tuple[Any, ...]]:
    """What the tenant's ledger says that does not hang on when it was written."""
    columns = "chunk, sheet, first_event, last_event, rows, digest, refused"
    with psycopg.connect(tenant.dsn) as connection:
        return connection.execute(f"select {columns} from stager_ledger order by chunk").fetchall()


@pytest.fixture
def watched(clinic_tenant: Tenant) -> Iterator[Callable[[int], Reached]]:
    """Says when the tenant's ledger has so many chunks."""
    with closing(psycopg.connect(clinic_tenant.dsn, autocommit=True)) as connection:
        yield lambda chunks: reached_by(connection, chunks)


def reached_by(connection: psycopg.Connection[Any], chunks: int) -> Reached:
    def reached() -> bool:
        return int(connection.execute("select count(*) from stager_ledger").fetchall()[0][0]) >= chunks

    return reached


def copy_for(undisturbed: Undisturbed, tenant: Tenant, folder: Path) -> Place:
    """The approved practice in a folder of its own, to be published into that database."""
    place = undisturbed.approved.copied(folder)
    place.register(SLUG, tenant.dsn)
    return place


def require_whole(undisturbed: Undisturbed, tenant: Tenant, place: Place) -> None:
    """The tenant holds exactly what the undisturbed one does, and the staging file knows of it all."""
    tables = tables_of(tenant, place)
    for name, rows in undisturbed.tables.items():
        assert len(tables[name]) == len(rows)
        assert tables[name] == rows
    assert ledger_of(tenant) == undisturbed.ledger
    with psycopg.connect(tenant.dsn) as connection:
        assert defined(connection) == undisturbed.defined
    with place.session() as session:
        sheets = session.status().sheets
        assert all(sheet.balances for sheet in sheets)
        published = sum(sheet.states["published"] for sheet in sheets)
        assert published == sum(row[4] for row in undisturbed.ledger)
        assert not any(sheet.states["approved"] for sheet in sheets)
        again = session.publish(SLUG, actor="tester")
        assert (again.run, again.rows) == (None, 0)
        before, after = session.rebuild()
        assert before == after


def publish(place: Place) -> Called:
    return place.call("publish", "-t", SLUG)


def publish_killed(place: Place, reached: Reached) -> Called:
    """Publish, killed when that is reached. Its own processes, which hold keys, end with it."""
    running, theirs = place.start("publish", "-t", SLUG), list[psutil.Process]()

    def noting() -> bool:
        theirs[:] = children_of(running) or theirs
        return reached()

    called = running.when(noting, signal.SIGKILL)
    assert psutil.wait_procs(theirs, timeout=10)[1] == []
    return called


def children_of(running: Running) -> list[psutil.Process]:
    try:
        return psutil.Process(running.process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


CHUNKS = 26
LIVES = [
    pytest.param([1, 14], id="at the first chunk, then in the midst"),
    pytest.param(
        [CHUNKS - 1, CHUNKS],
        marks=pytest.mark.soak,
        id="before the last chunk, then with all in and none recorded",
    ),
]


@pytest.mark.parametrize("kills", LIVES)
def test_stager_killed_while_publishing(
    undisturbed: Undisturbed,
    clinic_tenant: Tenant,
    watched: Callable[[int], Reached],
    tmp_path: Path,
    kills: list[int],
) -> None:
    """Killed with so many chunks in, and again when it goes on: the third time it ends, all there once."""
    place = copy_for(undisturbed, clinic_tenant, tmp_path / "place")
    for chunks in kills:
        assert publish_killed(place, watched(chunks)).code == -signal.SIGKILL
        assert len(ledger_of(clinic_tenant)) >= chunks
    publish(place).done()
    require_whole(undisturbed, clinic_tenant, place)


def test_stager_killed_with_keys_put_off(
    undisturbed: Undisturbed, clinic_tenant: Tenant, tmp_path: Path
) -> None:
    """Killed when it has just put off foreign keys and indexes: check and verify say so, publish mends it."""
    place = copy_for(undisturbed, clinic_tenant, tmp_path / "place")
    with closing(psycopg.connect(clinic_tenant.dsn, autocommit=True)) as connection:

        def is_put_off() -> bool:
            return connection.execute("select to_regclass('stager_deferred')").fetchall() != [(None,)]

        assert publish_killed(place, is_put_off).code == -signal.SIGKILL
        assert is_put_off()
        assert not any("FOREIGN KEY" in each[2] for each in defined(connection))
    checked = place.call("tenant", "check", "-t", SLUG)
    assert checked.code != 0
    assert "run stager publish again" in checked.out + checked.err
    require_refused(place.call("verify", "-t", SLUG), 6, "was put off while publishing", "stager publish -t")
    publish(place).done()
    require_whole(undisturbed, clinic_tenant, place)
    assert place.call("tenant", "check", "-t", SLUG).code == 0
    assert place.call("verify", "-t", SLUG).code == 0


@pytest.mark.soak
def test_stager_killed_at_random_moments(
    undisturbed: Undisturbed, clinic_tenant: Tenant, tmp_path: Path
) -> None:
    """Killed twice wherever it may be, it gets there."""
    place = copy_for(undisturbed, clinic_tenant, tmp_path / "place")
    kill_at_random(undisturbed, place, random.Random(24), 2)
    publish(place).done()
    require_whole(undisturbed, clinic_tenant, place)


def kill_at_random(undisturbed: Undisturbed, place: Place, chance: random.Random, times: int) -> None:
    for _ in range(times):
        moment = chance.uniform(0.2, 1.1) * undisturbed.seconds
        assert publish_killed(place, after(moment)).code in (0, -signal.SIGKILL)


def test_postgres_killed_while_publishing(
    undisturbed: Undisturbed, killable_server: Server, tmp_path: Path
) -> None:
    """PostgreSQL killed beneath a publisher: exit 5 says to run again; restarted, the command ends it."""
    tenant = tenant_at(killable_server, SLUG)
    place = copy_for(undisturbed, tenant, tmp_path / "place")
    killable_server.database(SLUG)
    with place.session() as session:
        session.init_tenant(SLUG)
    cut_off = publish_without_postgres(place, tenant, killable_server, 12)
    require_refused(cut_off, 5, "chunks are known to be in", "run the same command again")
    assert len(ledger_of(tenant)) >= 12
    publish(place).done()
    require_whole(undisturbed, tenant, place)


def publish_without_postgres(place: Place, tenant: Tenant, server: Server, chunks: int) -> Called:
    """Publish, with the server killed when it has so many chunks, and started again afterwards."""
    with closing(psycopg.connect(tenant.dsn, autocommit=True)) as connection:
        running = place.start("publish", "-t", SLUG)
        cut_off = running.meanwhile(reached_by(connection, chunks), lambda: end_server(server))
    embedded.start(server.folder)
    return cut_off


def end_server(server: Server) -> None:
    """SIGKILL to the server and every process of it."""
    postmaster = psutil.Process(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]))
    for process in (postmaster, *postmaster.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_ctrl_c_while_publishing(
    undisturbed: Undisturbed,
    clinic_tenant: Tenant,
    watched: Callable[[int], Reached],
    tmp_path: Path,
) -> None:
    """Ctrl-C, which reaches every process of a terminal: what is in is recorded, the next one goes on."""
    place = copy_for(undisturbed, clinic_tenant, tmp_path / "place")
    for number in range(2):
        running = place.start("publish", "-t", SLUG)
        reached = watched(9) if number else lambda running=running: is_starting_others(running)
        stopped = running.when(reached, signal.SIGINT, group=True)
        require_refused(stopped, 130, "run the same command again")
        with place.session() as session:
            published = sum(sheet.states["published"] for sheet in session.status().sheets)
        assert published == sum(row[4] for row in ledger_of(clinic_tenant))
    publish(place).done()
    require_whole(undisturbed, clinic_tenant, place)


def is_starting_others(running: Running) -> bool:
    """Whether the last of the processes that make rows ready is at its first lines."""
    theirs = children_of(running)
    with suppress(psutil.NoSuchProcess):
        return len(theirs) > (os.cpu_count() or 1) and min(map(seconds_used, theirs[1:])) > 0.05
    return False


def seconds_used(process: psutil.Process) -> float:
    return float(process.cpu_times().user)


def test_a_lost_ledger_and_an_older_staging_file_double_nothing(
    undisturbed: Undisturbed, published_tenant: Tenant, tmp_path: Path
) -> None:
    """With the ledger emptied and the staging file put back: every row is found, the ledger made anew."""
    place = copy_for(undisturbed, published_tenant, tmp_path / "place")
    with psycopg.connect(published_tenant.dsn) as connection:
        connection.execute("delete from stager_ledger")
    publish(place).done()
    require_whole(undisturbed, published_tenant, place)


def test_a_staging_file_older_than_its_last_seal(
    undisturbed: Undisturbed, published_tenant: Tenant, tmp_path: Path
) -> None:
    """An older copy is told from the seal kept beside the keys: exit 6. The latest copy goes on; where
    that is lost, the kept seal is set aside, and the tenant's ledger says what was published.
    """
    place = copy_for(undisturbed, published_tenant, tmp_path / "place")
    shutil.copytree(undisturbed.published.keys / "heads", place.keys / "heads", dirs_exist_ok=True)
    [head] = (place.keys / "heads").glob("*.json")
    refused = publish(place)
    assert refused.code == 6
    assert "older than its last seal" in refused.err
    assert "bring back the latest copy" in refused.err
    assert str(head) in refused.err
    older = place.staging.read_bytes()
    shutil.copy(undisturbed.published.staging, place.staging)
    require_whole(undisturbed, published_tenant, place)
    place.staging.write_bytes(older)
    head.unlink()
    publish(place).done()
    require_whole(undisturbed, published_tenant, place)


@pytest.mark.soak
def test_publishing_under_many_kills(
    undisturbed: Undisturbed, new_tenant: Callable[[str], Tenant], tmp_path: Path, capsys: Capture
) -> None:
    """Many publishes, each killed one to eight times at random moments and then left to end."""
    chance = new_chance(capsys)
    for number in range(ROUNDS):
        tenant = new_tenant("clinic")
        place = copy_for(undisturbed, tenant, tmp_path / str(number))
        kill_at_random(undisturbed, place, chance, chance.randint(1, 8))
        publish(place).done()
        require_whole(undisturbed, tenant, place)
        shutil.rmtree(place.folder)


@pytest.mark.soak
def test_publishing_while_postgres_dies_again_and_again(
    undisturbed: Undisturbed, killable_server: Server, tmp_path: Path, capsys: Capture
) -> None:
    """Several databases, the server killed beneath each publish as its ledger grows."""
    chance = new_chance(capsys)
    for number in range(ROUNDS // 4):
        name = f"clinic_{number}"
        killable_server.database(name)
        tenant = tenant_at(killable_server, name)
        place = copy_for(undisturbed, tenant, tmp_path / name)
        with place.session() as session:
            session.init_tenant(SLUG)
        for chunks in sorted(chance.sample(range(CHUNKS), 3)):
            cut_off = publish_without_postgres(place, tenant, killable_server, chunks)
            assert cut_off.code in (0, 5), cut_off.err
            require_clean(cut_off)
        publish(place).done()
        require_whole(undisturbed, tenant, place)
        shutil.rmtree(place.folder)
