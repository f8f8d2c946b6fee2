"""This file is the only place that compares the ledger with the store: what has to be there is, once, and nothing else.

A request whose answer was lost, and one whose client was killed, has made one object or none: which of them is
found out here, by the objects' keys and by their names.
"""

from __future__ import annotations

import collections
import subprocess
from typing import Iterable, NamedTuple

import board as boards
from board import DELETING, FREE, LIVE, PUTTING, Entry
from observer import HANG_SECONDS, Failure, Observer, await_that
from world import World

_BLOB = 1 << 63


class Found(NamedTuple):
    """What the store has."""

    by_key: dict[int, set[int]]
    links: dict[int, int]  # object: where it leads to


def fsck(world: World) -> None:
    done = subprocess.run(
        [str(world.options.bin / "vineyardd"), "--fsck", world.socket], capture_output=True, text=True,
        timeout=HANG_SECONDS + world.options.deadline_ms / 1000,
    )  # fmt: skip
    if done.returncode != 0:
        raise Failure(f"fsck: exit status {done.returncode}:\n{done.stdout}{done.stderr}")


def settle(world: World, workers: int, **wanted: int) -> None:
    """Until the daemon reports these numbers, of each user's store, and of the dead no session."""
    for observer in world.observers:
        _settle(world, observer, workers, wanted)


def _settle(world: World, observer: Observer, workers: int, wanted: dict[str, int]) -> None:
    most = workers + len(world.observers) * Observer.SESSIONS
    least = most if len(world.observers) == 1 else Observer.SESSIONS  # another user has one where it has read something
    info: dict[str, int] = {}

    def settled() -> bool:
        info.update(observer.info())
        return least <= info["sessions"] <= most and all(info[name] == value for name, value in wanted.items())

    try:
        await_that("numbers", settled)
    except Failure:
        wrong = {name: info.get(name) for name, value in wanted.items() if info.get(name) != value}
        sessions = f"{info.get('sessions')} sessions, of {least} to {most}"
        raise Failure(f"LEAK: the daemon reports {wrong}, not {wanted}; {sessions}") from None


def stand_still(world: World) -> None:
    """All workers, between two calls, holding what they hold. Until the board says :data:`boards.RUN`."""
    world.thaw_all()
    world.board.pause += 1
    world.board.command = boards.PAUSE

    def all_do() -> bool:
        world.check_workers()
        return all(page.paused == world.board.pause for page in world.board.pages)

    await_that("all workers stand still", all_do, HANG_SECONDS + world.options.deadline_ms / 1000)


def audit_running(world: World) -> None:
    """With all workers standing between two calls."""
    stand_still(world)
    settle(world, len(world.clients))
    fsck(world)
    resolve(world, find(world))
    world.board.command = boards.RUN


def audit_end(world: World) -> None:
    """Without workers; in the end the store is empty, and was emptied object by object."""
    world.observer.ask("let go")
    settle(world, 0, leases=0)
    fsck(world)
    found = find(world)
    resolve(world, found)
    # Who leads to others first: those may have been deleted before.
    entries = [entry for page in world.board.pages for entry in page.entries if entry.state != FREE]
    entries.sort(key=lambda entry: entry.id not in found.links)
    for entry in entries:
        _delete(world, entry, found)
    fsck(world)
    nothing = {"deferred": 0, "leases": 0, "objects": 0, "blobs": 0, "names": 0, "memory_used": 0, "spilled_bytes": 0}
    settle(world, 0, **nothing)
    if world.options.evict == "spill":
        _no_file_is_left(world)


def _no_file_is_left(world: World) -> None:
    def none_is() -> bool:
        left[:] = [path.name for path in world.spill.rglob("*") if path.is_file()]
        return not left

    left: list[str] = []
    try:
        await_that("the end of all files", none_is)
    except Failure:
        raise Failure(f"LEAK: nothing is spilled, but there are {left}") from None


