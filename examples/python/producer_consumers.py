"""A producer and several consumers, each a process, that find each other by names alone.

    python producer_consumers.py [SOCKET] [--items 24] [--consumers 3] [--in-flight 4]

Without SOCKET it starts a daemon of its own. Under one prefix there are these names:

    item/I   an item that waits for its consumer; a consumer deletes it
    done/I   item I was consumed; the producer waits for it before it puts item I + in-flight
    next     the number of the next item to take; a consumer moves it on by compare and set
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import sys
from typing import Any, Iterator

import vineyard
from vineyard.deploy.local import start_vineyardd

ITEM_SIZE = 256 << 10


def say(text: str) -> None:
    """A line in one piece: several processes write to the same output."""
    print(f"{text}\n", end="", flush=True)


def produce(socket: str, prefix: str, items: int, consumers: int, in_flight: int) -> None:
    with vineyard.connect(socket) as client:
        most = 0
        # None tells one consumer that there is no more.
        values = [bytes([i % 256]) * ITEM_SIZE for i in range(items)] + [None] * consumers
        for i, value in enumerate(values):
            if i >= in_flight:
                client.delete(client.get_name(f"{prefix}done/{i - in_flight}", wait=True))
            client.put(value, name=f"{prefix}item/{i}")
            most = max(most, len(client.list_names(f"{prefix}item/*", limit=None)))
        for i in range(max(0, len(values) - in_flight), len(values)):
            client.delete(client.get_name(f"{prefix}done/{i}", wait=True))
        say(f"producer: {items} items of {ITEM_SIZE >> 10} KiB, at most {most} of them in memory at once")


def numbers(client: vineyard.Client, prefix: str) -> Iterator[int]:
    """Of items, each for one consumer only: who is faster takes more."""
    while True:
        old, revision = client.get_name_revision(f"{prefix}next")
        try:
            number = client.get(old)
        except vineyard.ObjectNotFound:
            continue  # another consumer took it a moment ago
        new = client.put(number + 1)
        try:
            client.put_name(new, f"{prefix}next", expect=revision)
        except vineyard.Conflict:
            client.delete(new)
            continue
        client.delete(old)
        yield number


def consume(socket: str, prefix: str, who: int) -> None:
    with vineyard.connect(socket) as client:
        taken = []
        for number in numbers(client, prefix):
            item = client.get_name(f"{prefix}item/{number}", wait=True)
            with client.get_object(item) as obj:
                # In place; the value of the last ones is None, which is no blob.
                work = sum(memoryview(obj)) if isinstance(obj, vineyard.Blob) else None
            client.delete(item)  # its name goes with it
            client.put(number, name=f"{prefix}done/{number}")
            if work is None:
                break
            assert work == number % 256 * ITEM_SIZE, f"item {number} is not what was put"
            taken.append(number)
        say(f"consumer {who}: {len(taken)} items:" + "".join(f" {number}" for number in taken))


def run(processes: list[Any]) -> bool:
    """Until all have ended; whether all of them ended well."""
    for process in processes:
        process.start()
    try:
        waiting = list(processes)
        while waiting:
            multiprocessing.connection.wait([process.sentinel for process in waiting])
            # In this order: who ends between the two lines is seen by the second, or waited for again.
            waiting = [process for process in waiting if process.exitcode is None]
            if any(process.exitcode for process in processes):
                return False  # the others would wait for it
        return True
    finally:
        for process in processes:
            process.terminate()
            process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("socket", nargs="?", help="of a running daemon (default: one of its own)")
    parser.add_argument("--items", type=int, default=24, help="to be produced (default 24)")
    parser.add_argument("--consumers", type=int, default=3, help="processes (default 3)")
    parser.add_argument("--in-flight", type=int, default=4, help="items that wait at most (default 4)")
    options = parser.parse_args()
    if min(options.items, options.consumers, options.in_flight) < 1:
        parser.error("at least one of each")

    with contextlib.ExitStack() as last:
        socket = options.socket or last.enter_context(start_vineyardd(size="64Mi"))[1]
        client = last.enter_context(vineyard.connect(socket))
        prefix = f"example/queue/{os.getpid()}/"
        client.put(0, name=f"{prefix}next")
        context = multiprocessing.get_context("spawn")
        settings = (options.items, options.consumers, options.in_flight)
        processes = [context.Process(target=produce, args=(socket, prefix, *settings))]
        for who in range(options.consumers):
            processes.append(context.Process(target=consume, args=(socket, prefix, who)))
        well = run(processes)
        left = client.list_names(f"{prefix}*", limit=None)
        client.delete(list(left.values()))
        if not well:
            sys.exit("producer_consumers.py: a process failed; what it left was deleted")
        print(f"left when all had ended: {', '.join(name[len(prefix):] for name in left)}")


if __name__ == "__main__":
    main()
