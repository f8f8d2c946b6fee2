"""This file is the only place that adds up what a soak has done, over its slices."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from board import Board

_SUMMED = (
    "calls", "gets", "bytes", "puts", "deletes", "misses", "full", "timeouts", "unavailable", "unknown",
    "died_twice", "conflicts", "counted", "labels", "waits", "kept", "errors", "evicted", "persisted",
)  # fmt: skip


class Totals:
    """Of a file, or of this run only. Written behind each round: who is interrupted loses one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._all: dict[str, Any] = {"rounds": 0, "kills": 0, "audits": 0, "seconds": 0.0, "done": {}, "counted": {}}
        self._all |= {"slowest_ms": 0, "failures": []}
        if path is not None and path.exists():
            self._all |= json.loads(path.read_text())

    @property
    def kills(self) -> int:
        return int(self._all["kills"])

    @property
    def rounds(self) -> int:
        return int(self._all["rounds"])

    def add(self, done: dict[str, int], audits: int, board: Board, seconds: float, failure: str) -> None:
        totals = self._all
        totals["rounds"] += 1
        totals["audits"] += audits
        totals["seconds"] += round(seconds, 1)
        for kind, count in done.items():
            totals["done"][kind] = totals["done"].get(kind, 0) + count
            totals["kills"] += count if kind.endswith("killed") else 0
        for name in _SUMMED:
            totals["counted"][name] = totals["counted"].get(name, 0) + board.total(name)
        totals["slowest_ms"] = max(totals["slowest_ms"], *(page.slowest_ms for page in board.pages))
        if failure:
            totals["failures"].append(failure)
        self._write()

    @property
    def figure(self) -> dict[str, Any] | None:
        return self._all.get("figure")

    def set_figure(self, figure: dict[str, Any]) -> None:
        self._all["figure"] = figure
        self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._all, indent=1) + "\n")
        os.replace(new, self._path)

    @staticmethod
    def said(board: Board) -> str:
        """What the clients of one round have done."""
        words = [f"{board.total(name)} {name}" for name in _SUMMED if board.total(name)]
        return f"{', '.join(words)}; slowest call {max(page.slowest_ms for page in board.pages)} ms"

    def __str__(self) -> str:
        totals = self._all
        return (
            f"{totals['kills']} kills in {totals['rounds']} rounds and {totals['seconds'] / 60:.1f} minutes, "
            f"{totals['audits']} audits, {totals['counted'].get('gets', 0)} gets verified of "
            f"{totals['counted'].get('bytes', 0) / 1e9:.1f} GB, {len(totals['failures'])} failures"
        )
