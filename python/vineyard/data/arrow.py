"""Arrow's arrays and tables: ``vineyard.data.arrow`` as earlier code imports it.

A type of their own, with columns that other languages read, is not offered yet. Until then they are
stored like every value that has none: as a pickle, whose large buffers lie beside it and are read in place.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from vineyard.core.builders import BuilderContext
    from vineyard.core.resolvers import ResolverContext


def register_arrow_types(
    builder_ctx: BuilderContext | None = None, resolver_ctx: ResolverContext | None = None
) -> None:
    """Earlier code calls this; there is nothing to register yet."""
