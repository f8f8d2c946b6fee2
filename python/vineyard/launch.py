"""Daemons started from Python: where the program is, one for this process, one for a while."""

from __future__ import annotations

import os
import threading
import weakref

from vineyard import _native
from vineyard.client import Client
from vineyard.errors import SystemFailure, Timeout, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import Any

_START_SECONDS = 30.0


def program() -> str:
    """The path of vineyardd: ``VINEYARDD`` of the environment, the packaged one, or one in ``PATH``."""
    named = os.environ.get("VINEYARDD")
    if named:
        return named
    packaged = os.path.join(os.path.dirname(os.path.abspath(_native.__file__)), "bin", "vineyardd")
    if os.access(packaged, os.X_OK):
        return packaged
    import shutil

    found = shutil.which("vineyardd")
    if found is None:
        raise SystemFailure(f"vineyardd: neither {packaged} nor in PATH; set VINEYARDD to its path")
    return found


class Daemon:
    """A running vineyardd with a folder of its own, which ends when its lifeline is cut: by ``stop()``
    or by the end, however sudden, of the process that made it."""

    def __init__(self, *flags: str, socket: str | None = None, timeout: float = _START_SECONDS) -> None:
        import subprocess

        from vineyard.folder import Folder

        self._folder = Folder()
        self.socket = socket or os.path.join(self._folder.path, "socket")
        self._log = os.path.join(self._folder.path, "log")
        self._owner = os.getpid()
        lifeline, self._lifeline = os.pipe()
        try:
            # Its own session: Ctrl-C in a terminal is for this process.
            with open(self._log, "wb") as log:
                self.process: subprocess.Popen[bytes] = subprocess.Popen(
                    [program(), "--socket", self.socket, "--lifeline", str(lifeline), *flags],
                    pass_fds=[lifeline],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            os.close(self._lifeline)
            self._folder.remove()
            raise SystemFailure(f"start {program()}: {error.strerror}") from error
        finally:
            os.close(lifeline)
        _daemons.add(self)
        try:
            self._wait(timeout)
        except BaseException:  # Ctrl-C, another version: nothing stays behind
            self.stop()
            raise

    def _wait(self, timeout: float) -> None:
        import time

        deadline = time.monotonic() + timeout
        while True:
            try:
                Client(self.socket, timeout=1.0).close()
                return
            except (Unavailable, Timeout) as error:
                if self.process.poll() is not None:
                    text = self.log().strip() or f"exit status {self.process.returncode}"
                    raise Unavailable(f"start {program()}: it ended at once: {text}") from None
                if time.monotonic() > deadline:
                    raise Timeout(f"start {program()}: no answer in {timeout} s: {error}") from None
                time.sleep(0.002)

    def _forget(self) -> None:
        """In a forked child: it must not hold the lifeline, which would keep the daemon when the parent ends."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
        self._lifeline = -1
        self._folder.forget()

    def log(self) -> str:
        """The last 4 KiB of what it wrote."""
        try:
            with open(self._log, "rb") as log:
                log.seek(max(0, os.path.getsize(self._log) - 4096))
                return log.read().decode(errors="replace")
        except OSError:
            return ""

    @property
    def running(self) -> bool:
        """Whether it runs (as far as the process that started it can tell)."""
        if os.getpid() != self._owner:
            return os.path.exists(self.socket)
        return self._lifeline >= 0 and self.process.poll() is None

    def stop(self, timeout: float = 10.0) -> None:
        """Ends it and everything in it. May be called twice; in a forked child it does nothing."""
        if self._lifeline < 0:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        try:
            self.process.wait(timeout)
        except BaseException:
            self.process.kill()
            self.process.wait()
        self._folder.remove()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<vineyard daemon {self.socket}, {'running' if self.running else 'stopped'}>"


_daemons: weakref.WeakSet[Daemon] = weakref.WeakSet()  # of this process
_private: list[Daemon] = []
_lock = threading.Lock()


def is_private_and_gone(path: str) -> bool:
    """Whether the socket is that of this process's own daemon, and that does not run any more."""
    return any(daemon.socket == path and not daemon.running for daemon in _private)


def connect_private(options: dict[str, Any]) -> Client:
    """A client of the daemon that belongs to this process; started now if there is none."""
    with _lock:
        if not _private or not _private[-1].running:
            start_private()
    return Client(_private[-1].socket, **options)


def start_private(*flags: str) -> Daemon:
    """Starts a daemon that ends with this process, and tells children by the environment."""
    import atexit

    daemon = Daemon("--meta", "local", *flags)
    _private.append(daemon)
    os.environ["VINEYARD_IPC_SOCKET"] = daemon.socket
    atexit.register(_end, daemon)
    return daemon


def _end(daemon: Daemon) -> None:
    if os.environ.get("VINEYARD_IPC_SOCKET") == daemon.socket:
        del os.environ["VINEYARD_IPC_SOCKET"]
    daemon.stop()


os.register_at_fork(after_in_child=lambda: _renew())


def _renew() -> None:
    global _lock
    _lock = threading.Lock()
    for daemon in list(_daemons):
        daemon._forget()
