"""What the tests of the staging file share: sessions on it, the practice in parts, processes of their own."""

from __future__ import annotations

import base64
import itertools
import os
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from sample_data.write_practice import SheetFile, practice
from stager.session import Session, Settings

ROOT = Path(__file__).parents[1]
FILE_KEY = base64.b64encode(bytes(range(32))).decode()
ANOTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()
SECONDS = 120


def settings_in(folder: Path, **environ: str) -> Settings:
    """Settings of a session whose staging file and keys are in that folder, under a clock of its own."""
    ticks = itertools.count(1_790_000_000_000_000, 1_000_000)
    own = {"HOME": str(folder / "home"), "XDG_CONFIG_HOME": str(folder / "config"), **environ}
    return Settings(Path("staging.duckdb"), own, folder, clock=lambda: next(ticks))


def session_in(folder: Path, **environ: str) -> Session:
    """A session whose staging file and keys are in that folder."""
    return Session(settings_in(folder, **environ))


def write_practice(folder: Path, parts: int = 1) -> list[list[Path]]:
    """The made-up practice with every fault, its records dealt to so many files of each sheet, by part."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[list[Path]] = []
    for part in range(parts):
        files.append([])
        for sheet in practice():
            path = folder / f"{sheet.sheet}-{part + 1}.csv"
            path.write_bytes(_part_of(sheet, part, parts).data())
            files[part].append(path)
    return files


def _part_of(sheet: SheetFile, part: int, parts: int) -> SheetFile:
    size = -(-len(sheet.lines) // parts)
    return replace(sheet, lines=sheet.lines[part * size : (part + 1) * size])


def run_python(code: str, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python text in a process of its own, with `sys.argv[1:]` and stager at hand."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STAGER_")}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**kept, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def whole_text(error: BaseException) -> str:
    """Everything that an exception and those behind it could ever show, the suppressed ones too."""
    parts = ["".join(traceback.format_exception(error))]
    each: BaseException | None = error
    while each is not None:
        parts += [str(each), repr(each), repr(each.args), str(getattr(each, "hint", ""))]
        each = each.__cause__ or each.__context__
    return "\n".join(parts)


def every_file(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    """Every regular file below these folders with its bytes."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()


def forms_of(texts: Iterable[str]) -> list[bytes]:
    """The bytes by which a text may be found: UTF-8, UTF-16, hex, and base64 at each of its three offsets."""
    forms: set[bytes] = set()
    for text in texts:
        plain = text.encode()
        forms |= {plain, text.encode("utf-16-le"), text.encode("utf-16-be")}
        forms |= {plain.hex().encode(), plain.hex().upper().encode()}
        for shift in range(3):
            coded = base64.b64encode(bytes(shift) + plain)
            forms.add(coded[4 if shift else 0 : len(coded) - 4])
    return sorted(forms)
