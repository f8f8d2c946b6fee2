"""tuple and list: ``vineyard::Pair``, ``vineyard::Tuple``, ``vineyard::List``, which are Sequences."""

from __future__ import annotations

from vineyard import _native
from vineyard.core.builders import Building, BuilderContext
from vineyard.core.resolvers import ResolverContext, Resolving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vineyard.core.builders import Node

PREFIX = "__elements_-"
COUNT = "__elements_-size"


def build_list(building: Building, value: list[Any]) -> Node:
    """``__elements_-size`` and ``__elements_-0`` …"""
    return _build(building, "vineyard::List", value)


def build_tuple(building: Building, value: tuple[Any, ...]) -> Node:
    """The same; a tuple of two is a Pair with ``first_`` and ``second_``."""
    if len(value) != 2:
        return _build(building, "vineyard::Tuple", value)
    building.enter(value)
    builder = _native.create("vineyard::Pair")
    for name, element in zip(("first_", "second_"), value):
        building.leaf_or_element(builder, name, element)
    building.leave(value)
    return builder


def _build(building: Building, typename: str, value: Any) -> Node:
    building.enter(value)
    # A list may be changed by builders of its elements: what is stored is what it was here.
    values = list(value)
    builder = _native.create(typename)
    builder.set(COUNT, len(values))
    building.elements(builder, PREFIX, values)
    building.leave(value)
    return builder


def resolve_list(resolving: Resolving, record: _native.Record) -> list[Any]:
    """list."""
    return resolving.elements(record, PREFIX, record.field(COUNT))


def resolve_tuple(resolving: Resolving, record: _native.Record) -> tuple[Any, ...]:
    """tuple; also of metadata built by hand as ``vineyard::Sequence``."""
    return tuple(resolving.elements(record, PREFIX, record.field(COUNT)))


def resolve_pair(resolving: Resolving, record: _native.Record) -> tuple[Any, Any]:
    """tuple of two."""
    return resolving.element(record, "first_"), resolving.element(record, "second_")


def register(builders: BuilderContext | None, resolvers: ResolverContext | None) -> None:
    """Registers the family."""
    if builders is not None:
        builders.register_builtin(list, build_list)
        builders.register_builtin(tuple, build_tuple)
    if resolvers is not None:
        resolvers.register_builtin("vineyard::List", resolve_list)
        resolvers.register_builtin("vineyard::Tuple", resolve_tuple)
        resolvers.register_builtin("vineyard::Sequence", resolve_tuple)
        resolvers.register_builtin("vineyard::Pair", resolve_pair)
