"""What a worker process has of its parent's client and objects: fork, spawn, forkserver.

    python start_methods.py [SOCKET]

Without SOCKET it starts a daemon of its own. With each start method of multiprocessing a worker gets an
ObjectID (a number), a pickled Client (which connects again) and a pickled Object (which is opened again),
and answers with the id of what it put. A forked one tries what it inherited, too.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
from typing import Any

import vineyard
from vineyard.deploy.local import start_vineyardd

TEXT = b"the same bytes for everybody"

inherited: dict[str, Any] = {}  # of a forked worker; empty in one that begins as a new interpreter


def work(task: tuple[vineyard.ObjectID, vineyard.Client, vineyard.Blob]) -> tuple[int, vineyard.ObjectID, list[str]]:
    """In the worker: its process id, what it put, and what it can say."""
    number, client, blob = task
    lines = [f"ObjectID  {number}: {client.get(number).decode()!r}"]
    lines.append(f"Client    connected again to the same daemon, instance {client.instance_id}")
    lines.append(f"Object    opened again: {blob.typename} of {len(blob)} bytes, read in place: {bytes(blob) == TEXT}")
    if inherited:
        again = inherited["client"].get(number)  # a session of its own at first use
        same = again == bytes(inherited["blob"])
        lines.append(f"inherited the parent's client and blob work as well, as they are: {same}")
    else:
        lines.append("inherited nothing: it is a new interpreter")
    return os.getpid(), client.put([os.getpid(), "from", *multiprocessing.current_process().name.split()]), lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("socket", nargs="?", help="of a running daemon (default: one of its own)")
    options = parser.parse_args()

    with contextlib.ExitStack() as last:
        socket = options.socket or last.enter_context(start_vineyardd(size="64Mi"))[1]
        client = last.enter_context(vineyard.connect(socket))
        number = client.put(TEXT)
        last.callback(client.delete, number)
        blob = last.enter_context(client.get_object(number))
        inherited.update(client=client, blob=blob)
        print(f"parent, process {os.getpid()}: put {number}")
        for method in multiprocessing.get_all_start_methods():
            with multiprocessing.get_context(method).Pool(1) as pool:
                worker, made, lines = pool.apply(work, [(number, client, blob)])
                pool.close()
                pool.join()
            print(f"\n{method}, process {worker}")
            for line in lines:
                print(f"    {line}")
            value = client.get(made)
            assert value[0] == worker
            print(f"    it put    {made}, which the parent reads: {value}")
            client.delete(made)


if __name__ == "__main__":
    main()
