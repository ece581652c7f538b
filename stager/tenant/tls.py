"""TLS to a tenant: verify-full for every host that is not this machine, unless the tenant says otherwise.

The tenant's word is `tls` in tenants.toml, or an sslmode written in its dsn. A libpq service
file and the environment may name the host and the user; they cannot lower the rule, because
whoever reads tenants.toml must be able to see what a tenant's patients travel over.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def tls_options(dsn: str, tls: str | None) -> dict[str, str]:
    """The connection options that hold the TLS rule for this dsn; none for a local host.

    tls: the sslmode that the tenant asks for, None for the rule.
    """
    written = conninfo_to_dict(dsn)
    mode = tls or written.get("sslmode")
    if mode is None and is_local(resolved(dsn)):
        return {}
    options = {"sslmode": str(mode or "verify-full")}
    if "gssencmode" not in written:
        # libpq tries GSSAPI encryption first, and where it succeeds does not look at sslmode.
        options["gssencmode"] = "disable"
    return options


def resolved(dsn: str) -> dict[str, str]:
    """What libpq would connect with: the dsn, its service file, the PG* variables, libpq's defaults.

    Asked of libpq itself, which gives up on an option that cannot be after it has looked up all
    the others and before it opens a socket. Empty if it cannot resolve them (an unknown service).
    """
    asked = make_conninfo(dsn, target_session_attrs="resolve-only")
    attempt = pq.PGconn.connect_start(asked.encode())
    try:
        return {o.keyword.decode(): o.val.decode() for o in attempt.info if o.val is not None}
    finally:
        attempt.finish()


def is_local(options: Mapping[str, str]) -> bool:
    """Whether every host of resolved connection options is this machine: a socket or loopback.

    Options that could not be resolved are not local.
    """
    if not options:
        return False
    addresses = [part for part in options.get("hostaddr", "").split(",") if part]
    if addresses:
        return all(_is_loopback(address) for address in addresses)
    return all(_is_local_host(host.strip()) for host in options.get("host", "").split(","))


def _is_local_host(host: str) -> bool:
    """An empty host is libpq's own default socket; `@` begins an abstract one."""
    return host == "" or host[0] in "/@" or host.lower() == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
