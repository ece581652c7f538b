"""What holds on every screen: hidden when nobody is there, silent faults, the palette, two at once, looks."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.color import Color
from textual.theme import Theme
from textual.widgets import Input

from stager.cli import main
from stager.session import Settings
from tests.migration import Migration, cloned
from tests.review_keys import SIZES, Keys, Size, at_keys, review_app
from tests.spine import ROOT, every_file, run_python
from tests.test_review_looking import HOLDING, process
from tui.app import ReviewApp
from tui.commands import actions
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.queue import QueueScreen
from tui.screens.taken import TakenScreen
from tui.screens.tour import PAGES, TourScreen
from tui.themes import THEMES
from tui.told import Review

SECRET = "Q7-a-patients-value"
TITLE = re.compile(rb"\x1b\][012];[^\x07\x1b]*")


@pytest.fixture(scope="module")
def settings(practice_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The practice, for tests that decide nothing."""
    made = cloned(practice_home, tmp_path_factory.mktemp("app") / "read")
    made.close()
    return made.session.settings


def told(settings: Settings, **others: object) -> Review:
    return replace(review_app(settings).told, **others)  # type: ignore[arg-type]


def run(app: ReviewApp, script: object, size: Size = (120, 35)) -> None:
    """A script at the keys of this program, from its first screen on."""

    async def ran() -> None:
        async with app.run_test(size=size) as pilot:
            await script(Keys(app, pilot))  # type: ignore[operator]
        if app.failure is not None:
            raise app.failure

    asyncio.run(ran())


def test_values_are_hidden_when_nobody_is_there(settings: Settings) -> None:
    """After the told time without a key they are hidden; a key before it begins the time anew."""
    now = [0.0]
    app = ReviewApp(told(settings, mask_after=300.0, clock=lambda: now[0]))

    async def script(keys: Keys) -> None:
        await keys.until(lambda: app.status is not None)
        now[0] = 299.0
        await keys.press("j")
        now[0] = 590.0
        await asyncio.sleep(1.3)
        assert not app.masked
        now[0] = 600.0
        await keys.until(lambda: app.masked)
        await keys.press("p")
        assert not app.masked

    run(app, script)


def test_the_tour_is_shown_once(settings: Settings) -> None:
    """Six pages before the first review; not the next time; w in the help shows it again."""
    environ = {"HOME": str(settings.cwd / "first")}

    async def first(keys: Keys) -> None:
        await keys.settled()
        assert isinstance(keys.app.screen, TourScreen)
        for title, _ in PAGES:
            assert title in keys.text
            await keys.press("enter")
        assert isinstance(keys.app.screen, HomeScreen)

    async def second(keys: Keys) -> None:
        await keys.settled()
        assert isinstance(keys.app.screen, HomeScreen)
        await keys.press("question_mark", "w")
        assert isinstance(keys.app.screen, TourScreen)

    assert len(PAGES) == 6
    for script in (first, second):
        run(ReviewApp(told(settings, environ=environ, tour=True)), script)


def test_every_action_is_in_the_palette_with_its_key(settings: Settings) -> None:
    """Whatever a key does on the queue, the palette offers by name, the key beside it, and does the same."""

    async def script(keys: Keys) -> None:
        await keys.press("enter")
        screen = keys.app.screen
        offered = {active.binding.action: shown for _, shown, active in actions(screen)}
        said = [each.binding for each in screen.active_bindings.values() if each.binding.description]
        unsaid = {each.action for each in said} - set(offered)
        assert unsaid <= {
            "command_palette",
            "app.focus_next",
            "app.focus_previous",
            "screen.copy_text",
            "quit",
        }
        assert offered["search"] == "/"
        await keys.press("ctrl+p")
        await keys.type("sort the queue")
        await keys.until(lambda: "Sort the queue  (o)" in keys.text)
        await keys.press("down", "enter")
        await keys.until(lambda: "how many are alike" in keys.text)

    at_keys(settings, script)


def test_the_help_names_every_key(settings: Settings) -> None:
    """? lists what can be done on the screen, also what the footer has no room for."""

    async def script(keys: Keys) -> None:
        await keys.press("enter", "question_mark")
        assert isinstance(keys.app.screen, HelpScreen)
        seen = keys.words
        for _ in range(40):
            await keys.press("j")
            seen += keys.words
        for words in (
            "Show all findings of this patient",
            "Mark all findings that the filter leaves",
            "held:",
        ):
            assert words in seen

    at_keys(settings, script, size=(80, 24))


def test_who_has_the_file_is_said_and_a_copy_shown(own_practice: Migration) -> None:
    """A second person is told who has it since when; o opens a copy, in which nothing can be decided."""
    own_practice.close()
    settings = own_practice.session.settings
    with process(HOLDING, settings.cwd) as holder:

        async def script(keys: Keys) -> None:
            await keys.until(lambda: isinstance(keys.app.screen, TakenScreen))
            await keys.until(lambda: f"Process {holder.pid}" in keys.words)
            assert re.search(r"has this staging file open, since \d{4}-\d\d-\d\d \d\d:\d\d UTC", keys.words)
            await keys.press("o")
            await keys.until(lambda: keys.app.status is not None)
            assert "READ-ONLY COPY" in keys.words
            await keys.press("enter", "u")
            assert isinstance(keys.app.screen, QueueScreen)

        run(review_app(settings), script)


