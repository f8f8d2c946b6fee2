"""One array through programs in several languages, without a copy: runs the stages, shows what each took.

    python run.py [SOCKET] [--mib 1024] [--build FOLDER]

Without SOCKET it starts a daemon of its own. Each stage is a program of its own, `stage SOCKET IN_NAME
OUT_NAME`: see README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

import vineyard
from vineyard.deploy.local import start_vineyardd

HERE = Path(__file__).resolve().parent
JAR = HERE.parents[1] / "java" / "target" / f"vineyard-{vineyard.__version__}.jar"


class Stage(NamedTuple):
    language: str
    does: str  # for people
    command: list[str]  # {build}: the folder of what was compiled
    makes: Callable[[float], float]  # of each element; what the result is compared with


class Report(NamedTuple):
    copied: int  # payload bytes, by its client
    worked: float  # seconds
    took: float  # seconds, with its start and end


STAGES = [
    Stage("Python", "writes 0, 1, 2, ...", [sys.executable, str(HERE / "generate.py")], lambda x: x),
    Stage("Java", "x / 2", ["java", "-cp", str(JAR), str(HERE / "Halve.java")], lambda x: x / 2),
    Stage("C++", "2 x + 1", ["{build}/scale"], lambda x: 2 * x + 1),
    Stage("Python", "adds them up", [sys.executable, str(HERE / "summarize.py")], lambda x: x),
]


def run_stage(stage: Stage, build: Path, socket: str, source: str, target: str) -> Report:
    """Runs a stage to its end. Its output is `copied BYTES` and `worked SECONDS`, a line each."""
    command = [word.replace("{build}", str(build)) for word in stage.command]
    begun = time.perf_counter()
    done = subprocess.run([*command, socket, source, target], stdout=subprocess.PIPE, text=True)
    took = time.perf_counter() - begun
    if done.returncode != 0:
        sys.exit(f"run.py: the stage in {stage.language}, {stage.does}: exit status {done.returncode}")
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    return Report(int(said["copied"]), float(said["worked"]), took)


def expected(stages: list[Stage], count: int) -> dict[str, float]:
    """What the last stage has to find: lines stay lines, so first and last element say it all."""
    first, last = 0.0, count - 1.0
    for stage in stages:
        first, last = stage.makes(first), stage.makes(last)
    return {"count": count, "first": first, "last": last, "sum": (first + last) / 2 * count}


def run(stages: list[Stage], socket: str, count: int, build: Path) -> int:
    """Runs all of them, each on what the one before it made, and prints a line of each; bytes copied."""
    prefix = f"example/pipeline/{os.getpid()}/"
    with vineyard.connect(socket) as client:
        begun = time.perf_counter()
        copied = 0
        client.put(count, name=f"{prefix}0")
        try:
            for i, stage in enumerate(stages):
                report = run_stage(stage, build, socket, f"{prefix}{i}", f"{prefix}{i + 1}")
                client.delete(client.get_name(f"{prefix}{i}"))
                copied += report.copied
                times = f"{report.worked:8.2f} s{report.took:8.2f} s"
                print(f"{stage.language:8}{stage.does:24}{times}{report.copied:16,}", flush=True)
            took = time.perf_counter() - begun
            result = client.get(name=f"{prefix}{len(stages)}")
            copied += client.copied_payload_bytes
        finally:
            client.delete(list(client.list_names(f"{prefix}*", limit=None).values()))
    print(f"{'together':32}{'':10}{took:8.2f} s{copied:16,}")
    wanted = expected(stages, count)
    if not all(abs(result[key] - wanted[key]) <= 1e-12 * abs(wanted[key]) for key in wanted):
        sys.exit(f"run.py: the last stage found {result}, not {wanted}")
    print(f"\nThe last stage found what it had to: {result}")
    return copied


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("socket", nargs="?", help="of a running daemon (default: one of its own)")
    parser.add_argument("--mib", type=float, default=1024, help="size of the array (default 1024)")
    built = HERE.parents[1] / "build" / "mixed"
    parser.add_argument("--build", type=Path, default=built, help="where CMake built the stages (default build/mixed)")
    options = parser.parse_args()
    count = int(options.mib * 2**20) // 8
    if count < 1:
        parser.error("the array needs a size")
    for needed in (options.build / "scale", JAR):
        if not needed.exists():
            sys.exit(f"run.py: {needed} is missing; README.md says how to build it")

    with contextlib.ExitStack() as last:
        # A stage reads one array while it writes the next.
        size = 2 * count * 8 + (64 << 20)
        socket = options.socket or last.enter_context(start_vineyardd(size=size))[1]
        print(f"An array of {count:,} float64, {count * 8 / 2**20:,.1f} MiB, through {len(STAGES)} programs\n")
        print(f"{'':32}{'worked':>10}{'took':>10}{'bytes copied':>16}")
        run(STAGES, socket, count, options.build)


if __name__ == "__main__":
    main()
