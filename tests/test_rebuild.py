"""Long random reviews: after every few commands the state is the fold of the log, and no row is lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from sample_data.generate import Practice, generate
from stager.decisions import ALLOWED
from stager.errors import ReviewNeeded, UsageError
from stager.projections import digest
from stager.session import Choice, Decision, Filter, Finding, Intake, Session
from stager.sheets import SHEETS, Code
from stager.tenant.registry import Tenant
from tests.log_by_hand import assert_sealed
from tests.spine import settings_in, write_practice

PEOPLE = ("lee", "ann", "o'neil")
EVERYTHING = frozenset({"decide_one", "decide_alike", "undo", "exclude", "put_back", "approve"})
"""What a long review must have done, each once at least."""


@dataclass
class Review:
    """A practice under review by people who do whatever comes to mind."""

    session: Session
    rng: random.Random
    files: list[Path]
    tenant: str | None = None
    decided: list[int] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    typed: int = 0

    def go_on(self) -> None:
        """One command, which may be refused; refused, it changes nothing."""
        acts: list[tuple[int, Callable[[], object]]] = [
            (3 if self.files else 0, self.ingest),
            (2, self.reconcile),
            (6, self.decide_one),
            (3, self.decide_alike),
            (3, self.undo),
            (3, self.exclude),
            (2, self.put_back),
            (3, self.approve),
            (2 if self.tenant else 0, self.publish),
        ]
        (act,) = self.rng.choices([act for _, act in acts], [weight for weight, _ in acts])
        before, state = self.session.status(), self.state()
        try:
            act()
        except (UsageError, ReviewNeeded):
            self.done[f"{act.__name__} refused"] += 1
            assert self.session.status() == before
            assert self.state() == state
        else:
            self.done[act.__name__] += 1
            if act != self.publish:  # which is several commands
                assert self.session.status().seals == before.seals + 1

    @property
    def someone(self) -> str:
        return self.rng.choice(PEOPLE)

    def state(self) -> str:
        return digest(self.session._open().staging)

    def ingest(self) -> None:
        count = self.rng.randint(1, min(3, len(self.files)))
        now, self.files = self.files[:count], self.files[count:]
        self.session.ingest(now, Intake(synthetic=True), actor="eng")

    def reconcile(self) -> None:
        self.session.reconcile(actor="eng", tenant=self.rng.choice([None, self.tenant]))

    def decide_one(self) -> None:
        finding = self.rng.choice(self.open_findings())
        self.decide([finding], self.choice_for(finding))

    def decide_alike(self) -> None:
        """All findings of a code about a column, as one decision that would fit the first of them.

        Those of published rows are left out, as a person would: one of them and the whole set is refused,
        and once much is published hardly a set is without.
        """
        first = self.rng.choice(self.unpublished(self.open_findings()))
        alike = self.session.findings(Filter(code=first.code, sheet=first.sheet, field=first.field))
        self.decide(self.unpublished(alike), self.choice_for(first))

    def open_findings(self) -> list[Finding]:
        found = self.session.findings(Filter())
        if not found:
            raise UsageError("nothing is open")
        return found

    def unpublished(self, found: list[Finding]) -> list[Finding]:
        """Those of rows that are not published; all where there is none."""
        query = "select source_id, row_no from row_state where state = 'published'"
        published = set(self.session._open().staging._execute(query).fetchall())
        return [each for each in found if (each.source_id, each.row_no) not in published] or found

    def decide(self, findings: list[Finding], choice: Choice) -> None:
        self.decided.append(self.session.decide(findings, choice, actor=self.someone))
        self.done[choice.decision.value] += 1

    def choice_for(self, finding: Finding) -> Choice:
        fitting = [each for each in Decision if Code(finding.code) in ALLOWED[each]]
        decision = self.rng.choice(fitting)
        wanted = decision in (Decision.LINK, Decision.MERGE)
        return Choice(
            decision,
            target=self.someone_named(finding) if wanted else None,
            value=self.value_for(finding) if decision is Decision.CORRECT else None,
            reason=self.rng.choice([None, "because"]),
        )

    def someone_named(self, finding: Finding) -> str:
        related = [place for place in (finding.related or "").split() if self.rng.random() < 0.9]
        patients = self.session._open().staging._execute(
            "select source_id || ':' || row_no from row_state where sheet = 'patients' order by all"
        )
        return self.rng.choice(related or [row[0] for row in patients.fetchall()] or ["1:1"])

    def value_for(self, finding: Finding) -> str:
        self.typed += 1
        values = {
            "patient_ref": ["MP0003", "1", "0000010"],
            "practitioner_ref": ["MP0001", "DR001"],
            "legacy_id": [f"NEW{self.typed}"],
            "email": [f"new{self.typed}@example.org"],
            "nhs_number": ["999 000 0018", "9990000026", "9990000034"],
            "quantity": ["28"],
            "severity": ["MILD"],
            "status": ["ACTIVE"],
            "gender": ["f"],
            "note_type": ["TRIAGE"],
            "consulted_at": ["2019-05-06 07:08"],
            "postcode": ["LS1 4AP"],
            "clinical_code": ["E11.9"],
        }
        return self.rng.choice(values.get(finding.field or "", ["2001-02-03", "Some Name"]))

    def undo(self) -> None:
        self.session.undo(
            self.rng.choice(self.decided) if self.decided else 1, actor=self.someone, reason="a slip"
        )

    def exclude(self) -> None:
        self._decide_rows(Decision.EXCLUDE, ("ready", "held", "waiting", "rejected", "approved"))

    def put_back(self) -> None:
        self._decide_rows(Decision.PUT_BACK, ("excluded",))

    def _decide_rows(self, decision: Decision, states: tuple[str, ...]) -> None:
        which = self.rng.choice(["true", "sheet = 'patients'"])
        query = "select sheet, source_id || ':' || row_no from row_state where state in $states and"
        rows = self.session._open().staging._execute(
            f"{query} {which} order by all", {"states": list(states)}
        )
        known = rows.fetchall()
        chosen = self.rng.sample(known, min(len(known), self.rng.choice([1, 1, 2, 9])))
        self.decided.append(self.session.decide_rows(chosen, Choice(decision), actor=self.someone))

    def approve(self) -> None:
        sheet = self.rng.choice([None, None, *(each.name for each in SHEETS)])
        self.session.approve(actor="lead", sheet=sheet, reason=self.rng.choice([None, "seen"]))

    def publish(self) -> None:
        self.session.publish(self.tenant or "", actor="eng")


NOT_EXACTLY_ONCE = """
    with record as (
        {records}
        union all
        select source_id, row_no from span where row_no is not null
    )
    select
        (select count(*) from (select source_id, row_no from row_state group by all having count(*) > 1)),
        (select count(*) from record anti join row_state using (source_id, row_no)),
        (select count(*) from row_state anti join record using (source_id, row_no))
