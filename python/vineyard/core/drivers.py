"""Drivers: methods that are added to the objects of a type name."""

from __future__ import annotations

import contextvars

from vineyard.errors import TypeMismatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


class DriverContext:
    """Methods by type name and name: ``context.register("vineyard::Tensor", "mean", fn)`` makes
    ``obj.mean(...)`` call ``fn(obj, ...)``. A context manager that makes it the current one."""

    def __init__(self, outer: DriverContext | None = None) -> None:
        self._outer = outer
        self._methods: dict[tuple[str, str], Any] = {}
        self._tokens: list[contextvars.Token[DriverContext]] = []

    def register(self, typename: str, method: str, function: Callable[..., Any]) -> None:
        """Adds a method to the objects of a type name, its variants (``name<...>``) and what is one."""
        if not isinstance(typename, str) or not isinstance(method, str) or not callable(function):
            raise TypeMismatch("register a driver: type name, method name and a function were expected")
        self._methods[typename, method] = function

    def find(self, typename: str, method: str) -> Any:
        """The function, or None."""
        from vineyard.core.resolvers import BASES

        name: str | None = typename
        generic = typename.partition("<")[0]
        while name is not None:
            function = self._methods.get((name, method))
            if function is not None:
                return function
            name = generic if name != generic and name == typename else BASES.get(name)
        return None if self._outer is None else self._outer.find(typename, method)

    def __enter__(self) -> DriverContext:
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, *exception: object) -> None:
        _current.reset(self._tokens.pop())


_current: contextvars.ContextVar[DriverContext] = contextvars.ContextVar("vineyard drivers")
default_driver_context = DriverContext()


def driver_context(base: DriverContext | None = None) -> DriverContext:
    """A context around which ``base`` (or else the current one) lies, to be entered by ``with``."""
    return DriverContext(base if base is not None else get_current_drivers())


def get_current_drivers() -> DriverContext:
    """The drivers in force here."""
    return _current.get(default_driver_context)


def find_driver(typename: str, method: str) -> Any:
    """The method of that name for objects of a type name, or None."""
    return get_current_drivers().find(typename, method)
