"""Catalog: what a client does with objects as a whole: metadata, lists, names, labels, deleting."""

from __future__ import annotations

from vineyard import _native
from vineyard.core.builders import MAX_DEPTH, Building, Unbuildable, get_current_builders
from vineyard.errors import InvalidArgument, ObjectNotFound, TypeMismatch, Unsupported
from vineyard.ids import ObjectID, make_id
from vineyard.meta import ObjectMeta
from vineyard.names import Names
from vineyard.objects import Object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator, Sequence, Union

    from vineyard.status import Status

    Id = Union[ObjectID, int, str, Object, ObjectMeta]

_PAGE = 1000


def as_id(value: Any) -> ObjectID:
    """The id that an id, its text or number, an Object or an ObjectMeta stands for."""
    if type(value) is ObjectID:
        return value
    if isinstance(value, (Object, ObjectMeta)):
        if not value.id:
            raise InvalidArgument("metadata: it is not stored, it has no id yet; create_metadata stores it")
        return value.id
    if value is None:
        raise TypeMismatch("object id: an ObjectID was expected, not None")
    try:
        return ObjectID(value)
    except InvalidArgument as error:
        if not isinstance(value, str):
            raise
        advice = f"if that is a name: client.get(name={value!r}), client.get_name({value!r})"
        raise InvalidArgument(f"{error}; {advice}") from None


def _ids(value: Any) -> list[ObjectID]:
    single = (int, str, bytes, bytearray, memoryview, Object, ObjectMeta)
    if isinstance(value, single) or not hasattr(value, "__iter__"):
        return [as_id(value)]
    return [as_id(each) for each in value]


