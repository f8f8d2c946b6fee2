"""None, bool, int, float, complex and numpy's scalars: ``vineyard::Scalar``. See core/leaves.py."""

from __future__ import annotations

from vineyard import _native
from vineyard.core.builders import Building, BuilderContext
from vineyard.core.leaves import TYPES, scalar_fields, scalar_value
from vineyard.core.resolvers import ResolverContext, Resolving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vineyard.core.builders import Node


def build_scalar(building: Building, value: Any) -> Node:
    """An object of its own: only what is put by itself."""
    builder = _native.create("vineyard::Scalar")
    for name, field in (scalar_fields(value) or {}).items():
        builder.set(name, field)
    return builder


def resolve_scalar(resolving: Resolving, record: _native.Record) -> Any:
    """Python's or numpy's scalar."""
    return scalar_value(record.fields())


def register(builders: BuilderContext | None, resolvers: ResolverContext | None) -> None:
    """Registers the family."""
    if builders is not None:
        for kind in TYPES:
            builders.register_builtin(kind, build_scalar)
    if resolvers is not None:
        resolvers.register_builtin("vineyard::Scalar", resolve_scalar)
