"""Python's figures: get and put of arrays, and the same beside what Python has without vineyard.

Prints a line of JSON for each figure. Medians; each limit was measured in the same run.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from typing import Any, Callable

import numpy as np
import rivals

import vineyard
from vineyard.deploy.local import start_vineyardd

KIB, MIB = 1024, 1024 * 1024
MICROSECOND = 1e-6


def report(name: str, value: float, limit: float | None = None, limit_name: str = "target") -> None:
    row: dict[str, Any] = {"name": f"Python: {name}", "value": value / MICROSECOND, "unit": "us"}
    if limit is not None:
        row.update(limit=limit / MICROSECOND, limit_name=limit_name, ratio=value / limit)
    print(json.dumps(row), flush=True)


def hot(call: Callable[[], Any], count: int) -> float:
    """Median over short batches, of one call among many."""
    batches = []
    for _ in range(301):
        begun = time.perf_counter()
        for _ in range(count):
            call()
        batches.append((time.perf_counter() - begun) / count)
    return statistics.median(batches)


def single(call: Callable[[], Any], count: int, after: Callable[[Any], Any]) -> float:
    """Median of single calls; `after` cleans up outside of the time."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - begun)
        after(result)
    return statistics.median(times)


def arrays(client: vineyard.Client) -> None:
    small, large = np.arange(128.0), np.ones(64 * MIB // 8)
    small_id, large_id = client.put(small), client.put(large)
    report("get of a 1 KiB array", hot(lambda: client.get(small_id), 200), 3 * MICROSECOND)
    report("get of a 64 MiB array", hot(lambda: client.get(large_id), 200), 3 * MICROSECOND)
    client.delete([small_id, large_id])

    echo = rivals.Echo(KIB)
    for _ in range(2000):
        echo()
    trips, puts, ids = [], [], []
    for _ in range(30):  # in turns, so that both see the same machine
        trips.append(hot(echo, 3))
        puts.append(single(lambda: client.put(small), 300, ids.append))
        client.delete(ids)
        ids.clear()
    trip, put = statistics.median(trips), statistics.median(puts)
    echo.close()
    report("bare round trip of 1 KiB", trip)
    report("put of a 1 KiB array", put, 2 * trip + 10 * MICROSECOND, "2 x round trip + 10 us")


def table(client: vineyard.Client) -> None:
    values: list[tuple[str, Any, int]] = [
        ("13 B", b"Hello, World!", 300),
        ("1 KiB", np.arange(128.0), 300),
        ("64 MiB", np.random.default_rng(1).random(64 * MIB // 8), 9),
    ]
    for size, value, count in values:
        ours_put = single(lambda: client.put(value), count, client.delete)
        number = client.put(value)
        ours_get = single(lambda: client.get(number), count, lambda got: None)
        client.delete(number)
        for rival in (rivals.SharedMemory(), rivals.Socket()):
            key = rival.put(value)
            assert np.array_equal(rival.get(key), value) if size != "13 B" else rival.get(key) == value
            get = single(lambda: rival.get(key), count, lambda got: None)
            rival.delete(key)
            put = single(lambda: rival.put(value), count, rival.delete)
            rival.close()
            report(f"put of {size}", ours_put, put, rival.name)
            report(f"get of {size}", ours_get, get, rival.name)


def import_time() -> None:
    import subprocess

    code = "import time; t = time.perf_counter(); import vineyard; print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
        for _ in range(11)
    ]
    report("import vineyard", statistics.median(times), 30e-3)


def main() -> None:
    gc.disable()
    with start_vineyardd(size="2Gi") as (_, socket), vineyard.connect(socket) as client:
        arrays(client)
        table(client)
    import_time()


if __name__ == "__main__":
    main()
