"""Text from outside made safe for a terminal: what would act there is shown instead of sent.

A file's name, a header, an identifier may hold control characters, escape sequences and marks that turn
the direction of writing; each is shown as the escape that Python would write it with.
"""

from __future__ import annotations

import unicodedata

_ACTING = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
"""Unicode's categories of characters that act, are unassigned, or cannot be sent."""

_PLAIN = str.maketrans({"→": "->", "…": "...", "·": "-", "–": "-", "—": "-", "’": "'", "×": "x", "≤": "<="})


def visible(text: str) -> str:
    """The text on one line, with every character that would act replaced by its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _ACTING else char for char in text)


def fitting(text: str, encoding: str) -> str:
    """The text as a stream of that encoding can carry it: our own signs in ASCII, others as escapes."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
