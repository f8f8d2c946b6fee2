"""This file is the only place that measures what many operations without any violence leave behind.

Two generations of clients. Daemon and keeper are measured behind each of them, when there is no object; clients in the
midst of the second one, before and after the operations, while they stand between two calls.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import board as boards
from audit import audit_end, stand_still
from totals import Totals
from world import World

# Beyond these it has grown: what an allocator, or the heap of a language, keeps for itself.
_TOLERATED = {
    "daemon_heap_bytes": 8 << 20, "keeper_heap_bytes": 1 << 20, "c_client_heap_bytes": 4 << 20,
    "python_client_heap_bytes": 16 << 20, "java_client_heap_bytes": 128 << 20,
}  # fmt: skip
# A member of a cluster remembers its last 100,000 answers and 65,536 events: a million calls do not fill them.
_REMEMBERED = 32 << 20
_NOT_JUDGED = {"daemon_shared_bytes"}  # pages that were touched once


def _process(who: str, pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    return {
        f"{who}_heap_bytes": int(status["RssAnon"].split()[0]) * 1024,
        f"{who}_descriptors": len(os.listdir(f"/proc/{pid}/fd")),
    }


def _measure_daemon(world: World) -> dict[str, int]:
    """And its keeper. There is no object."""
    world.observer.ask("trim")
    info = world.observer.info()
    daemon = Path(f"/proc/{info['pid']}/status").read_text()
    shared = next(line.split()[1] for line in daemon.splitlines() if line.startswith("RssShmem"))
    logs = {"board"} | {path.name for path in world.folder.glob("*.log")}
    files = [path for path in world.folder.rglob("*") if path.is_file() and path.name not in logs]
    return {
        **_process("daemon", info["pid"]),
        **_process("keeper", info["keeper_pid"]),
        "daemon_shared_bytes": int(shared) * 1024,
        "memory_allocated": info["memory_allocated"],
        "disk_bytes": sum(path.stat().st_blocks * 512 for path in files),
    }


def _measure_clients(world: World) -> dict[str, int]:
    """By language the first of each; no client is replaced here."""
    stand_still(world)
    numbers: dict[str, int] = {}
    for client in reversed(world.clients):
        assert client.process is not None
        numbers |= _process(f"{client.language}_client", client.process.pid)
    world.board.command = boards.RUN
    return numbers


def _start(world: World, seeds: random.Random) -> None:
    world.board.command = boards.RUN
    for client in world.clients:
        world.start(client, seeds.getrandbits(32))


def _end(world: World) -> dict[str, int]:
    world.board.command = boards.STOP
    world.end_workers()
    audit_end(world)
    for page in world.board.pages:
        page.counted = 0  # what they counted is deleted
    return _measure_daemon(world)


def measure_growth(options: Any, seed: int, totals: Totals) -> bool:
    """Warms up with a tenth of the operations, then does them. Whether nothing has grown."""
    kind = f"{options.meta} metadata, evict {options.evict}"
    how = f"--operations {options.operations} --seed {seed} --meta {options.meta} --evict {options.evict}"
    print(f"soak: {how} --size {options.size}", flush=True)
    seeds, began = random.Random(seed), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="vy-soak-"))
    world = World(options, folder)
    try:
        _start(world, seeds)
        world.await_calls(options.operations // 10)
        before = _end(world)
        _start(world, seeds)
        world.await_calls(options.operations // 20)
        before |= _measure_clients(world)
        calls = world.board.total("calls")
        world.await_calls(options.operations)
        after = _measure_clients(world)
        calls = world.board.total("calls") - calls
        after |= _end(world)
        world.end()
    except (KeyboardInterrupt, SystemExit):
        world.abandon()
        raise
    except Exception as error:
        world.abandon()
        totals.add_failure(how, f"{type(error).__name__}: {error}")
        print(f"soak: FAILED: {error}\nsoak: see {folder}")
        return False
    print(f"soak: {calls} calls measured; in all {Totals.said(world.board)}")
    for line in world.remarkable():
        print(f"  {line}")
    before = {name: before[name] for name in sorted(before)}
    tolerated = dict(_TOLERATED)
    tolerated["daemon_heap_bytes"] += _REMEMBERED if options.meta == "zookeeper" else 0
    grown = [name for name in before if name not in _NOT_JUDGED and after[name] > before[name] + tolerated.get(name, 0)]
    for name in before:
        print(f"soak: {name}: {before[name]} before, {after[name]} after{', GROWN' if name in grown else ''}")
    figure = {"operations": calls, "before": before, "after": after, "grown": grown}
    totals.add_figure(kind, figure, world.board, time.monotonic() - began)
    if grown:
        totals.add_failure(how, f"GROWN: {', '.join(grown)}")
    shutil.rmtree(folder)
    return not grown
