"""This file is the only place that measures what many operations without any violence leave behind."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import board as boards
from audit import audit_end
from totals import Totals
from world import World

# Beyond these the daemon has grown. Of its heap: what an allocator keeps for itself.
_TOLERATED = {"heap_bytes": 8 << 20, "descriptors": 0, "memory_allocated": 0, "disk_bytes": 0}


def measure(world: World) -> dict[str, int]:
    """Of a daemon that holds no object."""
    world.observer.ask("trim")
    info = world.observer.info()
    pid = info["pid"]
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    logs = {"board"} | {path.name for path in world.folder.glob("*.log")}
    files = [path for path in world.folder.rglob("*") if path.is_file() and path.name not in logs]
    return {
        "heap_bytes": int(status["RssAnon"].split()[0]) * 1024,
        "shared_bytes": int(status["RssShmem"].split()[0]) * 1024,
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "memory_allocated": info["memory_allocated"],
        "disk_bytes": sum(path.stat().st_blocks * 512 for path in files),
    }


def _work(world: World, calls: int, seeds: random.Random) -> None:
    """So many calls, then nothing is left of them."""
    world.board.command = boards.RUN
    for client in world.clients:
        world.start(client, seeds.getrandbits(32))
    world.await_calls(calls)
    world.board.command = boards.STOP
    world.end_workers()
    audit_end(world)


def measure_growth(options: Any, seed: int, totals: Totals) -> bool:
    """Warms up with a tenth of the operations, then does them. Whether nothing has grown."""
    print(f"soak: --operations {options.operations} --seed {seed}", flush=True)
    seeds = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="vy-soak-"))
    world = World(options, folder)
    try:
        _work(world, options.operations // 10, seeds)
        before = measure(world)
        calls = world.board.total("calls")
        for page in world.board.pages:
            page.counted = 0  # what they counted is deleted
        _work(world, options.operations, seeds)
        after = measure(world)
        world.end()
    except Exception:
        world.abandon()
        print(f"soak: see {folder}")
        raise
    print(f"soak: {world.board.total('calls') - calls} calls: {Totals.said(world.board)}")
    for line in world.remarkable()[:40]:
        print(f"  {line}")
    grown = [name for name, more in _TOLERATED.items() if after[name] > before[name] + more]
    for name in before:
        print(f"soak: {name}: {before[name]} before, {after[name]} after{', GROWN' if name in grown else ''}")
    totals.set_figure({"operations": options.operations, "before": before, "after": after, "grown": grown})
    shutil.rmtree(folder)
    return not grown
