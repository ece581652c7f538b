"""A walk through the screens where a reviewer decides, with a picture at each stop.

    python -m tests.review_pictures    draws docs/pictures anew, from the made-up practice

The snapshots are taken on the same walk, so that what the guide shows is what the tests hold.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from sample_data import practice_files
from stager.session import Filter, Settings
from tests.migration import Migration
from tests.review_keys import MIDDLE, Keys, Size, at_keys, reading
from tui.screens.finding import FindingScreen

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
TENANTS = "[tenants.maple-surgery]\ndsn = 'service=maple-surgery'\n"

Pictures = dict[str, str]
"""What is shown → the picture, as SVG."""

_IDS = re.compile(r"\bterminal-\d+-")
_FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_SECONDS = re.compile(r":\d\d\.\d{6}\+00:00")
_HASH = re.compile(r"\b[0-9a-f]{20,64}\b")
"""A part of a plan's hash, which another staging file's key makes another."""


def walk(settings: Settings, size: Size) -> Pictures:
    """The pictures of a walk over the staged practice, which it changes."""
    (settings.cwd / "tenants.toml").write_text(TENANTS, encoding="utf-8")
    with reading(settings) as session:
        shown = {}
        for code in ("link.ambiguous", "patient.duplicate", "value.unknown", "link.unresolved"):
            shown[code] = session.findings(Filter(code=code))[0].finding_id
        note = session.findings(Filter(code="practitioner.unresolved", sheet="notes"))[0].finding_id

    async def script(keys: Keys) -> Pictures:
        made: Pictures = {}

        def take(name: str) -> None:
            made[name] = _stable(keys.app.export_screenshot(title="stager review"))

        await _findings(keys, shown, note, take)
        await _beside(keys, take)
        return made

    return at_keys(settings, script, size=size)


async def _findings(keys: Keys, shown: dict[str, int], note: int, take: Callable[[str], None]) -> None:
    """The finding's own screens: two to choose from, two who may be one, a value, a note."""
    keys.app.push_screen(FindingScreen([note, *shown.values()]))
    await keys.settled()
    await keys.press("p")
    take("hidden")
    await keys.press("p", "r", "2")
    take("candidates")
    await keys.press("n")
    take("duplicate")
    await keys.press("1", "enter")
    take("look")
    await keys.press("escape", "equals_sign")
    take("alike")
    await keys.press("escape", "n")
    take("value")
    await keys.press("c", "down", "down")
    take("correct")
    await keys.press("escape", "n", "l")
    await keys.type("selina")
    await keys.until(lambda: "1 person" in keys.words)
    take("person")
    await keys.press("escape", "at")
    await keys.type("dr-lee")
    take("ask")
    await keys.press("escape", "N", "N", "N", "N", "h")
    take("history")
    await keys.press("escape", "escape")


async def _beside(keys: Keys, take: Callable[[str], None]) -> None:
    """The log, what an approval would sign, the signature, and what is to be published."""
    await keys.press("l", "o")
    take("log")
    await keys.press("escape", "a")
    take("approve")
    await keys.press("a")
    take("sign")
    await keys.press("enter", "P")
    take("publish")


def _stable(svg: str) -> str:
    """The picture without what every run makes anew, and without fonts to be fetched from elsewhere."""
    svg = _FONT.sub("", svg).replace("Fira Code", "DejaVu Sans Mono")
    svg = _SECONDS.sub(":00.000000+00:00", _IDS.sub("terminal-", svg))
    return _HASH.sub(lambda found: "0" * len(found.group()), svg)


def stage(folder: Path) -> Settings:
    """The made-up practice, staged and reconciled in that folder."""
    migration = Migration(folder)
    migration.ingest(*practice_files().values())
    migration.reconcile()
    migration.close()
    return migration.session.settings


def main() -> None:
    """Draw the guide's pictures."""
    folder = Path(tempfile.mkdtemp(prefix="stager-pictures-"))
    try:
        pictures = walk(stage(folder / "m"), MIDDLE)
    finally:
        shutil.rmtree(folder)
    PICTURES.mkdir(exist_ok=True)
    for name, svg in pictures.items():
        (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
