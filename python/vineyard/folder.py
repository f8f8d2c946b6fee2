"""A temporary folder that goes with its process; of one that was killed, when the next one is made."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref

_PREFIX = "vineyard-private-"


class Folder:
    """A folder of this process: ``path``. It is locked for as long as the process lives, and whoever makes
    another one beside it removes those of the same user that nobody locks."""

    def __init__(self) -> None:
        _remove_stale()
        while True:
            self.path = tempfile.mkdtemp(prefix=_PREFIX)
            try:
                self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue  # somebody took it for a stale one before it was locked
            if _locked(self._lock, fcntl.LOCK_EX):
                break
            os.close(self._lock)
        self._end = weakref.finalize(self, _remove, self.path, self._lock)

    def remove(self) -> None:
        """Removes it and everything in it. May be called twice."""
        self._end()

    def forget(self) -> None:
        """In a forked child: the folder is the parent's."""
        if self._end.detach():
            os.close(self._lock)


def _locked(folder: int, how: int) -> bool:
    """Locks an open folder; False: another has the lock, or the folder is removed."""
    try:
        fcntl.flock(folder, how)
    except BlockingIOError:
        return False
    return os.fstat(folder).st_nlink > 0


def _remove(path: str, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)  # last: nobody else removes it meanwhile


def _remove_stale() -> None:
    parent = tempfile.gettempdir()
    try:
        names = [name for name in os.listdir(parent) if name.startswith(_PREFIX)]
    except OSError:
        return  # a folder that one may write to, but not list
    for name in names:
        path = os.path.join(parent, name)
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # of another user, or gone
        try:
            if os.fstat(folder).st_uid == os.geteuid() and _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # it can not be locked: it may be in use
        finally:
            os.close(folder)
