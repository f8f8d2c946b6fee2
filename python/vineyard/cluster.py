"""Cluster: what a client does with more than one instance: who there is, how far knowledge reaches, changes."""

from __future__ import annotations

from collections import namedtuple

from vineyard import _native
from vineyard.errors import InvalidArgument, Timeout, TypeMismatch
from vineyard.ids import ObjectID, make_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, NamedTuple

    class Position(NamedTuple):
        """So many changes of the cluster: a token by which one client waits for what another has seen."""

        generation: int
        entries: int

    class Event(NamedTuple):
        """A change. ``position``: where a later watch would go on."""

        kind: str
        id: ObjectID | None
        instance: int | None
        name: str | None
        position: Position

else:
    # Without importing typing, which costs 15 ms.
    Position = namedtuple("Position", "generation entries", module=__name__)
    Event = namedtuple("Event", "kind id instance name position", module=__name__)
    Position.__doc__ = "So many changes of the cluster: a token by which one client waits for what another has seen."
    Event.__doc__ = """A change, as :class:`Watch` tells it.

    ``id``: the object; None of an instance. ``instance``: the owner of an object that was made or deleted, or the
    instance that joined, was lost or forgotten; else None. ``name``: of ``named`` and ``dropped``. ``position``: where
    a later watch would go on: that of several changes is the same when they came together.
    """

_KINDS = {
    1: "created", 2: "deleted", 3: "named", 4: "dropped", 5: "joined", 6: "lost", 7: "forgotten", 8: "labelled",
    9: "compacted",
}  # fmt: skip


def _position(token: Any) -> tuple[int, int]:
    try:
        generation, entries = token
    except (TypeError, ValueError):
        raise TypeMismatch(f"position: a pair of numbers was expected, not {token!r}") from None
    for number in (generation, entries):
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeMismatch(f"position: a pair of numbers was expected, not {token!r}")
        if not 0 <= number < 1 << 64:
            raise InvalidArgument(f"position {token!r}: numbers from 0 to 2**64 - 1 were expected")
    return int(generation), int(entries)


