"""Client: a session with the daemon of this host. Put, get, blobs; the rest is in catalog.py."""

from __future__ import annotations

from vineyard import _native
from vineyard.blob import Blob, BlobBuilder
from vineyard.catalog import Catalog, as_id
from vineyard.cluster import Cluster
from vineyard.core.builders import BuilderContext, Building, get_current_builders
from vineyard.core.registry import check_keywords
from vineyard.core.resolvers import ResolverContext, Resolving, get_current_resolvers
from vineyard.data import tensor
from vineyard.errors import (
    Closed,
    InvalidArgument,
    LimitExceeded,
    ObjectNotFound,
    Remote,
    TypeMismatch,
    Unsupported,
    VineyardError,
)
from vineyard.ids import ObjectID, make_id
from vineyard.objects import Object, object_of
from vineyard.share import share_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable

    from vineyard.catalog import Id
    from vineyard.share import Share

_MISSING: Any = object()
_REMOTE = ("none", "error", "fetch")
_Record = _native.Record

EMPTY_BLOB = make_id(1 << 63)


def _put_fast(handle: Any, value: Any, kind: type) -> int | None:
    """The id, where one native call does it; None: the slow way."""
    if kind is bytes:
        return _native.put_blob(handle, value, 2)
    if kind is bytearray:
        return _native.put_blob(handle, value, 3)
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return tensor.put_array(handle, value)
    return None


