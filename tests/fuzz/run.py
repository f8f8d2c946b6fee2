#!/usr/bin/env python3
"""Runs every fuzz target for a slice of time, and adds up how often each was executed.

    run.py --minutes 1 --state build/fuzz.json           all targets, a minute each
    run.py --minutes 10 --state build/fuzz.json schema   only this one
    run.py --state build/fuzz.json --report              the table of docs/reliability.md

Builds with the fuzz preset first. What a target learns stays in build/fuzz/corpus/<name>, so that a slice goes on
where the last one ended; tests/fuzz/corpus/<name> is read and never written. What makes a target fall over lies
behind it as build/fuzz/found/<name>-…: it belongs, with a test, into tests/fuzz/corpus/<name>.

The state: {"targets": {name: {"executions", "seconds", "edges", "inputs", "findings"}}}.

Exit status: 0, or 1 when something was found, or 2 when it could not be tried.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/fuzz"
PROGRESS = re.compile(r"^#(\d+)\s.*?\bcov: (\d+)", re.MULTILINE)
DONE = re.compile(r"^Done (\d+) runs in \d+ second", re.MULTILINE)
OPTIONS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "LSAN_OPTIONS": f"suppressions={ROOT / 'tests/lsan.supp'}:print_suppressions=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def known_targets() -> list[str]:
    return sorted(source.name.removesuffix("_fuzz.cc") for source in Path(__file__).parent.glob("*_fuzz.cc"))


def build(names: list[str], jobs: int) -> None:
    subprocess.run(["cmake", "--preset", "fuzz"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    targets = [f"{name}_fuzz" for name in names]
    subprocess.run(
        ["cmake", "--build", "--preset", "fuzz", "-j", str(jobs), "--target", *targets], cwd=ROOT, check=True
    )


def executions_of(output: str) -> int:
    """How often a target was executed, from what libFuzzer printed: also of one that fell over."""
    done = DONE.search(output)
    if done:
        return int(done.group(1))
    return max((int(count) for count, _ in PROGRESS.findall(output)), default=0)


def edges_of(output: str) -> int:
    return max((int(edges) for _, edges in PROGRESS.findall(output)), default=0)


def fuzz(name: str, seconds: float, before: dict[str, Any]) -> dict[str, Any]:
    """One slice of one target, until its time is over or something is found."""
    learned, found = BUILD / "corpus" / name, BUILD / "found"
    for folder in (learned, found):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(BUILD / "bin" / f"{name}_fuzz"), f"-max_total_time={max(1, round(seconds))}", "-timeout=120",
        "-rss_limit_mb=3000", "-max_len=65536", "-print_final_stats=0", f"-artifact_prefix={found / name}-",
        str(learned), str(ROOT / "tests/fuzz/corpus" / name),
    ]
    start = time.monotonic()
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", env={**os.environ, **OPTIONS})
    log = BUILD / f"{name}.log"
    log.write_text(run.stderr)
    failed = run.returncode != 0
    if failed:
        print(f"{name}: something was found: {log}", file=sys.stderr)
        print("\n".join(run.stderr.splitlines()[-25:]), file=sys.stderr)
    return {
        "executions": before.get("executions", 0) + executions_of(run.stderr),
        "seconds": round(before.get("seconds", 0) + time.monotonic() - start),
        "edges": max(edges_of(run.stderr), before.get("edges", 0)),
        "inputs": sum(1 for _ in learned.iterdir()),
        "findings": before.get("findings", 0) + int(failed),
    }


def report(targets: dict[str, Any]) -> str:
    lines = ["| target | executions | minutes | edges seen |", "|---|---|---|---|"]
    for name, total in sorted(targets.items()):
        lines.append(f"| {name} | {total['executions']:,} | {total['seconds'] / 60:.0f} | {total['edges']:,} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--minutes", type=float, default=1, help="of each target")
    parser.add_argument("--state", type=Path, default=ROOT / "build/fuzz.json", help="where executions add up")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="of the build")
    parser.add_argument("--report", action="store_true", help="only prints what the state says")
    said = parser.parse_args(arguments)
    state = json.loads(said.state.read_text()) if said.state.exists() else {}
    totals = state.setdefault("targets", {})
    if said.report:
        print(report(totals))
        return 0
    names = said.targets or known_targets()
    unknown = set(names) - set(known_targets())
    if unknown:
        print(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(known_targets())}", file=sys.stderr)
        return 2
    try:
        build(names, said.jobs)
    except (OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 2
    found = False
    for name in names:
        before = totals.get(name, {})
        totals[name] = fuzz(name, said.minutes * 60, before)
        found = found or totals[name]["findings"] > before.get("findings", 0)
        said.state.parent.mkdir(parents=True, exist_ok=True)
        said.state.write_text(json.dumps(state, indent=1, sort_keys=True) + "\n")  # so that a stop loses one slice
        print(f"{name}: {totals[name]}", flush=True)
    return int(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
