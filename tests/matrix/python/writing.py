"""This file is the only place that makes the values of the cases in Python, as a person would write them."""

from __future__ import annotations

import collections
import datetime
import pickle
import struct
from typing import Any

import numpy as np

import vineyard


def pattern(size: int) -> bytes:
    """Bytes that differ where they stand: byte i is (7 i + i / 256) mod 256."""
    return bytes((7 * i + i // 256) % 256 for i in range(size))


def double(bits: int) -> float:
    return float(struct.unpack("d", struct.pack("Q", bits))[0])


def values(client: vineyard.Client) -> dict[str, Any]:
    """Every case. What refers to an object that exists needs the client."""
    return {
        **scalars(), **numpy_scalars(), **texts(), **blobs(), **containers(), **arrays(client), **others(),
        **by_hand(client), **pickles(),
    }  # fmt: skip


def scalars() -> dict[str, Any]:
    return {
        "none": None, "bool_true": True, "bool_false": False,
        "int_zero": 0, "int_minus_one": -1, "int_255": 255, "int_int64_least": -(2**63),
        "int_int64_greatest": 2**63 - 1, "int_2_63": 2**63, "int_uint64_greatest": 2**64 - 1,
        "bigint_2_64": 2**64, "bigint_below_int64": -(2**63) - 1, "bigint_2_127": 2**127,
        "bigint_minus_2_127": -(2**127), "bigint_10_50": 10**50, "bigint_minus_10_50": -(10**50),
        "float_zero": 0.0, "float_minus_zero": -0.0, "float_1_5": 1.5, "float_inf": float("inf"),
        "float_minus_inf": float("-inf"), "float_nan": double(0x7FF8 << 48),
        "float_nan_payload": double(0x7FF8000000000123),
        "float_nan_signalling": double(0xFFF0000000000001), "float_least": 5e-324,
        "float_greatest": 1.7976931348623157e308,
        "complex": 1 + 2j, "complex_edges": complex(-0.0, double(0x7FF8000000000123)),
    }  # fmt: skip


def numpy_scalars() -> dict[str, Any]:
    made: dict[str, Any] = {}
    for bits in (8, 16, 32, 64):
        for kind in (f"int{bits}", f"uint{bits}"):
            limits = np.iinfo(kind)
            made[f"numpy_{kind}_greatest"] = np.dtype(kind).type(limits.max)
            if kind[0] == "i":
                made[f"numpy_{kind}_least"] = np.dtype(kind).type(limits.min)
    return {
        **made, "numpy_bool": np.bool_(True),
        "numpy_float16": np.float16(1.5), "numpy_float16_nan": np.uint16(0x7E23).view(np.float16),
        "numpy_float32": np.float32(1.5), "numpy_float32_minus_zero": np.float32(-0.0),
        "numpy_float32_nan": np.uint32(0x7FC00123).view(np.float32), "numpy_float64": np.float64(-2.25),
        "numpy_complex64": np.complex64(complex(1.5, -0.0)), "numpy_complex128": np.complex128(complex(1.5, -0.0)),
    }  # fmt: skip


def texts() -> dict[str, Any]:
    return {
        "str_empty": "", "str_ascii": "text", "str_nul": "NUL \0 inside", "str_emoji": "🍇 \U0010ffff é",
        "str_last_of_each_length": "\x7f\x80\u07ff\u0800\uffff\U00010000", "str_escapes": "\"\\\n\t\x01/'\x7f",
        "str_16384": "x" * 16384, "str_16385": "x" * 16385, "str_e_8192": "é" * 8192, "str_e_8193": "é" * 8193,
        "str_long": "grape 🍇 " * 9091,
    }  # fmt: skip


def blobs() -> dict[str, Any]:
    made: dict[str, Any] = {"bytes_hello": b"Hello, World!", "bytes_100000": pattern(100000)}
    for size in (0, 1, 255, 256, 65535, 65536, 65537):
        made[f"bytes_{size}"] = pattern(size)
        made[f"bytearray_{size}"] = bytearray(pattern(size))
    for size in (0, 1, 65536, 100000):
        made[f"buffer_{size}"] = memoryview(pattern(size))
    return made


def containers() -> dict[str, Any]:
    inner = [b"shared"]
    deep: Any = "leaf"
    for level in range(50):
        deep = [deep, level] if level % 2 else {"below": deep}
    return {
        "tuple_empty": (), "tuple_one": (1,), "tuple_two": (1, "b"), "tuple_three": (1, "b", None),
        "pair_of_members": ([1], b"second"), "list_empty": [], "list_of_two": [1, 2],
        "list_leaves": [None, True, False, -1, 2**64 - 1, -(2**63), 1.5, -0.0, "s", ""],
        "list_scalars": [10**30, 1, 1 - 2j, "s", np.float32(0)],
        "list_of_texts": ["x" * 16384, "x" * 16385],
        "list_of_bytes": [b"", b"a", bytearray(b"b"), memoryview(b"c")],
        "list_shared": [inner, inner, inner[0]],
        "list_of_arrays": [np.array([-1, 2], np.int16), np.array([True])],
        "list_10000_members": [struct.pack("<I", i) for i in range(10000)],
        "list_10000_fields": list(range(10000)),
        "tree_50_deep": deep,
        "dict_empty": {}, "dict_order": {"z": 1, "a": 2, "m": 3},
        "dict_keys": {None: 0, True: 1, -7: 2, 1.5: 3, "": 4, b"k": 5, (1, 2): 6, 10**30: 7, 2j: 8},
        "dict_values": {"i": 1, "l": [1, 2], "b": b"bytes", "n": {"a": None}, "c": 1j},
        "dict_unicode": {"🍇": "grape", "é \0": "accent and NUL"},
        "mixed": {"t": (1, 2, [3, (4,)]), "d": {"e": {}}, "s": ["x", ("y", "z")], "none": [None]},
    }  # fmt: skip


def arrays(client: vineyard.Client) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for bits in (8, 16, 32, 64):
        signed, unsigned = np.iinfo(f"int{bits}"), np.iinfo(f"uint{bits}")
        made[f"array_int{bits}"] = np.array([signed.min, signed.max, 0, 1, -1, 2], signed.dtype)
        made[f"array_uint{bits}"] = np.array([0, 1, unsigned.max], unsigned.dtype)
    six = np.arange(6, dtype=np.int32).reshape(2, 3)
    whole = client.get(client.put(np.arange(20)))
    return {
        **made,
        "array_bool": np.array([True, False, True, True, False]),
        "array_float16": np.array([0x3E00, 0x8000, 0x7C00, 0x7E23], np.uint16).view(np.float16),
        "array_float32": np.array([0x3FC00000, 1 << 31, 0x7F800000, 0x7FC00123, 1], np.uint32).view(np.float32),
        "array_float64": np.array(
            [0x3FF8 << 48, 1 << 63, 0xFFF0 << 48, 0x7FF8000000000123, 1], np.uint64).view(np.float64),
        "array_complex64": np.array([complex(1.5, -2.0), complex(-0.0, 4.0)], np.complex64),
        "array_complex128": np.array([complex(1.5, -2.0), complex(-0.0, 4.0)]),
        "array_empty": np.zeros(0), "array_20000": np.arange(20000),
        "tensor_c": six, "tensor_f": np.array([[0, 2, 4], [1, 3, 5]], np.int32, order="F"),
        "tensor_3_f": np.arange(24.0).reshape((2, 3, 4), order="F"),
        "tensor_0": np.array(2.5), "tensor_empty": np.zeros((2, 0, 3), np.uint8),
        "tensor_8": np.arange(16, dtype=np.uint8).reshape(1, 2, 1, 2, 1, 2, 1, 2),
        "array_part": whole[6:11],  # a view of shared memory: the same blob
    }  # fmt: skip


def others() -> dict[str, Any]:
    """Element types that are numpy's own."""
    structured = np.array([(1, 1.5), (2, -0.0)], [("a", "i1"), ("b", "<f8")])
    return {
        "other_datetime64": np.array([0, 19000, -1], "M8[D]"), "other_big_endian": np.array([1, -2], ">i4"),
        "other_text": np.array(["ab", "c"], "U4"), "other_structured": structured,
        "other_0": np.array(5, "m8[ns]"),
    }  # fmt: skip


def by_hand(client: vineyard.Client) -> dict[str, Any]:
    """Metadata of types of one's own."""
    six = memoryview(np.arange(6, dtype=np.int32)).cast("B")
    tensor = {
        "value_type_": "int32", "shape_": [2, 3], "order_": "C", "value_type_meta_": "<i4", "partition_index_": [],
    }  # fmt: skip
    every = {
        "null": None, "yes": True, "no": False, "least": -(2**63), "greatest": 2**64 - 1, "zero": 0,
        "float": double(0x7FF8000000000123), "text": "NUL \0 and 🍇", "bytes": b"\0\xff", "no bytes": b"",
        "list": [1, [2, [3, []]], {"k": None}], "map": {"a": {"b": {"c": [1.5, "d", b"e"]}}, "": {}},
    }  # fmt: skip
    sequence = {"__elements_-size": 2, "__elements_-0": 7}
    return {
        "sequence": meta("vineyard::Sequence", sequence, {"__elements_-1": client.put(b"seven")}),
        "list_leaf_members": meta("vineyard::List", {"__elements_-size": 2},
                                  {"__elements_-0": client.put(7), "__elements_-1": client.put("seven")}),
        "array_least_fields": meta("vineyard::Array", {"value_type_": "int32", "shape_": [6], "my_note_": "ignore me"},
                                   {"buffer_": client.put(six)}),
        "tensor_parameters": meta("vineyard::Tensor<int32>", tensor, {"buffer_": client.put(six)}),
        "meta_every_value": meta("my::Every", every),
        "meta_empty": meta("my::Nothing", {}),
        "meta_unicode": meta("mein::Großer 🍇", {"größe": 1, "🍇": "grape", "长度": [1, 2]},
                             {"成员": client.put(b"m"), "é\u0301": client.put([1])}),
        "meta_long_field": meta("my::Long", {"bytes": pattern(20000), "text": "y" * 20000}),
    }  # fmt: skip


def meta(typename: str, fields: dict[str, Any], members: dict[str, vineyard.ObjectID] | None = None) -> Any:
    made = vineyard.ObjectMeta()
    made["typename"] = typename
    for name, value in fields.items():
        made[name] = value
    for name, member in (members or {}).items():
        made.add_member(name, member)
    return made


def pickles() -> dict[str, Any]:
    """What no other language reads."""
    buffers = [pickle.PickleBuffer(bytearray(pattern(300))), pickle.PickleBuffer(bytearray(b"abc"))]
    return {
        "pickle_range": range(0, 10, 2), "pickle_in_list": [range(0, 10, 2), 1], "pickle_surrogate": "\ud800 alone",
        "pickle_date": datetime.date(2024, 2, 29), "pickle_buffer": pickle.PickleBuffer(bytearray(pattern(1000))),
        "pickle_buffers": collections.deque(buffers),
    }  # fmt: skip
