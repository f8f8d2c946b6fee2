"""This file is the only place that asks the daemon, through soak_client, what it has and what it does."""

from __future__ import annotations

import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

HANG_SECONDS = 90.0  # beyond all deadlines
POLL_SECONDS = 0.002


class Failure(Exception):
    """Something that must never be."""


def await_that(what: str, is_so: Callable[[], Any], seconds: float = HANG_SECONDS) -> Any:
    """Until it is so. Raises :class:`Failure`."""
    deadline = time.monotonic() + seconds
    while not (answer := is_so()):
        if time.monotonic() > deadline:
            raise Failure(f"HANG: {what}: not in {seconds:.0f} s")
        time.sleep(POLL_SECONDS)
    return answer


class Observer:
    """Two clients in one process: a patient one, and one whose requests wait for :data:`HASTY_MS` only."""

    SESSIONS = 2
    HASTY_MS = 200

    def __init__(self, program: str, socket: str, deadline_ms: int, log: Path, user: dict[str, Any] | None = None) -> None:
        """``user``: of ``subprocess``, whose it is."""
        self._patience = 2 * deadline_ms / 1000 + HANG_SECONDS
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [program, "observe", socket, str(deadline_ms), str(self.HASTY_MS)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=output, **(user or {}),
            )  # fmt: skip

    def ask(self, line: str) -> list[str]:
        """The lines of the answer. Raises :class:`Failure`, and ``OSError`` for what the library says."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        said = b""
        while not said.endswith(b"\n.\n") and said != b".\n":
            if not select.select([self.process.stdout], [], [], self._patience)[0]:
                raise Failure(f"HANG: {line}: no answer in {self._patience} s")
            more = os.read(self.process.stdout.fileno(), 1 << 20)
            if not more:
                raise Failure(f"{line}: the observer ended")
            said += more
        lines = said.decode().split("\n")[:-2]
        if lines and lines[-1].startswith("! "):
            raise OSError(f"{line}: {lines[-1][2:]}")
        return lines

    def info(self) -> dict[str, int]:
        return {name: int(value) for name, value in (line.split() for line in self.ask("info"))}

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(HANG_SECONDS)
