"""Modules read late, or early: some bring libraries that take longer than a whole `stager status` may.

Names of a package can be looked up when they are first asked for (PEP 562), and a command that is sure
to need a module has it read by a thread while DuckDB opens the staging file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from threading import Thread


def looked_up(package: str, where: Mapping[str, str]) -> Callable[[str], object]:
    """The package's `__getattr__`. where: name → the module that has it; others are refused as by Python."""

    def find(name: str) -> object:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(import_module(where[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return find


def begin_reading(module: str) -> None:
    """Have a module read meanwhile. Who imports it waits until it is, and gets the error if it cannot be."""

    def read() -> None:
        with suppress(Exception):
            import_module(module)

    Thread(target=read, name="stager-reading").start()
