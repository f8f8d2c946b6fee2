"""This file is the only place in Python that knows where on the board what lies: see board.h."""

from __future__ import annotations

import mmap
from pathlib import Path

ENTRIES = 96
_HEAD = 16
_PAGE = 32 + 4 * ENTRIES

RUN, PAUSE, STOP = range(3)
FREE, PUTTING, LIVE, DELETING = range(4)
COUNTER_LINK = 1

HEAD = ("command", "pause", "workers", "persists", "evicts", "deadline_ms", "strangers")
PAGE = (
    "paused", "sequence", "calls", "gets", "bytes", "puts", "deletes", "misses", "full", "timeouts",
    "unavailable", "unknown", "died_twice", "conflicts", "counted", "maybe_counted", "labels", "waits",
    "kept", "errors", "evicted", "slowest_ms", "persisted", "thaws", "thawed_reads",
)  # fmt: skip


class Words:
    """Named words of the board: ``words.calls += 1``."""

    def __init__(self, words: memoryview, names: tuple[str, ...], at: int) -> None:
        self.__dict__["_words"] = words
        self.__dict__["_places"] = {name: at + i for i, name in enumerate(names)}

    def __getattr__(self, name: str) -> int:
        return int(self.__dict__["_words"][self.__dict__["_places"][name]])

    def __setattr__(self, name: str, value: int) -> None:
        # One store of eight bytes.
        self.__dict__["_words"][self.__dict__["_places"][name]] = value


class Entry(Words):
    def __init__(self, words: memoryview, at: int) -> None:
        super().__init__(words, ("state", "id", "key", "link"), at)


class Page(Words):
    """What one worker says, and what it has."""

    def __init__(self, words: memoryview, number: int) -> None:
        at = _HEAD + number * _PAGE
        super().__init__(words, PAGE, at)
        self.__dict__["entries"] = [Entry(words, at + 32 + 4 * i) for i in range(ENTRIES)]


class Board(Words):
    def __init__(self, path: Path) -> None:
        with open(path, "r+b") as file:
            self.__dict__["map"] = mmap.mmap(file.fileno(), 0)
        words = memoryview(self.__dict__["map"]).cast("Q")
        super().__init__(words, HEAD, 0)
        pages = (len(words) - _HEAD) // _PAGE
        self.__dict__["pages"] = [Page(words, number) for number in range(pages)]

    @classmethod
    def create(cls, path: Path, workers: int, strangers: int = 0) -> Board:
        path.write_bytes(bytes(8 * (_HEAD + (workers + strangers) * _PAGE)))
        board = cls(path)
        board.workers = workers + strangers
        board.strangers = workers
        return board

    def of_stranger(self, key: int) -> bool:
        """Whether another user's worker has put it."""
        return key >> 40 >= self.strangers

    def total(self, name: str) -> int:
        return sum(getattr(page, name) for page in self.__dict__["pages"])
