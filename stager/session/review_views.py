"""What a reviewer is shown: findings as a queue, one finding with its evidence, the log, what is signed.

These hold patients' values, unlike `views`: they are for the screen of whom the practice lets see them, and
go into no event, log or file.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct, field

from stager.decisions import Decision, Finding
from stager.session.views import EventLine


class QueueOrder(Enum):
    """How a queue is sorted; a finding's number breaks ties."""

    NUMBER = "number"
    CODE = "code"
    ROW = "row"
    COLUMN = "column"
    PATIENT = "patient"
    ALIKE = "alike"


class QueueFilter(Struct, frozen=True):
    """Which findings a queue holds; every part that is given must hold.

    patient: a person's place, for all that is held of them. row: a row's place, SOURCE:ROW. text: stands in a
    cell of the row, in any case. assigned_to: a colleague's name, "" for findings that nobody was asked
    about. state: open, decided, …
    """

    code: str | None = None
    sheet: str | None = None
    field: str | None = None
    patient: str | None = None
    row: str | None = None
    text: str | None = None
    assigned_to: str | None = None
    state: str | None = "open"


class QueueLine(Struct, frozen=True):
    """A finding as a line of the queue. cell: the cell it is about, or the reference; None: it has none.

    person: who the row is of, as a reviewer calls them ("Name, birth date" or the reference as it came).
    """

    finding: Finding
    file: str
    line: int
    column: str | None
    cell: str | None
    person: str | None
    suggestions: int
    assigned_to: str | None
    note: str | None


class CellPair(Struct, frozen=True):
    """A cell of the source row beside what stager made of it.

    came: as it stands in the file (None: no such column). corrected: a person's value in its place.
    made: as it would be published (None: empty, or not to be had from this cell). rules: what was changed,
    in words. is_subject: the finding is about this cell. protected: it is sealed
    in the tenant's database unless its profile says otherwise.
    """

    field: str
    column: str
    came: str | None
    corrected: str | None
    is_corrected: bool
    made: str | None
    rules: tuple[str, ...]
    is_subject: bool
    protected: bool


class Record(Struct, frozen=True):
    """A row as it came and as it stands; place: SOURCE:ROW, or tenant:ID for one of the tenant's own people.

    title: how a reviewer calls it. state: of the row. pairs: its cells, empty where it could not be parsed.
    raw: the record's own text where it could not, undecodable bytes as escapes.
    """

    place: str
    sheet: str
    title: str
    file: str
    line: int
    state: str
    pairs: tuple[CellPair, ...]
    raw: str | None = None


class Likeness(Enum):
    """How two values compare."""

    AGREE = "agree"
    NEAR = "near"
    DIFFER = "differ"
    MISSING = "missing"


class Compared(Struct, frozen=True):
    """One field of a row held against a candidate's. ours, theirs: the values, None where there is none.

    marks: half-open character ranges of `theirs` that differ from `ours`, where the two are near.
    """

    field: str
    column: str
    ours: str | None
    theirs: str | None
    likeness: Likeness
    marks: tuple[tuple[int, int], ...] = ()


class Candidate(Struct, frozen=True):
    """A person whom the row may belong to, or be the same as. number: the digit that chooses them, from 1.

    why: each reason for, in words. against: each reason against. veto: a reason no decision may pass over.
    rows: how many rows of each sheet are linked to them.
    """

    number: int
    place: str
    title: str
    why: tuple[str, ...]
    against: tuple[str, ...]
    veto: str | None
    compared: tuple[Compared, ...]
    rows: dict[str, int]


class ColumnLook(Struct, frozen=True):
    """What a whole column of the sheet looks like: its values with their counts, the most frequent first.

    allowed: the vocabulary where the column has one. filled, blank, distinct: counts over all files.
    """

    column: str
    filled: int
    blank: int
    distinct: int
    values: tuple[tuple[str, int], ...]
    allowed: tuple[str, ...]


class Way(Struct, frozen=True):
    """One decision that this finding allows. words: what it does here. needs: person, value or nothing.

    reason_required: the decision is refused without a reason.
    """

    decision: Decision
    words: str
    needs: str | None
    reason_required: bool


class FindingView(Struct, frozen=True):
    """A finding with everything that a person needs to decide it.

    meaning: what the code says, and rule: what this rule says, in words. alike: how many open findings have
    the very same problem, this one included. look: of the column, for findings about a value.
    related: the other records of a duplicate or shared key. held: open findings of the same person or row,
    without this one, at most 200. person: the place of the patient whose row it is, None where nobody's.
    """

    line: QueueLine
    meaning: str
    rule: str
    record: Record
    ways: tuple[Way, ...]
    alike: int
    candidates: tuple[Candidate, ...] = ()
    related: tuple[Record, ...] = ()
    look: ColumnLook | None = None
    held: tuple[QueueLine, ...] = ()
    person: str | None = None
    assigned_to: str | None = None
    note: str | None = None


class EventFilter(Struct, frozen=True):
    """Which events of the log are meant. kind, actor: exactly. sheet, row: of one row, SOURCE:ROW.

    people: only what people did, not what rules did for each row.
    """

    kind: str | None = None
    actor: str | None = None
    place: str | None = None
    people: bool = False


class LogLine(Struct, frozen=True):
    """An event of the log with its address; words: what happened, in a sentence without a value."""

    event: EventLine
    sheet: str | None
    place: str | None
    finding_id: int | None
    words: str


class Signing(Struct, frozen=True):
    """What an approval would sign now, and what it would leave.

    rows: ready rows by sheet. plan: the hash that the approval would bind, and planned: what could then be
    published, by sheet. left: rows that are not covered, by state, and codes: open findings by code.
    blocked: why nothing can be approved, and what to do; None where it can.
    """

    rows: dict[str, int]
    plan: str
    planned: dict[str, int]
    left: dict[str, int]
    codes: dict[str, int]
    blocked: str | None = None


class Taken(Struct, frozen=True):
    """Who has the staging file open: the process, whose it is, since when (ISO 8601, UTC), what it runs."""

    pid: int
    who: str | None
    since: str | None
    command: str | None


class LastDecision(Struct, frozen=True):
    """The newest decision that still stands and could be taken back; words: what it was."""

    seq: int
    actor: str
    at: str
    decision: str
    count: int
    words: str
    findings: tuple[int, ...] = field(default=())
