"""Working ahead: the next item is made in a thread while the caller is busy with this one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items in their order, one of them made ahead. An error comes out where its item would have."""
    with ThreadPoolExecutor(1, thread_name_prefix="stager-ahead") as worker:
        coming = worker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = worker.submit(next, items, None)
            yield item
