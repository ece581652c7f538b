"""Stager's side: the commands as a person types them, each a process of its own, from an empty folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import Ran, run

SLUG = "bench"
WAY = ("ingest", "reconcile", "approve", "publish")
"""The commands from the files to the tenant's rows, in their order."""

_STAGING = "staging.duckdb"


@dataclass(frozen=True, slots=True)
class StagerRun:
    """One run. ran: by command, `verify` where there is one. published: rows. file_size: bytes of staging."""

    ran: dict[str, Ran]
    published: int
    events: int
    file_size: int

    @property
    def seconds(self) -> float:
        """The whole way."""
        return sum(self.ran[command].seconds for command in WAY)

    @property
    def peak(self) -> int:
        """The most memory that any command held, in bytes."""
        return max(ran.peak for ran in self.ran.values())


class Stager:
    """The installed command line, in one folder with one tenant."""

    def __init__(self, folder: Path, dsn: str, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = {**environ, "XDG_CONFIG_HOME": str(folder / "config"), "STAGER_ACTOR": "bench"}
        # TOML takes JSON's strings.
        tenant = f"[tenants.{SLUG}]\ndsn = {json.dumps(dsn)}\nsynthetic = true\n"
        (folder / "tenants.toml").write_text(tenant, encoding="utf-8")

    def __call__(self, *arguments: str) -> Ran:
        """Run one command; SystemExit where it fails."""
        return run([*_command(), "--json", *arguments], self._folder, self._environ)

    def run(self, files: list[Path], *, verifies: bool) -> StagerRun:
        """The whole way, then `status`, and `verify` where there is such a command."""
        tenant = ("-t", SLUG)
        ran = {
            "ingest": self("ingest", *map(str, files), *tenant),
            "reconcile": self("reconcile", *tenant),
            "approve": self("approve"),
            "publish": self("publish", *tenant),
            "status": self("status"),
        }
        if verifies:
            ran["verify"] = self("verify")
        status = json.loads(ran["status"].output)
        published = sum(sheet["states"].get("published", 0) for sheet in status["sheets"])
        size = sum(path.stat().st_size for path in self._folder.glob(f"{_STAGING}*") if path.is_file())
        return StagerRun(ran, published, status["events"], size)


def _command() -> list[str]:
    """The console script beside this Python, else what it would call."""
    script = Path(sys.executable).with_name("stager")
    if script.is_file():
        return [str(script)]
    return [sys.executable, "-c", "import sys; from stager.cli import main; sys.exit(main())"]
