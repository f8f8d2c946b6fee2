"""This file is the only place that says in code what docs/types.md says in words: which object stands for a
value, and the canonical text of both. It knows nothing of the library: what it makes is compared with it.

A value is Python's own (None, bool, int, float, complex, str, bytes, bytearray, memoryview, tuple, list, dict),
or one of the classes below. README.md describes the text.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass, field
from typing import Any, Iterator

MAX_TEXT = 16 * 1024  # bytes of UTF-8 that are a field
MAX_SHOWN = 256  # bytes that are shown; of more their hash

Lines = Iterator[str]


@dataclass(frozen=True, eq=False)
class Blob:
    """A blob as it is stored. `kind`: buffer, bytes or bytearray."""

    kind: str
    value: bytes

    def envelope(self) -> tuple[bytes, bytes]:
        """What stands before and behind the value: a pickle of protocol 5, as CPython writes it."""
        size = len(self.value)
        if self.kind == "buffer":
            return b"", b""
        if self.kind == "bytearray":
            opcode = b"\x96" + struct.pack("<Q", size)
        elif size < 256:
            opcode = b"C" + struct.pack("<B", size)
        elif size < 1 << 32:
            opcode = b"B" + struct.pack("<I", size)
        else:
            opcode = b"\x8e" + struct.pack("<Q", size)
        frame = b"\x95" + struct.pack("<Q", len(opcode) + size + 2) if size < 65536 else b""
        return b"\x80\x05" + frame + opcode, b"\x94."

    def stored(self) -> bytes:
        before, behind = self.envelope()
        return before + self.value + behind


@dataclass(frozen=True, eq=False)
class Node:
    """An object as it is stored: fields of metadata and members, in this order."""

    type_name: str
    fields: list[tuple[str, Any]]
    members: list[tuple[str, Node | Blob]] = field(default_factory=list)


@dataclass(frozen=True)
class Numpy:
    """A scalar of numpy. `raw`: its bytes, little-endian."""

    element: str
    raw: bytes


@dataclass(frozen=True, eq=False)
class Array:
    """An array. `descriptor`: numpy's, of elements that are `other`. `inside`: it is a part of that array's
    blob, from `offset` bytes on."""

    element: str
    shape: list[int]
    data: bytes
    order: str = "C"
    descriptor: Any = None
    inside: Array | None = None
    offset: int = 0
    type_name: str = ""


@dataclass(frozen=True, eq=False)
class Pickle:
    """What only Python can read. `shown`: the text of Python's value; `buffers`: those out of band."""

    data: bytes
    shown: list[str]
    buffers: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class ByHand:
    """Metadata of a type of one's own, or a registered one built by hand (`shown` is its value then)."""

    type_name: str
    fields: list[tuple[str, Any]]
    members: list[tuple[str, Any]] = field(default_factory=list)
    shown: Any = None


# By element type: bytes, numpy's descriptor, the format of struct (of one part).
ELEMENTS = {
    "int8": (1, "|i1", "b"), "int16": (2, "<i2", "h"), "int32": (4, "<i4", "i"), "int64": (8, "<i8", "q"),
    "uint8": (1, "|u1", "B"), "uint16": (2, "<u2", "H"), "uint32": (4, "<u4", "I"), "uint64": (8, "<u8", "Q"),
    "float16": (2, "<f2", "e"), "float32": (4, "<f4", "f"), "float64": (8, "<f8", "d"), "bool": (1, "|b1", "?"),
    "complex64": (8, "<c8", "f"), "complex128": (16, "<c16", "d"),
}  # fmt: skip


# ---- from a value to the object that stands for it


