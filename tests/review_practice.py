"""The practices that tests review: staged and reconciled once, cloned where a test decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sample_data import practice_files
from stager.session.review_views import QueueFilter, QueueLine
from tests import faults
from tests.cli_calls import stage_practice
from tests.migration import Migration, cloned, prepared


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the practice, staged and reconciled by the commands: for `copied`."""
    return stage_practice(tmp_path_factory.mktemp("staged"))


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the faulty practice, closed: to clone from."""
    return prepared(tmp_path_factory.mktemp("faults") / "m", faults.build)


@pytest.fixture(scope="session")
def practice_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the practice, closed: to clone from."""

    def build(migration: Migration) -> None:
        migration.ingest(*practice_files().values())
        migration.reconcile()

    return prepared(tmp_path_factory.mktemp("review") / "home", build)


@pytest.fixture(scope="module")
def practice(practice_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """The practice to read only."""
    made = cloned(practice_home, tmp_path_factory.mktemp("review") / "read")
    yield made
    made.close()


@pytest.fixture
def own_practice(practice_home: Path, tmp_path: Path) -> Iterator[Migration]:
    """The practice to decide in."""
    made = cloned(practice_home, tmp_path / "own")
    yield made
    made.close()


def all_lines(migration: Migration, **wanted: str | None) -> list[QueueLine]:
    """Every line of a queue."""
    queue = migration.session.queue(QueueFilter(**wanted))
    return queue.page(0, queue.count)
