"""The report's charts as inline SVG: drawn by pygal from the report's own values, hidden counts included.

What pygal adds for a live page (scripts, styles, tooltips, comments) is taken out; the page's own style
sheet says how a chart looks, and every bar carries its number, so that no colour is needed to read it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from msgspec import Struct

from stager.report.counts import BELOW, SMALL, Count
from stager.report.model import Report, SheetBalance
from stager.sheets import State

_WIDTH, _BAR, _FRAME = 720, 26, 44
_LIVE = frozenset({"script", "style", "desc", "title"})
_LIVE_CLASSES = ("tooltip-overlay", "tooltip", "background", "guide", "titles")
_NAMESPACE = re.compile(r"""\sxmlns(:\w+)?=["'][^"']*["']""")


class Bar(Struct, frozen=True):
    """One bar: its label and its count."""

    label: str
    count: Count


def flow(report: Report) -> str:
    """From file to state: for each sheet its records, in shares by state."""
    sheets = [sheet for sheet in report.account if sheet.records]
    if not sheets:
        return ""
    chart = _chart("HorizontalStackedBar", len(sheets), legend=True)
    sheets.reverse()
    chart.x_labels = [sheet.title for sheet in sheets]
    for state in State:
        chart.add(state.value, [_share(sheet, state) for sheet in sheets])
    chart.range = (0, 100)
    return _drawn(chart)


def links(report: Report) -> str:
    """Rows of the clinical sheets by the rule that found their patient."""
    return bars(Bar(f"{each.sheet}: {each.rule or 'no patient'}", each.rows) for each in report.links)


def findings(report: Report) -> str:
    """Open findings by sheet and code."""
    return bars(Bar(f"{each.sheet}: {each.code}", each.open) for each in report.findings if each.open)


def ages(report: Report) -> str:
    """Open findings by how long they have been open."""
    if report.open_findings.oldest_days is None:
        return ""
    return bars(
        Bar(band_label(each.days_from, each.days_to), each.open) for each in report.open_findings.bands
    )


def rates(report: Report) -> str:
    """Rows a second of each run."""
    timed = [each for each in report.runs if each.rows_per_second]
    return bars(Bar(f"run {each.run}", each.rows_per_second or 0) for each in timed)


def band_label(low: int, high: int | None) -> str:
    """A band of days in words."""
    if high is None:
        return f"{low} days and more"
    return "under a day" if high == 1 else f"{low} to {high - 1} days"


def bars(told: Iterable[Bar]) -> str:
    """Horizontal bars, the first on top; nothing where there is none. A hidden one is drawn as its bound."""
    found = list(told)
    if not found:
        return ""
    chart = _chart("HorizontalBar", len(found), legend=False)
    chart.x_labels = [each.label for each in reversed(found)]
    chart.add("", [_value(each.count) for each in reversed(found)])
    return _drawn(chart)


def _value(count: Count) -> dict[str, Any]:
    length = count if isinstance(count, int) else SMALL - 1 if count == BELOW else SMALL
    label = f"{count:,}" if isinstance(count, int) else count
    return {"value": length, "formatter": lambda _: label}


def _share(sheet: SheetBalance, state: State) -> dict[str, Any]:
    """A sheet's part of the flow: named where there is room for its name, else by its number alone."""
    count = sheet.states[state.value]
    share = 100 * count / sheet.records
    label = f"{state.value} {count:,}" if share >= 18 else f"{count:,}" if share >= 6 else ""
    return {"value": share, "formatter": lambda _: label}


@cache
def _pygal() -> Any:
    """The library, without the import hook for plug-ins that it leaves behind.

    The hook is of a form that Python 3.11 warns about at every import that fails, and stager has no
    plug-ins of pygal.
    """
    import pygal  # noqa: PLC0415 - only a page needs it, and every command imports this module

    hook = getattr(pygal, "PluginImportFixer", None)
    if hook is not None:
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, hook)]
    return pygal


def _chart(kind: str, rows: int, *, legend: bool) -> Any:
    pygal = _pygal()
    return getattr(pygal, kind)(
        js=(),
        no_prefix=True,
        width=_WIDTH,
        height=_FRAME + rows * _BAR + (_BAR if legend else 0),
        spacing=6,
        margin=6,
        margin_bottom=_BAR if legend else 6,
        show_legend=legend,
        legend_at_bottom=True,
        legend_at_bottom_columns=7,
        print_values=True,
        print_zeroes=False,
        show_x_labels=False,
        show_y_labels=True,
        disable_xml_declaration=True,
        style=pygal.style.Style(
            background="none",
            plot_background="none",
            value_font_size=11,
            label_font_size=11,
            legend_font_size=11,
        ),
    )


def _drawn(chart: Any) -> str:
    chart.add_xml_filter(_still)
    return _NAMESPACE.sub("", chart.render(is_unicode=True))


def _still(root: Element) -> Element:
    """The drawing without what only a live page needs."""
    for parent in list(root.iter()):
        for child in list(parent):
            if _is_live(child):
                parent.remove(child)
    for each in root.iter():
        for name in [name for name in each.attrib if name in ("id", "onclick") or "href" in name]:
            del each.attrib[name]
    root.set("role", "img")
    return root


def _is_live(element: Element) -> bool:
    tag: object = element.tag  # of a comment it is a function
    if not isinstance(tag, str) or tag.rpartition("}")[2] in _LIVE:
        return True
    return any(name in _LIVE_CLASSES for name in element.get("class", "").split())