class Encoder:
    """One put: a value met twice is one member."""

    def __init__(self) -> None:
        self._met: dict[int, Node | Blob] = {}
        self._kept: list[Any] = []  # so that no identity is used twice

    def node(self, value: Any) -> Node | Blob:
        if id(value) not in self._met:
            self._kept.append(value)
            self._met[id(value)] = self._make(value)
        return self._met[id(value)]

    def _make(self, value: Any) -> Node | Blob:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return Blob("buffer" if isinstance(value, memoryview) else type(value).__name__, bytes(value))
        if isinstance(value, str):
            data = value.encode()
            if len(data) <= MAX_TEXT:
                return Node("vineyard::String", [("value_", value)])
            return Node("vineyard::String", [], [("buffer_", Blob("buffer", data))])
        if isinstance(value, tuple) and len(value) == 2:
            return self._container("vineyard::Pair", [], zip(("first_", "second_"), value))
        if isinstance(value, (tuple, list)):
            type_name = "vineyard::List" if isinstance(value, list) else "vineyard::Tuple"
            return self._container(type_name, [("__elements_-size", len(value))], named("__elements_-", value))
        if isinstance(value, dict):
            size = [("__values_-size", len(value))]
            keys, values = named("__values_-key-", value), named("__values_-value-", value.values())
            return self._container("vineyard::Dict", size, keys, values)
        if isinstance(value, Array):
            return self._array(value)
        if isinstance(value, Pickle):
            fields = [("nbytes", len(value.data)), ("__buffers_-size", len(value.buffers))]
            blobs = [Blob("buffer", data) for data in (value.data, *value.buffers)]
            names = ["buffer_", *(f"__buffers_-{i}" for i in range(len(value.buffers)))]
            return Node("vineyard::PickleBuffer", fields, list(zip(names, blobs)))
        if isinstance(value, ByHand):
            members = [(name, self.node(member)) for name, member in value.members]
            return Node(value.type_name, value.fields, members)
        return Node("vineyard::Scalar", list(scalar_fields(value).items()))

    def _array(self, array: Array) -> Node:
        descriptor = array.descriptor or ELEMENTS[array.element][1]
        fields: list[tuple[str, Any]] = [
            ("value_type_", array.element), ("shape_", array.shape), ("order_", array.order),
            ("value_type_meta_", descriptor), ("partition_index_", []),
        ]  # fmt: skip
        if array.inside is None:
            buffer: Node | Blob = Blob("buffer", array.data)
        else:
            outer = self.node(array.inside)
            assert isinstance(outer, Node)
            buffer = outer.members[0][1]
            fields.append(("offset_", array.offset))
        named_so = array.type_name or ("vineyard::Array" if len(array.shape) == 1 else "vineyard::Tensor")
        return Node(named_so, fields, [("buffer_", buffer)])

    def _container(self, type_name: str, fields: list[tuple[str, Any]], *parts: Any) -> Node:
        """Of each part first what is bare, then the other scalars; members keep their order."""
        members = []
        for part in parts:
            maps = []
            for name, value in part:
                if is_bare(value):
                    fields.append((name, value))
                elif (scalar := scalar_fields(value)) is not None:
                    maps.append((name, scalar))
                else:
                    members.append((name, self.node(value)))
            fields += maps
        return Node(type_name, fields, members)


def named(prefix: str, values: Any) -> Iterator[tuple[str, Any]]:
    return ((f"{prefix}{i}", value) for i, value in enumerate(values))


def fits(value: int) -> bool:
    return -(1 << 63) <= value < 1 << 64


def is_bare(value: Any) -> bool:
    if isinstance(value, str):
        return len(value.encode()) <= MAX_TEXT
    if type(value) is int:
        return fits(value)
    return value is None or isinstance(value, (bool, float))


def scalar_fields(value: Any) -> Any:
    """The three fields of a scalar; None: it is none."""
    kind = "python"
    if value is None:
        type_, stored = "none", None
    elif isinstance(value, (bool, float)) or (isinstance(value, int) and fits(value)):
        type_, stored = type(value).__name__, value
    elif isinstance(value, int):
        type_, stored = "bigint", shortest(value)
    elif isinstance(value, complex):
        type_, stored = "complex", [value.real, value.imag]
    elif isinstance(value, Numpy):
        kind, type_ = "numpy", value.element
        format_ = {"float16": "H", "float32": "I", "complex64": "I"}.get(type_, ELEMENTS[type_][2])
        parts = list(struct.unpack(f"<{len(value.raw) // struct.calcsize(format_)}{format_}", value.raw))
        stored = parts if type_.startswith("complex") else parts[0]
    else:
        return None
    return {"value_": stored, "value_type_": type_, "scalar_kind_": kind}


def shortest(value: int) -> bytes:
    """Big-endian two's complement, in as few bytes as hold the sign."""
    size = 1
    while not -(1 << (8 * size - 1)) <= value < 1 << (8 * size - 1):
        size += 1
    return value.to_bytes(size, "big", signed=True)


# ---- text


def fnv(data: Any) -> str:
    """FNV-1a of 64 bits."""
    return _fnv(bytes(data))


