"""Vineyard: an in-memory store of immutable objects, shared between processes without a copy.

>>> import vineyard
>>> client = vineyard.connect()
>>> object_id = client.put([1, "two", b"three"])
>>> client.get(object_id)
[1, 'two', b'three']
"""

from __future__ import annotations

from vineyard import data, errors
from vineyard._version import __version__
from vineyard.blob import Blob, BlobBuilder
from vineyard.client import Client
from vineyard.cluster import Event, Position, Watch
from vineyard.connection import connect
from vineyard.core import (
    builder_context,
    context,
    default_builder_context,
    default_driver_context,
    default_resolver_context,
    driver_context,
    get_current_builders,
    get_current_resolvers,
    resolver_context,
)
from vineyard.errors import *  # noqa: F403
from vineyard.ids import ObjectID
from vineyard.memory import memory_copy
from vineyard.meta import ObjectMeta
from vineyard.objects import Object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "Blob",
    "BlobBuilder",
    "Client",
    "Event",
    "Object",
    "ObjectID",
    "ObjectMeta",
    "Position",
    "Watch",
    "__version__",
    "builder_context",
    "connect",
    "context",
    "default_builder_context",
    "default_driver_context",
    "default_resolver_context",
    "driver_context",
    "envvars",
    "get",
    "get_current_builders",
    "get_current_resolvers",
    "memory_copy",
    "put",
    "resolver_context",
]
__all__ += errors.__all__

data.register_builtin_types(default_builder_context, default_resolver_context)


def put(value: Any, **keywords: Any) -> ObjectID:
    """``connect().put(value)``, with one client for the process."""
    from vineyard.connection import default_client

    return default_client().put(value, **keywords)


def get(object_id: Any = None, **keywords: Any) -> Any:
    """``connect().get(object_id)``, with one client for the process."""
    from vineyard.connection import default_client

    return default_client().get(object_id, **keywords)


class envvars:
    """Environment variables for the length of a ``with``; None takes one away.

    >>> import os
    >>> with vineyard.envvars("VINEYARD_REMOTE", "error"):
    ...     os.environ["VINEYARD_REMOTE"]
    'error'
    """

    def __init__(self, name: str | dict[str, str | None], value: str | None = None) -> None:
        self._new = name if isinstance(name, dict) else {name: value}
        self._old: dict[str, str | None] = {}

    def __enter__(self) -> envvars:
        import os

        for name, value in self._new.items():
            self._old[name] = os.environ.get(name)
            _set(name, value)
        return self

    def __exit__(self, *exception: object) -> None:
        for name, value in self._old.items():
            _set(name, value)


def _set(name: str, value: str | None) -> None:
    import os

    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