class Catalog(Names):
    """Base of :class:`vineyard.Client`."""

    # ---- metadata

    def get_meta(self, object_id: Id, sync_remote: bool = True, *, latest: bool | None = None) -> ObjectMeta:
        """The metadata of an object, a snapshot that keeps nothing alive.

        Objects do not change, so what is known is never old; ``sync_remote``, which earlier code passes, is
        ignored.

        :param latest: wait first until the daemon knows every change up to now
        :raises ObjectNotFound: no such object
        """
        if latest:
            self._client.sync()
        return ObjectMeta._of_record(self._client, _native.open(self._handle, as_id(object_id)))

    def get_metas(
        self, object_ids: Iterable[Id], sync_remote: bool = True, *, latest: bool | None = None
    ) -> list[ObjectMeta]:
        """The same for several."""
        return [self.get_meta(each, sync_remote, latest=latest) for each in object_ids]

    def create_metadata(self, metadata: Any, instance_id: int | None = None) -> Any:
        """Stores metadata that was built by hand, and what is below it; the ``ObjectMeta`` as stored.

        A list gives a list. Raises :class:`TypeMismatch` without a type name, :class:`ObjectNotFound`
        for a member that does not exist.
        """
        if not isinstance(metadata, ObjectMeta):
            return [self.create_metadata(each, instance_id) for each in metadata]
        if instance_id is not None and instance_id != self.instance_id:
            raise Unsupported(f"create_metadata: objects of instance {instance_id} are made by its clients")
        return self.get_meta(self._store(metadata))

    def _store(self, metadata: ObjectMeta) -> ObjectID:
        try:
            node = Building(self._client, get_current_builders(), {}, share=False).meta(metadata)
        except Unbuildable:
            raise InvalidArgument(
                f"metadata of a {metadata.typename}: it contains itself, or is nested more than {MAX_DEPTH} deep"
            ) from None
        if isinstance(node, _native.Builder):
            return make_id(node.put(self._handle, None, False, False, 0, 0))
        return make_id(node)

    def shallow_copy(self, object_id: Id, extra_metadata: dict[str, Any] | None = None) -> ObjectID:
        """Another object of the same type, fields and members; ``extra_metadata`` adds or replaces fields."""
        old = _native.open(self._handle, as_id(object_id))
        meta = ObjectMeta()
        meta["typename"] = old.typename
        for name, value in {**old.fields(), **(extra_metadata or {})}.items():
            meta[name] = value
        for name, member in old.members():
            if name not in meta.fields:
                meta.add_member(name, make_id(member))
        return self._store(meta)

    def label(self, object_id: Id, key: Any, value: str | None = None) -> ObjectID:
        """Sets a label of an object; a dict sets several, None (or no text, "") takes one away.

        Labels may change.
        """
        number = as_id(object_id)
        for each, text in key.items() if isinstance(key, dict) else [(key, value)]:
            _native.vineyard_label_set(self._handle, number, each, text)
        return number

    def labels(self, object_id: Id) -> dict[str, str]:
        """The labels of an object."""
        return _native.labels(self._handle, as_id(object_id))

    # ---- lists

    def objects(
        self, pattern: str = "*", regex: bool = False, *, label: Any = None, instance: int | None = None
    ) -> Iterator[ObjectID]:
        """Ids of the objects whose type name, or one of its bases, matches; by type name and id: those of
        this instance, and those that others have persisted.

        :param pattern: of a shell (``*``, ``?``, ``[a-z]``), or a regular expression
        :param label: only objects that have this label, ``"key"``; or with this value, ``("key", "value")``
        :param instance: only objects of this instance
        """
        for each in self._type_patterns(pattern, regex):
            handle = self._list(each, _PAGE, label, instance)
            while True:
                page = _native.next_ids(handle, _PAGE)
                yield from map(make_id, page)
                if len(page) < _PAGE:
                    break

    def _list(self, pattern: str, page: int, label: Any, instance: int | None) -> Any:
        key, value = label if isinstance(label, tuple) and len(label) == 2 else (label, None)
        if (label is not None and not isinstance(key, str)) or (value is not None and not isinstance(value, str)):
            raise TypeMismatch(f"list: label={label!r}; a key, or a pair of key and value, was expected")
        if instance is not None and (isinstance(instance, bool) or not isinstance(instance, int)):
            raise TypeMismatch(f"list: an instance is a number, not {type(instance).__name__}")
        if instance is not None and not 0 < instance < 1 << 23:
            raise InvalidArgument(f"list: instance={instance}; no instance has this number")
        if key == "":
            raise InvalidArgument("list: the label is empty; leave it out for all objects")
        return _native.vineyard_list_open_with(self._handle, pattern, (page, instance or 0, key, value))

    def _type_patterns(self, pattern: str, regex: bool) -> list[str]:
        if not isinstance(pattern, str):
            raise TypeMismatch(f"list: a pattern is a str, not {type(pattern).__name__}")
        if not regex:
            return [pattern]
        expression = compile_pattern(pattern)
        from vineyard.core.resolvers import BASES

        found = []
        for name in sorted(_native.types(self._handle)):
            base: str | None = name
            while base is not None and not expression.search(base):
                base = BASES.get(base)
            if base is not None:
                # Exactly this type: one that is a base of another would list that one, too.
                found.append(name)
        quoted = ("".join(f"[{c}]" if c in "*?[" else "\\\\" if c == "\\" else c for c in n) for n in found)
        inner = [each for each, name in zip(quoted, found) if not _has_base(name, found)]
        return inner

    def list_objects(
        self,
        pattern: str = "*",
        regex: bool = False,
        limit: int | None = 5,
        *,
        label: Any = None,
        instance: int | None = None,
    ) -> list[Object]:
        """At most ``limit`` (None: all) objects; parameters as of :meth:`objects`."""
        found = []
        for number in self._limited(pattern, regex, limit, label, instance):
            try:
                found.append(self._client.get_object(number))
            except ObjectNotFound:
                continue  # deleted meanwhile
        return found

    def list_metadatas(
        self,
        pattern: str = "*",
        regex: bool = False,
        limit: int | None = 5,
        nobuffer: bool = False,
        *,
        label: Any = None,
        instance: int | None = None,
    ) -> list[ObjectMeta]:
        """The same as metadata."""
        found = []
        for number in self._limited(pattern, regex, limit, label, instance):
            try:
                found.append(self.get_meta(number))
            except ObjectNotFound:
                continue
        return found

    def _limited(
        self, pattern: str, regex: bool, limit: int | None, label: Any, instance: int | None
    ) -> Iterable[ObjectID]:
        check_limit(limit)
        if limit is None:
            return self.objects(pattern, regex, label=label, instance=instance)
        limit = min(limit, (1 << 63) - 1)  # more there can not be
        found: list[ObjectID] = []
        for each in self._type_patterns(pattern, regex):
            if len(found) >= limit:
                break
            handle = self._list(each, min(limit, _PAGE), label, instance)
            found += map(make_id, _native.next_ids(handle, limit - len(found)))
        return found

    # ---- existence

    def exists(self, object_id: Id) -> bool:
        """Whether there is such an object."""
        return _native.vineyard_object_exists(self._handle, as_id(object_id))

    def wait(self, object_id: Id, timeout: float | None = None) -> None:
        """Returns once the object is sealed, or another instance has persisted it. Raises :class:`Timeout` after ``timeout`` seconds (30)."""
        from vineyard.client import _milliseconds

        _native.vineyard_object_wait(self._handle, as_id(object_id), _milliseconds(timeout, -1))

    def delete(self, object_id: Any, force: bool = False, deep: bool = True) -> None:
        """Deletes an object (id, ``Object``, ``ObjectMeta``) or a list of them: all, or none on an error.

        Waits for no reader and takes no reader's bytes away.

        :param force: also what others link to: it goes when they are gone
        :param deep: members that nobody else holds go too
        :raises ObjectNotFound: one of them does not exist
        :raises InUse: another object links to it
        """
        _native.vineyard_object_delete(self._handle, _ids(object_id), (bool(force), not deep))

    def persist(self, object_id: Any) -> None:
        """Publishes an object (id, ``Object``, ``ObjectMeta``), or a list of them, and all that is local below
        to the cluster. Idempotent."""
        _native.vineyard_object_persist(self._handle, _ids(object_id))

    def verify(self, object_id: Id) -> int:
        """Compares an object, and all below it that lies in this instance's memory, with the checksums that were
        made when it was put. Reads every byte that has one.

        :return: bytes of payload that have no checksum (``vineyardd --checksum`` says which have)
        :raises Corrupt: something is damaged; the text names it
        """
        return _native.vineyard_object_verify(self._handle, as_id(object_id))

    def evict(self, object_id: Id) -> None:
        """Moves the payloads of an object and of all below it from memory to files now, but for those that another
        object in memory links to; a get brings them back.

        :raises InUse: somebody has pinned it, or an object in memory links to it; the text says who
        :raises Unsupported: the daemon spills nothing (``vineyardd --evict spill``)
        """
        _native.vineyard_object_evict(self._handle, as_id(object_id))

    def load(self, object_id: Id) -> None:
        """Brings what lies in a file back into memory, with all below it, as a get would.

        :raises OutOfMemory: there is no room, and nothing that could go
        """
        _native.vineyard_object_load(self._handle, as_id(object_id))

    def pin(self, object_id: Id) -> None:
        """Keeps an object and all below it in memory, loading it first: it is neither evicted nor spilled, and who
        deletes it does not take its bytes away. Until :meth:`unpin`, the end of the client or of its process.

        Counted: as many unpins as pins. A value from :meth:`Client.get` that refers to shared memory does the same
        for as long as it lives. A child after ``fork()`` has pinned nothing.
        """
        _native.vineyard_object_pin(self._handle, as_id(object_id))

    def unpin(self, object_id: Id) -> None:
        """Takes one :meth:`pin` back.

        :raises ObjectNotFound: this client has not pinned it, or not as often
        """
        _native.vineyard_object_unpin(self._handle, as_id(object_id))

    def clear(self) -> int:
        """Deletes every object that this user owns on this instance, also what it shares; how many there were.

        Nothing of another user's.
        """
        return _native.vineyard_client_clear(self._handle)

    def allocated_size(self, object_id: Id) -> int:
        """Payload bytes of an object and all below it."""
        return _native.open(self._handle, as_id(object_id)).nbytes

    def migrate(self, object_id: Id) -> ObjectID:
        """The id itself for an object of this instance; others can not be fetched yet."""
        obj = _native.open(self._handle, as_id(object_id))
        if obj.remote:
            raise Unsupported(f"migrate: object {as_id(object_id)} lives on instance {obj.instance}")
        return as_id(object_id)

    def memory_trim(self) -> int:
        """Gives memory that is wholly free back to the host; how many bytes.

        Of what this user owns, or, for the daemon's user, of all.
        """
        return _native.vineyard_client_trim(self._handle)

    # ---- the daemon

    @property
    def instance_id(self) -> int:
        """Number of the daemon's instance."""
        return _native.vineyard_client_instance(self._handle)

    @property
    def status(self) -> Status:
        """What the daemon reports of itself now."""
        from vineyard.status import Status

        return Status(_native.info(self._handle), _native.statistics(self._handle))

    @property
    def version(self) -> str:
        """Version of the library."""
        return _native.vineyard_version()

    @property
    def copied_payload_bytes(self) -> int:
        """Payload bytes that this client copied, in and out."""
        return _native.statistics(self._handle)[1]


def _has_base(name: str, names: Sequence[str]) -> bool:
    from vineyard.core.resolvers import BASES

    base = BASES.get(name)
    while base is not None:
        if base in names:
            return True
        base = BASES.get(base)
    return False


def compile_pattern(pattern: str) -> Any:
    """A regular expression. Raises :class:`InvalidArgument`."""
    import re

    try:
        return re.compile(pattern)
    except re.error as error:
        raise InvalidArgument(f"pattern {pattern!r} is no regular expression: {error}") from error


def check_limit(limit: Any) -> None:
    """Raises :class:`InvalidArgument` for what can not limit a list; None does not limit it."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise InvalidArgument(f"list: limit={limit!r}; a number that is not negative, or None, was expected")
