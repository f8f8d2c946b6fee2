"""Runs examples/java as its README says: what one language puts, the other reads.

    examples.py JAVA JAR
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from vineyard.deploy.local import start_vineyardd

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "java"


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, timeout=100)
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        sys.exit(f"{command}: exit status {done.returncode}")
    return done.stdout


def expect(said: str, *texts: str) -> None:
    for text in texts:
        if text not in said:
            sys.exit(f"{text!r} was expected")


def main() -> None:
    java, jar = sys.argv[1:]
    with start_vineyardd(size="256Mi") as (_, socket):
        run(sys.executable, EXAMPLES / "write_for_java.py", socket)
        said = run(java, "-cp", jar, "-Dstdout.encoding=UTF-8", EXAMPLES / "ReadWhatPythonWrote.java", socket)
        expect(said, "pair: 1 and 2.5\n", "prices: 1000000 of them, sum 1.24999875E11\n", "vineyard::Dict of 8000004 bytes",
               "raw: 4 bytes, the first is 7\n", "copied payload bytes: 0\n")  # fmt: skip
        said = run(java, "-cp", jar, EXAMPLES / "WriteForPython.java", socket)
        expect(said, "copied payload bytes: 48\n")  # of the little matrix
        said = run(sys.executable, EXAMPLES / "read_from_java.py", socket)
        expect(said, "squares 📈: int64[1000000], the last is 999998000001, read-only: True\n", "(2, 3), sum 21.0\n",
               "copied payload bytes: 0\n")  # fmt: skip


if __name__ == "__main__":
    main()
