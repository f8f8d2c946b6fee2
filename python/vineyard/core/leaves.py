"""Leaves: how scalars and short text lie in fields, as objects and as elements of containers.

===============  ===============  ==========================================================
value            ``value_type_``  ``value_``
===============  ===============  ==========================================================
None             ``none``         null
bool             ``bool``         bool
int of 64 bits   ``int``          integer
other int        ``bigint``       bytes: big-endian two's complement, as short as possible
float            ``float``        float64
complex          ``complex``      list of two float64
numpy's          its dtype        float16, float32: the bits, an integer; complex64: a list of
                                  two such; others: as Python's
===============  ===============  ==========================================================

``scalar_kind_`` is ``python`` or ``numpy``. As an element of a container a scalar is no object but a
field: the bare value where that says all (None, bool, int, float), else a map of these three.
"""

from __future__ import annotations

from vineyard.errors import Corrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TYPES = (type(None), bool, int, float, complex)
MAX_TEXT = 16 * 1024  # bytes of UTF-8: longer text is a blob

_PLAIN = {type(None): "none", bool: "bool", float: "float"}


def is_leaf(value: Any) -> bool:
    """Whether it is a field of its container, bare."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is int:
        return bool(-(1 << 63) <= value < 1 << 64)
    if kind is not str or len(value) > MAX_TEXT:
        return False
    try:
        return len(value.encode()) <= MAX_TEXT
    except UnicodeEncodeError:
        return False


def scalar_fields(value: Any) -> dict[str, Any] | None:
    """The three fields of a scalar; None: it is none."""
    kind = type(value)
    name = _PLAIN.get(kind)
    if name is not None:
        return {"value_": value, "value_type_": name, "scalar_kind_": "python"}
    if kind is int:
        if -(1 << 63) <= value < 1 << 64:
            return {"value_": value, "value_type_": "int", "scalar_kind_": "python"}
        # One bit more than the magnitude, for the sign; of a negative number, of its complement.
        size = ((value if value >= 0 else ~value).bit_length() + 8) // 8
        data = value.to_bytes(size, "big", signed=True)
        return {"value_": data, "value_type_": "bigint", "scalar_kind_": "python"}
    if kind is complex:
        return {"value_": [value.real, value.imag], "value_type_": "complex", "scalar_kind_": "python"}
    if kind.__module__ == "numpy":
        from vineyard.data import tensor

        return tensor.scalar_fields(value)
    return None


def scalar_value(fields: dict[str, Any]) -> Any:
    """The value of the three fields; a map that is no scalar as it is."""
    if "scalar_kind_" not in fields or "value_type_" not in fields or "value_" not in fields:
        return fields
    value, kind = fields["value_"], fields["value_type_"]
    try:
        if fields["scalar_kind_"] == "numpy":
            from vineyard.data import tensor

            return tensor.scalar_value(value, kind)
        if kind == "bigint":
            return int.from_bytes(value, "big", signed=True)
        if kind == "complex":
            return complex(*value)
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        raise Corrupt(f"vineyard::Scalar: {value!r} is no value of type {kind!r}: {error}") from error
    if kind in ("none", "bool", "int", "float"):
        return value
    raise Corrupt(f"vineyard::Scalar of unknown value_type_ {kind!r}")
