"""This file is the only place that makes daemon and keeper stand still, and looks who goes on meanwhile."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from observer import Failure, await_that

_SAME = ("pid", "keeper_pid", "epoch")


def _stands_still(pid: int) -> bool:
    """Each of its threads."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


class Frost:
    """Who of daemon ("pid") and keeper ("keeper_pid") stands still, and until when."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._until: dict[str, tuple[int, float]] = {}
        self.probes = 0

    def __bool__(self) -> bool:
        return bool(self._until)

    def freeze(self, which: str, seconds: float) -> None:
        self.thaw(which)
        if which == "pid":
            await_that("the observer's connections", self._observer_is_ready)
        pid = self._world.now[which]
        os.kill(pid, signal.SIGSTOP)
        self._until[which] = (pid, time.monotonic() + seconds)
        await_that("all threads stand still", lambda: _stands_still(pid))
        if which == "pid":
            self._probe()

    def _observer_is_ready(self) -> bool:
        try:
            self._world.observer.ask("hold")
        except OSError:
            return False  # a busy machine, for a client so hasty: asked again
        return True

    def _probe(self) -> None:
        """What is in memory can be got without the daemon, and who asks it something is told in time that it does not answer."""
        said = self._world.observer.ask("probe")
        if said != ["get ok", "get ok", "info timeout"]:
            raise Failure(f"HANG: beside a frozen daemon: {said}")
        self.probes += 1

    def forget(self, which: str) -> None:
        """It is killed."""
        self._until.pop(which, None)

    def thaw(self, which: str, is_dead: bool = False) -> None:
        """Who stood still is who it was: nobody has followed it. Not so when the other one is dead."""
        if which not in self._until:
            return
        world = self._world
        os.kill(self._until.pop(which)[0], signal.SIGCONT)
        if is_dead or self._until:
            return
        now = world.observer.info()
        if any(now[each] != world.now[each] for each in _SAME):
            raise Failure(f"a frozen {which} was taken for dead: {now}, not {world.now}")

    def thaw_due(self, is_dead: bool = False) -> None:
        for which, (_, until) in list(self._until.items()):
            if time.monotonic() >= until:
                self.thaw(which, is_dead)

    def thaw_all(self) -> None:
        for which in list(self._until):
            self.thaw(which)
