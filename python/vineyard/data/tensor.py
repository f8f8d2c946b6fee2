"""numpy's arrays and scalars: ``vineyard::Array`` (one dimension), ``vineyard::Tensor``.

numpy is optional and imported when the first array comes along. Fields: ``value_type_`` (one of 14
names, or ``other``), ``shape_``, ``order_`` (``C`` or ``F``), ``value_type_meta_`` (numpy's descriptor),
``partition_index_``; member: ``buffer_``, a blob, read from ``offset_`` bytes on when that is there.
"""

from __future__ import annotations

import sys

from vineyard import _native
from vineyard.core.builders import Building, BuilderContext, default_builder_context
from vineyard.core.resolvers import ResolverContext, Resolving
from vineyard.errors import Corrupt, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vineyard.core.builders import Node

# By VINEYARD_ELEMENT_*, with the format characters of struct and numpy.
ELEMENTS = [
    "other", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64", "bool", "complex64", "complex128",
]  # fmt: skip

_np: Any = None
# id of numpy's own dtype objects: (element name, descriptor). A dtype with metadata or another byte
# order is another object, and takes the slow way.
_known: dict[int, tuple[str, str]] = {}
_contexts: list[BuilderContext] = [default_builder_context]


def load() -> Any:
    """numpy, imported now if it was not. Raises :class:`Unsupported` where it is not installed."""
    global _np
    if _np is None:
        try:
            import numpy
        except ImportError:
            raise Unsupported("an array: numpy is not installed here; pip install numpy") from None
        dtypes = [numpy.dtype(name) for name in ELEMENTS[1:]]
        for name, dtype in zip(ELEMENTS[1:], dtypes):
            _known[id(dtype)] = name, dtype.str
        _native.set_arrays(numpy.ndarray, [None, *dtypes])
        _np = numpy
        for context in _contexts:
            _register_numpy(context)
    return _np


# ---- arrays


def build_array(building: Building, value: Any) -> Node:
    """ndarray and memmap; others (subclasses, elements that are objects) are pickled."""
    known = _known.get(id(value.dtype))
    if known is not None:
        made = _native.array(building.handle, value, *known, building.share)
        if made is None:  # neither C- nor F-contiguous
            made = _native.array(building.handle, _np.ascontiguousarray(value), *known, False)
    else:
        made = _build_other(building, value)
    building.shared = building.shared or (made is not None and made.shares)
    if made is not None:
        return made
    from vineyard.data.pickles import build_pickle

    return build_pickle(building, value)


def _build_other(building: Building, value: Any) -> _native.Builder | None:
    """An array whose element type is numpy's own; None: it has to be pickled."""
    dtype = value.dtype
    if dtype.hasobject or dtype.metadata:
        return None
    try:
        descriptor = describe(dtype)
        if not identical(undescribe(descriptor), dtype):
            return None
    except (TypeError, ValueError, SyntaxError):
        return None
    if not (value.flags.c_contiguous or value.flags.f_contiguous):
        value = value.copy(order="C")
    order = "C" if value.flags.c_contiguous else "F"
    plain = value.view(_np.ndarray)
    if value.nbytes == 0:
        data: Any = b""
    else:
        # No buffer can say datetime64: the bytes go, form and type beside them.
        data = plain.reshape(-1, order="A").view(_np.uint8)
    shape = list(value.shape)
    return _native.array(building.handle, data, "other", descriptor, building.share, shape, order)


def put_array(handle: _native.Handle, value: Any) -> int | None:
    """The fast way of a put; None where the slow one has to do it."""
    known = _known.get(id(value.dtype))
    return None if known is None else _native.put_array(handle, value, known[0], known[1], True)


def array_of(view: Any, shape: tuple[int, ...], element: int, descriptor: Any, offset: int, order: str) -> Any:
    """An array in place; called by the native module for what it can not make itself."""
    numpy = load()
    if element != 0:
        dtype = numpy.dtype(ELEMENTS[element])
    else:
        try:
            dtype = undescribe(descriptor)
        except (TypeError, ValueError) as error:
            raise Corrupt(f"array: value_type_meta_ {descriptor!r} is no dtype: {error}") from error
        if dtype.hasobject:
            raise Corrupt(f"array: elements of type {descriptor!r} can not lie in shared memory")
    try:
        return numpy.ndarray(shape, dtype, view, offset, None, order)
    except (TypeError, ValueError) as error:
        raise Corrupt(f"array: its shape {shape} and its blob of {len(view)} bytes disagree") from error


