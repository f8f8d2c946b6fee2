"""docs/using-objects-python.rst, run line for line: what it prints is what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import vineyard

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "tutorial"))
import tutorial  # noqa: E402


def test_the_tutorial_prints_what_it_says() -> None:
    text = tutorial.TEXT.read_text()
    compared = 0
    with tutorial.place() as folder:
        commands = tutorial.commands(text, folder)
        assert len(commands) == 2
        with tutorial.daemons(commands) as first_socket:
            space: dict[str, Any] = {"client": vineyard.connect(first_socket)}
            for step in tutorial.steps(text, folder):
                assert step.code, "the text says what is printed by nothing"
                printed = tutorial.play(step, space)
                assert tutorial.plain(printed) == tutorial.plain(step.said)
                compared += bool(step.said)
            for name in ("client", "client1", "client2"):
                space[name].close()
    assert compared == 3
