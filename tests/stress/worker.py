"""One client of a soak in Python: what worker.cc does, with the installed package.

    worker.py BOARD NUMBER SOCKET SEED
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np

import board as boards
import vineyard
from board import COUNTER_LINK, DELETING, FREE, LIVE, PUTTING, Board, Entry

_KEPT = 24
_SLACK_MS = 20_000  # beyond a deadline, on a machine that has other things to do
_SLOW_MS = 3000  # worth a line
_COUNTER = "soak/counter"
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def payload_of(key: int, count: int) -> np.ndarray:
    """The words that lie under this key."""
    words = np.arange(key, key + count, dtype=np.uint64)
    words ^= words >> np.uint64(31)
    words *= _FACTOR
    words ^= words >> np.uint64(29)
    words[0] = key
    return words


def what_is_wrong(data: Any, key: int | None) -> tuple[str, int]:
    words = np.frombuffer(data, np.uint64)
    if len(words) == 0 or (key is not None and int(words[0]) != key):
        return "WRONG BYTES", words.nbytes
    return "" if (words == payload_of(int(words[0]), len(words))).all() else "WRONG BYTES", words.nbytes


def check(item: vineyard.Object) -> tuple[str, int]:
    """What is wrong with an object, "" if nothing is; and how many bytes were compared."""
    if item.typename == "vineyard::Array":
        return what_is_wrong(item.member("buffer_").buffer, None)
    key, members = item.field("key"), item.meta.members
    if item.typename != f"soak::w{key >> 40}":
        return f"key and type disagree: {item.typename}", 0
    if "other" in members:
        return check(item.member("other"))
    total = 0
    if "left" in members:
        if members["left"] != members["right"]:
            return "left and right are not one object", 0
        wrong, total = what_is_wrong(item.member("left").member("payload").buffer, key)
        if wrong:
            return wrong, total
    wrong, size = what_is_wrong(item.member("payload").buffer, key)
    return wrong, total + size


def say(line: str) -> None:
    print(int(time.monotonic() * 1000), line, file=sys.stderr, flush=True)


class Failed(Exception):
    """A call that violence excuses; it was counted."""


class Worker:
    def __init__(self, board: Board, number: int, socket: str, seed: int) -> None:
        self.board, self.number = board, number
        self.page = board.pages[number]
        self.random = random.Random(seed)
        self.kept: list[vineyard.Object] = []
        self.thaws = 0  # those after which it has read again
        self.writer: Any = None
        self.writer_key = 0
        while True:
            try:
                self.client = self.call(vineyard.connect, socket, timeout=board.deadline_ms / 1000, name="soak")
                return
            except Failed:
                if board.command == boards.STOP:
                    raise

    def call(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """One call of the library: counted, timed, its exception sorted."""
        page, thaws, began = self.page, self.page.thaws, time.monotonic()
        try:
            return function(*arguments, **keywords)
        except (vineyard.Timeout, vineyard.Unavailable, vineyard.UnknownOutcome) as error:
            if "died twice" in str(error):
                page.died_twice += 1
            elif isinstance(error, vineyard.Timeout):
                page.timeouts += 1
            elif isinstance(error, vineyard.Unavailable):
                page.unavailable += 1
            else:
                page.unknown += 1
            say(f"excused? {type(error).__name__}: {error}")
            raise Failed from error
        finally:
            page.calls += 1
            took = int((time.monotonic() - began) * 1000)
            if page.thaws == thaws and thaws % 2 == 0:
                page.slowest_ms = max(page.slowest_ms, took)
                if took > _SLOW_MS:
                    say(f"slow: {function.__qualname__}: {took} ms")
                if took > self.board.deadline_ms + _SLACK_MS:
                    self.complain(f"{function.__qualname__} took {took} ms")

    def complain(self, what: str) -> None:
        self.page.errors += 1
        say(f"ERROR: {what}")

    # ---- the loop

    def run(self) -> None:
        while self.board.command != boards.STOP:
            self.read_again()
            if self.board.command == boards.PAUSE:
                self.page.paused = self.board.pause
                time.sleep(0.001)
                continue
            try:
                self.step()
            except Failed:
                pass
            except vineyard.OutOfMemory:
                self.page.full += 1
            except vineyard.VineyardError as error:
                import traceback

                self.complain("".join(traceback.format_exception(error)))
        if self.writer is not None:
            self.writer.close()
        for item in self.kept:
            self.verify(item)
            item.close()
        self.client.close()

    def read_again(self) -> None:
        """Behind the end of a freeze: what it holds."""
        thaws = self.page.thaws
        if thaws != self.thaws:
            self.thaws = thaws
            for item in self.kept:
                self.verify(item)
            self.page.thawed_reads += len(self.kept)

    def step(self) -> None:
        what = self.random.randrange(32)
        if what < 3:
            self.put()
        elif what < 4:
            self.put(tree=True)
        elif what < 6:
            self.put_array()
        elif what < 7:
            self.put(link=True)
        elif what < 9:
            self.begin_writer() if self.writer is None else self.end_writer()
        elif what < 15:
            entry = self.mine()
            self.put() if entry is None else self.delete(entry)
        elif what < 25:
            self.get(keep=False)
        elif what < 27:
            self.get(keep=True)
        elif what < 29:
            self.count()
        elif what < 30:
            self.label()
        elif what < 31:
            self.wait()
        elif self.board.persists:
            self.persist()

    # ---- entries

    def free(self) -> Entry | None:
        at = self.random.randrange(boards.ENTRIES)
        entries = self.page.entries
        return next((each for each in entries[at:] + entries[:at] if each.state == FREE), None)

    def mine(self) -> Entry | None:
        entry = self.random.choice(self.page.entries)
        return entry if entry.state == LIVE else None

    def anybodys(self) -> Entry | None:
        entry = self.random.choice(self.random.choice(self.board.pages).entries)
        return entry if entry.state == LIVE else None

    def new_key(self) -> int:
        self.page.sequence += 1
        return (self.number << 40) + self.page.sequence

    def any_size(self) -> int:
        kind = self.random.randrange(32)
        if kind == 0:
            return self.random.randrange(128 << 10, 512 << 10)
        return self.random.randrange(8192, 28192) if kind < 8 else self.random.randrange(1, 600)

    # ---- putting and deleting

    def put_entry(self, entry: Entry, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        """One step that makes this entry's object."""
        entry.state = PUTTING
        try:
            entry.id = int(self.call(function, *arguments, **keywords))
        except Failed as failed:
            if not isinstance(failed.__cause__, vineyard.UnknownOutcome):
                self.forget(entry)
            raise
        except vineyard.VineyardError as error:
            self.forget(entry)
            if isinstance(error, vineyard.ObjectNotFound) and self.board.evicts:
                self.page.evicted += 1  # its blob, before it was a part of it
                raise Failed from error
            raise
        self.page.puts += 1
        if entry.link & 1 << 63:
            entry.link = 0
        entry.state = LIVE

    def forget(self, entry: Entry) -> None:
        """Nothing was made of it; a blob that was to be a part of it stays on the ledger until it is gone."""
        if entry.link & 1 << 63:
            try:
                self.call(self.client.delete, entry.link)
            except vineyard.ObjectNotFound:
                if not self.board.evicts:
                    raise
        entry.state = FREE

    def new_meta(self, key: int, **fields: int) -> vineyard.ObjectMeta:
        meta = vineyard.ObjectMeta()
        meta["typename"] = f"soak::w{self.number}"
        meta["key"] = key
        for name, value in fields.items():
            meta[name] = value
        return meta

    def put(self, tree: bool = False, link: bool = False) -> None:
        entry = self.free()
        if entry is None:
            return self.get(keep=False)
        key = self.new_key()
        meta = self.new_meta(key)
        entry.key, entry.link = key, 0
        if link:
            other = self.anybodys()
            strange = other is not None and self.board.of_stranger(other.key)  # read by the same, but not this user's
            entry.link = 0 if other is None or other.link or strange else other.id
        if entry.link:
            meta.add_member("other", vineyard.ObjectID(entry.link))
            try:
                return self.put_entry(entry, self.store, meta)
            except vineyard.ObjectNotFound:
                self.page.misses += 1
                return
        self.put_with_blob(entry, meta, self.new_blob(entry, payload_of(key, self.any_size())), tree)

    def new_blob(self, entry: Entry, words: np.ndarray) -> vineyard.ObjectID:
        """A sealed blob that the ledger knew before it was one."""
        entry.state = FREE
        writer = self.call(self.client.create_blob, words.nbytes)
        entry.link = int(writer.id)
        entry.state = PUTTING
        writer.copy(0, words)
        self.call(writer.__exit__, None, None, None)
        return writer.id

    def put_with_blob(self, entry: Entry, meta: vineyard.ObjectMeta, blob: vineyard.ObjectID, tree: bool) -> None:
        meta.add_member("payload", blob)
        if tree:
            part = vineyard.ObjectMeta()
            part["typename"] = "soak::part"
            part.add_member("payload", blob)
            meta.add_member("left", part)
            meta.add_member("right", part)
        self.put_entry(entry, self.store, meta)

    def store(self, meta: vineyard.ObjectMeta) -> vineyard.ObjectID:
        return self.client.put(meta, builder=lambda client, value: value)

    def put_array(self) -> None:
        """Any array, named in the same step."""
        entry = self.free()
        if entry is None:
            return
        key = self.new_key()
        entry.key, entry.link = key, 0
        self.put_entry(entry, self.client.put, payload_of(key, self.any_size()), name=f"soak/{self.number}/{key}")

    def begin_writer(self) -> None:
        self.writer_key = self.new_key()
        self.writer = self.call(self.client.create_blob, 8 * self.any_size())
        words = payload_of(self.writer_key, self.writer.size // 8)
        self.writer.copy(0, words[: len(words) // 2])

    def end_writer(self) -> None:
        """What daemons did meanwhile, and how long this process stood still, is nothing to a lease."""
        entry = self.free()
        if entry is None:
            return
        writer, self.writer = self.writer, None
        words = payload_of(self.writer_key, writer.size // 8)
        half = len(words) // 2
        writer.copy(half * 8, words[half:])
        entry.key, entry.link = self.writer_key, int(writer.id)
        entry.state = PUTTING
        self.call(writer.__exit__, None, None, None)
        self.put_with_blob(entry, self.new_meta(self.writer_key), writer.id, False)

    def delete(self, entry: Entry) -> None:
        if entry.link == COUNTER_LINK and int(self.call(self.client.get_name, _COUNTER)) == entry.id:
            return  # a name goes with its object: this one stays until the name has gone on
        entry.state = DELETING
        try:
            # Where a link leads to is somebody else's.
            self.call(self.client.delete, entry.id, force=True, deep=entry.link <= COUNTER_LINK)
        except Failed as failed:
            if not isinstance(failed.__cause__, vineyard.UnknownOutcome):
                entry.state = LIVE
            raise
        except vineyard.ObjectNotFound:
            if not self.board.evicts:
                entry.state = LIVE
                raise
            self.page.evicted += 1
            entry.state = FREE
            return
        self.page.deletes += 1
        entry.state = FREE

    # ---- reading

    def verify(self, item: vineyard.Object) -> None:
        try:
            wrong, size = check(item)
        except (vineyard.Timeout, vineyard.Unavailable) as error:  # memory that is not mapped yet is the daemon's to give
            self.page.timeouts += 1
            return say(f"excused? read: {error}")
        if wrong:
            self.complain(f"read of {item.id}: {wrong}")
        self.page.gets += 1
        self.page.bytes += size

    def get(self, keep: bool) -> None:
        entry = self.anybodys()
        if entry is None:
            return
        number, key = entry.id, entry.key
        try:
            item = self.call(self.client.get_object, number)
        except vineyard.ObjectNotFound:
            if not self.board.evicts and (entry.state, entry.id, entry.key) == (LIVE, number, key):
                return self.complain(f"LOST object {key}")
            self.page.misses += 1
            return
        self.verify(item)
        if not keep:
            return item.close()
        self.kept.append(item)
        if len(self.kept) > _KEPT:
            old = self.kept.pop(self.random.randrange(len(self.kept)))
            self.verify(old)
            self.page.kept += 1
            old.close()

    # ---- names, labels, waits

    def count(self) -> None:
        """All workers add to one number: an object under a name, replaced by compare and set."""
        if self.board.evicts:
            return
        value = revision = 0
        try:
            number, revision = self.call(self.client.get_name_revision, _COUNTER)
        except vineyard.ObjectNotFound:
            pass
        else:
            try:
                with self.call(self.client.get_object, number) as item:
                    value = item.field("value")
            except vineyard.ObjectNotFound:
                self.page.misses += 1  # the name went on
                return
        entry = self.free()
        if entry is None:
            return
        key = self.new_key()
        entry.key, entry.link = key, 0
        blob = self.new_blob(entry, payload_of(key, 1))
        self.put_with_blob(entry, self.new_meta(key, value=value + 1), blob, False)
        entry.link = COUNTER_LINK
        self.page.maybe_counted += 1
        try:
            self.call(self.client.put_name, entry.id, _COUNTER, expect=revision)
            self.page.counted += 1
        except Failed as failed:
            if isinstance(failed.__cause__, vineyard.UnknownOutcome):
                raise
        except vineyard.Conflict:
            self.page.conflicts += 1
            self.page.maybe_counted -= 1
            return self.delete(entry)
        self.page.maybe_counted -= 1

    def label(self) -> None:
        entry = self.mine()
        if entry is None or self.board.evicts:
            return
        value = str(self.random.getrandbits(64))
        self.call(self.client.label, entry.id, "soak", value)
        if self.call(self.client.labels, entry.id) != {"soak": value}:
            self.complain("a label is not what was set")
        self.page.labels += 1

    def wait(self) -> None:
        """For an object that is there, and for a name that nobody gives."""
        entry = self.mine()
        if entry is not None and not self.board.evicts:
            self.call(self.client.wait, entry.id)
            self.page.waits += 1
        try:
            self.client.get_name("soak/never", wait=True, timeout=0.005)
            self.complain("a name that nobody gave")
        except vineyard.Timeout:
            self.page.waits += 1
        except vineyard.Unavailable as error:
            raise Failed from error

    def persist(self) -> None:
        entry = self.mine()
        if entry is not None and entry.link == 0:
            self.call(self.client.persist, entry.id)
            self.page.persisted += 1


if __name__ == "__main__":
    path, at, where, start = sys.argv[1:]
    Worker(Board(Path(path)), int(at), where, int(start)).run()
