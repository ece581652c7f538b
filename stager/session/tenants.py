"""The doors to tenants: their settings, profiles, keysets and connections, opened when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stager.crypto import kek, keystore
from stager.crypto.keyset import Keyset
from stager.crypto.places import key_folder
from stager.errors import KeyUnavailable
from stager.session.settings import Settings
from stager.tenant import comparison, protected_cells, schema
from stager.tenant.comparison import Difference
from stager.tenant.postgres import Connection, connect
from stager.tenant.profile import Profile
from stager.tenant.registry import Registry, Tenant

BUILT_IN_PROFILE = "clinic"


class Doors:
    """Every tenant of one tenants file. Nothing is opened before it is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.keys: Path = key_folder(settings.environ)

    @property
    def registry(self) -> Registry:
        return Registry.load(self._settings.tenants, self._settings.environ, self._settings.cwd)

    def tenant(self, slug: str) -> Tenant:
        """TenantUnavailable where it is not registered."""
        return self.registry.tenant(slug)

    def known(self, slug: str | None) -> Tenant | None:
        """The tenant where it is named and registered; taking files in needs no registered tenant."""
        return self.tenant(slug) if slug and slug in self.registry.slugs() else None

    def profile(self, slug: str) -> Profile:
        return Profile.load(self.tenant(slug).profile)

    def sheet_of_tables(self, slug: str | None) -> dict[str, str]:
        """Each table of the tenant → the sheet whose rows it takes; of the built-in profile where it is
        not registered here.
        """
        tenant = self.known(slug)
        profile = Profile.load(tenant.profile if tenant else BUILT_IN_PROFILE)
        return {each.table: each.sheet for each in profile.tables}

    def keyset(self, slug: str) -> Keyset:
        """The tenant's keyset, made on first use with a warning to back it up."""
        wrapping = kek.key_encryption_key(self._settings.environ)
        kept = keystore.load(self.keys, slug, wrapping)
        if kept is not None:
            return kept
        made = keystore.load_or_create(self.keys, slug, wrapping)
        self._settings.warn(
            f"stager: a keyset was made for tenant {slug} in {self.keys}, wrapped by {wrapping.origin}"
        )
        self._settings.warn(
            "  → back both up: no protected field published under it opens without them (stager keys export)"
        )
        return made

    def rotate(self, slug: str) -> Keyset:
        return keystore.rotate(self.keys, slug, kek.key_encryption_key(self._settings.environ))

    def require_own_keys(self, slug: str, profile: Profile) -> None:
        """KeyUnavailable where the tenant's protected fields are sealed under keys that are not kept here."""
        with self.connected(slug) as connection:
            key_ids = protected_cells.key_ids(connection, profile)
        if not key_ids:
            return
        kept = keystore.load(self.keys, slug, kek.key_encryption_key(self._settings.environ))
        unknown = key_ids - (set(kept.by_id) if kept else set())
        if unknown:
            raise KeyUnavailable(
                f"tenant {slug}: its protected fields are sealed under the key {min(unknown).hex()}, "
                "which is not kept here",
                hint="bring the tenant's keys from where it was published before: "
                "stager keys export, restore",
            )

    @contextmanager
    def connected(self, slug: str) -> Iterator[Connection]:
        """A connection to the tenant's database, closed afterwards."""
        with connect(self.tenant(slug)) as connection:
            yield connection

    def init(self, slug: str) -> tuple[str, ...]:
        """Make the profile's tables and stager's own where they are missing; the names of those made."""
        with self.connected(slug) as connection:
            return schema.init(connection, self.tenant(slug), self.profile(slug))

    def check(self, slug: str) -> list[Difference]:
        """What differs between the tenant's database and its profile."""
        with self.connected(slug) as connection:
            return comparison.check(connection, self.tenant(slug), self.profile(slug))
