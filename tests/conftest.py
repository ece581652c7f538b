"""Every test has its own settings: none of the person's tenants, keys, databases or servers."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from stager.cli.imports import refuse_needless
from stager.staging import opening
from stager.tenant import embedded

pytest_plugins = [
    "tests.postgres",
    "tests.publish_migration",
    "tests.review_practice",
    "tests.verify_migration",
]

# Nor the person's keyring, where one is installed.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"

# As in the program itself; under pytest each miss costs more than many a statement.
refuse_needless()

# DuckDB's OpenSSL module is hashed at each opening; here once for all of the tests of a process.
opening.is_known = cache(opening.is_known)

# A busy machine is no fault of the code's.
settings.register_profile("stager", deadline=None)
settings.load_profile("stager")

_numbers = itertools.count(1)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the garbage collector need not go through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_homes: Path) -> Iterator[None]:
    """No STAGER_* and PG* variables, empty XDG folders; embedded servers started there are stopped."""
    for name in list(os.environ):
        if name.startswith(("STAGER_", "PG")):
            monkeypatch.delenv(name)
    data = data_homes / str(next(_numbers))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(data))
    yield
    embedded.stop_all(data / "stager" / "postgres")
