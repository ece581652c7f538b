"""The account: for each file, its bytes and records against the states of its rows.

A sheet balances when the records of its files, the rows and malformed spans kept as facts, and the
rows over all states are one number, and the kept byte ranges add up to the files' sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stager.errors import IntegrityFailed, Where
from stager.sheets import SHEETS, State
from stager.staging import Staging


@dataclass(frozen=True, slots=True)
class FileAccount:
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


@dataclass(frozen=True, slots=True)
class SheetAccount:
    """One sheet: its files, and its rows in each state."""

    sheet: str
    files: tuple[FileAccount, ...]
    states: dict[str, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        return sum(each.registered for each in self.files)

    @property
    def balances(self) -> bool:
        return all(each.balances for each in self.files) and self.records == sum(self.states.values())


def account(staging: Staging) -> tuple[SheetAccount, ...]:
    """The account of every sheet that has a file, in the order of the sheets."""
    files: dict[str, list[FileAccount]] = {}
    for sheet in SHEETS:
        found = staging.rows("account_of_files", {"table": sheet.table}, sheet=sheet.name)
        files[sheet.name] = [FileAccount(*row) for row in found]
    states: dict[str, dict[str, int]] = {sheet.name: {} for sheet in SHEETS}
    for sheet_name, state, count in staging.rows("account_of_states"):
        states[sheet_name][state] = count
    return tuple(
        SheetAccount(name, tuple(each), {state.value: states[name].get(state.value, 0) for state in State})
        for name, each in files.items()
        if each
    )


def require_balance(staging: Staging) -> None:
    """IntegrityFailed, naming the file, where an account does not balance."""
    for sheet in account(staging):
        for each in sheet.files:
            if not each.balances:
                raise IntegrityFailed(
                    f"the account does not balance: {each.registered} records came, {each.kept} are kept, "
                    f"{each.stated} are in a state; {each.size} bytes came, {each.bytes_kept} are kept",
                    where=Where(file=each.file, sheet=each.sheet),
                    hint="nothing was published; try stager rebuild, else restore the staging file",
                )
