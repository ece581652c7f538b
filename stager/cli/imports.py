"""Imports that DuckDB tries of itself: refused at once, and never interrupted.

At each parameter that it is handed DuckDB looks for pandas, and at each frame for pyarrow.dataset. Stager
hands it nothing that is of them, and to look for one takes longer than a small statement. Whatever is raised
amid such an import, Ctrl-C too, DuckDB takes for a module that is not there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, FrameType, ModuleType

_NEEDLESS = ("pandas", "pyarrow.dataset")


class _NotThere:
    """Finds no module, and lets nobody else look for one of the needless ones.

    None in their place in `sys.modules` would do for Python, but pyarrow takes it for pandas.
    """

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in _NEEDLESS:
            raise ModuleNotFoundError(f"{name} is not needed by stager", name=name)
        return None


def refuse_needless() -> None:
    """For this program's process, from now on."""
    if _NotThere not in sys.meta_path:
        sys.meta_path.insert(0, _NotThere)


def amid_import(frame: FrameType | None, outermost: CodeType) -> bool:
    """Whether what runs there was called by an import that was begun within `outermost`."""
    while frame is not None and frame.f_code is not outermost:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
