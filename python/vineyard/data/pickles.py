"""Everything else: ``vineyard::PickleBuffer``, a pickle of protocol 5.

Buffers that the value offers out of band (arrays in one piece, ``pickle.PickleBuffer``) are blobs of
their own, ``__buffers_-0`` …, and are not copied on get: what is made of them is read-only then.
"""

from __future__ import annotations

import os

from vineyard import _native
from vineyard.core.builders import Building, BuilderContext
from vineyard.core.resolvers import ResolverContext, Resolving
from vineyard.errors import Corrupt, LimitExceeded, PickleNotAllowed, TypeMismatch, VineyardError
from vineyard.ids import make_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vineyard.core.builders import Node

PREFIX = "__buffers_-"
COUNT = "__buffers_-size"


def build_pickle(building: Building, value: Any) -> Node:
    """``buffer_``, and the buffers that lie out of band."""
    import pickle

    buffers: list[memoryview] = []

    def out_of_band(buffer: pickle.PickleBuffer) -> bool:
        try:
            buffers.append(buffer.raw())
        except BufferError:  # not in one piece: inside the pickle
            return True
        return False

    kind = type(value).__name__
    try:
        data = pickle.dumps(value, protocol=5, buffer_callback=out_of_band)
    except RecursionError as error:
        raise LimitExceeded(f"put: a {kind} nested too deep to be pickled; flatten it") from error
    except (MemoryError, VineyardError):
        raise
    except Exception as error:
        advice = "register a builder for its type"
        raise TypeMismatch(f"put: a {kind} can not be pickled ({error}); {advice}") from error
    builder = _native.create("vineyard::PickleBuffer")
    builder.set("nbytes", len(data))
    builder.set(COUNT, len(buffers))
    builder.add("buffer_", _native.blob(data, _native.VINEYARD_BLOB_BUFFER))
    for i, buffer in enumerate(buffers):
        builder.add(f"{PREFIX}{i}", _native.blob(buffer, _native.VINEYARD_BLOB_BUFFER))
    return builder


def resolve_pickle(resolving: Resolving, record: _native.Record) -> Any:
    """What the pickle says, unless the client was told not to read any, or another user wrote it."""
    allowed = resolving.client.allow_pickle
    if allowed is None and record.owner_uid != os.geteuid():
        raise PickleNotAllowed(
            f"object {make_id(record.id)} is a pickle of uid {record.owner_uid}, another user; read it with get_object, "
            "or connect with allow_pickle=True if you trust that user with your account"
        )
    if allowed is False:
        raise PickleNotAllowed(
            f"object {make_id(record.id)} is a pickle and this client was opened with allow_pickle=False; "
            "read it with get_object, or connect with allow_pickle=True if you trust who wrote it"
        )
    import pickle

    data = record.member("buffer_").view()
    count = record.fields().get(COUNT, 0)
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= len(record.members()):
        raise Corrupt(f"object {make_id(record.id)}: a pickle with {count!r} buffers")
    buffers: list[Any] = [record.member(f"{PREFIX}{i}").view() for i in range(count)]
    if resolving.copy:
        buffers = [_native.copy_out(buffer, _native.VINEYARD_BLOB_BYTEARRAY) for buffer in buffers]
    try:
        return pickle.loads(memoryview(data), buffers=buffers)
    except (pickle.UnpicklingError, EOFError) as error:
        raise Corrupt(f"object {make_id(record.id)}: its pickle can not be read: {error}") from error


def register(builders: BuilderContext | None, resolvers: ResolverContext | None) -> None:
    """Registers the family."""
    if resolvers is not None:
        resolvers.register_builtin("vineyard::PickleBuffer", resolve_pickle)