def test_trying_again_opens_a_file_that_is_free(own_practice: Migration) -> None:
    """r goes on when the other one has finished."""
    own_practice.close()
    settings = own_practice.session.settings
    app = review_app(settings)
    holding = process(HOLDING, settings.cwd)
    holding.__enter__()

    async def script(keys: Keys) -> None:
        await keys.until(lambda: isinstance(app.screen, TakenScreen))
        holding.__exit__(None, None, None)
        await keys.press("r")
        await keys.until(lambda: app.status is not None)
        assert isinstance(app.screen, HomeScreen)
        assert not app.read_only

    run(app, script)


def _on_terminal(program: str, folder: Path, keys: bytes, **environ: str) -> bytes:
    """What a program showed on a terminal of its own, to which keys are sent when it has drawn."""
    code = f"import sys; from stager.cli import main; {program}; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--staging", "s.duckdb", "review", "--no-tour"]
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    home = {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    told = {**os.environ, **home, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environ}
    shown, until = b"", time.monotonic() + 90
    with subprocess.Popen(
        command, cwd=folder, env=told, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    shown += os.read(ours, 65_536)
                except OSError:
                    break
            if keys and b"all of them" in shown:
                os.write(ours, keys)
                keys = b""
        process.kill()
    os.close(ours)
    return shown


FAULT = f"""
from stager.session import Session
def status(self):
    held = {SECRET!r}
    raise ValueError(held)
Session.status = status
"""


def test_a_fault_shows_no_value(own_practice: Migration, tmp_path: Path) -> None:
    """A fault ends the screen with a report's number; neither the terminal nor any file has a value."""
    own_practice.close()
    folder = own_practice.session.settings.cwd
    shown = _on_terminal(f"exec({FAULT!r})", folder, b"", TEXTUAL_LOG=str(folder / "state" / "textual.log"))
    assert b"a fault in stager itself, report" in shown
    assert SECRET.encode() not in shown
    written = dict(every_file(folder / "state"))
    assert any(path.parent.name == "faults" for path in map(Path, written))
    assert not any(SECRET.encode() in content for content in written.values())
    assert not (folder / "state" / "textual.log").exists()


def test_the_terminal_s_title_is_left_alone(own_practice: Migration) -> None:
    """A review by keys through the queue ends with 0, and writes no title."""
    own_practice.close()
    shown = _on_terminal("pass", own_practice.session.settings.cwd, b"\rjq")
    assert b"value looks wrong" in shown
    assert TITLE.findall(shown) == []
    assert b"Traceback" not in shown


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}])
def test_no_color_leaves_out_colours(own_practice: Migration, environ: dict[str, str]) -> None:
    """With NO_COLOR nothing but greys is sent to the terminal; without it there are colours."""
    own_practice.close()
    folder = own_practice.session.settings.cwd
    shown = _on_terminal("pass", folder, b"q", COLORTERM="truecolor", **environ)
    colours = {each for each in re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", shown) if len(set(each)) > 1}
    assert bool(colours) is not bool(environ)
    assert b"38;5;" not in shown
    assert "▸".encode() in shown


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_words_are_readable_in_every_look(theme: Theme) -> None:
    """Text and signs stand out from the ground by WCAG's 4.5 to 1, by 7 where high contrast is said."""
    names = ("foreground", "primary", "success", "warning", "error", "secondary")
    least = 7.0 if theme.name == "stager-contrast" else 4.5
    for ground in ("background", "surface", "panel"):
        behind = Color.parse(getattr(theme, ground))
        for name in names:
            assert _contrast(Color.parse(getattr(theme, name)), behind) >= least, (name, ground)


def _contrast(one: Color, other: Color) -> float:
    """WCAG's contrast of two colours."""

    def luminance(color: Color) -> float:
        parts = [part / 255 for part in (color.r, color.g, color.b)]
        red, green, blue = (
            each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_look_is_kept(settings: Settings) -> None:
    """t goes through the looks, and the next sitting begins with the last."""

    async def change(keys: Keys) -> str:
        await keys.press("t")
        return str(keys.app.theme)

    async def same(keys: Keys) -> str:
        return str(keys.app.theme)

    assert at_keys(settings, change) == at_keys(settings, same) == THEMES[1].name


def test_the_library_imports_no_screen() -> None:
    """In a clean interpreter the session and the whole command line bring neither textual nor tui."""
    code = "import sys, stager.session, stager.cli.app; print({'textual', 'tui'} & set(sys.modules))"
    assert run_python(code).stdout.strip() == "set()"


def test_the_first_screen_waits_for_no_library() -> None:
    """What is imported before the first paint brings no DuckDB, no polars and no Postgres."""
    code = "import sys, tui.app; print({'duckdb', 'polars', 'psycopg', 'stager.session'} & set(sys.modules))"
    assert run_python(code).stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        ([], {}, "a review needs a terminal"),
        (["--json"], {}, "a review is on a screen and has no JSON"),
    ],
)
def test_a_review_needs_a_terminal(
    arguments: list[str], environ: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, with the commands that do without one."""
    assert main(["review", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "stager findings" in said


@pytest.mark.parametrize(
    "size", [(40, 10), (250, 80), *(pytest.param(size, marks=pytest.mark.soak) for size in SIZES)]
)
def test_no_size_is_a_fault(settings: Settings, size: Size) -> None:
    """From a corner of a screen to a wall, every screen of the core opens."""

    async def script(keys: Keys) -> None:
        await keys.press(
            "question_mark", "escape", "enter", "j", "f", "escape", "o", "escape", "slash", "escape"
        )
        assert isinstance(keys.app.screen, QueueScreen)
        assert not keys.app.screen.query_one("#search", Input).has_class("asked")

    at_keys(settings, script, size=size)
