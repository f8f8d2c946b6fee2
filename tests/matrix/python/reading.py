"""This file is the only place that prints, in Python, an object as the metadata has it and a value as Python
has it."""

from __future__ import annotations

import collections
import ctypes
from typing import Any, Iterator

import numpy as np
from model import data_text, field_text, fits, float_text, indented, shortest, string_text
from vineyard.data.tensor import describe

import vineyard


def dump_lines(
    obj: vineyard.Object, label: str = "", numbers: dict[vineyard.ObjectID, int] | None = None
) -> Iterator[str]:
    """An object: its fields, its members, the bytes of a blob. What is met again is its number only."""
    numbers = {} if numbers is None else numbers
    if obj.id in numbers:
        yield f"{label}#{numbers[obj.id]}"
        return
    numbers[obj.id] = len(numbers)
    meta = obj.meta
    yield f"{label}#{numbers[obj.id]} {string_text(obj.typename)[4:]} nbytes {obj.nbytes}"
    for name, value in meta.fields.items():
        first, *rest = field_text(value)
        yield f"  field {string_text(name)[4:]} {first}"
        yield from ("  " + line for line in rest)
    for name in meta.members:
        with obj.member(name) as member:
            lines = dump_lines(member, f"member {string_text(name)[4:]} ", numbers)
            yield from ("  " + line for line in lines)
    if isinstance(obj, vineyard.Blob):
        # Python shows the value only: what stands around it is read from memory.
        before = obj.field("value_offset_")
        stored = ctypes.string_at(obj.address - before, obj.size)
        yield f"  value at {obj.address % 64} {data_text(obj.buffer)}"
        yield f"  stored {data_text(stored)}"


def value_lines(value: Any) -> Iterator[str]:
    """A value that client.get() gave; a Blob is read where it is."""
    kind = type(value)
    if kind is complex:
        yield f"complex {float_text(value.real)} {float_text(value.imag)}"
    elif kind is int and not fits(value):
        yield f"bigint {shortest(value).hex()}"
    elif kind is vineyard.Blob:
        yield f"{value.field('value_type_')} {data_text(value.buffer)}"
    elif kind in (bytes, bytearray):
        yield f"{kind.__name__} {data_text(value)}"
    elif kind is memoryview or kind.__name__ == "View":
        yield f"buffer {data_text(memoryview(value))}"
    elif kind in (tuple, list):
        yield f"{kind.__name__} {len(value)}"
        yield from indented(map(value_lines, value))
    elif kind is dict:
        yield f"dict {len(value)}"
        for pair in value.items():
            yield from indented(map(value_lines, pair))
    elif isinstance(value, np.generic):
        yield f"numpy {value.dtype.name} {numpy_text(value)}"
    elif kind is np.ndarray:
        yield from array_lines(value)
    elif isinstance(value, vineyard.Object):
        yield f"object {string_text(value.typename)[4:]}"
    elif kind in (type(None), bool, int, float, str):
        yield from field_text(value)
    elif kind is collections.deque:
        yield f'python "deque" {len(value)}'
        yield from indented(map(value_lines, value))
    else:
        yield f"python {string_text(repr(value))[4:]}"


def numpy_text(value: np.generic) -> str:
    if value.dtype.kind == "c":
        return numpy_text(value.real) + " " + numpy_text(value.imag)
    return value.tobytes()[::-1].hex() if value.dtype.kind == "f" else str(value).lower()


def array_lines(value: np.ndarray) -> Iterator[str]:
    """The bytes where they are: an array that is not in one piece would be a defect."""
    order = "C" if value.flags.c_contiguous else "F" if value.flags.f_contiguous else "?"
    is_other = value.dtype.kind not in "biufc" or value.dtype.byteorder == ">"
    name = "other" if is_other else value.dtype.name
    data = value.tobytes(order="A")
    yield f"array {name} [{','.join(map(str, value.shape))}] {order} {data_text(data)}"
    if is_other:
        yield from ("  " + line for line in field_text(listed(describe(value.dtype))))


def listed(descriptor: Any) -> Any:
    """A descriptor as it is in metadata, where there are no tuples."""
    return [listed(part) for part in descriptor] if isinstance(descriptor, (list, tuple)) else descriptor
