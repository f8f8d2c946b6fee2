"""Tests of what totals.py adds up: slices go on where the last one stopped, and no failure is silent."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from board import Board  # noqa: E402
from totals import Totals  # noqa: E402


class TotalsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = Path(folder.name) / "made/soak.json"
        self.board = Board.create(Path(folder.name) / "board", 2)

    def report(self) -> list[str]:
        return Totals(self.state).report().splitlines()

    def slice(self) -> None:
        self.board.pages[1].calls = 1000
        done = {"daemon killed": 2, "keeper frozen": 1}
        Totals(self.state).add(done, {"audits": 1, "probes": 3}, self.board, 90)

    def test_slices_add_up(self) -> None:
        self.slice()
        self.slice()
        report = self.report()
        self.assertIn("| minutes, rounds, audits | 3, 2, 2 |", report)
        self.assertIn("| killed | 4: daemon 4 |", report)
        self.assertIn("| frozen | 2: keeper 2 |", report)
        self.assertIn("| calls | 2,000 |", report)
        self.assertEqual(Totals(self.state).kills, 4)

    def test_each_failure_is_in_its_row(self) -> None:
        said = {
            "LOST: 7, object 8": "objects lost",
            "LEAK: the daemon reports": "leaks",
            "GROWN: daemon_descriptors": "leaks",
            "HANG: no worker": "hangs",
            "a worker complains\n17 ERROR: put took 70000 ms": "hangs",
            "a worker complains\n17 ERROR: read of o1: WRONG BYTES: word 3": "wrong reads",
            "fsck: exit status 1": "other failures",
        }
        for failure in said:
            Totals(self.state).add_failure("--seed 1", failure)
        report = self.report()
        for row in said.values():
            count = sum(each == row for each in said.values())
            self.assertIn(f"| {row} | {count} |", report)

    def test_a_figure_of_each_kind_is_measured_once(self) -> None:
        figure = {"operations": 1_000_000, "before": {"heap_bytes": 1}, "after": {"heap_bytes": 2000}, "grown": []}
        Totals(self.state).add_figure("local", figure, self.board, 60)
        self.assertEqual(list(Totals(self.state).figures), ["local"])
        self.assertIn("| heap bytes | 1 → 2,000 |", self.report())


if __name__ == "__main__":
    unittest.main()
