"""ObjectMeta: everything about an object that is not payload, as a value of its own."""

from __future__ import annotations

from vineyard.errors import InvalidArgument, ObjectNotFound, TypeMismatch
from vineyard.ids import ObjectID, make_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Union

    from vineyard import _native
    from vineyard.client import Client
    from vineyard.objects import Object

    Member = Union[ObjectID, Object, "ObjectMeta"]

_PLAIN = (str, int, float, bytes, list, tuple, dict)
_OWN = ("typename", "id", "nbytes", "instance_id")


def choice(names: list[str]) -> str:
    """The end of a text about a missing name: which there are, if these are not too many to read."""
    return f"; there are {', '.join(names)}" if 0 < len(names) <= 16 else f"; it has {len(names)}"


class ObjectMeta:
    """Type name, typed fields and named members of an object.

    One that was read (``client.get_meta``) is a snapshot and keeps nothing alive. One that is built by
    hand is stored by ``client.create_metadata`` or given back by a builder:

    >>> meta = ObjectMeta()
    >>> meta["typename"] = "my::Point"
    >>> meta["x"] = 1.5
    >>> meta.add_member("name", ObjectID("o8000000000000000"))
    >>> meta.typename, meta["x"], "name" in meta
    ('my::Point', 1.5, True)

    Field values are None, bool, int, float, str, bytes, and lists and dicts of these. A missing name
    raises :class:`ObjectNotFound`, a ``KeyError``. ``meta["id"]``, ``meta["nbytes"]`` and
    ``meta["instance_id"]`` are the properties, unless a field or member has that name; ``keys``,
    ``items`` and ``len`` are of fields and members only.
    """

    def __init__(self) -> None:
        self._typename = ""
        self._fields: dict[str, Any] = {}
        self._members: dict[str, Member] = {}
        self._client: Client | None = None
        self._id = make_id(0)
        self._nbytes = 0
        self._instance: int | None = None
        self._persisted = False
        self._remote = False
        self._global: bool | None = False  # None: not looked for yet
        self._lost = False
        self._stale_since: float | None = None

    @classmethod
    def _of_record(cls, client: Client, record: _native.Record) -> ObjectMeta:
        meta = cls()
        meta._client = client
        meta._id = make_id(record.id)
        meta._typename = record.typename
        meta._fields = record.fields()
        meta._members = {name: make_id(id) for name, id in record.members()}
        meta._nbytes = record.nbytes
        meta._instance = record.instance
        meta._persisted = record.persisted
        meta._remote = record.remote
        meta._global = None if record.remote else record.is_global()
        meta._lost = record.lost
        meta._stale_since = record.stale_since_ms / 1000 or None
        return meta

    # ---- what it is

    @property
    def id(self) -> ObjectID:
        """Its id; the number 0 while it is not stored."""
        return self._id

    @property
    def typename(self) -> str:
        """The type name, for example ``vineyard::Array``."""
        return self._typename

    @property
    def nbytes(self) -> int:
        """Payload bytes of the whole tree."""
        return self._nbytes

    @property
    def instance_id(self) -> int | None:
        """Number of the instance that owns it; None while it is not stored."""
        return self._instance

    @property
    def islocal(self) -> bool:
        """Whether the instance that the client is connected to had it when it was read."""
        return not self._remote

    @property
    def isglobal(self) -> bool:
        """Whether it or what is below it lives on several instances. Of another instance's: asks the daemon."""
        if self._global is None and self._client is not None:
            self._global = self._client.get_object(self._id).isglobal
        return bool(self._global)

    @property
    def ispersist(self) -> bool:
        """Whether it was persisted when it was read."""
        return self._persisted

    @property
    def islost(self) -> bool:
        """Whether the instance that owns it was gone when it was read, and with it the payload."""
        return self._lost

    @property
    def stale_since(self) -> float | None:
        """Unix time from which on what is known of it may be old, as the daemon hears of no changes; else None."""
        return self._stale_since

    @property
    def labels(self) -> dict[str, str]:
        """Its labels now: asks the daemon. Empty while it is not stored."""
        return {} if self._client is None else self._client.labels(self._id)

    @property
    def fields(self) -> dict[str, Any]:
        """A copy of the fields."""
        return dict(self._fields)

    @property
    def members(self) -> dict[str, Member]:
        """A copy of the members: ids, or what was added by hand."""
        return dict(self._members)

    def set_global(self, value: bool = True) -> None:
        """Accepted and ignored: whether an object is global follows from where its members live."""

    # ---- as a mapping

    def __getitem__(self, name: str) -> Any:
        if name == "typename":
            return self._typename
        if name in self._fields:
            return self._fields[name]
        member = self._members.get(name)
        if member is None and name in _OWN:
            return getattr(self, name)
        if member is None:
            raise ObjectNotFound(f"{self._label()}: no field or member {name!r}{choice(self.keys())}")
        if isinstance(member, ObjectMeta):
            return member
        if not isinstance(member, ObjectID):
            return member.meta
        return member if self._client is None else self._client.get_meta(member)

    def get_member(self, name: str) -> Any:
        """The same as ``meta[name]`` for a member."""
        return self[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if self._client is not None:
            raise InvalidArgument(f"{self._label()}: it is stored, objects do not change; build another")
        if not isinstance(name, str):
            raise TypeMismatch(f"metadata: a name is a str, not {type(name).__name__}")
        if name == "typename":
            if not isinstance(value, str):
                raise TypeMismatch(f"metadata: a type name is a str, not {type(value).__name__}")
            self._typename = value
        elif isinstance(value, ObjectID) or hasattr(value, "typename"):
            self.add_member(name, value)
        else:
            if not isinstance(value, _PLAIN) and value is not None and hasattr(value, "item"):
                value = value.item()  # a scalar of numpy
            if not isinstance(value, _PLAIN) and value is not None:
                kind = type(value).__name__
                raise TypeMismatch(
                    f"metadata field {name!r}: None, bool, int, float, str, bytes, list or dict was expected, "
                    f"not {kind}; put the value and add it as a member"
                )
            if name in self._members:
                raise InvalidArgument(f"metadata: {name!r} is a member already")
            self._fields[name] = value

    def add_member(self, name: str, member: Member) -> None:
        """Adds a member, after those that are there.

        ``member`` is the id of an object, an ``Object`` or an ``ObjectMeta``; one that is not stored
        yet is stored together with this one. Raises :class:`InvalidArgument` for a name that is taken.
        """
        if self._client is not None:
            raise InvalidArgument(f"{self._label()}: it is stored, objects do not change; build another")
        if not isinstance(member, ObjectID) and not hasattr(member, "typename"):
            kind = type(member).__name__
            raise TypeMismatch(f"member {name!r}: an id, Object or ObjectMeta was expected, not {kind}")
        if name in self._fields or name in self._members:
            raise InvalidArgument(f"metadata: {name!r} is taken already")
        self._members[name] = member

    def get(self, name: str, default: Any = None) -> Any:
        """Field or member, or ``default``."""
        return self[name] if name in self else default

    def keys(self) -> list[str]:
        """Names of fields, then of members."""
        return [*self._fields, *self._members]

    def items(self) -> list[tuple[str, Any]]:
        """Pairs of name and field or member."""
        return [(name, self[name]) for name in self.keys()]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._fields) + len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in _OWN or name in self._fields or name in self._members

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectMeta):
            return NotImplemented
        if self._id or other._id:
            return self._id == other._id
        mine = (self._typename, self._fields, self._members)
        return mine == (other._typename, other._fields, other._members)

    def __hash__(self) -> int:
        return hash(self._id) if self._id else id(self)

    def __bool__(self) -> bool:
        return True

    def _label(self) -> str:
        return f"metadata of {self._typename or 'no type'}" + (f" {self._id}" if self._id else "")

    def __repr__(self) -> str:
        what = f"{self._id!r}" if self._id else "not stored"
        parts = [f"{name}={value!r}" for name, value in self._fields.items()]
        parts += [f"{name}: {getattr(member, 'id', member)!r}" for name, member in self._members.items()]
        text = ", ".join(parts[:16]) + (", ..." if len(parts) > 16 else "")
        return f"<ObjectMeta {self._typename or 'no type'} {what} nbytes={self._nbytes}: {text}>"
