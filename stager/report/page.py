"""The report as one HTML file: readable on paper and without colour, no script, nothing fetched."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from stager.report import charts
from stager.report.counts import Count
from stager.report.model import Report
from stager.sheets import State

MOST_PATIENTS = 500
"""Patients with an incomplete record that the page lists; JSON and CSV have all of them."""

MOST_OF_SET = 400
"""Characters of a bulk decision's set on the page; JSON has it whole."""

STATES = {
    State.READY: "nothing is against it; it waits for approval",
    State.HELD: "a person must decide something first",
    State.WAITING: "its patient or practitioner is missing, or not fit to be published",
    State.REJECTED: "it cannot be read; it was given back for correction",
    State.EXCLUDED: "a person left it out, or a corrected record stands for it",
    State.APPROVED: "a person signed it for publishing",
    State.PUBLISHED: "the tenant's database has it",
}


def as_html(report: Report) -> bytes:
    """The page in UTF-8."""
    drawn = {
        name: Markup(draw(report))  # noqa: S704 - drawn by us, its texts escaped by the XML serialiser
        for name, draw in (
            ("flow", charts.flow),
            ("links", charts.links),
            ("findings", charts.findings),
            ("ages", charts.ages),
            ("rates", charts.rates),
        )
    }
    text = _page().render(
        report=report,
        charts=drawn,
        style=Markup(_text("page.css")),  # noqa: S704 - our own style sheet
        states=[(state.value, meaning) for state, meaning in STATES.items()],
        most_patients=MOST_PATIENTS,
        most_of_set=MOST_OF_SET,
    )
    return text.encode()


@cache
def _page() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_harmless, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["count"] = _count
    environment.filters["moment"] = lambda at: at.replace("T", " ").replace("Z", " UTC") if at else "–"
    environment.filters["lines"] = _lines
    environment.filters["band"] = lambda band: charts.band_label(band.days_from, band.days_to)
    return environment.from_string(_text("page.html"))


def _count(count: Count | None) -> str:
    if count is None:
        return "–"
    return f"{count:,}" if isinstance(count, int) else count


def _harmless(value: object) -> object:
    """Text from outside, such as a file's name, with every sign that would act on its neighbours escaped."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in value)


def _lines(text: str) -> Markup:
    """A text of several lines, which stay lines."""
    return Markup("\n").join(str(_harmless(line)) for line in text.splitlines())


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
