"""What the tutorial's two daemons take from their command to their first answer, the ZooKeeper of the first included.

Prints a line of JSON for each figure. Medians. One argument more: so many rounds.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Iterator

import vineyard


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def daemon(path: str, environment: dict[str, str]) -> Iterator[float]:
    """How long it took to answer, in seconds; it ends with the block."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "vineyard", "--socket", path], env=environment, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(vineyard.VineyardError), vineyard.connect(path) as client:
                client.put(b"Hello, World!")
                break
            assert process.poll() is None, "the daemon ended"
            time.sleep(0.001)
        yield time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait()


def report(name: str, times: list[float], limit: float) -> None:
    value = statistics.median(times)
    print(json.dumps({"name": name, "value": value, "unit": "s", "limit": limit, "limit_name": "target",
                      "ratio": value / limit}), flush=True)  # fmt: skip


def main() -> None:
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    first: list[float] = []
    second: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="vy-bench-") as name:
            folder = pathlib.Path(name)
            # The port for the default, which others may use.
            environment = dict(os.environ, VINEYARD_META=f"auto:{free_port()}", VINEYARD_META_DIR=str(folder / "zookeeper"))
            with daemon(str(folder / "a"), environment) as a, daemon(str(folder / "b"), environment) as b:
                first.append(a)
                second.append(b)
    report("tutorial: first daemon, ZooKeeper included, until it answers", first, 3)
    report("tutorial: second daemon, until it answers", second, 0.3)


if __name__ == "__main__":
    main()