"""


def assert_in_order(review: Review) -> None:
    """The state is the fold of the log; the account balances; every record is in one state."""
    session, staging = review.session, review.session._open().staging
    before, after = session.rebuild()
    assert before == after, f"after {dict(review.done)}"
    status = session.status()
    assert status.balances
    assert sum(sum(sheet.states.values()) for sheet in status.sheets) == sum(
        sheet.records for sheet in status.sheets
    )
    records = " union all ".join(f"select source_id, row_no from {sheet.table}" for sheet in SHEETS)
    assert staging._execute(NOT_EXACTLY_ONCE.format(records=records)).fetchall() == [(0, 0, 0)]
    head = staging._execute("select count(*), min(seq), max(seq), count(distinct seq) from event").fetchall()
    assert head == [(status.events, 1, status.events, status.events)]


def practice_files(folder: Path, rng: random.Random) -> list[Path]:
    """The made-up practice in two files of each sheet, or a generated one; in any order of parts."""
    if rng.random() < 0.5:
        first, second = write_practice(folder, parts=2)
    else:
        parts = [folder / "a", folder / "b"]
        for number, part in enumerate(parts):
            seed = rng.randint(1, 10**6)
            generate(
                part,
                Practice(patients=30, background=50, notes=80, medications=50, seed=seed + number, dirt=0.06),
            )
        first, second = ([part / f"{sheet.name}.csv" for sheet in SHEETS] for part in parts)
    if rng.random() < 0.5:
        rng.shuffle(first)
    return [*first, *second]


def review(
    folder: Path, seed: int, steps: int, tenant: Tenant | None = None, wanted: frozenset[str] = frozenset()
) -> Counter[str]:
    """Review a practice at random and hold it to what must always be; how often each thing was done.

    wanted: what must have been done; the review goes on for it, up to three times as long.
    """
    rng = random.Random(seed)
    files = practice_files(folder / "csv", rng)
    settings = settings_in(folder)
    if tenant:
        (folder / "tenants.toml").write_text(
            f"[tenants.{tenant.slug}]\ndsn = '{tenant.dsn}'\n", encoding="utf-8"
        )
        settings = replace(settings, tenants=folder / "tenants.toml")
    with Session(settings) as session:
        under_way = Review(session, rng, files, tenant.slug if tenant else None)
        under_way.ingest()
        while tenant and len(under_way.files) > len(SHEETS):  # so that there are patients to publish
            under_way.ingest()
        under_way.reconcile()
        if tenant:
            session.approve(actor="lead")
            under_way.publish()
        for step in range(3 * steps):
            if step >= steps and wanted <= set(under_way.done):
                break
            under_way.go_on()
            if step % 5 == 4:
                assert_in_order(under_way)
        assert_in_order(under_way)
        staging = session._open().staging
        assert_sealed(staging, bytes.fromhex(staging.fact("public_key")))
        state = under_way.state()
    with Session(settings) as session:
        assert session.rebuild() == (state, state)
    return under_way.done


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_a_random_review_is_always_the_fold_of_its_log(seed: int, tmp_path: Path) -> None:
    """Whatever people do in whatever order, refolding the log reaches the same state to the byte."""
    review(tmp_path, seed, steps=10)


@pytest.mark.soak
def test_a_random_review_with_publishing_is_the_fold_of_its_log(
    tmp_path: Path, clinic_tenant: Tenant
) -> None:
    """As above, after and between publishing, with the tenant's own people read again."""
    review(tmp_path, 3, 7, clinic_tenant)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 112))
def test_a_long_random_review_is_always_the_fold_of_its_log(
    seed: int, tmp_path: Path, clinic_tenant: Tenant
) -> None:
    """As above, for longer; every second one publishes."""
    done = review(tmp_path, seed, 120, clinic_tenant if seed % 2 else None, EVERYTHING)
    assert set(done) >= EVERYTHING
