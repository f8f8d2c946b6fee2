#!/usr/bin/env python3
"""Makes tests/golden: one file for each case of cases.py, from model.py alone and not with the library.

    golden.py             writes the files, and removes those of cases that are gone
    golden.py --check     says which differ, and exits with 1 when some do

Standard library only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Iterable

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cases import CASES, Case  # noqa: E402
from model import Dump, Encoder, fnv, value_text  # noqa: E402

FOLDER = Path(__file__).resolve().parents[1] / "golden"
# Languages without Python's pickles and numpy's own element types.
ELSEWHERE = "c cpp java"
HEAD, TAIL = 64, 8  # lines that stay of a section which is longer


def condensed(lines: Iterable[str]) -> list[str]:
    """The lines, or of many some and a hash of what is left out. Readers print all of them."""
    lines = list(lines)
    if len(lines) <= HEAD + TAIL + 1:
        return lines
    left_out = lines[HEAD:-TAIL]
    text = "".join(line + "\n" for line in left_out)
    return [*lines[:HEAD], f"... {len(left_out)} lines fnv {fnv(text.encode())}", *lines[-TAIL:]]


def golden(case: Case) -> str:
    """The text of one file."""
    encoder = Encoder()
    lines = [f"# {case.about}"]
    if not case.everywhere:
        lines.append(f"cannot write: {ELSEWHERE}")
    lines += ["object", *condensed(Dump().lines(encoder.node(case.value)))]
    lines += ["value", *condensed(value_text(case.value))]
    other = list(value_text(case.value, elsewhere=True))
    if other != list(value_text(case.value)):
        lines += [f"value of {ELSEWHERE}", *condensed(other)]
    return "".join(line + "\n" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    names: list[Any] = [case.name for case in CASES]
    assert len(set(names)) == len(names), "two cases of one name"
    wanted = {f"{case.name}.txt": golden(case) for case in CASES}
    there = {path.name: path.read_text() for path in arguments.folder.glob("*")}
    wrong = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
    if arguments.check:
        for name in wrong:
            print(f"tests/golden/{name}: not what golden.py makes; run it and look at the difference")
        return 1 if wrong else 0
    arguments.folder.mkdir(exist_ok=True)
    for name in wrong:
        if name in wanted:
            (arguments.folder / name).write_text(wanted[name])
        else:
            (arguments.folder / name).unlink()
    print(f"{len(wanted)} cases, {len(wrong)} files changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
