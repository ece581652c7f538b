"""One program run to its end: how long it took and how much memory it and its children held."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PAUSE = 0.1
"""Seconds between two looks at the memory: often enough for its peak, too seldom to cost much."""

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that ended well.

    seconds: from its start to its end, as the person waits who typed it. cpu: seconds of processors that
    it and its children used. peak: bytes, the largest sum of the resident memory of the process and its
    children; pages that they share count for each of them. output: what it wrote to standard output.
    """

    seconds: float
    cpu: float
    peak: int
    output: str


def run(command: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> Ran:
    """Run a program to its end. SystemExit, with what it said, where it fails."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        )
        looking = _Looking(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        seen = looking.end()
        for each in (output, errors):
            each.seek(0)
        if process.returncode != 0:
            said = errors.read().decode(errors="replace").strip()
            words = " ".join([Path(command[0]).name, *command[1:]])
            sys.exit(f"`{words}` ended with {process.returncode}:\n{said}")
        # The kernel's own figure knows moments between two looks, but only the largest single process.
        cpu = usage.ru_utime + usage.ru_stime
        return Ran(seconds, cpu, max(seen, usage.ru_maxrss * _RSS_UNIT), output.read().decode())


class _Looking:
    """Looks again and again at what a process and its children hold, in a thread, until told to end."""

    def __init__(self, pid: int) -> None:
        self._root, self._peak, self._ended = psutil.Process(pid), 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Stop looking; the largest sum seen, in bytes."""
        self._ended.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        while not self._ended.is_set():
            self._peak = max(self._peak, _held(self._root))
            self._ended.wait(_PAUSE)


def _held(root: psutil.Process) -> int:
    held = 0
    try:
        for process in (root, *root.children(recursive=True)):
            held += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass  # one has just ended: what was added up so far is a lower bound, which a maximum may take
    return held
