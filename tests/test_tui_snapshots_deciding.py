"""How the deciding screens look, in three sizes; `pytest --snapshot-update` accepts a change.

The middle one is what the guide shows: `python -m tests.review_pictures` draws it anew. The wide one is
left to the soak.
"""

from __future__ import annotations

import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion

from tests.migration import Migration
from tests.review_keys import MIDDLE, NARROW, WIDE, Size
from tests.review_pictures import PICTURES, walk


@pytest.mark.parametrize(
    "size", [NARROW, pytest.param(WIDE, marks=pytest.mark.soak)], ids=["80x24", "160x50"]
)
def test_every_screen_looks_as_it_was_accepted(
    own_practice: Migration, size: Size, snapshot: SnapshotAssertion
) -> None:
    """A walk through all of them shows the pictures that a person has looked at."""
    own_practice.close()
    kept = snapshot.use_extension(SVGImageExtension)
    for name, picture in walk(own_practice.session.settings, size).items():
        assert picture == kept(name=name), name


def test_the_guides_pictures_are_of_the_screens_as_they_are(own_practice: Migration) -> None:
    """Each picture in docs/pictures that this walk takes is what the screen shows now."""
    own_practice.close()
    for name, picture in walk(own_practice.session.settings, MIDDLE).items():
        shown = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
        assert shown == picture, f"{name} changed: python -m tests.review_pictures, and look at it"