@functools.lru_cache(maxsize=None)
def _fnv(data: bytes) -> str:
    number = 0xCBF29CE484222325
    for byte in data:
        number = (number ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{number:016x}"


def data_text(data: Any) -> str:
    shown = data.hex() if len(data) <= MAX_SHOWN else "fnv " + fnv(data)
    return f"[{len(data)}] {shown}".rstrip()


def string_text(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > MAX_SHOWN:
        return "str " + data_text(data)
    units = struct.unpack(f"<{len(text.encode('utf-16-le', 'surrogatepass')) // 2}H",
                          text.encode("utf-16-le", "surrogatepass"))  # fmt: skip
    return 'str "' + "".join(map(unit_text, units)) + '"'


def unit_text(unit: int) -> str:
    if unit in (0x22, 0x5C):
        return "\\" + chr(unit)
    return chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}"


def float_text(value: float) -> str:
    return struct.pack(">d", value).hex()


def field_text(value: Any) -> Lines:
    """A value of metadata: first line, then its parts."""
    if value is None:
        yield "none"
    elif isinstance(value, bool):
        yield "bool true" if value else "bool false"
    elif isinstance(value, int):
        yield f"int {value}"
    elif isinstance(value, float):
        yield f"float {float_text(value)}"
    elif isinstance(value, str):
        yield string_text(value)
    elif isinstance(value, bytes):
        yield f"bytes {data_text(value)}"
    elif isinstance(value, dict):
        yield f"map {len(value)}"
        for pair in value.items():
            yield from indented(field_text(part) for part in pair)
    else:
        yield f"list {len(value)}"
        yield from indented(map(field_text, value))


def indented(parts: Iterator[Lines]) -> Lines:
    return ("  " + line for part in parts for line in part)


def nbytes(node: Node | Blob) -> int:
    if isinstance(node, Blob):
        return len(node.stored())
    return sum(nbytes(member) for _, member in node.members)


class Dump:
    """The text of an object; one that is met again is its number only."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def lines(self, node: Node | Blob, label: str = "") -> Lines:
        if id(node) in self._numbers:
            yield f"{label}#{self._numbers[id(node)]}"
            return
        number = self._numbers[id(node)] = len(self._numbers)
        is_blob = isinstance(node, Blob)
        type_name = "vineyard::Blob" if is_blob else node.type_name
        yield f"{label}#{number} {string_text(type_name)[4:]} nbytes {nbytes(node)}"
        fields = blob_fields(node) if is_blob else node.fields
        for name, value in fields:
            first, *rest = field_text(value)
            yield f"  field {string_text(name)[4:]} {first}"
            yield from ("  " + line for line in rest)
        if is_blob:
            yield f"  value at 0 {data_text(node.value)}"
            yield f"  stored {data_text(node.stored())}"
        else:
            for name, member in node.members:
                lines = self.lines(member, f"member {string_text(name)[4:]} ")
                yield from ("  " + line for line in lines)


def blob_fields(blob: Blob) -> list[tuple[str, Any]]:
    return [
        ("length", len(blob.stored())), ("value_offset_", len(blob.envelope()[0])),
        ("value_length_", len(blob.value)), ("value_type_", blob.kind),
    ]  # fmt: skip


def value_text(value: Any, elsewhere: bool = False) -> Lines:
    """A value as a language gives it. `elsewhere`: one that is neither Python nor has numpy's types."""
    if isinstance(value, complex):
        yield f"complex {float_text(value.real)} {float_text(value.imag)}"
    elif isinstance(value, int) and not fits(value):
        yield f"bigint {shortest(value).hex()}"
    elif isinstance(value, (bytes, bytearray, memoryview)):
        yield f"{'buffer' if isinstance(value, memoryview) else type(value).__name__} {data_text(bytes(value))}"
    elif isinstance(value, (tuple, list)):
        yield f"{type(value).__name__} {len(value)}"
        yield from indented(value_text(part, elsewhere) for part in value)
    elif isinstance(value, dict):
        yield f"dict {len(value)}"
        for pair in value.items():
            yield from indented(value_text(part, elsewhere) for part in pair)
    elif isinstance(value, Numpy):
        yield f"numpy {value.element} {numpy_text(value)}"
    elif isinstance(value, Array):
        yield from array_text(value, elsewhere)
    elif isinstance(value, Pickle):
        yield from [f"unsupported vineyard::PickleBuffer: pickle {len(value.data)}"] if elsewhere else value.shown
    elif isinstance(value, ByHand):
        shown = [f"object {string_text(value.type_name)[4:]}"]
        yield from shown if value.shown is None else value_text(value.shown, elsewhere)
    else:
        yield from field_text(value)


def numpy_text(value: Numpy) -> str:
    size, _, format_ = ELEMENTS[value.element]
    if value.element.startswith("complex"):
        half = size // 2
        return value.raw[:half][::-1].hex() + " " + value.raw[half:][::-1].hex()
    if value.element.startswith("float"):
        return value.raw[::-1].hex()
    number = struct.unpack("<" + format_, value.raw)[0]
    return str(number).lower() if value.element == "bool" else str(number)


def array_text(array: Array, elsewhere: bool) -> Lines:
    if elsewhere and array.element == "other":
        type_name = "vineyard::Array" if len(array.shape) == 1 else "vineyard::Tensor"
        yield f"unsupported {type_name}: other"
        return
    data = array.data
    if array.inside is not None:
        data = array.inside.data[array.offset : array.offset + len(array.data)]
    yield f"array {array.element} [{','.join(map(str, array.shape))}] {array.order} {data_text(data)}"
    if array.element == "other":
        yield from ("  " + line for line in field_text(array.descriptor))
