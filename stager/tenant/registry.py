"""tenants.toml: which tenants there are, where their databases stand and what they ask for.

Looked for in this order, the first found is read: the path given, `STAGER_TENANTS`,
`./tenants.toml`, `$XDG_CONFIG_HOME/stager/tenants.toml`.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from msgspec import Struct
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from stager.errors import TenantUnavailable, UsageError, Where
from stager.tenant import embedded
from stager.tenant.tls import SSL_MODES
from stager.tenant.toml_files import (
    flag_of,
    read_toml,
    refuse_unknown,
    suggestion,
    table_of,
    text_of,
    texts_of,
)

EMBEDDED = "embedded"
"""The dsn of a tenant whose PostgreSQL stager starts itself."""

_TIMEZONE = "Europe/London"
_TENANT_KEYS = ("dsn", "profile", "timezone", "tls", "roles", "synthetic")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Tenant(Struct, frozen=True, kw_only=True):
    """One tenant, its settings merged with the defaults and expanded.

    dsn: what libpq takes (a connection string, a URI, `service=…`), or "embedded". May hold a
        password, so it is left out of the repr and never put in a message.
    profile: a built-in target profile's name, or the path of one.
    timezone: IANA name; the local time of the practice's consultation dates.
    tls: the sslmode that the registry asks for, or None for the rule (`stager.tenant.tls`).
    roles: what the tenant's own list of roles adds to the sheet's.
    synthetic: whether the patients are made up, as a demonstration's are.
    embedded_folder: where the embedded server of this tenant keeps its data; None for another dsn.
    """

    slug: str
    dsn: str
    profile: str = "clinic"
    timezone: str = _TIMEZONE
    tls: str | None = None
    roles: tuple[str, ...] = ()
    synthetic: bool = False
    embedded_folder: Path | None = None

    def __repr__(self) -> str:  # never the dsn
        return f"Tenant({self.slug!r})"


class Registry(Struct, frozen=True):
    """The tenants of one tenants.toml.

    path: the file that was read; None where there is none.
    looked: every place that was looked at, in order.
    """

    path: Path | None
    looked: tuple[Path, ...]
    _entries: Mapping[str, Mapping[str, Any]]
    _environ: Mapping[str, str]

    def __repr__(self) -> str:  # never a dsn, nor a variable that it is made from
        return f"Registry({str(self.path)!r})"

    @classmethod
    def load(cls, path: Path | None, environ: Mapping[str, str], cwd: Path) -> Registry:
        """Read the first tenants.toml of the search order; without one the registry is empty.

        Raises TenantUnavailable if a file was named and is not there, UsageError if it is not
        what a tenants.toml must be.
        """
        looked = _search_order(path, environ, cwd)
        found = next((place for place in looked if place.is_file()), None)
        if found is None:
            if path or environ.get("STAGER_TENANTS"):
                raise TenantUnavailable(
                    f"there is no tenants file at {looked[0]}",
                    hint="check the name given with --tenants or STAGER_TENANTS",
                )
            return cls(None, looked, {}, environ)
        return cls(found, looked, _entries(read_toml(found), found), environ)

    def slugs(self) -> tuple[str, ...]:
        """The registered tenants, in the file's order."""
        return tuple(self._entries)

    def tenant(self, slug: str) -> Tenant:
        """The tenant of that slug.

        Raises TenantUnavailable if it is not registered, or if its entry names an environment
        variable that is not set; UsageError if one of its values cannot be.
        """
        entry = self._entries.get(slug)
        if entry is None or self.path is None:
            raise self._unknown(slug)
        place = f"tenant {slug}"
        dsn = _expanded_dsn(text_of(entry, "dsn", place), slug, self._environ)
        return Tenant(
            slug=slug,
            dsn=dsn,
            profile=self._profile(entry, slug, self.path.parent),
            timezone=_timezone(text_of(entry, "timezone", place, _TIMEZONE), place),
            tls=_tls(entry, place),
            roles=texts_of(entry, "roles", place),
            synthetic=flag_of(entry, "synthetic", place, default=False),
            embedded_folder=embedded.data_folder(self._environ, slug) if dsn == EMBEDDED else None,
        )

    def _profile(self, entry: Mapping[str, Any], slug: str, beside: Path) -> str:
        """A profile's path is read from beside the tenants.toml that names it."""
        text = text_of(entry, "profile", f"tenant {slug}", "clinic")
        named = _expanded(text, slug, self._environ)
        is_path = named.endswith(".toml") or "/" in named
        return str(beside / Path(named).expanduser()) if is_path else named

    def _unknown(self, slug: str) -> TenantUnavailable:
        places = ", ".join(str(place) for place in self.looked)
        if self.path is None:
            hint = f"no tenants.toml was found; looked at {places}"
        else:
            known = ", ".join(self._entries) or "none"
            hint = f"registered in {self.path}: {known}; {suggestion(slug, self.slugs())}"
        return TenantUnavailable(f"tenant {slug} is not registered", hint=hint)


