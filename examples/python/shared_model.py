"""One model for many worker processes: by name and in place, beside a pickled copy for each.

    python shared_model.py [SOCKET] [--mib 256] [--workers 4]

Without SOCKET it starts a daemon of its own. Each worker computes with every weight of the model and
says how much its private memory grew by it.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import sys
import time
from typing import Any, NamedTuple

try:
    import numpy as np
except ImportError:
    sys.exit("shared_model.py: the model is made of numpy's arrays: pip install numpy")

import vineyard
from vineyard.deploy.local import start_vineyardd

LAYERS = 8


class Report(NamedTuple):
    """What a worker says of itself."""

    answer: float
    private: int  # bytes
    seconds: float  # from asking for the model to the answer


def make_model(size: int) -> dict[str, Any]:
    """About so many bytes of weights."""
    side = max(1, int((size / 4 / LAYERS) ** 0.5))
    random = np.random.default_rng(1)
    return {f"layer {i}": random.standard_normal((side, side), np.float32) for i in range(LAYERS)}


def compute(model: dict[str, Any]) -> float:
    """Reads every weight."""
    state = np.ones(len(model["layer 0"]), np.float32)
    for weights in model.values():
        state = np.tanh(weights @ state / len(state) ** 0.5)
    return float(state.sum())


def private_memory() -> int:
    """Bytes of this process that no other has: a page of shared memory counts where one process alone has it."""
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def work(pipe: Any, everybody: Any, socket: str, name: str) -> None:
    """A worker. Gets the model by its name; without one, through the pipe."""
    client = vineyard.connect(socket)
    compute({"layer 0": np.ones((64, 64), np.float32)})  # what numpy itself takes is no cost of the model
    before = private_memory()
    pipe.send("ready")
    pipe.recv()  # all are
    begun = time.perf_counter()
    model = client.get(name=name) if name else pipe.recv()
    answer = compute(model)
    seconds = time.perf_counter() - begun
    everybody.wait()  # all have the model while each looks at its memory
    report = Report(answer, private_memory() - before, seconds)
    everybody.wait()
    pipe.send(report)


def run_workers(count: int, socket: str, name: str, model: dict[str, Any] | None) -> list[Report]:
    """Starts workers that have nothing of this process; their reports."""
    context = multiprocessing.get_context("spawn")
    everybody = context.Barrier(count)
    pipes, processes = [], []
    for _ in range(count):
        mine, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, everybody, socket, name), daemon=True)
        process.start()
        theirs.close()  # so that a worker that died is an EOFError here
        pipes.append(mine)
        processes.append(process)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    for pipe in pipes:
        pipe.send("begin")
    if model is not None:
        for pipe in pipes:
            pipe.send(model)  # pickles it
    reports = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    return reports


def show(title: str, reports: list[Report]) -> None:
    worst = max(report.private for report in reports) / 2**20
    total = sum(report.private for report in reports) / 2**20
    seconds = max(report.seconds for report in reports)
    print(f"{title:24}{worst:10.1f} MiB{total:14.1f} MiB{seconds:16.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("socket", nargs="?", help="of a running daemon (default: one of its own)")
    parser.add_argument("--mib", type=float, default=256, help="size of the model (default 256)")
    parser.add_argument("--workers", type=int, default=4, help="how many processes (default 4)")
    options = parser.parse_args()
    if options.mib <= 0 or options.workers < 1:
        parser.error("the model needs a size, and somebody who works with it")

    model = make_model(int(options.mib * 2**20))
    size = sum(weights.nbytes for weights in model.values())
    print(f"A model of {size / 2**20:.1f} MiB, {options.workers} worker processes\n")
    print(f"{'':24}{'most private':>14}{'of all':>18}{'slowest':>18}")
    print(f"{'the model comes':24}{'memory of one':>14}{'workers':>18}{'got, computed':>18}")
    with contextlib.ExitStack() as last:
        socket = options.socket or last.enter_context(start_vineyardd(size=size + (64 << 20)))[1]
        client = last.enter_context(vineyard.connect(socket))
        name = f"example/model/{os.getpid()}"
        last.callback(client.delete, client.put(model, name=name))
        shared = run_workers(options.workers, socket, name, None)
        show("by name, in place", shared)
        pickled = run_workers(options.workers, socket, "", model)
        show("as a pickle, copied", pickled)
    if {report.answer for report in shared + pickled} != {compute(model)}:
        sys.exit("shared_model.py: the workers do not agree on the answer")
    print("\nEvery worker computed the same from it.")


if __name__ == "__main__":
    main()
