"""Plays the tutorial, docs/using-objects-python.rst: its own lines, and what they print here.

    python run.py

Starts the two daemons that the text starts, in /var/run or, where this user can not write there, in a
folder of their own. Exits with 1 when something is printed that the text does not say.
"""

from __future__ import annotations

import sys
from typing import Any

try:
    import numpy  # noqa: F401
except ImportError:
    sys.exit("run.py: the tutorial shares numpy's arrays: pip install numpy")

import tutorial

import vineyard


def main() -> None:
    text = tutorial.TEXT.read_text()
    differences = 0
    with tutorial.place() as folder:
        commands = tutorial.commands(text, folder)
        for line in commands:
            print(f"$ {line}", flush=True)
        with tutorial.daemons(commands) as socket:
            print("(Both are up. The text's `client` is one of the first.)", flush=True)
            space: dict[str, Any] = {"client": vineyard.connect(socket)}
            for step in tutorial.steps(text, folder):
                print()
                for line in step.code:
                    print(f">>> {line}")
                printed = tutorial.play(step, space)
                print(printed, end="", flush=True)
                if tutorial.plain(printed) != tutorial.plain(step.said):
                    differences += 1
                    print(f"(The text says: {step.said!r})", flush=True)
            for value in space.values():
                if isinstance(value, vineyard.Client):
                    value.close()
    if differences:
        sys.exit(f"run.py: {differences} of its outputs are not what the text says")
    print("\nEverything was printed as the text says; ids differ from run to run, and how arrays are written from")
    print("numpy to numpy. Both daemons have ended.")


if __name__ == "__main__":
    try:
        main()
    except vineyard.Unavailable as error:  # no Java, no room: the daemon says what is missing
        sys.exit(f"run.py: {error}")
