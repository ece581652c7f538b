"""The account: for each file, its bytes and records against the states of its rows.

A sheet balances when the records of its files, the rows and malformed spans kept as facts, and the
rows over all states are one number, and the kept byte ranges add up to the files' sizes. Beside it
stands the practice's own count, where one was stated.
"""

from __future__ import annotations

from msgspec import Struct, field

from stager.errors import IntegrityFailed, UsageError, Where
from stager.sheets import SHEETS, State
from stager.staging import Staging


class FileAccount(Struct, frozen=True):
    """One file: its size and the bytes that its records hold; records as registered, kept, and in a state."""

    source_id: int
    sheet: str
    file: str
    size: int
    bytes_kept: int
    registered: int
    kept: int
    stated: int
    blank: int

    @property
    def balances(self) -> bool:
        return self.size == self.bytes_kept and self.registered == self.kept == self.stated


class SheetAccount(Struct, frozen=True):
    """One sheet: its files, and its rows in each state.

    replaced: records for which a corrected record of a later file stands. expected: the practice's own
    count of records, None where none was stated.
    """

    sheet: str
    files: tuple[FileAccount, ...]
    states: dict[str, int] = field(default_factory=dict)
    replaced: int = 0
    expected: int | None = None

    @property
    def records(self) -> int:
        return sum(each.registered for each in self.files)

    @property
    def balances(self) -> bool:
        return all(each.balances for each in self.files) and self.records == sum(self.states.values())

    @property
    def difference(self) -> int | None:
        """Records that came, each counted once however often it was corrected, less those expected."""
        return None if self.expected is None else self.records - self.replaced - self.expected


def account(staging: Staging) -> tuple[SheetAccount, ...]:
    """The account of every sheet that has a file or an expectation, in the order of the sheets."""
    files: dict[str, list[FileAccount]] = {sheet.name: [] for sheet in SHEETS}
    for file in _files(staging):
        files[file.sheet].append(file)
    states: dict[str, dict[str, int]] = {sheet.name: {} for sheet in SHEETS}
    for sheet_name, state, count in staging.rows("account_of_states"):
        states[sheet_name][state] = count
    replaced, expected = dict(staging.rows("replaced_records")), dict(staging.rows("expectations"))
    return tuple(
        SheetAccount(
            name,
            tuple(each),
            {state.value: states[name].get(state.value, 0) for state in State},
            replaced.get(name, 0),
            expected.get(name),
        )
        for name, each in files.items()
        if each or name in expected
    )


def require_balance(staging: Staging) -> None:
    """IntegrityFailed, naming the file, where an account does not balance."""
    for each in _files(staging):
        if not each.balances:
            raise IntegrityFailed(
                f"the account does not balance: {each.registered} records came, {each.kept} are kept, "
                f"{each.stated} are in a state; {each.size} bytes came, {each.bytes_kept} are kept",
                where=Where(file=each.file, sheet=each.sheet),
                hint="nothing was published; try stager rebuild, else restore the staging file",
            )


def _files(staging: Staging) -> list[FileAccount]:
    """The account of every file, in the order in which they came."""
    return [FileAccount(*row) for row in staging.rows("account_of_files")]


def require_expected(staging: Staging) -> None:
    """IntegrityFailed, naming the sheet, where the records are not as many as the practice says.

    UsageError where the practice has said nothing yet.
    """
    told = [sheet for sheet in account(staging) if sheet.expected is not None]
    if not told:
        raise UsageError(
            "no expectation is stated, so there is nothing to be strict about",
            hint="stager status --expect patients=10231,notes=…",
        )
    for sheet in told:
        if sheet.difference:
            raise IntegrityFailed(
                f"the practice expects {sheet.expected} records, {sheet.records - sheet.replaced} came",
                where=Where(sheet=sheet.sheet),
                hint="nothing was published; ask the practice for what is missing, or state what is right",
            )
