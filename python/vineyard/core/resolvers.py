"""Resolvers: from an object to a Python value. One get resolves a whole tree, held by one pin."""

from __future__ import annotations

import contextvars

from vineyard import _native
from vineyard.core.leaves import scalar_value
from vineyard.core.registry import Registry, accepted, load_plugins
from vineyard.errors import Corrupt, LimitExceeded, ObjectNotFound, Remote, TypeMismatch, Unavailable
from vineyard.ids import make_id
from vineyard.objects import Object, object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from vineyard.client import Client
    from vineyard.core.registry import Entry

# is-a: a resolver for the base sees the other, unless the same context has a more exact one.
BASES = {
    "vineyard::Pair": "vineyard::Tuple",
    "vineyard::Tuple": "vineyard::Sequence",
    "vineyard::List": "vineyard::Sequence",
    "vineyard::Array": "vineyard::Tensor",
}


# Levels of one get, as in Java: for which Python's stack is enough. A put has 64 at most, but what it links to may
# have as many below.
MAX_DEPTH = 256


class ResolverContext(Registry[str]):
    """Resolvers by type name. A resolver is ``fn(obj, **kw)``; it returns a Python value."""

    _current: contextvars.ContextVar[ResolverContext] = contextvars.ContextVar("vineyard resolvers")

    def _checked_key(self, key: Any) -> str:
        if not isinstance(key, str) or not key:
            raise TypeMismatch(f"register a resolver: a type name was expected, not {key!r}")
        return key

    def _find(self, typename: str) -> Entry | None:
        name: str | None = typename
        generic = typename.partition("<")[0]  # vineyard::Tensor<double> is a vineyard::Tensor
        while name is not None:
            entry = self._entries.get(name)
            if entry is not None:
                return entry
            name = generic if name != generic and name == typename else BASES.get(name)
        if self._outer is not None:
            return self._outer.find(typename)
        return self.find(typename) if load_plugins() else None

    def run(self, obj: Object, **keywords: Any) -> Any:
        """The value of ``obj`` with the resolvers of this context."""
        return obj._client.get(obj, resolver=self, **keywords)

    __call__ = run


default_resolver_context = ResolverContext()


def resolver_context(
    resolvers: dict[str, Callable[..., Any]] | None = None, base: ResolverContext | None = None
) -> ResolverContext:
    """A context around which ``base`` (or else the current one) lies, to be entered by ``with``.

    >>> with resolver_context({"vineyard::Sequence": lambda obj: len(obj)}):
    ...     client.get(client.put([1, 2, 3]))
    3
    """
    return ResolverContext(resolvers, base if base is not None else get_current_resolvers())


def get_current_resolvers() -> ResolverContext:
    """The resolvers that a get would use here."""
    return ResolverContext._current.get(default_resolver_context)


class Resolving:
    """One get. Not thread-safe; lives as long as the get. An object met twice gives one value.

    ``remote`` says what becomes of a payload on another instance: None stands for what a resolver makes of
    it (``none``), or an error (``error``, ``fetch``).
    """

    def __init__(
        self, client: Client, context: ResolverContext, copy: bool, keywords: dict[str, Any], remote: str
    ) -> None:
        self.client = client
        self.context = context
        self.copy = copy
        self.keywords = keywords
        self.remote = remote
        # What the native module makes of leaves is what our resolvers would.
        self.plain = context.plain and not copy
        self.memo: dict[int, Any] = {}
        self.depth = 0  # of the object that is being resolved

    def run(self, obj: Object, **keywords: Any) -> Any:
        """The value of a member: what a resolver that declares ``resolver`` calls."""
        return self.record(obj._open)

    __call__ = run

    def record(self, record: _native.Record) -> Any:
        """The value of an object."""
        number = record.id
        if number in self.memo:
            return self.memo[number]
        entry = self.context.find(record.typename)
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH:
                raise LimitExceeded(
                    f"object {make_id(number)}: more than {MAX_DEPTH} levels of objects; read its members on their own"
                )
            if entry is None:
                value = object_of(self.client, record)
            elif entry.builtin:
                value = entry.function(self, record)
            else:
                keywords = accepted(entry.function, {**self.keywords, "resolver": self})
                value = entry.function(object_of(self.client, record), **keywords)
        except Remote as error:
            value = self._absent(error)
        except RecursionError as error:  # the caller's own stack was deep
            raise LimitExceeded(
                f"object {make_id(number)}: more levels of objects than Python's stack has room for "
                f"(sys.setrecursionlimit); read its members on their own"
            ) from error
        finally:
            self.depth -= 1
        self.memo[number] = value
        return value

    def _absent(self, error: Remote) -> Any:
        """Instead of a value whose payload is on another instance."""
        if self.remote == "error":
            raise error
        if self.remote == "fetch":
            advice = "payloads can not be fetched from other instances yet"
            raise Unavailable(f"{error}; {advice}") from error
        return None

    def elements(self, record: _native.Record, prefix: str, count: Any) -> list[Any]:
        """Values of the fields and members named ``prefix`` and a number."""
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 1 << 63:
            raise Corrupt(f"{record.typename} {make_id(record.id)}: {count!r} is no number of elements")
        try:
            values, pending = record.elements(prefix, count, self.memo if self.plain else None)
        except Remote:  # of which is for record() to say
            values, pending = record.elements(prefix, count, None)
        for i in pending:
            value = values[i]
            values[i] = scalar_value(value) if isinstance(value, dict) else self.record(value)
        return values

    def element(self, record: _native.Record, name: str) -> Any:
        """Value of one field or member."""
        try:
            value = record.field(name)
        except ObjectNotFound:
            return self.record(record.member(name))
        return scalar_value(value) if isinstance(value, dict) else value
