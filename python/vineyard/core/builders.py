"""Builders: from a Python value to an object. One put builds a whole tree, then sends it at once."""

from __future__ import annotations

import contextvars

from vineyard import _native
from vineyard.core.leaves import is_leaf, scalar_fields
from vineyard.core.registry import Registry, accepted, load_plugins
from vineyard.errors import LimitExceeded, TypeMismatch
from vineyard.ids import ObjectID
from vineyard.meta import ObjectMeta
from vineyard.objects import Object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence, Union

    from vineyard.client import Client
    from vineyard.core.registry import Entry

    Node = Union[_native.Builder, int]  # an object to be stored by this put, or one that exists

# Containers deeper than this are pickled whole. The C interface takes 64 levels.
MAX_DEPTH = 60
MAX_ELEMENTS = 4 << 20  # of one container: as many as an object may have members


class BuilderContext(Registry[type]):
    """Builders by type. A builder is ``fn(client, value, **kw)``; it returns an id, ``Object`` or
    ``ObjectMeta``. Ours are for exact types; one that was registered for a type is for its subclasses
    too, unless they have one."""

    _current: contextvars.ContextVar[BuilderContext] = contextvars.ContextVar("vineyard builders")

    def _checked_key(self, key: Any) -> type:
        if not isinstance(key, type):
            raise TypeMismatch(f"register a builder: a type was expected, not {key!r}")
        return key

    def _find(self, kind: type) -> Entry | None:
        mine = self._entries.get(kind)
        if mine is not None:
            return mine
        if self._outer is not None:
            for base in kind.__mro__[1:]:
                entry = self._entries.get(base)
                if entry is not None and not entry.builtin:
                    return entry
            return self._outer.find(kind)
        if _import_late(kind) and kind in self._entries:
            return self._entries[kind]
        for base in kind.__mro__[1:]:
            entry = self._entries.get(base)
            if entry is not None and not entry.builtin:
                return entry
        return self.find(kind) if load_plugins() else None

    def run(self, client: Client, value: Any, **keywords: Any) -> ObjectID:
        """Puts ``value`` with the builders of this context."""
        return client.put(value, builder=self, **keywords)

    __call__ = run


def _import_late(kind: type) -> bool:
    """Builders of packages that are imported only when a value of theirs comes along."""
    if kind.__module__.partition(".")[0] != "numpy":
        return False
    from vineyard.data import tensor

    tensor.load()
    return True


default_builder_context = BuilderContext()


def builder_context(
    builders: dict[type, Callable[..., Any]] | None = None, base: BuilderContext | None = None
) -> BuilderContext:
    """A context around which ``base`` (or else the current one) lies, to be entered by ``with``.

    >>> with builder_context() as context:
    ...     context.register(complex, lambda client, value: client.put([value.real, value.imag]))
    ...     client.get(client.put(1 + 2j))
    [1.0, 2.0]
    """
    return BuilderContext(builders, base if base is not None else get_current_builders())


def get_current_builders() -> BuilderContext:
    """The builders that a put would use here."""
    return BuilderContext._current.get(default_builder_context)


class Unbuildable(Exception):
    """A value that contains itself or is too deep: it is pickled whole."""