class Client(Catalog, Cluster):
    """A session with the daemon at a socket. Made by :func:`vineyard.connect`.

    May be used by many threads at once, and by a child after a fork (it opens a session of its own). A
    context manager; closing ends this session only, and values that were got stay valid. Other threads run
    while one waits or copies a payload, not while it makes a ``str`` of UTF-8.

    Pickles as the socket and its options, and connects again where it is unpickled.
    """

    def __init__(
        self,
        socket: str | None,
        *,
        timeout: float | None = None,
        name: str | None = None,
        allow_pickle: bool | None = None,
        remote: str = "none",
        share: Share = None,
        daemon_uid: int | None = None,
    ) -> None:
        self._handle: Any = None
        if remote not in _REMOTE:
            raise InvalidArgument(f"remote={remote!r}: one of {', '.join(_REMOTE)} was expected")
        if timeout == 0 and not isinstance(timeout, bool):
            raise InvalidArgument("timeout=0: a connect waits for the daemon; give more seconds, or None for 30")
        if daemon_uid is not None and (isinstance(daemon_uid, bool) or not isinstance(daemon_uid, int)):
            raise TypeMismatch(f"daemon_uid: the number of a user was expected, not {type(daemon_uid).__name__}")
        if daemon_uid is not None and not 0 <= daemon_uid < 1 << 32:
            raise InvalidArgument(f"daemon_uid={daemon_uid}: no user has this number")
        self._options = {
            "timeout": timeout,
            "name": name,
            "allow_pickle": allow_pickle,
            "remote": remote,
            "share": share,
            "daemon_uid": daemon_uid,
        }
        self.allow_pickle = None if allow_pickle is None else bool(allow_pickle)
        self._remote = remote
        options = (_milliseconds(timeout, 0), name, *share_of(share), daemon_uid or 0)
        self._handle = _native.vineyard_client_connect(socket, options)
        self._socket = _native.vineyard_client_socket(self._handle)

    # ---- put

    def put(
        self,
        value: Any,
        builder: BuilderContext | Callable[..., Any] | None = None,
        persist: bool = False,
        name: str | None = None,
        *,
        replace: bool = False,
        share: Share = None,
        **keywords: Any,
    ) -> ObjectID:
        """Stores a value; its id.

        :param builder: the builders to use instead of the current context's, or one for this value
        :param persist: publish it to the cluster as well
        :param name: give it a name in the same step; with ``replace``, also one that is taken
        :param share: who may read it: ``"uid"`` (this user), ``"gid"`` or ``("gid", number)`` (a group, too), ``"all"``
            (who may connect); None: as the client was told, else as the daemon was
        :param keywords: for builders that declare them; one that none declares is a ``TypeError``
        :raises OutOfMemory: the store is full; nothing was stored
        :raises AlreadyExists: the name is taken
        :raises TypeMismatch: a value that can not be pickled either
        :raises LimitExceeded: larger than the store, or more than 64 MiB of metadata
        """
        if keywords:
            check_keywords(Client.put, keywords, builder, get_current_builders())
        if builder is None and name is None and not persist and share is None:
            context = get_current_builders()
            if context.plain:
                try:
                    number = _put_fast(self._handle, value, type(value))
                except ObjectNotFound:
                    number = None  # the blob that an array came from was deleted: copied below
                if number is not None:
                    return make_id(number)
        elif builder is None or isinstance(builder, BuilderContext):
            context = builder or get_current_builders()
        elif callable(builder):
            context = BuilderContext({type(value): builder}, get_current_builders())
        else:
            kind = type(builder).__name__
            raise TypeMismatch(f"put: builder is a function or a BuilderContext, not {kind}")
        if name is not None and not isinstance(name, str):
            raise TypeMismatch(f"put: a name is a str, not {type(name).__name__}")
        # What is for others than the memory that an array lies in is a copy.
        building = Building(self, context, keywords, share=share is None)
        whose = share_of(share)
        try:
            return self._put_tree(building, value, name, replace, persist, whose)
        except ObjectNotFound:
            if not building.shared:
                raise
        # A blob that an array came from was deleted meanwhile: copy.
        building = Building(self, context, keywords, share=False)
        return self._put_tree(building, value, name, replace, persist, whose)

    def _put_tree(
        self, building: Building, value: Any, name: str | None, replace: bool, persist: bool, whose: tuple[int, int]
    ) -> ObjectID:
        node = building.root(value)
        if isinstance(node, _native.Builder):
            return make_id(node.put(self._handle, name, replace, persist, *whose))
        # A link, or a builder that has stored by itself.
        number = make_id(node)
        if persist:
            self.persist(number)
        if name is not None:
            self.put_name(number, name, replace=replace)
        elif not self.exists(number):
            raise ObjectNotFound(f"object {number}: no such object")
        return number

    # ---- get

    def get(
        self,
        object_id: Id | None = None,
        name: str | None = None,
        resolver: ResolverContext | Callable[..., Any] | None = None,
        fetch: bool = False,
        *,
        copy: bool = False,
        default: Any = _MISSING,
        remote: str | None = None,
        verify: bool = False,
        **keywords: Any,
    ) -> Any:
        """The value of an object, by id or by name.

        Arrays are read-only and in place; they keep their memory as long as they or any view lives.

        :param resolver: the resolvers to use instead of the current context's, or one for this object
        :param copy: writable copies of arrays and buffers
        :param default: instead of :class:`ObjectNotFound`
        :param remote: instead of the client's own policy about payloads on other instances: ``none`` (the
            value of what has such a payload is None), ``error`` or ``fetch``; ``fetch=True`` is the last
        :param verify: compares every byte on this instance with its checksum first; what has none is an error
        :param keywords: for resolvers that declare them; one that none declares is a ``TypeError``
        :raises ObjectNotFound: no such object or name
        :raises Remote: a payload lies on another instance, and the policy is ``error``
        :raises Lost: a payload lies on an instance that is gone, whatever the policy
        :raises PickleNotAllowed: it, or something in it, is a pickle, and the client was opened with
            ``allow_pickle=False``; or of another user, and the client was not opened with ``allow_pickle=True``
        :raises Corrupt: with ``verify``: a byte is not what was put
        :raises Unsupported: with ``verify``: a payload was put without a checksum (the daemon's ``--checksum``);
            :meth:`verify` says how many bytes that are, and is no error then
        """
        if keywords:
            chosen = resolver.context if isinstance(resolver, Resolving) else resolver
            check_keywords(Client.get, keywords, chosen, get_current_resolvers())
        try:
            if name is not None:
                if object_id is not None:
                    raise InvalidArgument("get: give an id or a name, not both")
                object_id = self.get_name(name)
            elif object_id is None:
                raise TypeMismatch("get: an object id, not None, or name= is needed")
            if fetch and remote is None:
                remote = "fetch"
            if verify and (unchecked := self.verify(object_id)):
                raise Unsupported(
                    f"object {as_id(object_id)}: {unchecked} bytes of it were put without a checksum "
                    f"(blob {self._unchecked_blob(object_id)}) and can not be verified; start the daemon with "
                    "--checksum all and put it anew, or get it without verify=True"
                )
            if resolver is None and not copy and remote is None:
                context = get_current_resolvers()
                if context.plain:
                    if type(object_id) is not ObjectID:
                        object_id = as_id(object_id)
                    try:
                        value = _native.load(self._handle, object_id)
                    except Remote:
                        value = _native.open(self._handle, object_id)
                    if type(value) is not _Record:
                        return value
                    return Resolving(self, context, False, keywords, self._remote).record(value)
            return self._get_slow(object_id, resolver, copy, self._remote if remote is None else remote, keywords)
        except ObjectNotFound:
            if default is _MISSING:
                raise
            return default

    def _get_slow(
        self,
        object_id: Any,
        resolver: ResolverContext | Callable[..., Any] | None,
        copy: bool,
        remote: str,
        keywords: dict[str, Any],
    ) -> Any:
        if remote not in _REMOTE:
            raise InvalidArgument(f"remote={remote!r}: one of {', '.join(_REMOTE)} was expected")
        if isinstance(object_id, Object) and object_id._client is self and not object_id.closed:
            record = object_id._open
        else:
            record = _native.open(self._handle, as_id(object_id))
        if resolver is None or isinstance(resolver, (ResolverContext, Resolving)):
            context = get_current_resolvers() if resolver is None else resolver
            context = context.context if isinstance(context, Resolving) else context
        elif callable(resolver):
            context = ResolverContext({record.typename: resolver}, get_current_resolvers())
        else:
            kind = type(resolver).__name__
            raise TypeMismatch(f"get: resolver is a function or a ResolverContext, not {kind}")
        return Resolving(self, context, copy, keywords, remote).record(record)

    def _unchecked_blob(self, object_id: Id) -> ObjectID:
        """The first payload of an object, or below it, that was put without a checksum."""
        waiting = [as_id(object_id)]
        seen = set(waiting)
        for number in waiting:
            if number.is_blob and self.verify(number):
                break
            if number.is_blob:
                continue
            below = {make_id(member) for _, member in _native.open(self._handle, number).members()} - seen
            waiting += below
            seen |= below
        return number

    def _value_of(self, record: _native.Record) -> Any:
        return Resolving(self, get_current_resolvers(), False, {}, self._remote).record(record)

    def get_object(self, object_id: Id, *, fetch: bool = False) -> Object:
        """A typed view of an object: metadata, members, and for blobs the bytes, in place.

        Of what another instance has persisted: all but the bytes.
        """
        return object_of(self, _native.open(self._handle, as_id(object_id)))

    def get_objects(self, object_ids: Iterable[Id]) -> list[Object]:
        """The same for several."""
        return [self.get_object(each) for each in object_ids]

    # ---- blobs

    def create_blob(self, size: int | Iterable[int], *, share: Share = None) -> Any:
        """A :class:`BlobBuilder` of ``size`` bytes, or a list of them for a list of sizes.

        :param share: who may read it, as of :meth:`put`; of a member, as of the object that it is put in
        :raises OutOfMemory: the store is full
        :raises InvalidArgument: a negative size
        """
        if not isinstance(size, (int, str)) and hasattr(size, "__iter__"):
            return [self.create_blob(each, share=share) for each in size]
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeMismatch(f"create_blob: a number of bytes was expected, not {type(size).__name__}")
        size = size.__index__()
        if size < 0:
            raise InvalidArgument(f"create_blob: {size} bytes; a size is not negative")
        if size >= 1 << 63:
            raise LimitExceeded(f"create_blob: {size} bytes; no store is that large")
        return BlobBuilder(self, _native.create_writer(self._handle, size, 1, *share_of(share)))

    def get_blob(self, object_id: Id) -> Blob:
        """A blob, in place. Raises :class:`TypeMismatch` when the id is not a blob's."""
        number = as_id(object_id)
        if not number.is_blob:
            raise TypeMismatch(f"get_blob: {number} is the id of an object, not of a blob; use get_object")
        return Blob(self, _native.open(self._handle, number))

    def get_blobs(self, object_ids: Iterable[Id]) -> list[Blob]:
        """The same for several."""
        return [self.get_blob(each) for each in object_ids]

    def create_empty_blob(self) -> Blob:
        """The blob of no bytes that always exists."""
        return self.get_blob(EMPTY_BLOB)

    def create_remote_blob(self, blob: Any) -> Any:
        """Not offered yet: needs the remote data plane."""
        raise Unsupported("create_remote_blob: payloads of other instances can not be written yet")

    def get_remote_blob(self, object_id: Id, unsafe: bool = False) -> Blob:
        """A blob of this instance; payloads of other instances can not be fetched yet: :class:`Remote`.

        ``unsafe``, which earlier code passes, is ignored: a blob that is not sealed is never got.
        """
        blob = self.get_blob(object_id)
        blob.buffer.release()
        return blob

    def get_remote_blobs(self, object_ids: Iterable[Id], unsafe: bool = False) -> list[Blob]:
        """The same for several."""
        return [self.get_remote_blob(each, unsafe) for each in object_ids]

    # ---- memory

    def find_shared_memory(self, value: Any) -> ObjectID | None:
        """The blob that an address (an int) or a buffer lies in, if this process reads it; else None."""
        from vineyard.memory import address_of

        address, size = (value, 1) if isinstance(value, int) else address_of(value)
        view = _native.find_view(address, size)
        return None if view is None else make_id(view.id)

    def is_shared_memory(self, value: Any) -> bool:
        """Whether an address or a buffer lies in a blob that this process reads."""
        return self.find_shared_memory(value) is not None

    def release_object(self, obj: Object) -> None:
        """Lets go of an object that was got; views of it stay valid."""
        if not isinstance(obj, Object):
            raise TypeMismatch(f"release_object: an Object was expected, not {type(obj).__name__}")
        obj.close()

    def release_objects(self, objects: Iterable[Object]) -> None:
        """The same for several."""
        for each in objects:
            self.release_object(each)

    # ---- life

    def fork(self) -> Client:
        """Another session with the same daemon and the same options."""
        return Client(self._socket, **self._options)  # type: ignore[arg-type]

    def close(self) -> None:
        """Ends the session. Closing twice is allowed; values that were got stay valid."""
        handle, self._handle = self._handle, None
        if handle is not None:
            _native.vineyard_client_close(handle)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._handle is None

    @property
    def connected(self) -> bool:
        """Whether it is open and the last exchange with the daemon worked."""
        handle = self._handle
        return handle is not None and bool(_native.vineyard_client_is_connected(handle))

    @property
    def ipc_socket(self) -> str:
        """The path connected to."""
        return self._socket

    @property
    def rpc_endpoint(self) -> str:
        """Empty: this client uses the socket of this host."""
        return ""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Views may hold the handle for long: the session ends with the client.
        try:
            self.close()
        except (VineyardError, AttributeError, TypeError):
            pass  # the daemon is gone, or the interpreter is going

    def __reduce__(self) -> tuple[Any, ...]:
        if self._handle is None:
            raise Closed("client: it is closed and can not be pickled")
        return _reopen, (self._socket, self._options)

    def __repr__(self) -> str:
        if self._handle is None:
            return f"<vineyard.Client {self._socket}, closed>"
        try:
            instance = f"instance {self.instance_id}"
        except VineyardError:
            instance = "daemon away"
        return f"<vineyard.Client {self._socket}, {instance}, {'connected' if self.connected else 'cut off'}>"


def _reopen(socket: str, options: dict[str, Any]) -> Client:
    return Client(socket, **options)


def _milliseconds(seconds: float | None, none: int) -> int:
    """A time-out of the public interface, in seconds, as the C interface takes it."""
    if seconds is None:
        return none
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeMismatch(f"timeout: a number of seconds was expected, not {type(seconds).__name__}")
    if not 0 <= seconds < 1 << 40:
        raise InvalidArgument(f"timeout={seconds}: a number of seconds, not negative, was expected")
    return max(1, int(seconds * 1000)) if seconds else 0
