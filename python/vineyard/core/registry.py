"""Contexts: who builds and who resolves which type, nested, per task (``contextvars``)."""

from __future__ import annotations

import abc
import contextvars

from vineyard.errors import InvalidArgument, TypeMismatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Generic, Iterator, TypeVar

    Key = TypeVar("Key")
else:

    class _Generic:
        """`class Registry(Generic[Key])` without importing typing, which costs 15 ms."""

        def __class_getitem__(cls, item: object) -> type:
            return cls

    Generic = _Generic
    Key = None


class Entry:
    """What is registered for a key. ``builtin``: one of ours, with a signature of its own."""

    __slots__ = ("function", "builtin")

    def __init__(self, function: Callable[..., Any], builtin: bool) -> None:
        self.function = function
        self.builtin = builtin


_generation = [0]  # moves with every registration: caches of all contexts are made again


class Registry(abc.ABC, Generic[Key]):
    """One context: what was registered in it, and the context around it. A context manager that makes
    it the current one."""

    _current: contextvars.ContextVar[Any]

    def __init__(
        self, initial: dict[Any, Callable[..., Any]] | None = None, outer: Registry[Key] | None = None
    ) -> None:
        self._outer = outer
        self._entries: dict[Key, Entry] = {}
        self._tokens: list[contextvars.Token[Any]] = []
        self._cache: dict[Key, Entry | None] = {}
        self._cache_generation = -1
        # Nothing but our own is registered here: the fast paths apply.
        self.plain = outer is None
        for key, function in (initial or {}).items():
            self.register(key, function)

    @abc.abstractmethod
    def _checked_key(self, key: Any) -> Key:
        """The key that was given, if it can be one."""

    def register(self, key: Any, function: Callable[..., Any] | None = None) -> Any:
        """Registers ``function`` for a type (builders) or type name (resolvers); also a decorator."""
        checked = self._checked_key(key)
        if function is None:
            return lambda decorated: self.register(key, decorated) or decorated
        if not callable(function):
            kind = type(function).__name__
            raise InvalidArgument(f"register {key}: a callable was expected, not {kind}")
        self._entries[checked] = Entry(function, False)
        self.plain = False
        _generation[0] += 1
        return None

    def register_builtin(self, key: Key, function: Callable[..., Any]) -> None:
        """Registers one of ours, unless somebody was first."""
        if key not in self._entries:
            self._entries[key] = Entry(function, True)
            _generation[0] += 1

    def unregister(self, key: Any) -> None:
        """Forgets what was registered here for the key; no error when there was nothing."""
        self._entries.pop(self._checked_key(key), None)
        _generation[0] += 1

    def find(self, key: Key) -> Entry | None:
        """What is responsible for a key: of this context, else of the one around it."""
        if self._cache_generation != _generation[0]:
            self._cache_generation, self._cache = _generation[0], {}
        try:
            return self._cache[key]
        except KeyError:
            entry = self._cache[key] = self._find(key)
            return entry

    @abc.abstractmethod
    def _find(self, key: Key) -> Entry | None:
        """What :meth:`find` answers, looked for."""

    def __iter__(self) -> Iterator[Key]:
        seen = set(self._entries)
        yield from self._entries
        if self._outer is not None:
            yield from (key for key in self._outer if key not in seen)

    def __contains__(self, key: object) -> bool:
        return key in self._entries or (self._outer is not None and key in self._outer)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __enter__(self) -> Any:
        self._tokens.append(self._current.set(self))
        return self

    def __exit__(self, *exception: object) -> None:
        self._current.reset(self._tokens.pop())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {len(self._entries)} of its own, {len(self)} in all>"


def parameters_of(function: Callable[..., Any]) -> tuple[frozenset[str], bool]:
    """Names that can be passed by keyword, and whether any other may be."""
    code = getattr(function, "__code__", None) or getattr(
        getattr(function, "__func__", None), "__code__", None
    )
    if code is not None:
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        return frozenset(names), bool(code.co_flags & 0x08)
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return frozenset(), False
    allowed = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return frozenset(allowed), any(p.kind is p.VAR_KEYWORD for p in parameters)


def accepted(function: Callable[..., Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """The keywords that the function takes: of several functions each takes what it declares."""
    names, any_name = parameters_of(function)
    return {key: value for key, value in keywords.items() if any_name or key in names}


def check_keywords(method: Callable[..., Any], keywords: dict[str, Any], chosen: Any, current: Registry[Any]) -> None:
    """Raises :class:`TypeMismatch` for a keyword that nobody takes who is there to build or resolve.

    That is ``chosen``, a function or a context, if it is not None, and ``current``.
    """
    for scanned in (False, True):
        if scanned and not load_plugins():
            break
        functions = [chosen] if callable(chosen) and not isinstance(chosen, Registry) else []
        registry: Registry[Any] | None = chosen if isinstance(chosen, Registry) else current
        while registry is not None:
            functions += [entry.function for entry in registry._entries.values() if not entry.builtin]
            registry = registry._outer
        taken: set[str] = set()
        for names, any_name in map(parameters_of, functions):
            if any_name:
                return
            taken |= names
        unknown = sorted(set(keywords) - taken)
        if not unknown:
            return
    import difflib

    near = difflib.get_close_matches(unknown[0], parameters_of(method)[0] | taken, 1)
    advice = f"; did you mean {near[0]!r}?" if near else ""
    name = method.__name__
    raise TypeMismatch(
        f"{name}: unexpected keyword {unknown[0]!r}: neither {name} nor any registered function takes it{advice}"
    )


_scanned = [False]


def load_plugins() -> bool:
    """Loads the entry points of group ``vineyard.plugins``, once; called for the first unknown type.

    Each is a function that registers what it has. True: there was something new.
    """
    if _scanned[0]:
        return False
    _scanned[0] = True
    from importlib.metadata import entry_points

    before = _generation[0]
    for point in entry_points(group="vineyard.plugins"):
        point.load()()
    return _generation[0] != before
