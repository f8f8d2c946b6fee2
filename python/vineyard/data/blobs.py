"""bytes, bytearray, memoryview and links to objects: what is a blob, or an object already."""

from __future__ import annotations

from vineyard import _native
from vineyard.core.builders import Building, BuilderContext
from vineyard.core.resolvers import ResolverContext, Resolving
from vineyard.ids import ObjectID
from vineyard.meta import ObjectMeta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vineyard.core.builders import Node

KINDS: dict[type, int] = {
    bytes: _native.VINEYARD_BLOB_BYTES,
    bytearray: _native.VINEYARD_BLOB_BYTEARRAY,
    memoryview: _native.VINEYARD_BLOB_BUFFER,
}


def contiguous(value: Any) -> Any:
    """The bytes of a value, in one piece; a memoryview with gaps is copied."""
    if type(value) is memoryview and not value.c_contiguous:
        return value.tobytes()
    return value


def build_blob(building: Building, value: Any) -> Node:
    """bytes, bytearray and memoryview (its bytes; form and format are not kept)."""
    if building.share and type(value) is memoryview and isinstance(value.obj, _native.View):
        view = value.obj
        if value.nbytes == len(view) and view.kind == KINDS[memoryview] and view.is_of(building.handle):
            building.shared = True
            return view.id
    return _native.blob(contiguous(value), KINDS[type(value)])


def build_id(building: Building, value: ObjectID) -> Node:
    """A link."""
    return value


def build_meta(building: Building, value: ObjectMeta) -> Node:
    """A link, or metadata that is stored by this put."""
    return building.meta(value)


def resolve_blob(resolving: Resolving, record: _native.Record) -> Any:
    """bytes and bytearray as copies, buffers in place (or, for ``copy=True``, writable)."""
    view = record.view()
    if view.kind == _native.VINEYARD_BLOB_BUFFER:
        return memoryview(_native.copy_out(view, view.kind)) if resolving.copy else memoryview(view)
    return _native.copy_out(view, view.kind)


def register(builders: BuilderContext | None, resolvers: ResolverContext | None) -> None:
    """Registers the family."""
    if builders is not None:
        for kind in KINDS:
            builders.register_builtin(kind, build_blob)
        builders.register_builtin(ObjectID, build_id)
        builders.register_builtin(ObjectMeta, build_meta)
    if resolvers is not None:
        resolvers.register_builtin("vineyard::Blob", resolve_blob)