class Watch:
    """Changes of the cluster, in their order, by a connection of its own: an iterator of :class:`Event`.

    It ends when nothing happened for its ``timeout``; iterating again goes on. None is left out in silence:
    a daemon that was restarted does not know what happened before it began, and says ``compacted`` to whoever has
    not read that far. ``kind`` is one of ``created``, ``deleted`` (of an object that was
    persisted, with what is below it), ``named``, ``dropped``, ``joined``, ``lost``, ``forgotten`` (of an
    instance), ``labelled``, and ``compacted``: what happened up to there is not known any more, list anew.

    May be waited for by its descriptor (``select``, ``asyncio``): once that is readable, call ``next(0)`` until
    it answers None. A context manager. Not for several threads at once, nor for a child.
    """

    def __init__(self, handle: _native.Handle, after: Any, timeout_ms: int) -> None:
        self._watch: Any = _native.watch(handle, None if after is None else _position(after))
        self._timeout_ms = timeout_ms

    @property
    def _open(self) -> Any:
        if self._watch is None:
            raise InvalidArgument("watch: it is closed, open another one")
        return self._watch

    @property
    def position(self) -> Position:
        """Where a later watch takes up what this one has not answered yet.

        Events that happened together with one that was not answered yet come again there.
        """
        return Position(*_native.watch_position(self._open))

    def next(self, timeout: float | None = None) -> Event | None:
        """The next change; None: there was none within ``timeout`` seconds.

        :raises Unavailable: the daemon is away, or hears of no changes itself; call again
        """
        from vineyard.client import _milliseconds

        try:
            found = _native.next_event(self._open, _milliseconds(timeout, self._timeout_ms))
        except Timeout:
            return None
        kind, number, instance, name = found
        return Event(
            _KINDS.get(kind, f"event {kind}"), make_id(number) if number else None, instance or None, name or None,
            self.position,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self.next()
        if event is None:
            raise StopIteration
        return event

    def fileno(self) -> int:
        """The descriptor; the same for as long as the watch is open."""
        return _native.watch_fd(self._open)

    def close(self) -> None:
        """Ends it. Closing twice is allowed."""
        self._watch = None

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._watch is None

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<vineyard.Watch, closed>" if self._watch is None else f"<vineyard.Watch at {tuple(self.position)}>"

    def __reduce__(self) -> str:
        raise TypeMismatch("watch: it can not be pickled; send its position, and open another one there")


class Cluster:
    """Base of :class:`vineyard.Client`. Without a cluster (``--meta local``) there is one instance."""

    _handle: Any

    @property
    def instances(self) -> dict[int, dict[str, Any]]:
        """Instances of the cluster, lost ones among them: number -> what is known of it.

        ``state`` is ``alive`` or ``lost``, ``since`` the time since when (Unix seconds; None: not known);
        ``host``, ``socket`` and ``endpoint`` say where its daemon is, ``memory_limit`` how many bytes it has.
        ``hostname``, ``nodename``, ``ipc_socket`` and ``rpc_endpoint`` are their earlier names.
        """
        return {item[0]: _instance(item) for item in _native.instances(self._handle)}

    @property
    def meta(self) -> dict[int, dict[str, Any]]:
        """The earlier name of :attr:`instances`."""
        return self.instances

    def forget_instance(self, instance_id: int) -> None:
        """Takes a lost instance out of the cluster, with what it had persisted and the names of that. Members
        that objects of others have there are not found from then on.

        :raises ObjectNotFound: there is none of this number
        :raises InUse: it is alive
        """
        if isinstance(instance_id, bool) or not isinstance(instance_id, int):
            raise TypeMismatch(f"instance: a number was expected, not {type(instance_id).__name__}")
        if not 0 < instance_id < 1 << 23:
            raise InvalidArgument(f"instance {instance_id}: no instance has this number")
        _native.vineyard_instance_forget(self._handle, instance_id)

    @property
    def revision(self) -> Position:
        """How far the daemon's knowledge reaches now; what this client has changed is in it."""
        return Position(*_native.revision(self._handle))

    def wait_revision(self, position: Any, timeout: float | None = None) -> None:
        """Returns once this client's daemon knows what another client's ``revision`` reached.

        :raises Timeout: not within ``timeout`` seconds (30)
        """
        from vineyard.client import _milliseconds

        _native.wait_revision(self._handle, _position(position), _milliseconds(timeout, -1))

    def sync(self, timeout: float | None = None) -> Position:
        """Returns once the daemon knows everything that was changed anywhere before this call.

        :raises Timeout: not within ``timeout`` seconds (30)
        :raises Unavailable: the metadata service can not be asked
        """
        from vineyard.client import _milliseconds

        return Position(*_native.sync(self._handle, _milliseconds(timeout, -1)))

    def sync_meta(self) -> None:
        """The earlier name of :meth:`sync`."""
        self.sync()

    def watch(self, after: Any = None, timeout: float | None = None) -> Watch:
        """Changes of what is persisted in the cluster, as they happen.

        :param after: the position behind which they are wanted; None: from now on
        :param timeout: seconds without a change after which iterating ends (30)
        """
        from vineyard.client import _milliseconds

        return Watch(self._handle, after, _milliseconds(timeout, -1))


def _instance(item: tuple[Any, ...]) -> dict[str, Any]:
    number, lost, since_ms, memory_limit, epoch, uid, host, socket, endpoint = item
    return {
        "instance_id": number,
        "state": "lost" if lost else "alive",
        "since": since_ms / 1000 or None,
        "host": host,
        "socket": socket,
        "endpoint": endpoint,
        "memory_limit": memory_limit,
        "epoch": epoch,
        "uid": uid,
        "hostname": host,
        "nodename": host,
        "ipc_socket": socket,
        "rpc_endpoint": endpoint,
    }
