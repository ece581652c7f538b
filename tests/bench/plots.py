"""The pictures of docs/performance.md: time by stage, and time and memory by rows, as SVG files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

import pygal
from pygal.style import Style

from tests.bench.stager_side import WAY, StagerRun

if TYPE_CHECKING:
    from tests.bench.sizes import Sized

Points = list[tuple[float, float]]

MIB = 2**20
_MILLION = 1_000_000
_WIDTH, _HEIGHT, _BAR = 860, 460, 64
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#8C5A9E", "#333333", "#999999")
"""Those of the first lines can be told apart by eyes of every kind (Okabe and Ito)."""

_ADDED = frozenset({"script", "desc", "title"})
"""Elements that are of use on a live page only."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the page: its file, what it shows, and how it is drawn."""

    name: str
    about: str
    draw: Callable[[Sequence[Sized]], Any]


def write(sized: Sequence[Sized], folder: Path) -> None:
    """Draw every picture into that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        (folder / picture.name).write_text(drawn(picture, sized), encoding="utf-8")


def drawn(picture: Picture, sized: Sequence[Sized]) -> str:
    """The picture as SVG, without scripts, and the same whenever the figures are."""
    chart = picture.draw(sized)
    chart.uuid = "bench-" + picture.name.partition(".")[0]  # else one is drawn by lot, and stands in the file
    chart.add_xml_filter(_still)
    return f"{chart.render(is_unicode=True)}\n"


def stages(sized: Sequence[Sized]) -> Any:
    """For each size, the stages' shares of the whole way, each with its seconds."""
    chart = _chart("HorizontalStackedBar", "seconds by stage, as shares of the whole way", len(sized) * _BAR)
    chart.config.range = (0, 100)
    chart.config.value_formatter = lambda share: f"{share:g} %"
    chart.x_labels = [f"{shown(each.rows)}: {each.run.seconds:,.1f} s" for each in reversed(sized)]
    for command in WAY:
        chart.add(command, [_share(each.run, command) for each in reversed(sized)])
    return chart


def _share(run: StagerRun, command: str) -> dict[str, Any]:
    seconds = run.ran[command].seconds
    return {"value": 100 * seconds / run.seconds, "formatter": lambda _: f"{seconds:,.1f}"}


def time(sized: Sequence[Sized]) -> Any:
    """Seconds by rows: each stage, the whole way, and a line that grows as the rows do."""
    lines = {command: _points(sized, lambda each, of=command: each.run.ran[of].seconds) for command in WAY}
    lines["verify"] = _points(sized, lambda each: each.run.ran["verify"].seconds)
    lines["the whole way"] = _points(sized, lambda each: each.run.seconds)
    last = sized[-1]
    lines["as the rows grow"] = _points(sized, lambda each: last.run.seconds * each.rows / last.rows)
    return _lines("seconds by rows", sized, lines)


def memory(sized: Sequence[Sized]) -> Any:
    """MiB by rows: the most that each command held, and the files."""
    lines = {command: _points(sized, lambda each, of=command: _peak(each, of)) for command in WAY}
    lines["verify"] = _points(sized, lambda each: _peak(each, "verify"))
    lines["staging file"] = _points(sized, lambda each: each.run.file_size / MIB)
    lines["CSV files"] = _points(sized, lambda each: each.size / MIB)
    return _lines("MiB by rows: what each command held, and the files", sized, lines)


FOLDER = "pictures/bench"
"""Where the pictures stand, from the page."""

PICTURES = (
    Picture("stages.svg", "Seconds by stage at each size, as shares of the whole way", stages),
    Picture("time.svg", "Seconds by rows, both on logarithmic axes", time),
    Picture("memory.svg", "Memory and files in MiB by rows, both on logarithmic axes", memory),
)


def shown(rows: float) -> str:
    """A number of rows as it is said: 10 k, 1 M."""
    return f"{rows / _MILLION:g} M" if rows >= _MILLION else f"{rows / 1000:g} k"


def _peak(sized: Sized, command: str) -> float:
    return sized.run.ran[command].peak / MIB


def _points(sized: Sequence[Sized], value: Callable[[Sized], float]) -> Points:
    return [(each.rows, value(each)) for each in sized]


def _lines(title: str, sized: Sequence[Sized], lines: dict[str, Points]) -> Any:
    """Lines over the sizes, both axes logarithmic; the last one is there to compare with."""
    chart = _chart("XY", title, _HEIGHT)
    chart.config.logarithmic = True
    chart.y_labels = _steps([value for points in lines.values() for _, value in points])
    chart.x_labels = [each.rows for each in sized]
    chart.x_value_formatter = shown
    *named, last = lines
    for name in named:
        chart.add(name, lines[name], stroke_style={"width": 2})
    chart.add(last, lines[last], stroke_style={"width": 1.5, "dasharray": "5, 5"}, show_dots=False)
    return chart


def _steps(values: Sequence[float]) -> list[float]:
    """1, 2, 5, 10 … as far as they enclose the values."""
    every = [step * 10.0**power for power in range(-3, 7) for step in (1, 2, 5)]
    below = max(step for step in every if step <= max(min(values), every[0]))
    above = min(step for step in every if step >= min(max(values), every[-1]))
    return [step for step in every if below <= step <= above]


def _chart(kind: str, title: str, height: int) -> Any:
    return getattr(pygal, kind)(
        title=title,
        truncate_legend=-1,
        js=(),
        width=_WIDTH,
        height=height,
        margin=14,
        margin_right=28,
        spacing=14,
        legend_box_size=12,
        dots_size=4,
        print_values=kind != "XY",
        print_values_position="center",
        value_formatter=lambda value: f"{value:,.4g}",
        style=Style(
            background="#ffffff",
            plot_background="#ffffff",
            foreground="#333333",
            foreground_strong="#111111",
            foreground_subtle="#666666",
            font_family="Helvetica, Arial, sans-serif",
            title_font_size=16,
            label_font_size=12,
            major_label_font_size=12,
            legend_font_size=13,
            value_font_size=12,
            guide_stroke_color="#d5d5d5",
            major_guide_stroke_color="#bbbbbb",
            opacity=1,
            stroke_opacity=1,
            colors=_COLOURS,
            value_colors=("#ffffff",) * len(_COLOURS),
        ),
    )


def _still(root: Element) -> Element:
    """The drawing without what only a live page needs."""
    for parent in list(root.iter()):
        for child in list(parent):
            tag: object = child.tag  # of a comment it is a function
            if not isinstance(tag, str) or tag.rpartition("}")[2] in _ADDED:
                parent.remove(child)
    root.set("role", "img")
    return root
