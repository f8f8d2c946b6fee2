"""Runs examples/java as its README says, what one language puts, the other reads; and the tour in Java of the README.

    examples.py JAVA JAR
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from vineyard.deploy.local import start_vineyardd

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "java"


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


def tour(socket: str) -> str:
    """The program in the README, with this socket."""
    blocks = re.findall(r"^```java\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    if len(blocks) != 1:
        sys.exit(f"README.md: expected one block of Java, found {len(blocks)}")
    return blocks[0].replace("/tmp/vineyard.sock", socket)


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
        with tempfile.TemporaryDirectory(prefix="vy-") as folder:
            source = Path(folder) / "Tour.java"
            source.write_text(tour(socket))
            expect(run(java, "-cp", jar, source), "3.0\n", "list=[1, 2.5, text]", "values=Tensor[", "float64[3]")


if __name__ == "__main__":
    main()
