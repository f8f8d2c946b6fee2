#!/usr/bin/env python3
"""Tests of what run.py counts: executions add up over slices, and a finding is never silent."""

from __future__ import annotations

import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import run  # noqa: E402

ENDED = "INFO: seed\n#3\tINITED cov: 40 ft: 41\n#9999\tNEW    cov: 52 ft: 60\nDone 12345 runs in 2 second(s)\n"
FELL_OVER = "#2\tINITED cov: 70 ft: 41\n#888\tNEW    cov: 71 ft: 60\n==1== ERROR: AddressSanitizer: heap\n"


class Run(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "bin").mkdir()
        for name, value in {"BUILD": self.folder, "build": lambda names, jobs: None}.items():
            patch = mock.patch.object(run, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def target(self, name: str, printed: str, status: int) -> None:
        program = self.folder / f"bin/{name}_fuzz"
        (self.folder / f"{name}.out").write_text(printed)
        program.write_text(f"#!/bin/sh\ncat {self.folder}/{name}.out >&2\nexit {status}\n")
        program.chmod(0o755)

    def slices(self, *names: str) -> int:
        with mock.patch("sys.stdout"), mock.patch("sys.stderr"):
            return run.main(["--state", str(self.folder / "state.json"), "--minutes", "0.1", *names])

    def totals(self) -> dict[str, dict[str, int]]:
        return json.loads((self.folder / "state.json").read_text())["targets"]

    def test_executions_of_slices_add_up(self) -> None:
        self.target("text", ENDED, 0)
        for executions in (12345, 24690):
            self.assertEqual(self.slices("text"), 0)
            self.assertEqual(self.totals()["text"]["executions"], executions)
        self.assertEqual(self.totals()["text"]["edges"], 52)
        self.assertEqual(self.totals()["text"]["findings"], 0)

    def test_a_finding_is_counted_and_the_next_target_runs(self) -> None:
        self.target("glob", FELL_OVER, 77)
        self.target("text", ENDED, 0)
        self.assertEqual(self.slices("glob", "text"), 1)
        totals = self.totals()
        self.assertEqual((totals["glob"]["findings"], totals["glob"]["executions"]), (1, 888))
        self.assertEqual(totals["text"]["executions"], 12345)

    def test_a_target_that_is_not_there_is_named(self) -> None:
        self.assertEqual(self.slices("nonsense"), 2)

    def test_every_target_has_a_corpus(self) -> None:
        for name in run.known_targets():
            self.assertTrue(any((HERE / "corpus" / name).iterdir()), name)

    def test_the_report_has_a_line_for_each(self) -> None:
        table = run.report({"a": {"executions": 1234567, "seconds": 120, "edges": 9}})
        self.assertIn("| a | 1,234,567 | 2 | 9 |", table)


if __name__ == "__main__":
    unittest.main()
