#!/usr/bin/env python3
"""One blob of more than 4 GiB, written by the first program and read by all of them.

    large.py --vineyardd PATH --program c=PATH --program 'python=PYTHON matrix.py' [--bytes N]

The blob is a Python `bytes` of 5 GiB whose 64-bit words are their own numbers; an array of 1,024 of them begins
24 bytes beyond 4 GiB, in the same blob. Where the machine has too little memory nothing is tried: it says so and
ends with 77. Standard library only.
"""

from __future__ import annotations

import argparse
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from model import Array, data_text, value_text  # noqa: E402
from programs import Daemon, Program  # noqa: E402

GIB = 1 << 30
SPARE = GIB  # for everything else
PART = 1024


def available_bytes() -> int:
    """Memory that can be had without swapping: of the machine, or of a control group that has less."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    most = int(lines["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            most = min(most, int(limit) - int((group / "memory.current").read_text()))
    except OSError:
        pass  # no such control groups here
    return most


def words(offset: int, count: int) -> bytes:
    return struct.pack(f"<{count}Q", *range(offset // 8, offset // 8 + count))


def expected(size: int) -> list[str]:
    """What every program has to print."""
    two, four = 1 << 31, 1 << 32
    part = Array("uint64", [PART], words(four + 24, PART))
    return [
        f"length {size}",
        f"before {data_text(bytes([0x80, 5, 0x8E]) + struct.pack('<Q', size))}",  # 8 bytes of length
        f"behind {data_text(bytes([0x94, 0x2E]))}",
        *(f"at {at} {data_text(words(at, 1))}" for at in (0, two - 8, two, four - 8, four, four + 8, size - 8)),
        *value_text(part),
        "copied 0",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vineyardd", required=True)
    parser.add_argument("--program", action="append", required=True, type=Program, metavar="LANGUAGE=COMMAND")
    parser.add_argument("--bytes", type=int, default=5 * GIB)
    arguments = parser.parse_args()
    available = available_bytes()
    if available < arguments.bytes + SPARE:
        needed = f"{(arguments.bytes + SPARE) / GIB:.1f} GiB of memory"
        print(f"NOT RUN: a blob of {arguments.bytes} bytes needs {needed}, {available / GIB:.1f} GiB are free")
        return 77
    wrong = []
    with Daemon(arguments.vineyardd, str(arguments.bytes + SPARE // 4)) as daemon:
        writer = arguments.program[0]
        output, error = writer.run("write-large", daemon.socket, str(arguments.bytes))
        if error or output.split() != ["written", "large", "written", "large_part"]:
            wrong.append(error or f"{writer.language} printed {output!r}")
        for reader in arguments.program:
            output, error = reader.run("large", daemon.socket, writer.language)
            wrong += [error] if error else []
            for got, wanted in zip([*output.splitlines(), "(end)"], [*expected(arguments.bytes), "(end)"]):
                if got != wanted:
                    wrong.append(f"{reader.language} prints\n  {got}\nwhere was expected\n  {wanted}")
            print(f"{reader.language} has read {arguments.bytes} bytes of {writer.language}")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
