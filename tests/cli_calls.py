"""Calls of the command line in this process, and a staged practice to call it on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import sample_data
from stager.cli import main

Stager = Callable[..., "Called"]


@dataclass(frozen=True)
class Called:
    """What a call gave: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)

    def done(self) -> Called:
        """This call, which must have succeeded."""
        assert self.code == 0, self.err
        return self


def caller(capsys: pytest.CaptureFixture[str]) -> Stager:
    """A function that calls stager with arguments."""

    def call(*arguments: str | Path) -> Called:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        return Called(code, *capsys.readouterr())

    return call


def own_place(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Work in that folder, with its keys and state kept below it, at the width of 80 columns."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("STAGER_ACTOR", "tester")


def stage_practice(folder: Path) -> Path:
    """The made-up practice, staged and reconciled in a folder that `copied` copies."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        own_place(monkeypatch, folder)
        assert (
            main(["ingest", "--quiet", "--synthetic", *map(str, sample_data.practice_files().values())]) == 0
        )
        assert main(["reconcile", "--quiet"]) == 0
    return folder


def copied(practice: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A staged practice of one's own to work on, in that folder."""
    shutil.copytree(practice, folder, dirs_exist_ok=True)
    own_place(monkeypatch, folder)
