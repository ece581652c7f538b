"""Small counts, suppressed: a count of one to four could point at a person, so it is shown as "<5".

Where the total of a breakdown is known, one hidden part would come out by subtraction. Then the next
larger parts are hidden too, as "≥5", until the hidden parts leave more than one possibility. Where
there is no part left to hide, the total itself tells: that is the caller's to see to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

SMALL = 5

Hidden = Literal["<5", "≥5"]
Count: TypeAlias = int | Hidden
"""A count as it may be shown: exact, or hidden."""

BELOW: Hidden = "<5"
NOT_BELOW: Hidden = "≥5"


def shown(count: int) -> Count:
    """A count whose total is not known."""
    return BELOW if _is_small(count) else count


def hidden(count: int) -> Count:
    """A count that must not be told, only whether it is small; none is none."""
    return (BELOW if _is_small(count) else NOT_BELOW) if count else 0


def parts_of_known(parts: Sequence[int], also_hidden: Collection[int] = ()) -> list[Count]:
    """The parts of a total that a reader knows, in their order.

    also_hidden: places of parts that must be hidden for another reason.
    """
    concealed = {i for i, count in enumerate(parts) if _is_small(count)} | {
        i for i in also_hidden if parts[i]
    }
    others = sorted((count, i) for i, count in enumerate(parts) if count and i not in concealed)
    while others and tells([parts[i] for i in concealed]):
        concealed.add(others.pop(0)[1])
    return [hidden(count) if i in concealed else count for i, count in enumerate(parts)]


def tells(concealed: Sequence[int]) -> bool:
    """Whether the sum of hidden counts, which a reader can work out, leaves one possibility for them."""
    if not concealed:
        return False
    small = sum(_is_small(count) for count in concealed)
    larger, total = len(concealed) - small, sum(concealed)
    if larger:
        return len(concealed) == 1 or total == small + SMALL * larger
    return small == 1 or total in (small, (SMALL - 1) * small)


def families_of_known(families: Sequence[Sequence[int]]) -> tuple[list[Count], list[list[Count]]]:
    """Parts of a known total that fall into parts of their own: the parts, and the parts of each.

    Where a part is hidden its own parts are; where they would tell each other, the part is hidden too.
    """
    wholes = [sum(family) for family in families]
    also: set[int] = set()
    while True:
        outer = parts_of_known(wholes, also)
        inner = [
            [hidden(count) for count in family] if isinstance(whole, str) else parts_of_known(family)
            for family, whole in zip(families, outer, strict=True)
        ]
        telling = {
            i for i, whole in enumerate(outer) if isinstance(whole, int) and _told(families[i], inner[i])
        }
        if not telling:
            return outer, inner
        also |= telling


def _told(family: Sequence[int], as_shown: Sequence[Count]) -> bool:
    return tells([count for count, each in zip(family, as_shown, strict=True) if isinstance(each, str)])


def _is_small(count: int) -> bool:
    return 0 < count < SMALL
