"""connect(): from whatever people write to a client."""

from __future__ import annotations

import os

from vineyard.client import Client
from vineyard.errors import InvalidArgument, TypeMismatch, Unavailable, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vineyard.share import Share

# Of the module-level put and get, by process; of unpickled objects, by process, socket and options.
_default: dict[int, Client] = {}
_shared: dict[tuple[Any, ...], Client] = {}


def connect(
    *arguments: Any,
    socket: Any = None,
    host: str | None = None,
    port: int | str | None = None,
    endpoint: Any = None,
    config: Any = None,
    timeout: float | None = None,
    name: str | None = None,
    allow_pickle: bool | None = None,
    remote: str | None = None,
    share: Share = None,
    daemon_uid: int | None = None,
) -> Client:
    """Connects to a daemon.

    ``connect("/run/vineyard.sock")``, ``connect("unix:///run/vineyard.sock")``, ``connect(socket=…)``
    name a socket of this host; a ``Path`` will do. ``connect()`` looks at the environment
    (``VINEYARD_IPC_SOCKET``, ``VINEYARD_RPC_ENDPOINT``, ``VINEYARD_CONFIG``), then at the default socket,
    and when nothing listens there starts a daemon of its own that ends with this process; children find
    it through the environment.

    :param timeout: seconds above 0, of the connect and default of all waits (30)
    :param name: for people who look at the daemon
    :param allow_pickle: False: never read a pickle. None: only those of this user, for who writes a pickle says what
        runs where it is read. True: any
    :param remote: of payloads on other instances: ``none``, ``error``, ``fetch`` (``VINEYARD_REMOTE``)
    :param share: who may read what is put, where the put says nothing: ``"uid"``, ``"gid"``, ``("gid", number)``,
        ``"all"``; None: as the daemon was told
    :param daemon_uid: whose daemon is believed beside one's own and root's (``VINEYARD_DAEMON_UID``)
    :raises Unavailable: nobody listens there
    :raises PermissionDenied: the socket or the daemon refuses this user, or it is the daemon of another user
    :raises Unsupported: ``(host, port)``, ``endpoint=``, ``tcp://``: not offered yet
    """
    if len(arguments) == 2 and socket is None and host is None:
        host, port = arguments
    elif len(arguments) == 1 and socket is None:
        socket = arguments[0]
    elif arguments:
        raise TypeMismatch("connect: a socket, or host and port, were expected; name everything else")
    if remote is None:
        remote = os.environ.get("VINEYARD_REMOTE", "none")
    options: dict[str, Any] = {
        "timeout": timeout,
        "name": name,
        "allow_pickle": allow_pickle,
        "remote": remote,
        "share": share,
        "daemon_uid": daemon_uid,
    }

    if isinstance(socket, tuple):
        socket, endpoint = None, socket
    if host is not None or port is not None or endpoint is not None:
        raise _no_rpc(endpoint if endpoint is not None else (host, port))
    if socket is not None:
        return Client(_path_of(socket), **options)
    if config is not None:
        return _by_config(config, options)
    return _by_environment(options)


def _path_of(socket: Any) -> str:
    try:
        path = os.fsdecode(socket)
    except TypeError:
        kind = type(socket).__name__
        raise TypeMismatch(f"connect: the path of a socket was expected, not {kind}") from None
    if path.startswith("tcp://"):
        raise _no_rpc(path)
    if path.startswith("unix://"):
        path = path[len("unix://") :]
    if not path:
        raise InvalidArgument("connect: the path of the socket is empty; leave it out for the default")
    return path


def _no_rpc(endpoint: Any) -> Unsupported:
    where = endpoint if isinstance(endpoint, str) else ":".join(map(str, endpoint))
    return Unsupported(
        f"connect {where}: connections over TCP are not offered yet; connect to the socket of a daemon "
        "on this host"
    )


def _by_environment(options: dict[str, Any]) -> Client:
    from vineyard import launch

    path = os.environ.get("VINEYARD_IPC_SOCKET")
    if path:
        if launch.is_private_and_gone(path):
            return launch.connect_private(options)
        return Client(_path_of(path), **options)
    if os.environ.get("VINEYARD_RPC_ENDPOINT"):
        raise _no_rpc(os.environ["VINEYARD_RPC_ENDPOINT"])
    if os.environ.get("VINEYARD_CONFIG"):
        return _by_config(os.environ["VINEYARD_CONFIG"], options)
    try:
        return Client(None, **options)
    except Unavailable:
        return launch.connect_private(options)


def _by_config(config: Any, options: dict[str, Any]) -> Client:
    """A file, or a folder with ``vineyard-config.yaml``, with lines ``IPCSocket: …``, ``RPCEndpoint: …``."""
    path = os.fspath(config)
    if os.path.isdir(path):
        path = os.path.join(path, "vineyard-config.yaml")
    found: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                key, colon, value = line.strip().partition(":")
                if colon and not key.startswith("#"):
                    found[key.strip()] = value.strip().strip("\"'")
    except OSError as error:
        advice = "a file with a line 'IPCSocket: <path>' was expected"
        raise InvalidArgument(f"connect: config {path}: {error.strerror}; {advice}") from error
    if found.get("IPCSocket"):
        return Client(_path_of(found["IPCSocket"]), **options)
    if found.get("RPCEndpoint"):
        raise _no_rpc(found["RPCEndpoint"])
    raise InvalidArgument(f"connect: config {path}: it has neither IPCSocket nor RPCEndpoint; add one")


def default_client() -> Client:
    """The client of the module-level ``put`` and ``get``: ``connect()``, once in a process."""
    client = _default.get(os.getpid())
    if client is None or client.closed:
        client = _default[os.getpid()] = connect()
    return client


def shared_client(socket: str, options: dict[str, Any]) -> Client:
    """The client through which unpickled objects are opened again: one for a process, socket and options.

    Options are part of it: what was got with ``allow_pickle=False`` stays with such a client.
    """
    key = (os.getpid(), socket, *sorted(options.items()))
    client = _shared.get(key)
    if client is None or client.closed:
        client = _shared[key] = Client(socket, **options)
    return client
