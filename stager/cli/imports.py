"""Imports that DuckDB tries of itself: refused at once, and never interrupted.

At each parameter that it is handed DuckDB looks for pandas, and at each frame for pyarrow.dataset. Stager
hands it nothing that is of them, and to look for one takes longer than a small statement. Whatever is raised
amid such an import, Ctrl-C too, DuckDB takes for a module that is not there.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType, ModuleType
from typing import cast

_NEEDLESS = ("pandas", "pyarrow.dataset")
_NOT_THERE = cast(ModuleType, None)
"""What Python's import system takes for a module that is not to be looked for."""


def refuse_needless() -> None:
    """For this program's process, from now on, where they are not read already."""
    for name in _NEEDLESS:
        sys.modules.setdefault(name, _NOT_THERE)


def amid_import(frame: FrameType | None, outermost: CodeType) -> bool:
    """Whether what runs there was called by an import that was begun within `outermost`."""
    while frame is not None and frame.f_code is not outermost:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
