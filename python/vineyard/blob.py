"""Blob and BlobBuilder: a range of shared memory, sealed and being written."""

from __future__ import annotations

from vineyard import _native
from vineyard.errors import AlreadySealed, Closed, InvalidArgument, TypeMismatch, VineyardError
from vineyard.ids import ObjectID, make_id
from vineyard.objects import Object, register_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from vineyard.client import Client


class Blob(Object, _native.Buffer):
    """A sealed blob: a read-only buffer of unsigned bytes, in place.

    ``memoryview(blob)``, ``bytes(blob)``, ``numpy.frombuffer(blob)`` and slices see the value; ``size``
    is the size of what is stored, which for ``bytes`` is their pickle (28 for ``b"Hello, World!"``).
    The bytes stay as long as the blob is open or any view of it lives. Those of another instance's blob can
    not be read here: :class:`Remote`, :class:`Lost`; sizes can.
    """

    def __init__(self, client: Client, record: _native.Record) -> None:
        super().__init__(client, record)
        self._exporter = record if record.remote else record.view()

    @property
    def _view(self) -> _native.View:
        if self._record is None:
            raise Closed(f"blob {self._id}: it is closed, get it again")
        if self._record.remote:
            return self._record.view()  # raises
        view: _native.View = self._exporter
        return view

    @property
    def size(self) -> int:
        """Bytes of the stored form."""
        return self._open.nbytes

    @property
    def address(self) -> int:
        """Where the value begins in this process."""
        return self._view.address

    @property
    def buffer(self) -> memoryview:
        """The value, read-only."""
        return memoryview(self._view)

    def __len__(self) -> int:
        return int(self._open.field("value_length_")) if self._open.remote else len(self._view)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, (int, slice)):
            return self.buffer[key]
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[int]:
        return iter(self.buffer)

    def __bool__(self) -> bool:
        return True

    def close(self) -> None:
        """Lets go of it. Closing twice is allowed; views taken of it stay valid."""
        super().close()
        self._unbind()

    def __repr__(self) -> str:
        if self._record is None:
            return f"<vineyard.Blob {self._id}, closed>"
        return f"<vineyard.Blob {self._id}, size {self.size}, {len(self)} bytes of value>"


class BlobBuilder(_native.Buffer):
    """A blob being written: a writable buffer of bytes in shared memory.

    A context manager that seals on success and aborts on an exception:

    >>> with client.create_blob(5) as builder:
    ...     builder.copy(0, b"hello")
    >>> bytes(client.get_blob(builder.id))
    b'hello'

    Belongs to the process that made it. Writing through a view after the seal is a mistake that
    nobody catches.
    """

    def __init__(self, client: Client, writer: _native.Writer) -> None:
        self._client = client
        self._writer = writer
        self._id = make_id(writer.id)
        self._exporter = writer
        self._sealed = False

    @property
    def id(self) -> ObjectID:
        """The id that the blob will have; others can wait for it already."""
        return self._id

    @property
    def size(self) -> int:
        """Bytes of value."""
        return self._writer.size

    @property
    def buffer(self) -> memoryview:
        """The bytes, writable. Raises :class:`AlreadySealed`, :class:`InvalidArgument` once aborted."""
        self._check()
        return memoryview(self._writer).cast("B")

    @property
    def address(self) -> int:
        """Where the bytes begin in this process."""
        return _native.address(self.buffer)

    @property
    def sealed(self) -> bool:
        """Whether it was sealed."""
        return self._sealed

    def _check(self) -> None:
        if self._sealed:
            raise AlreadySealed(f"blob builder {self._id}: it is sealed, blobs do not change")
        if self._writer.aborted:
            raise InvalidArgument(f"blob builder {self._id}: it was aborted, create another")

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: Any) -> Any:
        return self.buffer[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.buffer[key] = value

    def copy(self, offset: int, data: Any) -> None:
        """Copies ``data`` (any buffer) to ``offset``, in bytes.

        Raises :class:`InvalidArgument` when it would reach beyond the end.
        """
        self._check()
        if isinstance(data, str):
            raise TypeMismatch(f"blob builder {self._id}: bytes were expected, not str; encode the text")
        view = memoryview(data)
        if not view.c_contiguous:
            view = memoryview(view.tobytes())
        if not 0 <= offset <= self.size - view.nbytes:
            raise InvalidArgument(
                f"blob builder {self._id}: {view.nbytes} bytes at offset {offset} do not fit into {self.size}; "
                "create a larger one"
            )
        self._writer.copy(offset, view)

    def shrink(self, size: int) -> None:
        """Keeps the first ``size`` bytes.

        :raises InvalidArgument: that is more than it has
        :raises InUse: views of it exist; release them first, as of a ``bytearray``
        """
        self._check()
        if not 0 <= size <= self.size:
            raise InvalidArgument(f"blob builder {self._id}: can not shrink {self.size} bytes to {size}")
        self._writer.shrink(size)

    def seal(self, client: Client | None = None) -> Blob:
        """Makes it immutable and visible; the blob. Raises :class:`AlreadySealed` the second time."""
        self._check()
        self._writer.seal()
        self._sealed = True
        self._unbind()
        blob = (client or self._client).get_object(self._id)
        assert isinstance(blob, Blob)
        return blob

    def abort(self, client: Client | None = None) -> None:
        """Gives the memory back. Aborting twice is allowed. Raises :class:`AlreadySealed`.

        Earlier code passes the client; a builder knows its own.
        """
        if self._sealed:
            self._check()
        self._writer.abort()

    def close(self) -> None:
        """Aborts what is not sealed. Closing twice is allowed, and never fails."""
        if not self._sealed:
            try:
                self._writer.abort()
            except VineyardError:
                pass  # a forked child, a closed client or no daemon: the session's end takes it back

    def __enter__(self) -> BlobBuilder:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        if kind is not None:
            self.close()
        elif not self._sealed and not self._writer.aborted:
            self._writer.seal()
            self._sealed = True
            self._unbind()

    def __repr__(self) -> str:
        state = "sealed" if self._sealed else "aborted" if self._writer.aborted else "open"
        return f"<vineyard.BlobBuilder {self._id}, {self.size} bytes, {state}>"

    def __reduce__(self) -> str:
        raise TypeMismatch(f"blob builder {self._id}: it can not be pickled; seal it and send its id")


register_type("vineyard::Blob", Blob)
