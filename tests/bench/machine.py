"""The machine and the versions that figures hold for; nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

import stager

PACKAGES = ("duckdb", "polars", "pyarrow", "psycopg", "cryptography", "dlt")


def described() -> list[tuple[str, str]]:
    """What is described, and how."""
    load = psutil.getloadavg()[0]
    return [
        ("CPU", f"{_cpu()}, {os.cpu_count()} cores"),
        ("RAM", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"),
        ("OS", _system()),
        ("load when it began", f"{load:.1f} of {os.cpu_count()} cores"),
        ("stager", stager.__version__),
        ("Python", platform.python_version()),
        *((name, _version(name)) for name in PACKAGES),
    ]


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