class Building:
    """One put. Not thread-safe; lives as long as the put.

    A value met twice is one member: ``memo`` is by identity, and holds the values so that no identity
    is used again meanwhile.
    """

    def __init__(self, client: Client, context: BuilderContext, keywords: dict[str, Any], share: bool) -> None:
        self.client = client
        self.handle = client._handle
        self.context = context
        self.keywords = keywords
        self.share = share  # link to blobs that arrays came from
        self.shared = False  # it was done: such a blob may be deleted by now
        self.memo: dict[int, tuple[Any, Node]] = {}
        self.depth = 0
        self.open: set[int] = set()  # containers that are being built

    def root(self, value: Any) -> Node:
        """The whole tree below ``value``."""
        try:
            return self.node(value)
        except Unbuildable:
            from vineyard.data.pickles import build_pickle

            return build_pickle(self, value)

    def node(self, value: Any) -> Node:
        """The object of a value: built now, or known already."""
        known = self.memo.get(id(value))
        if known is not None:
            return known[1]
        entry = self.context.find(type(value))
        if entry is None:
            made = self._fallback(value)
        elif entry.builtin:
            made = entry.function(self, value)
        else:
            keywords = accepted(entry.function, {**self.keywords, "builder": self.context})
            made = self._of_result(value, entry.function(self.client, value, **keywords))
        self.memo[id(value)] = value, made
        return made

    def _fallback(self, value: Any) -> Node:
        if isinstance(value, Object):
            return value.id
        from vineyard.data.pickles import build_pickle

        return build_pickle(self, value)

    def _of_result(self, value: Any, result: Any) -> Node:
        if isinstance(result, ObjectMeta):
            return self.meta(result)
        if isinstance(result, ObjectID):
            return result
        if isinstance(result, Object):
            return result.id
        kind, got = type(value).__name__, type(result).__name__
        raise TypeMismatch(f"builder of {kind}: it returned {got}; return an id, Object or ObjectMeta")

    def meta(self, meta: ObjectMeta) -> Node:
        """Metadata that was built by hand, stored by this put; or the id, when it is stored."""
        if meta.id:
            return meta.id
        if not meta.typename:
            raise TypeMismatch('metadata: it has no type name; set meta["typename"]')
        known = self.memo.get(id(meta))
        if known is not None:
            return known[1]
        self.enter(meta)
        builder = _native.create(meta.typename)
        for name, value in meta._fields.items():
            builder.set(name, value)
        for name, member in meta._members.items():
            self.add(builder, name, self.meta(member) if isinstance(member, ObjectMeta) else member)
        self.leave(meta)
        self.memo[id(meta)] = meta, builder
        return builder

    def add(self, builder: _native.Builder, name: str, node: Any) -> None:
        """Adds a member."""
        if isinstance(node, _native.Builder):
            builder.add(name, node)
        else:
            builder.add_id(name, int(node.id if isinstance(node, Object) else node))

    def element(self, builder: _native.Builder, name: str, value: Any) -> None:
        """An element, key or value of a container: a field when it is a small leaf, else a member."""
        if self.context.plain or self._is_ours(value):
            fields = scalar_fields(value)
            if fields is not None:
                builder.set(name, fields)
                return
        self.add(builder, name, self.node(value))

    def leaf_or_element(self, builder: _native.Builder, name: str, value: Any) -> None:
        """The same for an element of which nobody knows yet that it is no bare leaf."""
        if is_leaf(value) and (self.context.plain or self._is_ours(value)):
            builder.set(name, value)
        else:
            self.element(builder, name, value)

    def _is_ours(self, value: Any) -> bool:
        entry = self.context.find(type(value))
        return entry is not None and entry.builtin

    def elements(self, builder: _native.Builder, prefix: str, values: Sequence[Any]) -> None:
        """All elements of a container, named ``prefix`` and a number."""
        if len(values) > MAX_ELEMENTS:  # before anything is built
            raise LimitExceeded(
                f"put: a container of {len(values)} elements; at most {MAX_ELEMENTS} are allowed, use an array"
            )
        if self.context.plain:
            rest = builder.leaves(prefix, values)
        else:
            rest = []
            for i, value in enumerate(values):
                self.leaf_or_element(builder, f"{prefix}{i}", value)
        for i in rest:
            self.element(builder, f"{prefix}{i}", values[i])

    def enter(self, container: Any) -> None:
        """Before the elements of a container are built."""
        self.depth += 1
        if self.depth > MAX_DEPTH or id(container) in self.open:
            raise Unbuildable
        self.open.add(id(container))

    def leave(self, container: Any) -> None:
        """After its elements."""
        self.depth -= 1
        self.open.discard(id(container))
