"""Contexts of builders, resolvers and drivers: how values become objects and objects values."""

from __future__ import annotations

from vineyard.core.builders import (
    BuilderContext,
    builder_context,
    default_builder_context,
    get_current_builders,
)
from vineyard.core.drivers import DriverContext, default_driver_context, driver_context, get_current_drivers
from vineyard.core.resolvers import (
    ResolverContext,
    default_resolver_context,
    get_current_resolvers,
    resolver_context,
)


class context:
    """New contexts of builders, resolvers and drivers at once.

    >>> with context() as (builders, resolvers, drivers):
    ...     resolvers.register("vineyard::Blob", lambda obj: len(obj))
    ...     client.get(client.put(b"12345"))
    5
    """

    def __enter__(self) -> tuple[BuilderContext, ResolverContext, DriverContext]:
        self._entered = builder_context(), resolver_context(), driver_context()
        for each in self._entered:
            each.__enter__()
        return self._entered

    def __exit__(self, *exception: object) -> None:
        for each in reversed(self._entered):
            each.__exit__(*exception)


__all__ = [
    "BuilderContext",
    "DriverContext",
    "ResolverContext",
    "builder_context",
    "context",
    "default_builder_context",
    "default_driver_context",
    "default_resolver_context",
    "driver_context",
    "get_current_builders",
    "get_current_drivers",
    "get_current_resolvers",
    "resolver_context",
]
