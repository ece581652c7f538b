"""The linking rules of SHEETS read once more, row by row and in plain Python: what stager must agree with.

Nothing here is taken from stager; it is as slow and as obvious as can be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Person:
    """Somebody whom a reference may mean. place: "tenant:…" for the tenant's own. order: of arrival."""

    place: str
    legacy_id: str
    nhs: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    born: str = ""
    role: str = "PATIENT"
    order: int = -1
    cells: tuple[tuple[str, str], ...] = ()
    excluded: bool = False
    into: Person | None = None
    sealed: str = ""
    """Of the tenant's own: an NHS number that is known by its blind index alone."""

    @property
    def staged(self) -> bool:
        return not self.place.startswith("tenant:")

    @property
    def live(self) -> bool:
        return not self.excluded and self.into is None

    @property
    def rejected(self) -> bool:
        return self.staged and not (self.legacy_id.strip() and self.last_name.strip())

    @property
    def number(self) -> str:
        return self.sealed or valid_number(self.nhs)


@dataclass
class Row:
    """A clinical row: its references as they came, and all of its cells."""

    patient_ref: str
    practitioner_ref: str = ""
    cells: tuple[tuple[str, str], ...] = ()
    excluded: bool = False


@dataclass
class Said:
    """What must be said of a row."""

    state: str = "ready"
    codes: set[str] = field(default_factory=set)
    patient: str | None = None
    via: str | None = None


def valid_number(text: str) -> str:
    """The ten digits of a valid NHS number, else nothing."""
    digits = text.strip()
    if not re.fullmatch(r"[0-9](?:[ -]*[0-9]){9}", digits):
        return ""
    digits = re.sub("[ -]", "", digits)
    if len(set(digits)) == 1:
        return ""
    total = 0
    for place in range(9):
        total += int(digits[place]) * (10 - place)
    check = (11 - total % 11) % 11
    return digits if check == int(digits[9]) else ""


def key_of(person: Person, key: str) -> str:
    if key == "legacy_id":
        return person.legacy_id.strip()
    if key == "nhs_number":
        return "" if person.sealed else valid_number(person.nhs)
    return person.email.strip().lower()


def key_of_text(text: str, key: str) -> str:
    if key == "legacy_id":
        return text.strip()
    if key == "nhs_number":
        return valid_number(text)
    return text.strip().lower() if "@" in text else ""


KEYS = ("legacy_id", "nhs_number", "email")


def finds(text: str, key: str, people: Sequence[Person]) -> list[Person]:
    """Whom the text finds by that key; the excluded only where nobody else has it."""
    wanted = key_of_text(text, key)
    if not wanted:
        return []
    having = [person for person in people if key_of(person, key) == wanted]
    counting = [person for person in having if person.live or person.into is not None] or having
    found: list[Person] = []
    for person in counting:
        whom = person.into or person
        if whom not in found:
            found.append(whom)
    return found


def link(
    text: str, people: Sequence[Person], keys: Sequence[str] = KEYS
) -> tuple[Person | None, str | None, str]:
    """The person, the key, and the code if there is none."""
    first: Person | None = None
    via: str | None = None
    for key in keys:
        found = finds(text, key, people)
        if first is None:
            if len(found) > 1:
                return None, None, "link.ambiguous"
            if found:
                first, via = found[0], key
        elif [person for person in found if person is not first]:
            return None, None, "link.conflict"
    if first is None:
        return None, None, "link.unresolved"
    numbers = {person.number for person in people if (person.into or person) is first and person.number}
    if valid_number(text):
        numbers.add(valid_number(text))
    return (None, None, "link.conflict") if len(numbers) > 1 else (first, via, "")


def name_of(person: Person) -> tuple[str, str]:
    first, last = (
        re.sub(r"[^a-z0-9]+", " ", name.lower()).strip() for name in (person.first_name, person.last_name)
    )
    return first, last


def alike(one: Person, other: Person) -> bool:
    """Same name, either way round, and same birth, unless two valid numbers tell them apart."""
    mine, theirs = name_of(one), name_of(other)
    if "" in (*mine, *theirs) or one.born != other.born:
        return False
    if one.number and other.number:
        return False
    return theirs in (mine, mine[::-1])


def say_patients(people: Sequence[Person]) -> dict[str, Said]:
    """What must be said of each staged patient."""
    said: dict[str, Said] = {}
    live = [person for person in people if person.live]
    for person in people:
        if not person.staged:
            continue
        codes: set[str] = set()
        others = [other for other in live if other is not person]
        if person.rejected:
            codes.add("value.missing")
        if person.nhs.strip() and not valid_number(person.nhs):
            codes.add("value.suspect")
        same_id = [o for o in others if key_of(o, "legacy_id") == key_of(person, "legacy_id") != ""]
        same_number = [o for o in others if o.number == person.number != ""]
        same_email = [o for o in others if key_of(o, "email") == key_of(person, "email") != ""]
        if same_id:
            codes.add("patient.id_shared")
        if same_number or [o for o in others if o.staged and alike(person, o)]:
            codes.add("patient.duplicate")
        if [o for o in same_email if o.order < person.order]:
            codes.add("patient.email_shared")
        twins = [o for o in people if o.staged and o.live and not o.rejected and o.cells == person.cells]
        if not person.rejected and [o for o in twins if o.order < person.order]:
            codes.add("row.repeated")
        said[person.place] = Said(codes=codes)
        if not person.live:
            said[person.place] = Said("excluded")
        elif person.rejected:
            said[person.place].state = "rejected"
        elif codes:
            said[person.place].state = "held"
    return said


def say_rows(rows: Sequence[Row], people: Sequence[Person]) -> list[Said]:
    """What must be said of each clinical row of one sheet, in their order."""
    fit = {place: said.state == "ready" for place, said in say_patients(people).items()}
    doctors = [person for person in people if (person.role.strip().upper() or "PATIENT") != "PATIENT"]
    answers: list[Said] = []
    for number, row in enumerate(rows):
        if not row.patient_ref.strip():
            answers.append(Said("rejected", {"value.missing"}))
            continue
        whom, via, code = link(row.patient_ref, people)
        answer = Said(via=via, patient=whom.legacy_id.strip() if whom else None)
        if code:
            answer.codes.add(code)
        doctor = None
        if row.practitioner_ref.strip():
            doctor, _, trouble = link(row.practitioner_ref, doctors, ("legacy_id", "email"))
            if trouble:
                answer.codes.add("practitioner.unresolved")
        before = [each for each in rows[:number] if each.patient_ref.strip() and not each.excluded]
        if [each for each in before if each.cells == row.cells]:
            answer.codes.add("row.repeated")
        if row.excluded:
            answer = Said("excluded")
        elif answer.codes:
            answer.state = "held"
        elif not all(fit.get(each.place, True) for each in (whom, doctor) if each):
            answer.state, answer.codes = "waiting", {"patient.waiting"}
        answers.append(answer)
    return answers
