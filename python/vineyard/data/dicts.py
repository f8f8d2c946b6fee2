"""dict, in its order: ``vineyard::Dict``."""

from __future__ import annotations

from vineyard import _native
from vineyard.core.builders import Building, BuilderContext
from vineyard.core.resolvers import ResolverContext, Resolving
from vineyard.errors import Corrupt
from vineyard.ids import make_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vineyard.core.builders import Node

KEY = "__values_-key-"
VALUE = "__values_-value-"
COUNT = "__values_-size"


def build_dict(building: Building, value: dict[Any, Any]) -> Node:
    """``__values_-size``, ``__values_-key-0`` …, ``__values_-value-0`` …"""
    building.enter(value)
    keys, values = list(value.keys()), list(value.values())
    builder = _native.create("vineyard::Dict")
    builder.set(COUNT, len(keys))
    building.elements(builder, KEY, keys)
    building.elements(builder, VALUE, values)
    building.leave(value)
    return builder


def resolve_dict(resolving: Resolving, record: _native.Record) -> dict[Any, Any]:
    """dict."""
    count = record.field(COUNT)
    keys = resolving.elements(record, KEY, count)
    try:
        return dict(zip(keys, resolving.elements(record, VALUE, count)))
    except TypeError as error:
        raise Corrupt(f"vineyard::Dict {make_id(record.id)}: a key can not be one: {error}") from error


def register(builders: BuilderContext | None, resolvers: ResolverContext | None) -> None:
    """Registers the family."""
    if builders is not None:
        builders.register_builtin(dict, build_dict)
    if resolvers is not None:
        resolvers.register_builtin("vineyard::Dict", resolve_dict)