def find(world: World) -> Found:
    """What there is, of which each user has to see all."""
    first, *others = [_find(world, observer) for observer in world.observers]
    for other in others:
        if other != first:
            keys = first.by_key.keys() | other.by_key.keys()
            differing = [key for key in keys if first.by_key.get(key) != other.by_key.get(key)]
            raise Failure(f"LOST: two users do not see the same of {differing}")
    return first


def _find(world: World, observer: Observer) -> Found:
    by_key: dict[int, set[int]] = collections.defaultdict(set)
    links: dict[int, int] = {}
    for line in observer.ask("list"):
        number, key, other, wrong = line.split(" ", 3)
        if wrong and world.options.evict != "drop":
            raise Failure(f"object {number}: {wrong}")
        by_key[int(key)].add(int(number))
        if int(other):
            links[int(number)] = int(other)
    for line in observer.ask("names"):
        name, number = line.split()
        key = name.rpartition("/")[2]
        if key.isdigit():
            by_key[int(key)].add(int(number))
    by_key.pop(0, None)  # gone between list and get
    return Found(by_key, links)


def resolve(world: World, found: Found) -> None:
    """Makes the ledger as certain as the store. Raises :class:`Failure`."""
    known = set()
    for page in world.board.pages:
        for entry in page.entries:
            if entry.state != FREE:
                known.add(entry.key)
                world.resolved += entry.state != LIVE
                _resolve_entry(world, entry, found.by_key.get(entry.key, set()))
                if entry.state == DELETING:
                    _delete(world, entry, found)
    held = set(found.links.values())
    surplus = {key: ids for key, ids in found.by_key.items() if key not in known and not ids <= held}
    # A deleted link that somebody still reads leads to what was deleted, too.
    if surplus and all(observer.info()["deferred"] == 0 for observer in world.observers):
        raise Failure(f"LEAK: objects that were deleted, or never put: {surplus}")
    for is_stranger in range(len(world.observers)):
        _resolve_counter(world, bool(is_stranger))


def _resolve_entry(world: World, entry: Entry, ids: Iterable[int]) -> None:
    numbers = list(ids)
    if len(numbers) > 1:
        raise Failure(f"TWICE: {entry.key} is {numbers}")
    if numbers and entry.state != PUTTING and numbers[0] != entry.id:
        raise Failure(f"TWICE: {entry.key} is {numbers[0]}, not {entry.id}")
    if entry.state == LIVE and not numbers and world.options.evict != "drop":
        raise Failure(f"LOST: {entry.key}, object {entry.id}")
    if entry.state == PUTTING and entry.link & _BLOB:
        # What was to be a part of it, see worker.py.
        if not numbers and world.observer.ask(f"exists {entry.link}") == ["1"]:
            world.observer.ask(f"delete {entry.link}")
        entry.link = 0
    if not numbers:
        entry.state = FREE
    elif entry.state == PUTTING:
        entry.id, entry.state = numbers[0], LIVE


def _delete(world: World, entry: Entry, found: Found) -> None:
    how = " shallow" if entry.id in found.links else ""
    owner = world.observers[world.board.of_stranger(entry.key)]
    status = owner.ask(f"delete {entry.id}{how}")[0]
    # A deleted one is found as long as somebody links to it.
    may_miss = world.options.evict == "drop" or entry.state == DELETING
    if status != "ok" and not (status == "not found" and may_miss):
        raise Failure(f"delete of {entry.key}: {status}")
    entry.state = FREE


def _resolve_counter(world: World, is_stranger: bool) -> None:
    """Each of the counts that were answered is in the number, each whose answer was lost may be."""
    pages = [world.board.pages[client.number] for client in world.clients if client.is_stranger == is_stranger]
    least = sum(page.counted for page in pages)
    most = least + sum(page.maybe_counted for page in pages)
    name = "soak/counter2" if is_stranger else "soak/counter"
    value = int((world.observers[is_stranger].ask(f"value {name}") or ["0"])[0])
    if not least <= value <= most:
        raise Failure(f"COUNT: {value}, not from {least} to {most}")
    world.resolved += most - least
    for page in pages:
        page.maybe_counted = 0
    pages[0].counted += value - least
