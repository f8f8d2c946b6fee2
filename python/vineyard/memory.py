"""Addresses of buffers, and copies between them."""

from __future__ import annotations

from vineyard import _native
from vineyard.errors import TypeMismatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def address_of(value: Any) -> tuple[int, int]:
    """Address and size in bytes of a buffer in one piece. Raises :class:`TypeMismatch`."""
    if isinstance(value, _native.View):
        return value.address, len(value)
    interface = getattr(value, "__array_interface__", None)
    if interface is not None:
        return interface["data"][0], value.nbytes
    try:
        view = memoryview(value)
    except TypeError as error:
        raise TypeMismatch(f"shared memory: a buffer was expected, not {type(value).__name__}") from error
    return _native.address(view), view.nbytes


def memory_copy(destination: Any, offset: int, source: Any, size: int = 0, concurrency: int = 1) -> None:
    """Copies a buffer into a writable one at ``offset``, in bytes, without the interpreter's lock.

    ``size``: only that many bytes; 0: all. ``concurrency`` is accepted and ignored.

    >>> target = bytearray(5)
    >>> memory_copy(target, 1, b"abc")
    >>> target
    bytearray(b'\\x00abc\\x00')
    """
    view = memoryview(source).cast("B")
    _native.copy(destination, offset, view[:size] if size else view)
