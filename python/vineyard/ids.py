"""ObjectID: the 64-bit name of an object."""

from __future__ import annotations

from vineyard import _native
from vineyard.errors import InvalidArgument, TypeMismatch


class ObjectID(int):
    """The id of an object: a number that prints as ``o`` and 16 hexadecimal digits.

    Made from its text, its number or another id. It is an ``int``: it hashes, compares, sorts and
    pickles like one. Raises :class:`InvalidArgument` for text in any other form and for numbers
    beyond 64 bits, :class:`TypeMismatch` for anything else.

    >>> ObjectID("o800000011cfa7040")
    o800000011cfa7040
    >>> ObjectID("o800000011cfa7040") == 0x800000011cfa7040
    True
    """

    __slots__ = ()

    def __new__(cls, value: str | int) -> ObjectID:
        if isinstance(value, str):
            return int.__new__(cls, _native.vineyard_id_parse(value))
        if isinstance(value, bool) or not isinstance(value, int):
            kind = type(value).__name__
            raise TypeMismatch(f"object id: text or a number was expected, not {kind}")
        if not 0 <= value < 1 << 64:
            raise InvalidArgument(f"object id {int(value)}: a number from 0 to 2**64 - 1 was expected")
        return int.__new__(cls, value)

    def __repr__(self) -> str:
        return f"o{int(self):016x}"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self).__format__(spec)

    @property
    def is_blob(self) -> bool:
        """Whether it is the id of a blob."""
        return self >= 1 << 63

    @property
    def uri(self) -> str:
        """``vineyard://`` and the id."""
        return f"vineyard://{self!r}"

    def __reduce__(self) -> tuple[type[ObjectID], tuple[int]]:
        return ObjectID, (int(self),)


def make_id(number: int) -> ObjectID:
    """The id of a number that the native module gave: not checked again."""
    return int.__new__(ObjectID, number)
