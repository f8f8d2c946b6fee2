"""str: ``vineyard::String``. Text with lone surrogates has no UTF-8 form and is pickled."""

from __future__ import annotations

from vineyard import _native
from vineyard.core.builders import Building, BuilderContext
from vineyard.core.leaves import MAX_TEXT
from vineyard.core.resolvers import ResolverContext, Resolving
from vineyard.errors import ObjectNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vineyard.core.builders import Node


def build_string(building: Building, value: str) -> Node:
    """Field ``value_`` up to 16 KiB, else member ``buffer_``."""
    try:
        data = value.encode()
    except UnicodeEncodeError:
        from vineyard.data.pickles import build_pickle

        return build_pickle(building, value)
    builder = _native.create("vineyard::String")
    if len(data) <= MAX_TEXT:
        builder.set("value_", value)
    else:
        builder.add("buffer_", _native.blob(data, _native.VINEYARD_BLOB_BUFFER))
    return builder


def resolve_string(resolving: Resolving, record: _native.Record) -> Any:
    """str."""
    try:
        return record.field("value_")
    except ObjectNotFound:
        return str(record.member("buffer_").view(), "utf-8")


def register(builders: BuilderContext | None, resolvers: ResolverContext | None) -> None:
    """Registers the family."""
    if builders is not None:
        builders.register_builtin(str, build_string)
    if resolvers is not None:
        resolvers.register_builtin("vineyard::String", resolve_string)
