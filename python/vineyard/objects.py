"""Object and its typed views: metadata and members of a sealed object, its tree held in memory."""

from __future__ import annotations

from vineyard.errors import Closed, ObjectNotFound
from vineyard.ids import ObjectID, make_id
from vineyard.meta import ObjectMeta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vineyard import _native
    from vineyard.client import Client


class Object:
    """A sealed object. Its bytes stay while it is open, whoever deletes it.

    ``obj["name"]`` is a field's value or a member, an ``Object``. A context manager; ``close()`` may be
    called twice, and views that were taken of it stay valid.
    """

    def __init__(self, client: Client, record: _native.Record) -> None:
        self._client = client
        self._record: _native.Record | None = record
        self._id = make_id(record.id)
        self._typename = record.typename

    @property
    def _open(self) -> _native.Record:
        if self._record is None:
            raise Closed(f"object {self._id}: it is closed, get it again")
        return self._record

    @property
    def id(self) -> ObjectID:
        """Its id."""
        return self._id

    @property
    def typename(self) -> str:
        """The type name, for example ``vineyard::Array``."""
        return self._typename

    @property
    def nbytes(self) -> int:
        """Payload bytes of the whole tree."""
        return self._open.nbytes

    @property
    def meta(self) -> ObjectMeta:
        """Its metadata, a snapshot."""
        return ObjectMeta._of_record(self._client, self._open)

    @property
    def instance_id(self) -> int:
        """Number of the instance that owns it."""
        return self._open.instance

    @property
    def islocal(self) -> bool:
        """Whether the instance that the client is connected to has it: only then there is a payload."""
        return not self._open.remote

    @property
    def isglobal(self) -> bool:
        """Whether it or what is below it lives on several instances."""
        return self._open.is_global()

    @property
    def owner_uid(self) -> int:
        """The user who put it, and who alone can delete, name and label it."""
        return self._open.owner_uid

    @property
    def ispersist(self) -> bool:
        """Whether it was persisted when it was got."""
        return self._open.persisted

    @property
    def islost(self) -> bool:
        """Whether the instance that owns it was gone when it was got, and with it the payload."""
        return self._open.lost

    @property
    def stale_since(self) -> float | None:
        """Unix time from which on what is known of it may be old, as the daemon hears of no changes; else None."""
        return self._open.stale_since_ms / 1000 or None

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._record is None

    def member(self, name: str) -> Object:
        """A member. Raises :class:`ObjectNotFound`."""
        return object_of(self._client, self._open.member(name))

    def field(self, name: str) -> Any:
        """The value of a field. Raises :class:`ObjectNotFound`."""
        return self._open.field(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Field or member, or ``default``."""
        try:
            return self[name]
        except ObjectNotFound:
            return default

    def __getitem__(self, name: Any) -> Any:
        record = self._open
        try:
            return record.field(name)
        except ObjectNotFound:
            pass
        try:
            return object_of(self._client, record.member(name))
        except ObjectNotFound:
            if any(name == member for member, _ in record.members()):
                raise  # the member is deleted, or its instance forgotten
            advice = "keys() of its meta says which there are"
            if self._typename in ("vineyard::Dict", "vineyard::PickleBuffer"):
                advice = f"this is its stored form, client.get gives the value: client.get(id)[{name!r}]"
            raise ObjectNotFound(f"object {self._id}: no field or member {name!r}; {advice}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._open.fields() or any(name == member for member, _ in self._open.members())

    # Mappings have neither order nor length here; iterating is a mistake that Python would turn into
    # obj[0], obj[1], ...
    __iter__: Any = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        from vineyard.core.drivers import find_driver

        method = find_driver(self._typename, name)
        if method is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return method.__get__(self)

    def close(self) -> None:
        """Lets go of it. Closing twice is allowed; views taken of it stay valid."""
        self._record = None

    def __enter__(self) -> Object:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __eq__(self, other: object) -> bool:
        return self._id == other._id if isinstance(other, Object) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._id)

    def __str__(self) -> str:
        return f'Object <"{self._id}": {self._typename}>'

    def __repr__(self) -> str:
        if self._record is None:
            return f"<vineyard.{type(self).__name__} {self._id} {self._typename}, closed>"
        return f"<vineyard.{type(self).__name__} {self._id} {self._typename}, {self._record.nbytes} bytes>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (int(self._id), *self._client.__reduce__()[1])


def _reopen(number: int, socket: str, options: dict[str, Any]) -> Object:
    from vineyard.connection import shared_client

    return shared_client(socket, options).get_object(make_id(number))


class Scalar(Object):
    """``vineyard::Scalar`` and ``vineyard::String``: one value."""

    @property
    def value(self) -> Any:
        """Python's value."""
        return self._client._value_of(self._open)


class Sequence(Object):
    """``vineyard::Sequence`` and what is one: Tuple, Pair, List."""

    def __len__(self) -> int:
        return int(self._open.field("__elements_-size"))

    def size(self) -> int:
        """Number of elements."""
        return len(self)

    def __getitem__(self, name: str | int) -> Any:
        if isinstance(name, int):
            count = len(self)
            if not -count <= name < count:
                raise IndexError(f"object {self._id}: element {name} of {count}")
            name = f"__elements_-{name % count}"
        return super().__getitem__(name)


class Pair(Sequence):
    """``vineyard::Pair``: members (or, of small leaves, values) ``first`` and ``second``."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, name: str | int) -> Any:
        if isinstance(name, int) and -2 <= name < 2:
            name = "second_" if name % 2 else "first_"
        return super().__getitem__(name)

    @property
    def first(self) -> Any:
        """The first of the two."""
        return self["first_"]

    @property
    def second(self) -> Any:
        """The second of the two."""
        return self["second_"]


class Dict(Object):
    """``vineyard::Dict``."""

    def __len__(self) -> int:
        return int(self._open.field("__values_-size"))

    def size(self) -> int:
        """Number of pairs."""
        return len(self)


class Tensor(Object):
    """``vineyard::Tensor`` and ``vineyard::Array``: an array in shared memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions, in elements."""
        return tuple(self._open.field("shape_"))

    @property
    def order(self) -> str:
        """``C``: the last index varies fastest; ``F``: the first."""
        return str(self._open.field("order_"))

    @property
    def value_type(self) -> str:
        """Name of the element type, for example ``float64``."""
        return str(self._open.field("value_type_"))

    def size(self) -> int:
        """Number of elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    def numpy(self) -> Any:
        """A read-only ``numpy.ndarray`` of the bytes themselves."""
        return self._open.array()


_TYPES: dict[str, type[Object]] = {
    "vineyard::Scalar": Scalar,
    "vineyard::String": Scalar,
    "vineyard::Sequence": Sequence,
    "vineyard::Tuple": Sequence,
    "vineyard::List": Sequence,
    "vineyard::Pair": Pair,
    "vineyard::Dict": Dict,
    "vineyard::Tensor": Tensor,
    "vineyard::Array": Tensor,
}


def object_of(client: Client, record: _native.Record) -> Object:
    """The typed view of a record; a plain Object for type names that are not known."""
    return _TYPES.get(record.typename.partition("<")[0], Object)(client, record)


def register_type(typename: str, kind: type[Object]) -> None:
    """Makes ``client.get_object`` give a ``kind`` for objects of a type name."""
    _TYPES[typename] = kind
