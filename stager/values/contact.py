"""How a patient is reached: email addresses, phone numbers, postcodes."""

from __future__ import annotations

import polars as pl

from stager.sheets import Column
from stager.values.rules import Rules

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = rf"^{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?:[A-Za-z]{{2,63}}|[Xx][Nn]--[A-Za-z0-9-]{{1,59}})$"
_EMAIL_LONGEST = 254
_LOCAL_PART = r"^[^@]{1,64}@"

_PHONE_SURE = (
    r"^(?:\+44 ?|0)(?:7[0-9]{3} ?[0-9]{3} ?[0-9]{3}|[12][0-9]{2} ?[0-9]{3} ?[0-9]{4}|1[0-9]{3} ?[0-9]{6})$"
)
"""How most UK numbers are written; all of these are possible numbers, and need no further look."""
_PHONE_LIKE = r"(?i)^(?:tel:? ?)?[+(]?[0-9][0-9 ().\-/\x{a0}]*(?: ?(?:extn?|x|#)[. ]*[0-9]{1,6})?$"
_PHONE_REGION = "GB"

_POSTCODE = (
    r"^(?:"
    r"(?:[A-PR-UWYZ][0-9]{1,2}|[A-PR-UWYZ][A-HK-Y][0-9]{1,2}"
    r"|[A-PR-UWYZ][0-9][A-HJKMNPR-Y]|[A-PR-UWYZ][A-HK-Y][0-9][A-HJKMNPR-Y])[0-9][ABD-HJLNP-UW-Z]{2}"
    r"|GIR0AA"  # Girobank's own
    r"|ZZ99[0-9][A-Z]{2}"  # the NHS's pseudo postcodes: no fixed abode, abroad, not known
    r"|(?:ASCN|STHL|TDCU|BBND|BIQQ|FIQQ|SIQQ|PCRN|TKCA)1ZZ"  # overseas territories
    r")$"
)
_BFPO = r"^BFPO[1-9][0-9]{0,3}$"


def read_email(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """Email addresses, in the case they came in. Whether the domain exists is not asked."""
    text = pl.col("text")
    sane = (
        text.str.contains(_EMAIL) & text.str.contains(_LOCAL_PART) & (text.str.len_bytes() <= _EMAIL_LONGEST)
    )
    return cells.with_columns(
        value=text, issue=pl.when(~sane).then(pl.lit("email")), change=pl.lit(None, pl.String)
    )


def read_phone(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """Phone numbers, as given; suspect where they can be no number of the UK or of E.164."""
    text = pl.col("text")
    possible = text.map_batches(_possible, return_dtype=pl.Boolean)
    return cells.with_columns(
        value=text, issue=pl.when(~possible).then(pl.lit("phone")), change=pl.lit(None, pl.String)
    )


def _possible(texts: pl.Series) -> pl.Series:
    """Whether each can be a phone number; only distinct texts that no pattern settles are parsed."""
    sure = texts.str.contains(_PHONE_SURE)
    asked = texts.filter(~sure & texts.str.contains(_PHONE_LIKE)).unique()
    found = asked.filter(pl.Series([_is_possible(text) for text in asked], dtype=pl.Boolean))
    return sure | texts.is_in(found.implode())


def _is_possible(text: str) -> bool:
    import phonenumbers  # here: its tables take longer to read than most commands need a number

    try:
        number = phonenumbers.parse(text, _PHONE_REGION)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(number)


def read_postcode(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """UK postcodes, in upper case with one space; others as given, and suspect."""
    text, packed = pl.col("text"), pl.col("_packed")
    # ASCII alone is folded: upper-casing would also make letters out of others, as I of a dotless i.
    plain = pl.when(text.str.contains(r"^[A-Za-z0-9 \t\x{a0}]+$")).then(text)
    read = cells.with_columns(
        _packed=plain.str.replace_all(r"[ \t\x{a0}]+", "").str.to_uppercase()
    ).with_columns(
        _written=pl.when(packed.str.contains(_POSTCODE))
        .then(packed.str.head(-3) + " " + packed.str.tail(3))
        .when(packed.str.contains(_BFPO))
        .then("BFPO " + packed.str.slice(4))
    )
    written = pl.col("_written")
    return read.with_columns(
        value=pl.coalesce(written, text),
        issue=pl.when(text.is_not_null() & written.is_null()).then(pl.lit("postcode")),
        change=pl.when(written != text).then(pl.lit("postcode")),
    )
