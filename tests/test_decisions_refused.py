"""Decisions that must not be: refused by name, the row told, nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stager.decisions import ALLOWED, Decision
from stager.errors import UsageError
from stager.session import Choice, Filter
from stager.sheets import Code
from tests.migration import Migration, cloned


@pytest.fixture
def migration(faulty: Path, tmp_path: Path) -> Iterator[Migration]:
    """The faulty practice, in a copy of its own."""
    made = cloned(faulty, tmp_path / "m")
    yield made
    made.close()


@pytest.fixture(scope="module")
def untouched(faulty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """The faulty practice for tests in which nothing may change."""
    made = cloned(faulty, tmp_path_factory.mktemp("untouched") / "m")
    before = (made.events(), made.stand())
    yield made
    assert (made.events(), made.stand()) == before
    made.close()


@pytest.mark.parametrize("decision", [each for each in Decision if each is not Decision.PUT_BACK])
def test_a_decision_that_does_not_fit_is_refused(untouched: Migration, decision: Decision) -> None:
    """For every code that it does not settle: refused by name, with what would fit, and nothing changes."""
    by_code = {finding.code: finding for finding in untouched.findings()}
    for code in Code:
        if code in ALLOWED[decision] or code.value not in by_code:
            continue
        with pytest.raises(UsageError, match="does not settle") as refused:
            untouched.decide(decision, by_code[code.value], target="1:10", value="x")
        assert "it takes:" in refused.value.hint
    with pytest.raises(UsageError, match="does not settle"):
        untouched.decide(Decision.PUT_BACK, by_code["value.missing"])


REFUSED: list[tuple[str, Decision, str, str, int, dict[str, Any]]] = [
    ("cannot stand", Decision.ACCEPT, "value.suspect", "medications", 1, {}),
    ("cannot share", Decision.KEEP_BOTH, "patient.duplicate", "patients", 3, {}),
    ("left blank", Decision.BLANK, "value.suspect", "background", 1, {}),
    ("left blank", Decision.BLANK, "patient.duplicate", "patients", 5, {}),
    ("no cell, or no new value", Decision.CORRECT, "value.unknown", "notes", 8, {}),
    ("no cell, or no new value", Decision.CORRECT, "value.unknown", "notes", 8, {"value": " \t"}),
    ("no cell, or no new value", Decision.CORRECT, "patient.duplicate", "patients", 5, {"value": "x"}),
    ("vocabulary", Decision.CORRECT, "value.unknown", "notes", 8, {"value": "chit"}),
    ("nhs_check", Decision.CORRECT, "patient.duplicate", "patients", 3, {"value": "9990000001"}),
    ("nhs_placeholder", Decision.CORRECT, "patient.duplicate", "patients", 3, {"value": "1" * 10}),
    ("future", Decision.CORRECT, "value.suspect", "background", 1, {"value": "2099-01-01"}),
    ("no person is named", Decision.LINK, "link.unresolved", "notes", 3, {}),
    ("not there", Decision.LINK, "link.unresolved", "notes", 3, {"target": "1:99"}),
    ("not there", Decision.LINK, "link.unresolved", "notes", 3, {"target": "3:1"}),
    ("not there", Decision.LINK, "link.unresolved", "notes", 3, {"target": "tenant:1"}),
    ("not there", Decision.LINK, "link.unresolved", "notes", 3, {"target": "P10' or true"}),
    ("is a patient", Decision.LINK, "practitioner.unresolved", "notes", 4, {"target": "1:10"}),
    ("merged into itself", Decision.MERGE, "patient.duplicate", "patients", 5, {"target": "1:5"}),
    ("no person is named", Decision.MERGE, "patient.duplicate", "patients", 5, {}),
]


@pytest.mark.parametrize(("said", "decision", "code", "sheet", "row", "choice"), REFUSED)
def test_what_must_not_be_is_refused_and_changes_nothing(
    untouched: Migration,
    said: str,
    decision: Decision,
    code: str,
    sheet: str,
    row: int,
    choice: dict[str, Any],
) -> None:
    """A value that may not stand, a required blank, a bad correction, a person who is not there. The message
    names the row and shows no value."""
    finding = untouched.findings(code, sheet=sheet, row=row)[-1]
    with pytest.raises(UsageError, match=said) as refused:
        untouched.decide(decision, finding, **choice)
    assert f"row {row}" in str(refused.value)
    assert choice.get("value", "chit") not in str(refused.value).replace("rule", "")
    assert refused.value.hint


def test_a_set_is_refused_whole_for_one_that_does_not_fit(untouched: Migration) -> None:
    """One finding of three, one row of two, the same question in another column."""
    fit, misfit = (
        untouched.finding("value.unknown", "notes", 8),
        untouched.finding("link.unresolved", "notes", 3),
    )
    for choice in (Choice(Decision.ACCEPT), Choice(Decision.CORRECT, value="TRIAGE")):
        with pytest.raises(UsageError):
            untouched.session.decide(
                [fit, misfit]
                if choice.value is None
                else [fit, untouched.finding("value.unknown", "patients", 9)],
                choice,
                actor="x",
            )
    with pytest.raises(UsageError, match="no open finding"):
        untouched.session.decide([], Choice(Decision.ACCEPT), actor="x")
    for rows, said in (
        ([("notes", "1"), ("notes", "999")], "not known"),
        ([], "not known"),
    ):
        with pytest.raises(UsageError, match=said):
            untouched.exclude(*rows)
    with pytest.raises(UsageError, match="so it cannot be put back"):
        untouched.put_back(("notes", "1"))
    with pytest.raises(UsageError, match="about findings, not rows"):
        untouched.session.decide_rows([("notes", "1")], Choice(Decision.ACCEPT), actor="x")
    with pytest.raises(UsageError, match="no decision that stands"):
        untouched.undo(1)


def test_a_finding_is_decided_once_and_not_beneath_an_exclusion(migration: Migration) -> None:
    """Not by somebody who saw it open a while ago, not while its row is excluded; nor is an excluded or
    merged person named."""
    seen = migration.finding("value.unknown", "notes", 8)
    migration.decide(Decision.ACCEPT, seen)
    with migration.nothing_changes(), pytest.raises(UsageError, match="is decided"):
        migration.decide(Decision.CORRECT, seen, value="TRIAGE")
    unresolved = migration.finding("link.unresolved", "notes", 3)
    migration.exclude(("notes", "3"), ("patients", "10"))
    migration.decide(Decision.MERGE, migration.finding("patient.duplicate", "patients", 5), target="1:6")
    with migration.nothing_changes(), pytest.raises(UsageError, match="is excluded"):
        migration.decide(Decision.LINK, unresolved, target="1:6")
    other = migration.finding("link.unresolved", "notes", 14)
    for target in ("1:10", "1:5"):
        with migration.nothing_changes(), pytest.raises(UsageError, match="not there, or is excluded"):
            migration.decide(Decision.LINK, other, target=target)
    (hidden,) = migration.session.findings(Filter(ids=(unresolved.finding_id,), state=None))
    assert hidden.state == "open"
