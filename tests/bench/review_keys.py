"""How many keys a hundred mixed findings take, and how long the program makes a reviewer wait for each.

    python -m tests.bench.review_keys    prints the table of docs/review.md

The person's own thinking is not in it: only keys, and the time from a key to the screen at rest.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from stager.session import Filter, Settings
from tests.migration import Cells, Migration, nhs, note, patient
from tests.review_keys import MIDDLE, Keys, at_keys, reading
from tui.screens.finding import FindingScreen

KEYS_FOR = {
    "link.unresolved": ("1", "enter"),
    "practitioner.unresolved": ("r",),
    "value.unknown": ("b",),
    "value.suspect": ("a",),
    "patient.duplicate": ("K",),
}
"""What is decided about each kind, by its keys; where it cannot be, the row is excluded."""

OTHERWISE = ("x", "y")


@dataclass
class Tally:
    """What one kind of finding took. waits: seconds from a key to the screen at rest."""

    findings: int = 0
    keys: int = 0
    waits: list[float] = field(default_factory=list)


def practice() -> dict[str, list[Cells]]:
    """A practice with a hundred findings: links, practitioners, words, values, people alike."""
    people = [patient(f"00{1000 + n}", nhs_number=nhs(n)) for n in range(45)]
    people += [patient(f"G{n}", gender=f"word {n % 10}") for n in range(20)]
    people += [patient(f"E{n}", mobile_phone=f"ring {n}") for n in range(10)]
    twice = {"first_name": "Ann", "last_name": "Archer"}
    for n in range(5):
        people += [patient(f"D{n}{side}", date_of_birth=f"1970-01-0{n + 1}", **twice) for side in "ab"]
    notes = [note(str(1000 + n), f"Seen for {n}.") for n in range(45)]
    notes += [note(f"00{1000 + n}", f"Well, {n}.", practitioner_ref=f"gone{n % 4}") for n in range(20)]
    return {"patients": people, "notes": notes}


async def decide_all(keys: Keys, count: int) -> dict[str, Tally]:
    """Decide finding after finding, and note what each took."""
    took: dict[str, Tally] = defaultdict(Tally)
    for _ in range(count):
        view = keys.view
        code, number = view.line.finding.code, keys.number
        allowed = {way.decision.value for way in view.ways}
        pressed = KEYS_FOR[code] if _is_allowed(code, allowed) else OTHERWISE
        took[code].findings += 1
        for key in pressed:
            began = time.perf_counter()
            await keys.press(key)
            took[code].waits.append(time.perf_counter() - began)
            took[code].keys += 1
        if keys.number == number:
            break
    return took


def _is_allowed(code: str, allowed: set[str]) -> bool:
    needed = {"1": "link", "r": "release", "b": "blank", "a": "accept", "K": "keep_both"}[KEYS_FOR[code][0]]
    return needed in allowed


def measure(settings: Settings) -> dict[str, Tally]:
    """Decide every open finding: a hundred, and five that others settle."""
    with reading(settings) as session:
        numbers = [finding.finding_id for finding in session.findings(Filter())]

    async def script(keys: Keys) -> dict[str, Tally]:
        keys.app.push_screen(FindingScreen(numbers))
        await keys.settled()
        return await decide_all(keys, len(numbers))

    return at_keys(settings, script, size=MIDDLE)


def table(took: dict[str, Tally]) -> str:
    """The figures as a table of the guide."""
    lines = ["| finding | how many | keys | keys each | wait after a key, median | nine in ten under |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    whole = Tally()
    for code, tally in sorted(took.items()):
        lines.append(_line(f"`{code}`", tally))
        whole.findings += tally.findings
        whole.keys += tally.keys
        whole.waits += tally.waits
    return "\n".join([*lines, _line("all", whole)])


def _line(name: str, tally: Tally) -> str:
    median = statistics.median(tally.waits)
    most = statistics.quantiles(tally.waits, n=10)[-1] if len(tally.waits) > 1 else median
    each = tally.keys / tally.findings
    waits = f"{1000 * median:.0f} ms | {1000 * most:.0f} ms"
    return f"| {name} | {tally.findings} | {tally.keys} | {each:.1f} | {waits} |"


def main() -> None:
    """Measure, and print the table."""
    folder = Path(tempfile.mkdtemp(prefix="stager-keys-"))
    try:
        migration = Migration(folder / "m").take(**practice())
        migration.close()
        print(table(measure(migration.session.settings)))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
