"""TLS: verify-full to every host that is not this machine, unless tenants.toml says otherwise."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace
from psycopg.conninfo import conninfo_to_dict

from stager.errors import TenantUnavailable
from stager.tenant import embedded, postgres
from stager.tenant.registry import Tenant
from stager.tenant.tls import is_local, resolved, tls_options
from tests.postgres import UNSAFE_AND_FAST, open_folder

LOCAL = [
    "dbname=x",
    "postgresql:///x",
    "host=/run/postgresql",
    "host=@abstract",
    "host=localhost",
    "host=LocalHost",
    "host=127.0.0.1",
    "host=127.8.9.10",
    "postgresql://[::1]/x",
    "host=localhost,127.0.0.1",
    "host=any.name hostaddr=127.0.0.1",
]
REMOTE = [
    "host=db.example",
    "postgresql://10.0.0.7/x",
    "postgresql://[fd00::1]/x",
    "host=localhost,db.example",
    "host=localhost hostaddr=10.0.0.7",
    "host=localhost.example",
    "host=127.0.0.1.example",
]


@pytest.mark.parametrize("dsn", LOCAL)
def test_a_local_host_is_left_to_libpq(dsn: str) -> None:
    """A socket or loopback address gets no sslmode from stager."""
    assert tls_options(dsn, None) == {}


@pytest.mark.parametrize("dsn", REMOTE)
def test_any_other_host_is_verified(dsn: str) -> None:
    """One remote host is enough, and GSSAPI may not stand in for TLS."""
    assert tls_options(dsn, None) == {"sslmode": "verify-full", "gssencmode": "disable"}


def test_the_tenant_may_say_otherwise() -> None:
    """`tls` in tenants.toml goes before an sslmode in the dsn, and both before the rule."""
    assert tls_options("host=db.example", "require")["sslmode"] == "require"
    assert tls_options("host=db.example sslmode=verify-ca", None)["sslmode"] == "verify-ca"
    assert tls_options("host=db.example sslmode=disable", "verify-full")["sslmode"] == "verify-full"
    assert tls_options("host=localhost", "verify-full")["sslmode"] == "verify-full"
    assert "gssencmode" not in tls_options("host=db.example gssencmode=require", None)


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty libpq service file, which the process reads."""
    path = tmp_path / "services.conf"
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    return path


def test_a_service_cannot_lower_the_rule(services: Path) -> None:
    """A service's host is looked at; its sslmode is not the tenant's word."""
    services.write_text("[far]\nhost=db.example\nsslmode=disable\n[near]\nhost=/run/postgresql\n")
    assert tls_options("service=far", None)["sslmode"] == "verify-full"
    assert tls_options("service=near", None) == {}
    assert tls_options("service=near host=db.example", None)["sslmode"] == "verify-full"


def test_an_unknown_service_is_not_local(services: Path) -> None:
    """What libpq cannot resolve is held to the rule."""
    services.write_text("")
    assert resolved("service=nowhere") == {}
    assert not is_local({})


def test_the_environment_is_part_of_where_a_dsn_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGHOST makes a dsn without a host a remote one, and PGSSLMODE cannot lower the rule."""
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert tls_options("dbname=x", None)["sslmode"] == "verify-full"


def test_a_service_and_a_password_file_lead_to_the_database(
    clinic_tenant: Tenant, services: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`service=…` is connected as libpq reads it, with the password from the password file."""
    options = conninfo_to_dict(clinic_tenant.dsn)
    services.write_text("[maple]\n" + "\n".join(f"{key}={value}" for key, value in options.items()) + "\n")
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"*:*:{options['dbname']}:*:from-the-file\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    with postgres.connect(Tenant(slug="maple-surgery", dsn="service=maple")) as connection:
        assert connection.info.dbname == options["dbname"]
        assert connection.info.password == "from-the-file"
        parameters = connection.info.get_parameters()
        assert (parameters["application_name"], parameters["connect_timeout"]) == ("stager", "10")


def test_a_server_without_tls_is_not_spoken_to() -> None:
    """The sslmode reaches libpq: the real server of the wheel has no TLS, so verify-full refuses it."""
    folder = open_folder("stager-tls-")
    address = f"127.83.{os.getpid() % 250}.7"  # the wheel's server takes one port, not one address
    server = embedded.start(folder / "server", UNSAFE_AND_FAST | {"listen_addresses": address})
    try:
        tenant = Tenant(slug="oak", dsn=f"host={address} port=5432 dbname=postgres user=postgres")
        postgres.connect(tenant).close()
        with pytest.raises(TenantUnavailable, match="the server does not offer it"):
            postgres.connect(replace(tenant, tls="verify-full"))
    finally:
        server.stop()
        shutil.rmtree(folder)
