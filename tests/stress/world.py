"""This file is the only place that starts, kills and stops the processes of a soak."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from board import Board
from frost import Frost
from observer import HANG_SECONDS, POLL_SECONDS, Failure, Observer, await_that

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from processes import ZooKeeper  # noqa: E402

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_REMARKABLE = 40  # lines
STRANGER = 4242  # the number of another user
# But for the deaths that are our doing.
_ERROR = re.compile(r"\S+ \S+ \d+ error (?!the daemon died)")
_libc = ctypes.CDLL(None)


def user_of(is_stranger: bool) -> dict[str, Any]:
    """For ``subprocess``: whose a process is."""
    return {"user": STRANGER, "group": STRANGER, "extra_groups": []} if is_stranger else {}


class Client:
    """A worker: the same page of the board whichever process stands behind it."""

    def __init__(self, number: int, language: str, words: list[str], is_stranger: bool = False) -> None:
        self.number, self.language, self.words, self.is_stranger = number, language, words, is_stranger
        self.process: subprocess.Popen[bytes] | None = None
        self.thaw_at: float | None = None


class World:
    """A daemon with its keeper, its ZooKeeper if it has one, workers, and who looks at them."""

    def __init__(self, options: Any, folder: Path) -> None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)  # the daemon of a dead keeper comes to us
        self.options, self.folder = options, folder
        self.socket = str(folder / "s")
        self.clients = [
            Client(number, *options.clients[number % len(options.clients)]) for number in range(options.workers)
        ]
        for number in range(options.workers, options.workers + options.strangers):
            self.clients.append(Client(number, "another user's c", options.clients[0][1], is_stranger=True))
        self.board = Board.create(folder / "board", options.workers, options.strangers)
        if options.strangers:
            folder.chmod(0o711)
            (folder / "board").chmod(0o666)
        self.board.deadline_ms = options.deadline_ms
        self.board.evicts = int(options.evict == "drop")
        self.board.persists = int(options.meta == "zookeeper")
        self._lifeline = -1
        self.frost = Frost(self)
        self.resolved = 0  # requests whose answers were lost
        self.loads = 0  # of spilled payloads, as far as daemons told before they died
        self.spill = folder / "spill"
        self.spill.mkdir()
        self.zookeeper = ZooKeeper() if options.meta == "zookeeper" else None
        try:
            self._start_daemon()
        except BaseException:
            self.abandon()
            raise

    def _start_daemon(self) -> None:
        meta = "local" if self.zookeeper is None else f"zookeeper://{self.zookeeper.address}/soak"
        lifeline, self._lifeline = os.pipe()
        words = [
            str(self.options.bin / "vineyardd"), "--socket", self.socket, "--size", self.options.size, "--meta", meta,
            "--evict", self.options.evict, "--log-level", "warning", "--lifeline", str(lifeline),
        ]  # fmt: skip
        words += ["--spill-path", str(self.spill)] if self.options.evict == "spill" else []
        words += ["--allow-uid", str(STRANGER), "--share", "all"] if self.options.strangers else []
        with open(self.folder / "daemon.log", "ab") as log:
            self._daemon = subprocess.Popen(words, pass_fds=[lifeline], stdout=log, stderr=log)
        os.close(lifeline)
        await_that("the daemon's socket", lambda: self._daemon.poll() is not None or os.path.exists(self.socket))
        if self._daemon.poll() is not None:
            raise Failure(f"the daemon ended with {self._daemon.returncode}")
        program = str(self.options.bin / "soak_client")
        deadline_ms = self.options.deadline_ms
        self.observer = Observer(program, self.socket, deadline_ms, self.folder / "observer.log")
        self.observers = [self.observer]  # of each user one, as :attr:`Client.is_stranger` counts
        if self.options.strangers:
            log = self.folder / "stranger.log"
            self.observers.append(Observer(program, self.socket, deadline_ms, log, user_of(True)))
        self.now = self.observer.info()

    def say(self, line: str) -> None:
        """Into a log beside those of the workers, with the same clock."""
        with open(self.folder / "deeds.log", "a") as log:
            log.write(f"{int(time.monotonic() * 1000)} {line}\n")

    def remarkable(self) -> list[str]:
        """What the workers had to say, and the deed before it: the first lines, all errors and the slowest call."""
        lines = []
        for log in self.folder.glob("*.log"):
            if log.name.startswith(("worker", "deeds")):
                lines += [f"{line}  [{log.stem}]" for line in log.read_text(errors="replace").splitlines()]
        lines = sorted(line for line in lines if line[:1].isdigit())
        said = [line for i, line in enumerate(lines) if any("[w" in each for each in lines[i : i + 2])]
        slow = [(int(found[1]), line) for line in said if (found := re.search(r"slow: .* (\d+) ms", line))]
        slowest = max(slow, default=(0, ""))[1]
        return said[:_REMARKABLE] + [line for line in said[_REMARKABLE:] if "ERROR" in line or line == slowest]

    # ---- workers

    def start(self, client: Client, seed: int) -> None:
        words = [*client.words, str(self.folder / "board"), str(client.number), self.socket, str(seed)]
        with open(self.folder / f"worker{client.number}.log", "ab") as log:
            client.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_end_with_parent,
                **user_of(client.is_stranger),
            )  # fmt: skip

    def check_workers(self) -> None:
        """Raises :class:`Failure` when one has complained or ended by itself; thaws whoever's time has come."""
        self.frost.thaw_due()
        if self.board.total("errors"):
            raise Failure("a worker complains")
        for client in self.clients:
            if client.process is not None and client.process.poll() is not None:
                raise Failure(f"worker {client.number} ended with {client.process.returncode}")
            if client.thaw_at is not None and time.monotonic() >= client.thaw_at:
                self.thaw(client)

    def await_calls(self, more: int, seconds: float | None = None) -> None:
        """Until the workers have made so many more calls, or (only when asked for) so long."""
        began, last, moved = time.monotonic(), self.board.total("calls"), time.monotonic()
        wanted = last + more
        while (calls := self.board.total("calls")) < wanted:
            self.check_workers()
            if calls != last:
                last, moved = calls, time.monotonic()
            if seconds is not None and time.monotonic() > began + seconds:
                return
            if time.monotonic() > moved + HANG_SECONDS + self.options.deadline_ms / 1000 + self.options.freeze:
                raise Failure("HANG: no worker has made a call for long")
            time.sleep(POLL_SECONDS)

    def kill(self, client: Client, seed: int) -> None:
        assert client.process is not None
        client.process.kill()
        client.process.wait()
        self._odd_ends(client)
        self.start(client, seed)

    def freeze(self, client: Client, seconds: float) -> None:
        assert client.process is not None
        if client.thaw_at is None:
            self.board.pages[client.number].thaws += 1
            client.process.send_signal(signal.SIGSTOP)
        client.thaw_at = time.monotonic() + seconds

    def thaw(self, client: Client) -> None:
        assert client.process is not None
        client.process.send_signal(signal.SIGCONT)
        self._odd_ends(client)

    def _odd_ends(self, client: Client) -> None:
        if client.thaw_at is not None:
            self.board.pages[client.number].thaws += 1
        client.thaw_at = None

    def thaw_all(self) -> None:
        self.frost.thaw_all()
        for client in self.clients:
            if client.thaw_at is not None:
                self.thaw(client)

    def end_workers(self) -> None:
        """After the board has said stop."""
        self.thaw_all()
        for client in self.clients:
            process, client.process = client.process, None
            if process is None:
                continue
            try:
                status = process.wait(HANG_SECONDS + self.options.deadline_ms / 1000)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failure(f"HANG: worker {client.number} does not end") from None
            if status:
                raise Failure(f"worker {client.number} ended with {status}")
        if self.board.total("errors"):
            raise Failure("a worker complains")

    # ---- daemon and keeper

    def count_loads(self) -> None:
        """Behind each daemon's life: the next one begins with none."""
        if not self.frost and self.options.evict == "spill":
            self.loads += self.observer.info()["loads"]

    def kill_daemon(self) -> None:
        self.count_loads()
        self.frost.forget("pid")
        os.kill(self.now["pid"], signal.SIGKILL)
        self._await_next()

    def kill_keeper(self) -> None:
        self.count_loads()
        self.frost.forget("keeper_pid")
        keeper = self.now["keeper_pid"]
        os.kill(keeper, signal.SIGKILL)
        os.waitpid(keeper, 0)
        self._await_next()

    def _await_next(self) -> None:
        """Until the death of one of them is repaired: another daemon answers, below a keeper that lives.

        Not before the other one is thawed.
        """
        before = self.now["epoch"]

        def next_answers() -> bool:
            self.frost.thaw_due(is_dead=True)
            if self.frost:
                return False
            try:
                self.now = self.observer.info()
            except OSError:
                return False  # asked for again
            return self.now["epoch"] > before

        await_that(f"a daemon after the one of epoch {before}", next_answers)

    # ---- the end

    def end(self) -> None:
        """Ends the daemon; nothing of it may be left."""
        for observer in self.observers:
            observer.close()
        keeper = self.now["keeper_pid"]
        os.kill(keeper, signal.SIGTERM)
        await_that("the end of the daemon", lambda: _has_ended(keeper))
        os.close(self._lifeline)
        self._lifeline = -1
        if self.zookeeper is not None:
            self.zookeeper.__exit__()
        if os.path.exists(self.socket):
            raise Failure("the daemon left its socket")
        errors = [line for line in (self.folder / "daemon.log").read_text().splitlines() if _ERROR.match(line)]
        if errors:
            raise Failure(f"the daemon logged an error: {errors[0]}")
        if left := [str(path) for path in self.spill.rglob("*")]:
            raise Failure(f"LEAK: the daemon left {left}")

    def abandon(self) -> None:
        """After a failure: everything that runs is ended."""
        for client in self.clients:
            if client.process is not None:
                client.process.kill()
                client.process.wait()
        for observer in getattr(self, "observers", []):
            observer.process.kill()
            observer.process.wait()
        if self._lifeline >= 0:
            os.close(self._lifeline)  # ends the daemon
        if self.zookeeper is not None:
            self.zookeeper.__exit__()


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
