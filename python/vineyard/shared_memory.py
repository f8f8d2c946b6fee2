"""SharedMemory and ShareableList as in ``multiprocessing.shared_memory``, with ``freeze()``.

The names are ids of blobs. What was created is written by one process; ``freeze()`` seals it, and from
then on others attach by name and read. Nothing is left behind by a process that dies before.
"""

from __future__ import annotations

from vineyard.client import Client
from vineyard.errors import InvalidArgument, TypeMismatch
from vineyard.ids import ObjectID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from vineyard.blob import Blob, BlobBuilder


class SharedMemory:
    """A block of shared memory: created writable, or attached read-only by ``name``.

    >>> block = SharedMemory(create=True, size=5, client=client)
    >>> block.buf[:] = b"hello"
    >>> bytes(SharedMemory(block.freeze().name, client=client).buf)
    b'hello'

    :param name: of a frozen block, to attach to
    :param create: make one of ``size`` bytes
    :param client: the client to use; None: ``vineyard.connect()``. Earlier code gives it first.
    """

    def __init__(self, *arguments: Any, client: Client | None = None, **keywords: Any) -> None:
        client, values = _arguments(client, arguments, keywords, {"name": None, "create": False, "size": 0})
        name, create, size = values["name"], values["create"], values["size"]
        self._client = client
        self._builder: BlobBuilder | None = None
        self._blob: Blob | None = None
        if create:
            if name is not None:
                raise InvalidArgument(f"SharedMemory: the name {name!r} is chosen by vineyard, leave it out")
            if not isinstance(size, int) or size <= 0:
                raise InvalidArgument(f"SharedMemory: size={size!r}; a number of bytes above 0 was expected")
            self._builder = client.create_blob(size)
            self._id = self._builder.id
        elif name is None:
            raise InvalidArgument("SharedMemory: name= of a frozen block, or create=True, was expected")
        else:
            self._blob = client.get_blob(ObjectID(name))
            self._id = self._blob.id

    @property
    def name(self) -> str:
        """The id as text; others attach by it once the block is frozen."""
        return str(self._id)

    @property
    def buf(self) -> memoryview:
        """The bytes: writable until ``freeze()``, read-only from then on."""
        if self._blob is not None:
            return self._blob.buffer
        assert self._builder is not None
        return self._builder.buffer

    @property
    def size(self) -> int:
        """Bytes."""
        if self._blob is not None:
            return len(self._blob)
        assert self._builder is not None
        return self._builder.size

    @property
    def frozen(self) -> bool:
        """Whether it is sealed."""
        return self._blob is not None

    def freeze(self) -> SharedMemory:
        """Seals it: from now on others can attach, and nobody writes. May be called twice; itself."""
        if self._blob is None:
            assert self._builder is not None
            self._blob = self._builder.seal()
        return self

    def close(self) -> None:
        """Lets go of the bytes; what is not frozen is lost. May be called twice. Views stay valid."""
        if self._blob is not None:
            self._blob.close()
        elif self._builder is not None:
            self._builder.close()

    def unlink(self) -> None:
        """Deletes the block; who reads it goes on reading."""
        if self._blob is not None:
            self._client.delete(self._id)
        else:
            self.close()

    def __enter__(self) -> SharedMemory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._blob is None:
            raise InvalidArgument(f"SharedMemory {self.name}: freeze it before it is sent to others")
        return _attach, (SharedMemory, self.name, self._client)

    def __repr__(self) -> str:
        return f"SharedMemory({self.name!r}, size={self.size}{', frozen' if self.frozen else ''})"


