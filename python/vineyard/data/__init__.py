"""The types that vineyard stores by itself, one module for each family.

Every family has builders (``build_…``) and resolvers (``resolve_…``). Ours are called by the put or
get that is under way, and add to its tree: ``build(building, value)``, ``resolve(resolving, record)``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from vineyard.core.builders import BuilderContext
    from vineyard.core.resolvers import ResolverContext


def register_builtin_types(
    builder_ctx: BuilderContext | None = None, resolver_ctx: ResolverContext | None = None
) -> None:
    """Registers all of them in the contexts given; in the default contexts they are registered already."""
    from vineyard.data import blobs, dicts, pickles, scalars, sequences, strings

    for family in (blobs, scalars, strings, sequences, dicts, pickles):
        family.register(builder_ctx, resolver_ctx)
    from vineyard.data import tensor

    tensor.register(builder_ctx, resolver_ctx)
