"""Daemons on this host: for a while, or for as long as this process lives."""

from __future__ import annotations

from vineyard.client import Client
from vineyard.errors import Unavailable
from vineyard.launch import Daemon, _end, _private, connect_private, start_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class start_vineyardd:
    """Starts a daemon; as a context manager, for the length of the ``with``.

    >>> with start_vineyardd(size="64Mi") as (process, socket):
    ...     with Client(socket) as other:
    ...         other.get(other.put([1, 2]))
    [1, 2]

    :param meta: where metadata lives; ``local``: on this host
    :param size: memory, for example ``512Mi``; None: the daemon's default
    :param socket: where to listen; None: in a temporary folder
    :param flags: any other flags of ``vineyardd``; earlier names of the parameters are accepted
    """

    def __init__(
        self,
        meta: str = "local",
        size: int | str | None = None,
        socket: str | None = None,
        flags: list[str] | None = None,
        **earlier: Any,
    ) -> None:
        self.daemon: Daemon
        size = size if size is not None else earlier.get("size_")
        socket = socket if socket is not None else earlier.get("default_ipc_socket")
        words = ["--meta", meta]
        if size is not None:
            words += ["--size", str(size)]
        self.daemon = Daemon(*words, *(flags or []), socket=socket)

    @property
    def socket(self) -> str:
        """Where it listens."""
        return self.daemon.socket

    def __enter__(self) -> tuple[Any, str]:
        return self.daemon.process, self.daemon.socket

    def __exit__(self, *exception: object) -> None:
        self.daemon.stop()

    def stop(self) -> None:
        """Ends it and everything in it. May be called twice."""
        self.daemon.stop()


def try_init() -> str:
    """Makes sure that there is a daemon for ``vineyard.connect()``; its socket."""
    from vineyard.connection import connect

    with connect() as client:
        return client.ipc_socket


def init(**options: Any) -> Client:
    """Starts a daemon that ends with this process; a client. Flags as for :class:`start_vineyardd`."""
    words = []
    for name, value in options.items():
        words += ["--" + name.replace("_", "-"), str(value)]
    return Client(start_private(*words).socket)


def shutdown() -> None:
    """Ends the daemons that this process started for itself. May be called twice."""
    while _private:
        _end(_private.pop())


__all__ = ["Unavailable", "connect_private", "init", "shutdown", "start_vineyardd", "try_init"]
