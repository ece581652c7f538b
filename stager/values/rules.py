"""What one source's cells are read by, beside the sheets themselves; kept with the source as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType

import polars as pl
from msgspec import Struct, field
from msgspec.structs import force_setattr

from stager.errors import StagingUnavailable, UsageError
from stager.sheets import fold_word
from stager.values.formats import Format, date_format, moment_format

RULES_VERSION = 1
"""The version of the rules and of their JSON; a later version may read a cell otherwise."""


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


def _no_synonyms() -> Mapping[str, Mapping[str, str]]:
    return MappingProxyType({})


class Rules(Struct, frozen=True, kw_only=True):
    """The rules of one source.

    as_of: the day of reading; a date after it is in the future. A value and not the clock, so that
        reading again gives the same.
    timezone: the IANA zone in which times without a zone were written.
    date_format, datetime_format: strptime formats of the source; None is the sheets' ISO form.
    synonyms: field → word (folded by `fold_word` when the rules are made) → word of the vocabulary;
        they win over the sheet's own.
    constants: field → text for its blank or absent cells; read like a cell.
    synthetic: the data is made up, so NHS numbers of the test range 999 are in order.
    roles: roles of the tenant's own beside the sheet's.

    UsageError: a time zone or a format that cannot be used.
    """

    as_of: date
    timezone: str = "Europe/London"
    date_format: str | None = None
    datetime_format: str | None = None
    synonyms: Mapping[str, Mapping[str, str]] = field(default_factory=_no_synonyms)
    constants: Mapping[str, str] = field(default_factory=_nothing)
    synthetic: bool = False
    roles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _ = self.dates, self.moments
        _require_zone(self.timezone)
        folded = {
            name: MappingProxyType({fold_word(word): meant for word, meant in words.items()})
            for name, words in self.synonyms.items()
        }
        force_setattr(self, "synonyms", MappingProxyType(folded))
        force_setattr(self, "constants", MappingProxyType(dict(self.constants)))

    def __reduce__(self) -> tuple[Callable[[str], Rules], tuple[str]]:
        """For handing them to another process: read-only mappings do not go there as they are."""
        return Rules.from_json, (self.to_json(),)

    @property
    def dates(self) -> Format:
        """The form of dates."""
        return date_format(self.date_format)

    @property
    def moments(self) -> Format:
        """The form of dates with a time; `dates` is accepted beside it."""
        return moment_format(self.datetime_format)

    def to_json(self) -> str:
        """The rules as JSON, the same text for the same rules."""
        return json.dumps(
            {
                "version": RULES_VERSION,
                "as_of": self.as_of.isoformat(),
                "timezone": self.timezone,
                "date_format": self.date_format,
                "datetime_format": self.datetime_format,
                "synonyms": {name: dict(words) for name, words in self.synonyms.items()},
                "constants": dict(self.constants),
                "synthetic": self.synthetic,
                "roles": list(self.roles),
            },
            sort_keys=True,
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Rules:
        """The rules that `to_json` wrote. StagingUnavailable: a later version wrote them."""
        held = json.loads(text)
        version = held.pop("version")
        if version > RULES_VERSION:
            raise StagingUnavailable(
                f"a source was read by rules of version {version}; this stager knows {RULES_VERSION}",
                hint="use the version of stager that wrote the staging file, or a later one",
            )
        held["as_of"] = date.fromisoformat(held["as_of"])
        held["roles"] = tuple(held["roles"])
        return cls(**held)


def _require_zone(name: str) -> None:
    """Asks polars, whose table of zones is the one that moments are read by."""
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(name)
    except pl.exceptions.PolarsError as unknown:
        raise UsageError(
            f"there is no time zone {name!r}", hint="use an IANA name, such as Europe/London"
        ) from unknown