class ShareableList:
    """A list of None, bool, int, float, str and bytes, of fixed length, in one block.

    Until ``freeze()`` elements can be replaced by ones that take no more room (8 bytes a number, text
    and bytes up to the next multiple of 8).

    >>> shared = ShareableList([b"a", "bb", 1234, 56.78, True], client=client)
    >>> shared[1] = "cc"
    >>> shared.freeze()
    >>> list(ShareableList(name=shared.shm.name, client=client))
    [b'a', 'cc', 1234, 56.78, True]
    """

    def __init__(self, *arguments: Any, client: Client | None = None, **keywords: Any) -> None:
        client, values = _arguments(client, arguments, keywords, {"sequence": None, "name": None})
        if values["sequence"] is None:
            if values["name"] is None:
                raise InvalidArgument("ShareableList: a sequence, or name= of a frozen one, was expected")
            self.shm = SharedMemory(client, name=values["name"])
            self._count = int.from_bytes(self.shm.buf[:8], "little")
            return
        packed = [_pack(item) for item in values["sequence"]]
        self._count = len(packed)
        # count; for each element: where it begins, room, size and kind; then the elements.
        at = 8 + 32 * self._count
        self.shm = SharedMemory(client, create=True, size=at + sum(_room(data) for _, data in packed))
        self.shm.buf[:8] = self._count.to_bytes(8, "little")
        for i, (kind, data) in enumerate(packed):
            self._write(i, at, _room(data), kind, data)
            at += _room(data)

    def _entry(self, position: int) -> tuple[int, int, int, int]:
        if not isinstance(position, int):
            raise TypeMismatch(f"ShareableList: an index is an int, not {type(position).__name__}")
        if not -self._count <= position < self._count:
            raise IndexError(f"ShareableList: element {position} of {self._count}")
        begin = 8 + 32 * (position % self._count)
        words = self.shm.buf[begin : begin + 32].cast("Q")
        return words[0], words[1], words[2], words[3]

    def _write(self, position: int, at: int, room: int, kind: int, data: bytes) -> None:
        buf = self.shm.buf
        begin = 8 + 32 * position
        buf[begin : begin + 32].cast("Q")[:] = memoryview(_words(at, room, len(data), kind)).cast("Q")
        buf[at : at + len(data)] = data

    def __getitem__(self, position: int) -> Any:
        at, _, size, kind = self._entry(position)
        return _unpack(kind, bytes(self.shm.buf[at : at + size]))

    def __setitem__(self, position: int, value: Any) -> None:
        at, room, _, _ = self._entry(position)
        if self.shm.frozen:
            raise InvalidArgument("ShareableList: it is frozen, make another")
        kind, data = _pack(value)
        if len(data) > room:
            raise InvalidArgument(f"ShareableList: {len(data)} bytes do not fit where element {position} has {room}")
        self._write(position % self._count, at, room, kind, data)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(self._count))

    def count(self, value: Any) -> int:
        """How many elements are equal to ``value``."""
        return sum(each == value for each in self)

    def index(self, value: Any) -> int:
        """Position of the first element equal to ``value``. Raises ``ValueError``."""
        for i, each in enumerate(self):
            if each == value:
                return i
        raise InvalidArgument(f"ShareableList: {value!r} is not in it")

    def freeze(self) -> None:
        """Seals it; see :meth:`SharedMemory.freeze`."""
        self.shm.freeze()

    def __reduce__(self) -> tuple[Any, ...]:
        self.shm.__reduce__()
        return _attach, (ShareableList, self.shm.name, self.shm._client)

    def __repr__(self) -> str:
        return f"ShareableList({list(self)!r}, name={self.shm.name!r})"


def _attach(kind: Any, name: str, client: Client) -> Any:
    return kind(client, name=name)


def _arguments(
    client: Client | None, given: tuple[Any, ...], named: dict[str, Any], defaults: dict[str, Any]
) -> tuple[Client, dict[str, Any]]:
    """Positional arguments as in the standard library, or, as earlier code has it, the client first."""
    client = named.pop("vineyard_client", client)
    if given and isinstance(given[0], Client):
        client, given = given[0], given[1:]
    unknown = set(named) - set(defaults)
    if unknown or len(given) > len(defaults):
        raise TypeMismatch(f"unexpected arguments: {', '.join(sorted(unknown)) or given!r}")
    if client is None:
        from vineyard.connection import default_client

        client = default_client()
    return client, {**defaults, **dict(zip(defaults, given)), **named}


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in numbers)


def _room(data: bytes) -> int:
    return max(8, (len(data) + 7) // 8 * 8)


def _pack(value: Any) -> tuple[int, bytes]:
    import struct

    kind = type(value)
    if value is None:
        return 0, b""
    if kind is bool:
        return 1, bytes([value])
    if kind is int and -(1 << 63) <= value < 1 << 63:
        return 2, value.to_bytes(8, "little", signed=True)
    if kind is float:
        return 3, struct.pack("<d", value)
    if kind is str:
        return 4, value.encode()
    if kind is bytes:
        return 5, value
    what = "an int beyond 64 bits" if kind is int else f"a {kind.__name__}"
    raise TypeMismatch(f"ShareableList: None, bool, int, float, str or bytes was expected, not {what}")


def _unpack(kind: int, data: bytes) -> Any:
    import struct

    if kind == 0:
        return None
    if kind == 1:
        return data != b"\0"
    if kind == 2:
        return int.from_bytes(data, "little", signed=True)
    if kind == 3:
        return struct.unpack("<d", data)[0]
    return data.decode() if kind == 4 else data