def _search_order(path: Path | None, environ: Mapping[str, str], cwd: Path) -> tuple[Path, ...]:
    """A place that was named outright is the only one: its absence must not fall through to another."""
    if path is not None:
        return (cwd / path,)
    if named := environ.get("STAGER_TENANTS"):
        return (cwd / Path(named).expanduser(),)
    config = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config"
    return (cwd / "tenants.toml", Path(config) / "stager" / "tenants.toml")


def _entries(document: Mapping[str, Any], path: Path) -> dict[str, Mapping[str, Any]]:
    refuse_unknown(document, ("defaults", "tenants"), path.name)
    defaults = table_of(document, "defaults", path.name)
    refuse_unknown(defaults, _TENANT_KEYS, f"{path.name} [defaults]")
    tenants = table_of(document, "tenants", path.name)
    entries: dict[str, Mapping[str, Any]] = {}
    for slug in tenants:
        if not _DNS_LABEL.fullmatch(slug):
            raise UsageError(
                f"tenant {slug!r} is not a DNS label",
                where=Where(file=str(path)),
                hint="lower-case letters, digits and hyphens, at most 63, no hyphen at either end",
            )
        entry = table_of(tenants, slug, path.name)
        refuse_unknown(entry, _TENANT_KEYS, f"{path.name} [tenants.{slug}]")
        entries[slug] = {**defaults, **entry}
    return entries


def _expanded(text: str, slug: str, environ: Mapping[str, str]) -> str:
    """`{slug}` and `${NAME}` replaced; TenantUnavailable names a variable that is not set."""

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environ:
            raise TenantUnavailable(
                f"tenant {slug}: the environment variable {name} is not set",
                hint=f"tenants.toml refers to it as ${{{name}}}",
            )
        return environ[name]

    # The slug first: what a variable holds is data and may itself contain "{slug}".
    return _VARIABLE.sub(value_of, text.replace("{slug}", slug))


def _expanded_dsn(text: str, slug: str, environ: Mapping[str, str]) -> str:
    """The dsn with its values expanded one by one, so that a password may hold any character.

    A dsn that begins with a variable is taken to have its whole text there.
    """
    whole = _expanded(text, slug, environ) if text.startswith("${") else text
    if whole == EMBEDDED:
        return whole
    try:
        values = conninfo_to_dict(whole)
    except psycopg.Error:
        values = None
    if values is None:  # outside the handler: libpq's message quotes the dsn
        raise UsageError(
            f"tenant {slug}: its dsn is not a connection string that libpq can read",
            hint="postgresql://user@host/database, key=value pairs, or service=name",
        )
    if whole is not text:
        return whole
    expanded = {key: _expanded(str(value), slug, environ) for key, value in values.items()}
    return make_conninfo(**expanded)


def _timezone(name: str, place: str) -> str:
    known = _timezones() if name != _TIMEZONE else frozenset()
    # A machine without a time zone database cannot judge; polars brings its own where it is used.
    if known and name not in known:
        raise UsageError(f"{place}: timezone {name!r} is not known", hint=suggestion(name, known))
    return name


@cache
def _timezones() -> frozenset[str]:
    """Read once: they are hundreds of files, and a command asks for its tenant with each connection."""
    return frozenset(zoneinfo.available_timezones())


def _tls(entry: Mapping[str, Any], place: str) -> str | None:
    if "tls" not in entry:
        return None
    mode = text_of(entry, "tls", place)
    if mode not in SSL_MODES:
        raise UsageError(f"{place}: tls {mode!r} is not an sslmode", hint=suggestion(mode, SSL_MODES))
    return mode
