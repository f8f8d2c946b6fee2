"""This file is the only place that lists the cases of the matrix: what is written, and why.

A case is `name: value`. `everywhere`: every language can write it; the others only Python can.
"""

from __future__ import annotations

import datetime
import struct
from dataclasses import dataclass
from typing import Any

from model import Array, ByHand, Numpy, Pickle, data_text


@dataclass(frozen=True)
class Case:
    name: str
    about: str
    value: Any
    everywhere: bool = True


CASES: list[Case] = []


def case(name: str, about: str, value: Any, everywhere: bool = True) -> None:
    CASES.append(Case(name, about, value, everywhere))


def pattern(size: int) -> bytes:
    """Bytes that differ where they stand: byte i is (7 i + i / 256) mod 256."""
    return bytes((7 * i + i // 256) % 256 for i in range(size))


def float_of(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def scalars() -> None:
    case("none", "nothing", None)
    case("bool_true", "is not the integer 1", True)
    case("bool_false", "is not the integer 0", False)
    for name, number in {
        "zero": 0, "minus_one": -1, "255": 255, "int64_least": -(2**63), "int64_greatest": 2**63 - 1,
        "2_63": 2**63, "uint64_greatest": 2**64 - 1,
    }.items():  # fmt: skip
        case(f"int_{name}", "an integer of 64 bits, of either signedness", number)
    for name, number in {
        "2_64": 2**64, "below_int64": -(2**63) - 1, "2_127": 2**127, "minus_2_127": -(2**127),
        "10_50": 10**50, "minus_10_50": -(10**50),
    }.items():  # fmt: skip
        case(f"bigint_{name}", "an integer beyond 64 bits: big-endian, as short as holds the sign", number)
    for name, bits in {
        "zero": 0, "minus_zero": 1 << 63, "1_5": 0x3FF8000000000000, "inf": 0x7FF0000000000000,
        "minus_inf": 0xFFF0000000000000, "nan": 0x7FF8000000000000, "nan_payload": 0x7FF8000000000123,
        "nan_signalling": 0xFFF0000000000001, "least": 1, "greatest": 0x7FEFFFFFFFFFFFFF,
    }.items():  # fmt: skip
        case(f"float_{name}", "a float64, bit for bit", float_of(bits))
    case("complex", "two float64", 1 + 2j)
    case("complex_edges", "-0.0 and a NaN with a payload", complex(-0.0, float_of(0x7FF8000000000123)))


def numpy_scalars() -> None:
    for bits in (8, 16, 32, 64):
        least, greatest = (1 << (bits - 1)).to_bytes(bits // 8, "little"), b"\xff" * (bits // 8 - 1) + b"\x7f"
        case(f"numpy_int{bits}_least", "of its element type", Numpy(f"int{bits}", least))
        case(f"numpy_int{bits}_greatest", "of its element type", Numpy(f"int{bits}", greatest))
        case(f"numpy_uint{bits}_greatest", "of its element type", Numpy(f"uint{bits}", b"\xff" * (bits // 8)))
    case("numpy_bool", "is not Python's bool", Numpy("bool", b"\1"))
    case("numpy_float16", "1.5: stored as its bits", Numpy("float16", b"\x00\x3e"))
    case("numpy_float16_nan", "a NaN with a payload", Numpy("float16", b"\x23\x7e"))
    case("numpy_float32", "1.5: stored as its bits", Numpy("float32", struct.pack("<f", 1.5)))
    case("numpy_float32_minus_zero", "-0.0", Numpy("float32", struct.pack("<f", -0.0)))
    case("numpy_float32_nan", "a NaN with a payload", Numpy("float32", struct.pack("<I", 0x7FC00123)))
    case("numpy_float64", "is not Python's float", Numpy("float64", struct.pack("<d", -2.25)))
    case("numpy_complex64", "two float32 by their bits", Numpy("complex64", struct.pack("<ff", 1.5, -0.0)))
    case("numpy_complex128", "two float64", Numpy("complex128", struct.pack("<dd", 1.5, -0.0)))


def texts() -> None:
    case("str_empty", "no characters", "")
    case("str_ascii", "letters", "text")
    case("str_nul", "NUL is a character like others", "NUL \0 inside")
    case("str_emoji", "beyond 16 bits: pairs of surrogates elsewhere, four bytes here",
         "\U0001f347 \U0010ffff \xe9")  # fmt: skip
    case("str_last_of_each_length", "the last characters of 1, 2, 3 bytes and the first beyond",
         "\x7f\x80\u07ff\u0800\uffff\U00010000")  # fmt: skip
    case("str_escapes", "quotes and controls", "\"\\\n\t\x01/'\x7f")
    case("str_16384", "16 KiB: the longest that is a field", "x" * 16384)
    case("str_16385", "one byte more: a blob", "x" * 16385)
    case("str_e_8192", "16 KiB of two bytes each: a field, bytes count", "\xe9" * 8192)
    case("str_e_8193", "a blob of two bytes each", "\xe9" * 8193)
    case("str_long", "100,001 bytes, characters of four among them", "grape \U0001f347 " * 9091)


def blobs() -> None:
    for size in (0, 1, 255, 256, 65535, 65536, 65537):
        case(f"bytes_{size}", "the envelope changes at 256 and 65,536", pattern(size))
        case(f"bytearray_{size}", "the envelope changes at 65,536", bytearray(pattern(size)))
    case("bytes_hello", "28 bytes stored", b"Hello, World!")
    case("bytes_100000", "written into shared memory by its client", pattern(100000))
    for size in (0, 1, 65536, 100000):
        case(f"buffer_{size}", "stored as it is", memoryview(pattern(size)))


def containers() -> None:
    case("tuple_empty", "no elements", ())
    case("tuple_one", "one element", (1,))
    case("tuple_two", "a tuple of two is a Pair", (1, "b"))
    case("tuple_three", "three elements", (1, "b", None))
    case("pair_of_members", "a Pair whose elements are objects", ([1], b"second"))
    case("list_empty", "no elements", [])
    case("list_of_two", "stays a list", [1, 2])
    case("list_leaves", "every bare leaf", [None, True, False, -1, 2**64 - 1, -(2**63), 1.5, -0.0, "s", ""])
    case("list_scalars", "scalars that are maps, behind what is bare",
         [10**30, 1, 1 - 2j, "s", Numpy("float32", bytes(4))])  # fmt: skip
    case("list_of_texts", "text of 16 KiB is a field, of more a member", ["x" * 16384, "x" * 16385])
    case("list_of_bytes", "bytes are members", [b"", b"a", bytearray(b"b"), memoryview(b"c")])
    inner = [b"shared"]
    case("list_shared", "a value met twice is one member", [inner, inner, inner[0]])
    case("list_of_arrays", "arrays are members",
         [Array("int16", [2], struct.pack("<hh", -1, 2)), Array("bool", [1], b"\1")])  # fmt: skip
    case("list_10000_members", "many members", [struct.pack("<I", i) for i in range(10000)])
    case("list_10000_fields", "many fields: one object", list(range(10000)))
    deep: Any = "leaf"
    for level in range(50):
        deep = [deep, level] if level % 2 else {"below": deep}
    case("tree_50_deep", "lists and dicts by turns", deep)
    case("dict_empty", "no pairs", {})
    case("dict_order", "the order is that of insertion", {"z": 1, "a": 2, "m": 3})
    case("dict_keys", "keys of every kind",
         {None: 0, True: 1, -7: 2, 1.5: 3, "": 4, b"k": 5, (1, 2): 6, 10**30: 7, 2j: 8})  # fmt: skip
    case("dict_values", "leaves are fields, others members",
         {"i": 1, "l": [1, 2], "b": b"bytes", "n": {"a": None}, "c": 1j})  # fmt: skip
    case("dict_unicode", "keys beyond ASCII", {"\U0001f347": "grape", "\xe9 \0": "accent and NUL"})
    case("mixed", "one of each", {"t": (1, 2, [3, (4,)]), "d": {"e": {}}, "s": ["x", ("y", "z")], "none": [None]})
    case("sequence", "metadata built by hand as a Sequence is a tuple", ByHand(
        "vineyard::Sequence", [("__elements_-size", 2), ("__elements_-0", 7)], [("__elements_-1", b"seven")],
        (7, b"seven")))  # fmt: skip
    case("list_leaf_members", "leaves that are objects of their own are read like fields", ByHand(
        "vineyard::List", [("__elements_-size", 2)], [("__elements_-0", 7), ("__elements_-1", "seven")],
        [7, "seven"]))  # fmt: skip


def arrays() -> None:
    for bits in (8, 16, 32, 64):
        least, greatest, size = 1 << (bits - 1), (1 << (bits - 1)) - 1, bits // 8
        signed = [least, greatest, 0, 1, (1 << bits) - 1, 2]
        case(f"array_int{bits}", "least, greatest, 0, 1, -1, 2",
             Array(f"int{bits}", [6], b"".join(each.to_bytes(size, "little") for each in signed)))  # fmt: skip
        case(f"array_uint{bits}", "0, 1, greatest",
             Array(f"uint{bits}", [3], bytes(size) + (1).to_bytes(size, "little") + b"\xff" * size))  # fmt: skip
    case("array_bool", "a byte each, 0 or 1", Array("bool", [5], b"\1\0\1\1\0"))
    case("array_float16", "1.5, -0.0, inf, a NaN with a payload",
         Array("float16", [4], struct.pack("<4H", 0x3E00, 0x8000, 0x7C00, 0x7E23)))  # fmt: skip
    case("array_float32", "1.5, -0.0, inf, a NaN with a payload, the least",
         Array("float32", [5], struct.pack("<5I", 0x3FC00000, 1 << 31, 0x7F800000, 0x7FC00123, 1)))  # fmt: skip
    doubles = struct.pack("<5Q", 0x3FF8000000000000, 1 << 63, 0xFFF0000000000000, 0x7FF8000000000123, 1)
    case("array_float64", "1.5, -0.0, -inf, a NaN with a payload, the least", Array("float64", [5], doubles))
    case("array_complex64", "pairs of float32", Array("complex64", [2], struct.pack("<4f", 1.5, -2.0, -0.0, 4.0)))
    case("array_complex128", "pairs of float64", Array("complex128", [2], struct.pack("<4d", 1.5, -2.0, -0.0, 4.0)))
    case("array_empty", "no elements", Array("float64", [0], b""))
    case("array_20000", "160,000 bytes: element i is i",
         Array("int64", [20000], struct.pack("<20000q", *range(20000))))  # fmt: skip
    six = struct.pack("<6i", 0, 1, 2, 3, 4, 5)
    case("tensor_c", "the last index varies fastest", Array("int32", [2, 3], six))
    case("tensor_f", "the first index varies fastest", Array("int32", [2, 3], six, "F"))
    case("tensor_3_f", "three dimensions", Array("float64", [2, 3, 4], struct.pack("<24d", *range(24)), "F"))
    case("tensor_0", "no dimensions, one element", Array("float64", [], struct.pack("<d", 2.5)))
    case("tensor_empty", "a dimension of 0", Array("uint8", [2, 0, 3], b""))
    case("tensor_8", "eight dimensions", Array("uint8", [1, 2, 1, 2, 1, 2, 1, 2], bytes(range(16))))
    case("tensor_parameters", "T<parameters> is a T", ByHand(
        "vineyard::Tensor<int32>",
        [("value_type_", "int32"), ("shape_", [2, 3]), ("order_", "C"), ("value_type_meta_", "<i4"),
         ("partition_index_", [])],
        [("buffer_", memoryview(six))], Array("int32", [2, 3], six)))  # fmt: skip
    case("array_least_fields", "what may be absent is, and a field that nobody knows is there", ByHand(
        "vineyard::Array", [("value_type_", "int32"), ("shape_", [6]), ("my_note_", "ignore me")],
        [("buffer_", memoryview(six))], Array("int32", [6], six)))  # fmt: skip
    whole = Array("int64", [20], struct.pack("<20q", *range(20)))
    part = Array("int64", [5], bytes(40), inside=whole, offset=48)
    case("array_part", "elements 6 to 10 of an array that was there: the same blob", part)
    days = struct.pack("<3q", 0, 19000, -1)
    case("other_datetime64", "numpy's own element type", Array("other", [3], days, descriptor="<M8[D]"), False)
    case("other_big_endian", "another byte order",
         Array("other", [2], struct.pack(">2i", 1, -2), descriptor=">i4"), False)  # fmt: skip
    case("other_text", "text of fixed length",
         Array("other", [2], "ab\0\0c\0\0\0".encode("utf-32-le"), descriptor="<U4"), False)  # fmt: skip
    two = struct.pack("<bdbd", 1, 1.5, 2, -0.0)
    case("other_structured", "fields of two types",
         Array("other", [2], two, descriptor=[["a", "|i1"], ["b", "<f8"]]), False)  # fmt: skip
    case("other_0", "no dimensions", Array("other", [], struct.pack("<q", 5), descriptor="<m8[ns]"), False)


def by_hand() -> None:
    every = [
        ("null", None), ("yes", True), ("no", False), ("least", -(2**63)), ("greatest", 2**64 - 1), ("zero", 0),
        ("float", float_of(0x7FF8000000000123)), ("text", "NUL \0 and \U0001f347"), ("bytes", b"\0\xff"),
        ("no bytes", b""), ("list", [1, [2, [3, []]], {"k": None}]),
        ("map", {"a": {"b": {"c": [1.5, "d", b"e"]}}, "": {}}),
    ]  # fmt: skip
    case("meta_every_value", "a type of one's own: every kind of field", ByHand("my::Every", every))
    case("meta_empty", "a type name and nothing else", ByHand("my::Nothing", []))
    case("meta_unicode", "names beyond ASCII of type, fields and members", ByHand(
        "mein::Großer \U0001f347", [("größe", 1), ("\U0001f347", "grape"), ("长度", [1, 2])],
        [("成员", b"m"), ("\xe9\u0301", [1])]))  # fmt: skip
    case("meta_long_field", "16 KiB and more are fields of one's own types",
         ByHand("my::Long", [("bytes", pattern(20000)), ("text", "y" * 20000)]))  # fmt: skip


def pickles() -> None:
    def framed(body: bytes) -> bytes:
        return b"\x80\x05\x95" + struct.pack("<Q", len(body)) + body

    ranged = b"\x8c\x08builtins\x94\x8c\x05range\x94\x93\x94K\x00K\nK\x02\x87\x94R\x94."
    a_range = Pickle(framed(ranged), ['python "range(0, 10, 2)"'])
    case("pickle_range", "a type of Python's that has none here", a_range, False)
    case("pickle_in_list", "inside a container", [a_range, 1], False)
    case("pickle_surrogate", "text that has no UTF-8 form", Pickle(
        framed(b"\x8c\x09\xed\xa0\x80 alone\x94."), ['str "\\ud800 alone"']), False)  # fmt: skip
    day = datetime.date(2024, 2, 29)
    body = b"\x8c\x08datetime\x94\x8c\x04date\x94\x93\x94C\x04\x07\xe8\x02\x1d\x94\x85\x94R\x94."
    case("pickle_date", "an instance of a class", Pickle(framed(body), [f'python "{day!r}"']), False)
    one = pattern(1000)
    case("pickle_buffer", "one buffer out of band: in place", Pickle(
        b"\x80\x05\x97.", [f"buffer {data_text(one)}"], [one]), False)  # fmt: skip
    two = [pattern(300), b"abc"]
    body = b"\x8c\x0bcollections\x94\x8c\x05deque\x94\x93\x94)R\x94(\x97\x97e."
    shown = ['python "deque" 2', *(f"  buffer {data_text(each)}" for each in two)]
    case("pickle_buffers", "two buffers out of band", Pickle(framed(body), shown, two), False)


for family in (scalars, numpy_scalars, texts, blobs, containers, arrays, by_hand, pickles):
    family()
