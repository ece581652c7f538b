"""Names of a package that are looked up when they are first asked for (PEP 562).

Some modules bring libraries that take longer to read than a whole `stager status` may.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def looked_up(package: str, where: Mapping[str, str]) -> Callable[[str], object]:
    """The package's `__getattr__`. where: name → the module that has it; others are refused as by Python."""

    def find(name: str) -> object:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(import_module(where[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return find
