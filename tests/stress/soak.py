"""Clients in every language under a daemon, keeper, ZooKeeper and clients that are killed or frozen at random.

    soak.py --bin build/release/bin [--python PYTHON] [--jar JAR] --kills N [--seed S]
    soak.py ... --kills 10000 --minutes 20 --state FILE    one slice; goes on where the last one stopped
    soak.py ... --operations 1000000                       no violence: what do so many leave behind?
    soak.py --state FILE --report                          the tables of docs/reliability.md

Who is killed after how many calls follows from the seed, which is printed. Of daemon, keeper and ZooKeeper one death
is repaired before the next, while another may be frozen. See README.md here for what is checked.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import board as boards
from audit import audit_end, audit_running
from figure import measure_growth
from observer import Failure
from totals import Totals
from world import World, user_of

# How often each is done; of the first six also: once at the beginning.
KINDS = {
    "daemon killed": 32, "keeper killed": 22, "client killed": 36, "client frozen": 10, "daemon frozen": 4,
    "keeper frozen": 4, "zookeeper killed": 8,
}  # fmt: skip
CALLS_AROUND_ZOOKEEPER = 3000
# What rounds of a soak are, one behind the other.
ROUNDS = [
    {"meta": "local", "evict": "none", "size": "512Mi"},
    {"meta": "local", "evict": "spill", "size": "32Mi"},
    {"meta": "zookeeper", "evict": "none", "size": "512Mi"},
    {"meta": "local", "evict": "drop", "size": "48Mi"},
    {"meta": "zookeeper", "evict": "spill", "size": "32Mi"},
    {"meta": "local", "evict": "none", "size": "512Mi", "strangers": 2},  # where there can be any
]
# Those of which the figure is measured.
FIGURES = ROUNDS[:3]


class Round:
    """One daemon's life: so many kills, audits between them, an audit at the end."""

    def __init__(self, options: Any, seed: int, kills: int) -> None:
        self.options, self.seed, self.kills = options, seed, kills
        self.random = random.Random(seed)
        self.done: dict[str, int] = {}
        self.frozen_long = False
        self.patience: float | None = None  # until the next deed, where nobody gets far meanwhile
        self.audits = 0

    def run(self, world: World) -> None:
        for client in world.clients:
            world.start(client, self.random.getrandbits(32))
        kinds = [kind for kind in KINDS if world.zookeeper is not None or kind != "zookeeper killed"]
        weights = [KINDS[kind] for kind in kinds]
        killed = step = 0
        while killed < self.kills:
            world.await_calls(self.random.randrange(1, 2 * self.options.pace), self.patience)
            kind = kinds[step] if step < len(kinds) else self.random.choices(kinds, weights)[0]
            self.do(world, kind)
            step += 1
            killed += kind.endswith("killed")
            if killed % self.options.audit_every == 0 and kind.endswith("killed"):
                audit_running(world)
                self.audits += 1
        world.await_calls(2 * self.options.pace)
        world.board.command = boards.STOP
        world.end_workers()
        world.count_loads()
        audit_end(world)
        self.audits += 1
        self.judge(world)

    def do(self, world: World, kind: str) -> None:
        # Always drawn, so that what follows does not depend on what this is.
        client = self.random.choice(world.clients)
        seed = self.random.getrandbits(32)
        seconds = min(self.options.freeze, 0.1) * (max(self.options.freeze, 0.1) / 0.1) ** self.random.random()
        # Half of what freezes the daemon is over when the next one dies.
        patience = 2 * seconds * self.random.random()
        self.patience = patience if kind == "daemon frozen" else None
        if kind == "client killed":
            world.kill(client, seed)
            kind = f"{client.language} client killed"
        elif kind == "client frozen":
            world.freeze(client, seconds)
            kind = f"{client.language} client frozen"
        elif kind == "daemon killed":
            world.kill_daemon()
        elif kind == "keeper killed":
            world.kill_keeper()
        elif kind == "zookeeper killed":
            assert world.zookeeper is not None
            world.zookeeper.kill()
            world.await_calls(CALLS_AROUND_ZOOKEEPER, seconds=2)
            world.zookeeper.restart()
        else:
            # One behind the other: who is killed while the other one stands still comes back behind that.
            self.frozen_long |= seconds * 6000 > self.options.deadline_ms
            world.frost.freeze("pid" if kind == "daemon frozen" else "keeper_pid", seconds)
        self.done[kind] = self.done.get(kind, 0) + 1
        for_ = f" for {seconds:.1f} s" if "frozen" in kind else ""
        world.say(f"{kind}{for_}: worker {client.number}; {world.board.total('calls')} calls so far")

    def judge(self, world: World) -> None:
        """What may be only where a service was away for longer than clients wait."""
        total, drops = world.board.total, world.options.evict == "drop"
        refused = {name: total(name) for name in ("timeouts", "unavailable", "unknown") if total(name)}
        if refused and not self.frozen_long and not self.done.get("zookeeper killed"):
            raise Failure(f"calls failed without a reason: {refused}")
        for name in ("gets", "puts", "deletes", "labels", "waits", "kept", "counted"):
            if total(name) == 0 and not (drops and name in ("labels", "counted")):
                raise Failure(f"nothing was done of: {name}")
        if drops and total("evicted") == 0:
            raise Failure("nothing was evicted; use a smaller --size")
        if world.options.evict == "spill" and world.loads == 0:
            raise Failure("nothing that was spilled came back; use a smaller --size")
        if world.options.evict == "none" and total("full"):
            raise Failure("memory was full")