def resolve_array(resolving: Resolving, record: _native.Record) -> Any:
    """A read-only array in place, or a writable copy."""
    array = record.array()
    if not resolving.copy:
        return array
    if not resolving.client.closed:
        _native.vineyard_client_add_copied(resolving.client._handle, array.nbytes)
    return array.copy(order="F" if array.flags.fnc else "C")


# ---- descriptors


def describe(dtype: Any) -> Any:
    """numpy's descriptor as text, or as lists for structures."""
    from numpy.lib.format import dtype_to_descr

    return dtype_to_descr(dtype)


def undescribe(descriptor: Any) -> Any:
    """The dtype of a descriptor; lists come back as the tuples that numpy wants."""
    if not isinstance(descriptor, list):
        return _np.dtype(descriptor)

    def field(item: Any) -> tuple[Any, ...]:
        name, kind, *shape = item
        name = tuple(name) if isinstance(name, list) else name
        kind = [field(part) for part in kind] if isinstance(kind, list) else kind
        return (name, kind, *(tuple(sizes) for sizes in shape))

    from numpy.lib.format import descr_to_dtype

    return descr_to_dtype([field(item) for item in descriptor])


def identical(one: Any, other: Any) -> bool:
    """Whether two dtypes are the same in everything, alignment and metadata included."""
    if one != other or one.isalignedstruct != other.isalignedstruct or one.metadata or other.metadata:
        return False
    if one.alignment != other.alignment or one.type is not other.type:
        return False
    if one.subdtype is not None:
        return identical(one.base, other.base)
    if one.names is not None:
        return all(identical(one.fields[name][0], other.fields[name][0]) for name in one.names)
    return True


# ---- scalars


def scalar_fields(value: Any) -> dict[str, Any] | None:
    """The fields of a numpy scalar; None: of none, or of a type that is pickled."""
    numpy = load()
    kind = type(value)
    if not issubclass(kind, numpy.generic):
        return None
    name = value.dtype.name
    if name not in ELEMENTS or _known.get(id(value.dtype), ("",))[0] != name:
        return None
    field: Any
    if name == "float16":
        field = int(value.view(numpy.uint16))
    elif name == "float32":
        field = int(value.view(numpy.uint32))
    elif name == "complex64":
        field = [int(part) for part in numpy.array(value).reshape(1).view(numpy.uint32)]
    elif name == "complex128":
        field = [value.real.item(), value.imag.item()]
    else:
        field = value.item()
    return {"value_": field, "value_type_": name, "scalar_kind_": "numpy"}


def scalar_value(value: Any, name: str) -> Any:
    """The numpy scalar of its fields."""
    numpy = load()
    if name not in ELEMENTS[1:]:
        raise Corrupt(f"vineyard::Scalar of unknown value_type_ {name!r}")
    if name == "float16":
        return numpy.uint16(value).view(numpy.float16)
    if name == "float32":
        return numpy.uint32(value).view(numpy.float32)
    if name == "complex64":
        return numpy.array(value, numpy.uint32).view(numpy.complex64)[0]
    if name == "complex128":
        return numpy.array(value, numpy.float64).view(numpy.complex128)[0]
    return numpy.dtype(name).type(value)


def build_scalar(building: Building, value: Any) -> Node:
    """A scalar that is put by itself; those of other types are pickled."""
    fields = scalar_fields(value)
    if fields is None:
        from vineyard.data.pickles import build_pickle

        return build_pickle(building, value)
    builder = _native.create("vineyard::Scalar")
    for name, field in fields.items():
        builder.set(name, field)
    return builder


# ---- registration


def _register_numpy(builders: BuilderContext) -> None:
    builders.register_builtin(_np.ndarray, build_array)
    builders.register_builtin(_np.memmap, build_array)
    for name in ELEMENTS[1:]:
        builders.register_builtin(_np.dtype(name).type, build_scalar)


def register(builders: BuilderContext | None, resolvers: ResolverContext | None) -> None:
    """Registers the family: resolvers at once, builders when numpy is imported."""
    if resolvers is not None:
        resolvers.register_builtin("vineyard::Array", resolve_array)
        resolvers.register_builtin("vineyard::Tensor", resolve_array)
    if builders is not None and builders not in _contexts:
        _contexts.append(builders)
        if "numpy" in sys.modules and _np is not None:
            _register_numpy(builders)
