"""This file is the only place that adds up what a soak has done, over its slices, and prints it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from board import Board

_SUMMED = (
    "calls", "gets", "bytes", "puts", "deletes", "misses", "full", "timeouts", "unavailable", "unknown",
    "died_twice", "conflicts", "counted", "labels", "waits", "kept", "errors", "evicted", "persisted", "thawed_reads",
)  # fmt: skip
# What a failure says of what must never be. One that says nothing of this is another one.
_PROBLEMS = {
    "objects lost": r"\bLOST\b",
    "leaks": r"\bLEAK\b|\bGROWN\b",
    "hangs": r"\bHANG\b|ERROR: .* took \d+ ms",
    "wrong reads": r"WRONG BYTES|ERROR: read of",
}


class Totals:
    """Of a file, or of this run only. Written behind each round: who is interrupted loses one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._all: dict[str, Any] = {"rounds": 0, "kills": 0, "audits": 0, "seconds": 0.0, "done": {}, "counted": {}}
        self._all |= {"slowest_ms": 0, "seen": {}, "problems": {}, "failures": [], "figures": {}}
        if path is not None and path.exists():
            self._all |= json.loads(path.read_text())

    @property
    def kills(self) -> int:
        return int(self._all["kills"])

    @property
    def rounds(self) -> int:
        return int(self._all["rounds"])

    @property
    def figures(self) -> dict[str, Any]:
        """By the kind of the round."""
        return dict(self._all["figures"])

    def add(self, done: dict[str, int], seen: dict[str, int], board: Board, seconds: float) -> None:
        """A round; ``seen``: what others than its clients have counted."""
        totals = self._all
        totals["rounds"] += 1
        totals["seconds"] = round(totals["seconds"] + seconds, 1)
        _add(totals["done"], done)
        _add(totals["seen"], seen)
        _add(totals["counted"], {name: board.total(name) for name in _SUMMED})
        totals["kills"] += sum(count for kind, count in done.items() if kind.endswith("killed"))
        totals["slowest_ms"] = max(totals["slowest_ms"], *(page.slowest_ms for page in board.pages))
        self._write()

    def add_failure(self, how: str, said: str) -> None:
        """``how``: to have it again. ``said``: the failure, and whatever clients complained of."""
        kinds = [kind for kind, words in _PROBLEMS.items() if re.search(words, said)]
        _add(self._all["problems"], dict.fromkeys(kinds or ["other failures"], 1))
        self._all["failures"].append(f"{how}: {said.splitlines()[0]}")
        self._write()

    def add_figure(self, kind: str, figure: dict[str, Any], board: Board, seconds: float) -> None:
        self._all["figures"][kind] = figure
        _add(self._all["counted"], {name: board.total(name) for name in _SUMMED})
        self._all["seconds"] = round(self._all["seconds"] + seconds, 1)
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

    def report(self) -> str:
        """The tables of docs/reliability.md."""
        totals, counted, seen = self._all, self._all["counted"], self._all["seen"]
        rows = [("minutes, rounds, audits", f"{totals['seconds'] / 60:.0f}, {totals['rounds']}, {seen.get('audits', 0)}")]
        for deed in ("killed", "frozen"):
            kinds = {kind.removesuffix(f" {deed}"): n for kind, n in totals["done"].items() if kind.endswith(deed)}
            said = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
            rows.append((deed, f"{sum(kinds.values()):,}: {said}"))
        numbers = {
            "calls": counted.get("calls", 0),
            "objects read, each byte compared": counted.get("gets", 0),
            "GB compared": counted.get("bytes", 0) // 10**9,
            "of them read again by a client that stood still": counted.get("thawed_reads", 0),
            "frozen daemons beside which a get was answered, and a request told `timeout`": seen.get("probes", 0),
            "loads of what was spilled": seen.get("loads", 0),
            "changes whose answer was lost, found done once or not at all": seen.get("resolved", 0),
            "slowest call, ms": totals["slowest_ms"],
        }
        rows += [(what, f"{number:,}") for what, number in numbers.items()]
        rows += [(what, f"{totals['problems'].get(what, 0):,}") for what in (*_PROBLEMS, "other failures")]
        lines = ["| what | how much |", "|---|---|"] + [f"| {what} | {said} |" for what, said in rows]
        if figures := self.figures:
            heads = [f"{figure['operations']:,} calls, {kind}" for kind, figure in figures.items()]
            lines += ["", f"| before → after | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
            for name in next(iter(figures.values()))["before"]:
                words = [f"{each['before'][name]:,} → {each['after'][name]:,}" for each in figures.values()]
                lines.append(f"| {name.replace('_', ' ')} | {' | '.join(words)} |")
        return "\n".join(lines)

    def __str__(self) -> str:
        totals = self._all
        return (
            f"{totals['kills']} kills in {totals['rounds']} rounds and {totals['seconds'] / 60:.1f} minutes, "
            f"{totals['seen'].get('audits', 0)} audits, {totals['counted'].get('gets', 0)} gets verified of "
            f"{totals['counted'].get('bytes', 0) / 1e9:.1f} GB, {len(totals['failures'])} failures"
        )


def _add(sums: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        sums[name] = sums.get(name, 0) + count
