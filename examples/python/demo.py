"""What vineyard is for, on real data.

Starts a daemon; one process puts values, a second one gets them without a copy; then the daemon is
killed while the second process reads. Nothing is lost.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np

import vineyard
from vineyard.deploy.local import start_vineyardd

GREETING = b"Hello, World!"
NESTED = ("a nested tuple", (1, 2.5, None), {"list": [True, b"bytes"], "deep": ((),)})


def say(text: str) -> None:
    print(text, flush=True)


def memory(what: str) -> int:
    """A line of /proc/self/status, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(what + ":"))


def human(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.2f} GiB"


def mapping_of(array: Any) -> str:
    """The line of /proc/self/maps that holds all of the array."""
    begin = array.__array_interface__["data"][0]
    with open("/proc/self/maps") as maps:
        for line in maps:
            low, high = (int(part, 16) for part in line.split()[0].split("-"))
            if low <= begin and begin + array.nbytes <= high:
                return " ".join(line.split())
    raise AssertionError("the array lies in no mapping")


# ---- the second process


def reader(socket: str) -> None:
    client = vineyard.connect(socket)
    say("\n2. A second process gets them by name")
    private = memory("RssAnon")
    ids = {name: client.get_name(name) for name in ("greeting", "array", "nested")}
    client.get(ids["greeting"])  # the first get maps the segment
    for name, number in ids.items():
        begun = time.perf_counter()
        value = client.get(number)
        first = time.perf_counter() - begun
        begun = time.perf_counter()
        for _ in range(1000):
            client.get(number)
        again = (time.perf_counter() - begun) / 1000
        what = human(value.nbytes) + " array" if name == "array" else repr(value)
        say(f"   {name:9}{first * 1e6:8.1f} us first, {again * 1e6:6.1f} us from then on:  {what}")
    assert client.get(ids["greeting"]) == GREETING and client.get(ids["nested"]) == NESTED
    array = client.get(ids["array"])
    say(f"   the array is at {array.__array_interface__['data'][0]:#x}, inside this mapping of shared memory:")
    say(f"     {mapping_of(array)}")
    total = int(array.sum())
    say(f"   its sum, over every byte: {total}")
    say(f"   private memory of this process grew by {human(max(0, memory('RssAnon') - private))}")
    assert memory("RssAnon") - private < array.nbytes // 8
    print("reading", flush=True)

    # Reads on and on while the daemon is killed; the line tells when.
    import threading

    told = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
    rounds = 0
    while not told.is_set() or rounds < 2:
        assert int(array.sum()) == total, "bytes changed"
        assert client.get(ids["nested"]) == NESTED and client.get(ids["greeting"]) == GREETING
        rounds += 1
    say(f"   the second process summed the array {rounds} times meanwhile: always {total}")
    begun = time.perf_counter()
    number = client.put(["put after the crash", np.arange(1000)])
    say(f"   it puts again, {1e3 * (time.perf_counter() - begun):.1f} ms, through the daemon that took over")
    assert client.get(number)[0] == "put after the crash"
    client.close()


# ---- the first process


def gigabytes_that_fit(wanted: float) -> float:
    with open("/proc/meminfo") as lines:
        available = next(int(line.split()[1]) / 2**20 for line in lines if line.startswith("MemAvailable"))
    if available < 6 and wanted > available / 8:
        smaller = max(0.01, available / 8)
        say(f"   (this machine has {available:.1f} GiB free: an array of {smaller:.2f} GiB instead of {wanted})")
        return smaller
    return wanted


def writer(gigabytes: float) -> None:
    say("1. One process starts a daemon and puts")
    count = int(gigabytes_that_fit(gigabytes) * 2**30) // 8
    with start_vineyardd(size=count * 8 + (256 << 20)) as (_, socket):
        client = vineyard.connect(socket)
        say(f"   vineyardd, process {client.status.pid}, at {socket}")
        values = {"greeting": GREETING, "array": np.arange(count), "nested": NESTED}
        for name, value in values.items():
            begun = time.perf_counter()
            number = client.put(value, name=name)
            took = time.perf_counter() - begun
            what = human(value.nbytes) + " array" if isinstance(value, np.ndarray) else repr(value)
            say(f"   {name:9}{1e3 * took:8.2f} ms  {number}  {what}")
        del values, value

        child = subprocess.Popen([sys.executable, __file__, "--read", socket],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert child.stdout is not None and child.stdin is not None
        for line in child.stdout:
            if line == "reading\n":
                break
            print(line, end="", flush=True)

        say("\n3. The daemon is killed while the second process reads")
        pid = client.status.pid
        os.kill(pid, signal.SIGKILL)
        begun = time.perf_counter()
        number = client.put("put after the crash")
        took = time.perf_counter() - begun
        assert client.status.pid != pid and client.get(number) == "put after the crash"
        say(f"   kill -9 {pid}; process {client.status.pid} answers a put {1e3 * took:.1f} ms later")
        assert client.get(name="greeting") == GREETING and client.get(name="nested") == NESTED
        assert int(client.get(name="array").sum()) == count * (count - 1) // 2
        say("   every object is there, bit for bit")
        child.stdin.write("killed\n")
        child.stdin.flush()
        print(child.stdout.read(), end="")
        if child.wait() != 0:
            sys.exit("demo: the second process failed")
    say("\nDone: two processes shared the data without a copy, and killing the daemon lost nothing.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the array (default 1)")
    parser.add_argument("--read", metavar="SOCKET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    reader(options.read) if options.read else writer(options.gigabytes)


if __name__ == "__main__":
    main()