def run_round(options: Any, seed: int, kills: int, totals: Totals) -> bool:
    """Whether it went well."""
    round_ = Round(options, seed, kills)
    began = time.monotonic()
    again = (
        f"--seed {seed} --kills {kills} --meta {options.meta} --size {options.size} --workers {options.workers}"
        f" --freeze {options.freeze:g} --deadline-ms {options.deadline_ms} --evict {options.evict}"
        f" --strangers {options.strangers}"
    )
    print(f"soak: {again}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="vy-soak-"))
    failure = ""
    try:
        world = World(options, folder)
    except Exception as error:
        totals.add_failure(again, f"{type(error).__name__}: {error}")
        print(f"soak: FAILED to start: {error}\nsoak: see {folder}", flush=True)
        return False
    try:
        round_.run(world)
        world.end()
    except (KeyboardInterrupt, SystemExit):
        world.abandon()
        raise
    except Exception as error:  # whatever it is, nothing may stay behind
        failure = f"{type(error).__name__}: {error}"
        world.abandon()
    seen = {
        "audits": round_.audits, "probes": world.frost.probes, "loads": world.loads, "resolved": world.resolved,
    }  # fmt: skip
    totals.add(round_.done, seen, world.board, time.monotonic() - began)
    print(f"soak: {round_.done}")
    print(f"soak: {totals.said(world.board)}", flush=True)
    for line in world.remarkable():
        print(f"  {line}")
    print(f"soak: {seen}", flush=True)
    if failure:
        totals.add_failure(again, "\n".join([failure, *world.remarkable()]))
        print(f"soak: FAILED: {failure}\nsoak: see {folder}", flush=True)
        for log in sorted(folder.glob("*.log")):
            print(f"---- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        return False
    shutil.rmtree(folder)
    return True


def clients_of(options: Any, classes: str) -> list[tuple[str, list[str]]]:
    """Languages, and how a client in each of them is started."""
    here = Path(__file__).resolve().parent
    clients = [("c", [str(options.bin / "soak_client"), "work"])]
    if options.python:
        clients.append(("python", [options.python, "-B", str(here / "worker.py")]))
    if options.jar:
        sources = [str(path) for path in sorted((here / "java").glob("*.java"))]
        javac = ["javac", "-Xlint:all", "-Werror", "-encoding", "UTF-8", "-cp", options.jar, "-d", classes]
        subprocess.run([*javac, *sources], check=True)
        heap = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        clients.append(("java", ["java", *heap, "-cp", f"{classes}:{options.jar}", "Worker"]))
    return clients


def may_be_another(options: Any) -> bool:
    """Whether a client can be started as another user: by root, and from where that user may read."""
    words = [str(options.bin / "soak_client")]
    try:
        return subprocess.run(words, stderr=subprocess.DEVNULL, **user_of(True)).returncode == 2  # its usage
    except PermissionError:
        return False


def parse() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, help="the folder of vineyardd and soak_client")
    parser.add_argument("--python", help="an interpreter that has the package, for clients in Python")
    parser.add_argument("--jar", help="of the Java library, for clients in Java")
    parser.add_argument("--workers", type=int, default=4, help="processes, over the languages in turn")
    parser.add_argument("--strangers", type=int, default=0, help="clients in C of another user beside them; for root")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--pace", type=int, default=300, help="calls of all clients between two deeds, on average")
    parser.add_argument("--freeze", type=float, help="seconds, at most; 1, and with --state 30")
    parser.add_argument("--deadline-ms", type=int, help="of the clients; 20,000, and with --state 10,000")
    parser.add_argument("--audit-every", type=int, default=50, help="kills")
    parser.add_argument("--meta", choices=["local", "zookeeper"], default="local")
    parser.add_argument("--evict", choices=["none", "drop", "spill"], default="none")
    parser.add_argument("--size", default="512Mi")
    parser.add_argument("--state", type=Path, help="totals, kept here; all kinds of rounds in turn")
    parser.add_argument("--minutes", type=float, default=10.0, help="of this slice; with --state")
    parser.add_argument("--round", type=int, default=200, help="kills of a round; with --state")
    parser.add_argument("--operations", type=int, help="calls of the figure; with --state of each kind once")
    parser.add_argument("--report", action="store_true", help="only prints what --state says")
    options = parser.parse_args()
    if options.bin is None and not options.report:
        parser.error("--bin is missing")
    if options.freeze is None:
        options.freeze = 30.0 if options.state else 1.0
    if options.deadline_ms is None:
        options.deadline_ms = 10_000 if options.state else 20_000
    return options


def soak(options: Any, seed: int) -> bool:
    """One slice; the totals go on where the last one stopped."""
    totals = Totals(options.state)
    until = time.monotonic() + 60 * options.minutes
    good = True
    for kind in FIGURES if options.operations else []:
        vars(options).update(kind)
        if f"{options.meta} metadata, evict {options.evict}" not in totals.figures:
            good = measure_growth(options, seed, totals)
            break  # one a slice
    while good and totals.kills < options.kills and time.monotonic() < until:
        vars(options).update({"strangers": 0} | ROUNDS[totals.rounds % len(ROUNDS)])
        options.strangers *= may_be_another(options)
        good = run_round(options, seed, min(options.round, options.kills - totals.kills), totals)
        seed += 1
    print(f"soak: in all: {totals}")
    return good


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without ending what was started
    if options.report:
        print(Totals(options.state).report())
        return 0
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
    with tempfile.TemporaryDirectory(prefix="vy-soak-java-") as classes:
        options.clients = clients_of(options, classes)
        if options.state:
            good = soak(options, seed)
        elif options.operations:
            good = measure_growth(options, seed, Totals(None))
        else:
            good = run_round(options, seed, options.kills, Totals(None))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
