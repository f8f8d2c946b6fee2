"""Runs every benchmark and prints one table; writes it as JSON into the build folder.

    bench/run.py --build build/release [--only WORD ...] [--smoke]

A benchmark is a program (bench/c, built as bench_<name>) or a script (bench/python) that prints one line of JSON for
each figure: name, value, unit, and, where there is one, limit and limit_name ("target", or a figure of the same run that
it is compared with) and ratio. Everything else that it prints goes to standard error.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

BENCH = pathlib.Path(__file__).resolve().parent
# In this order; what is found and not named comes after them.
FIRST = ["hot_path", "put", "scale"]
# With --smoke: everything runs, with so few objects that the figures say nothing.
SMOKE = {"hot_path": ["2000"], "scale": ["20000"], "fragmentation": ["100000"], "metadata": ["1600"], "cluster": ["1"], "bench_tutorial": ["1"], "bench_java": ["1"]}


def programs(build: pathlib.Path) -> list[tuple[str, list[str]]]:
    """(name, command) of every benchmark."""
    daemon = str(build / "bin" / "vineyardd")
    found = []
    for source in sorted((BENCH / "c").glob("*.c*")):
        found.append((source.stem, [str(build / "bin" / f"bench_{source.stem}"), daemon]))
    for script in sorted((BENCH / "python").glob("bench_*.py")):
        found.append((script.stem, [sys.executable, str(script), daemon]))
    order = {name: place for place, name in enumerate(FIRST)}
    return sorted(found, key=lambda item: order.get(item[0], len(order)))


def figures(command: list[str], environment: dict[str, str]) -> list[dict]:
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, timeout=1200)
    rows = []
    for line in run.stdout.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            print(line, file=sys.stderr)
    if run.returncode != 0:
        rows.append({"name": " ".join(command), "error": f"exit status {run.returncode}"})
    return rows


def cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else str(value or "")


def table(rows: list[dict]) -> str:
    lines = ["| what | measured | beside | ratio |", "|---|---|---|---|"]
    for row in rows:
        if "error" in row:
            lines.append(f"| {row['name']} | failed: {row['error']} | | |")
            continue
        beside = ""
        if row.get("limit") is not None:
            beside = f"{row.get('limit_name', 'target')}: {cell(row['limit'])} {row['unit']}"
        ratio = cell(row["ratio"]) if row.get("ratio") is not None else ""
        lines.append(f"| {row['name']} | {cell(row['value'])} {row['unit']} | {beside} | {ratio} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="folder of a release build")
    parser.add_argument("--only", nargs="*", default=[], help="benchmarks whose name contains one of these")
    parser.add_argument("--smoke", action="store_true", help="with few objects, to see that all of them run")
    options = parser.parse_args()
    environment = dict(os.environ, VINEYARDD=str(options.build / "bin" / "vineyardd"))
    rows: list[dict] = []
    for name, command in programs(options.build.resolve()):
        command += SMOKE.get(name, []) if options.smoke else []
        if options.only and not any(word in name for word in options.only):
            continue
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        start = time.monotonic()
        rows += figures(command, environment)
        print(f"bench: {name} took {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
    print(table(rows))
    out = options.build / ("bench-smoke.json" if options.smoke else "bench.json")
    load = os.getloadavg()[0]
    out.write_text(json.dumps({"processors": os.cpu_count(), "load": load, "figures": rows}, indent=1))
    print(f"\nwritten to {out}; load was {load:.1f} on {os.cpu_count()} processors")
    return 1 if any("error" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
