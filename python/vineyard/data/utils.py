"""Helpers for people who build metadata by hand."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def to_json(value: Any) -> Any:
    """Earlier code stored lists and dicts as JSON text; fields are typed now, so this is the value."""
    if isinstance(value, tuple):
        return list(value)
    return value


def from_json(value: Any) -> Any:
    """The value of a field, also of one that holds JSON text, as earlier code wrote it.

    >>> from_json([1, 2]), from_json("[1, 2]")
    ([1, 2], [1, 2])
    """
    if not isinstance(value, str):
        return value
    import json

    try:
        return json.loads(value)
    except ValueError:
        return value


def normalize_dtype(name: str) -> Any:
    """The numpy dtype of an element type's name.

    >>> normalize_dtype("float64")
    dtype('float64')
    """
    from vineyard.data import tensor

    return tensor.load().dtype(name)
