"""Arrays: exact in dtype, form and order, in place, and not copied again."""

from __future__ import annotations

import gc
import pickle
from typing import Any, Callable

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from same import same

import vineyard

NATIVE = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 bool complex64 complex128"
OTHER = [">i4", ">f8", "M8[ns]", "m8[s]", "U8", "S5", "V3", "i4,f8", "(2,3)i4", "longdouble", "clongdouble"]


@pytest.mark.parametrize("dtype", [*NATIVE.split(), *OTHER])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (0, 3), (2, 3, 4)], ids=str)
def test_arrays_of_any_dtype_and_shape(client: vineyard.Client, dtype: str, shape: tuple[int, ...]) -> None:
    bits = np.random.default_rng(1).integers(0, 2, 4096, np.uint8).tobytes()
    kind = np.dtype(dtype) if dtype != "(2,3)i4" else np.dtype([("sub", dtype)])
    array = np.ndarray(shape, kind, bits[: max(1, int(np.prod(shape))) * kind.itemsize].ljust(1))
    number = client.put(array)
    got = client.get(number)
    assert same(got, array) and not got.flags.writeable
    one = len(shape) == 1
    pickled = "pickle" if kind.hasobject else "Array" if one else "Tensor"
    assert client.get_meta(number).typename == f"vineyard::{pickled}"
    copy = client.get(number, copy=True)
    assert same(copy, array) and copy.flags.writeable


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=hnp.arrays(hnp.scalar_dtypes() | hnp.unicode_string_dtypes() | hnp.byte_string_dtypes(),
                        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)),
       order=st.sampled_from("CF"))  # fmt: skip
def test_any_array(client: vineyard.Client, array: Any, order: str) -> None:
    array = np.asarray(array, order=order)  # type: ignore[call-overload]
    assert same(client.get(client.put(array)), array)
    assert same(client.get(client.put([array, 1]))[0], array)


def test_orders_and_gaps(client: vineyard.Client) -> None:
    base = np.arange(24.0).reshape(2, 3, 4)
    fortran = np.asfortranarray(base)
    got = client.get(client.put(fortran))
    assert got.flags.f_contiguous and not got.flags.c_contiguous and (got == base).all()
    assert client.get_meta(client.put(fortran))["order_"] == "F"
    for gaps in (base[:, ::2], base.transpose(1, 0, 2), base[::-1], np.broadcast_to(np.arange(3), (2, 3))):
        got = client.get(client.put(gaps))
        assert got.flags.c_contiguous and (got == gaps).all() and got.dtype == gaps.dtype
    dates = np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "M8[D]")
    assert same(client.get(client.put(dates[::2])), dates[::2].copy())
    assert same(client.get(client.put(np.asfortranarray(np.array([dates, dates])))),
                np.asfortranarray(np.array([dates, dates])))  # fmt: skip


def test_dtypes_that_a_descriptor_does_not_keep_are_pickled(client: vineyard.Client) -> None:
    aligned = np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True))
    tagged = np.zeros(2, np.dtype("f8", metadata={"unit": "m"}))
    objects = np.array([{}, None, "x"], object)
    for array in (aligned, tagged, objects):
        number = client.put(array)
        assert client.get_meta(number).typename == "vineyard::PickleBuffer"
        got = client.get(number)
        assert got.dtype == array.dtype and got.dtype.isalignedstruct == array.dtype.isalignedstruct
        assert got.tolist() == array.tolist()
    assert client.get(client.put(tagged)).dtype.metadata == {"unit": "m"}


def test_subclasses_keep_their_type(client: vineyard.Client, tmp_path: Any) -> None:
    masked = np.ma.masked_array([1, 2, 3], [0, 1, 0])
    got = client.get(client.put(masked))
    assert type(got) is type(masked) and got.mask.tolist() == [False, True, False]
    matrix = np.matrix([[1, 2], [3, 4]])
    assert type(client.get(client.put(matrix))) is np.matrix
    mapped = np.memmap(tmp_path / "map", np.int32, "w+", shape=(4,))
    mapped[:] = 7
    got = client.get(client.put(mapped))
    assert type(got) is np.ndarray and got.tolist() == [7, 7, 7, 7]


def test_numpy_scalars(client: vineyard.Client) -> None:
    scalars: list[Any] = [np.dtype(name).type(1) for name in NATIVE.split()]
    scalars += [np.float32(np.nan), np.float64(-0.0), np.float16(1e-7), np.complex64(1 - 2j), np.uint64(2**64 - 1)]
    scalars += [np.uint16(0x7E01).view(np.float16), np.uint32(0xFF800001).view(np.float32)]
    scalars += [np.datetime64("2020-01-01"), np.str_("x"), np.bytes_(b"y")]
    for scalar in scalars:
        assert same(client.get(client.put(scalar)), scalar)
    assert same(client.get(client.put(scalars)), scalars)
    assert client.get_meta(client.put(np.float32(1))).fields["scalar_kind_"] == "numpy"


def test_an_array_lies_in_shared_memory_and_is_not_copied(
    client: vineyard.Client, python: Callable[..., str]
) -> None:
    array = np.arange(1 << 20, dtype=np.int64)
    number = client.put(array)
    assert client.copied_payload_bytes >= array.nbytes
    out = python(
        """
import numpy as np
client = vineyard.connect()
array = client.get(vineyard.ObjectID(sys.argv[1]))
assert client.copied_payload_bytes == 0
address = array.__array_interface__["data"][0]
for line in open("/proc/self/maps"):
    begin, end = (int(part, 16) for part in line.split()[0].split("-"))
    if begin <= address and address + array.nbytes <= end:
        print(line.split()[1], "memfd" in line, client.is_shared_memory(array), int(array.sum()))
""",
        number,
    )
    assert out.split() == ["r--s", "True", "True", str(int(array.sum()))]


def test_what_is_copied_on_demand_is_counted(client: vineyard.Client) -> None:
    data = bytearray(100_000)
    for value in (bytes(data), data, memoryview(data), np.array(data), [bytes(data), 1], slice(np.array(data))):
        number = client.put(value)
        copied = client.copied_payload_bytes
        client.get(number, copy=True)
        assert client.copied_payload_bytes - copied == len(data)


def test_an_array_keeps_its_memory_whatever_goes_first(client: vineyard.Client, daemon: Any) -> None:
    own = vineyard.connect(daemon.socket)
    array = np.arange(100_000, dtype=np.int64)
    number = own.put(array)
    got = own.get(number)
    part = got[10:20]
    view = memoryview(got)
    own.delete(number)
    own.close()
    del own, got
    gc.collect()
    client.put(np.ones(100_000, np.int64))  # would take the memory
    assert part.tolist() == list(range(10, 20)) and bytes(view) == array.tobytes()
    del part, view
    gc.collect()


def test_an_array_in_shared_memory_is_not_copied_again(client: vineyard.Client) -> None:
    number = client.put(np.arange(100_000.0))
    array = client.get(number)
    copied = client.copied_payload_bytes
    again = client.put(array)
    part = client.put(array[1000:2000])
    both = client.put([array, array[:10], {"k": array}])
    assert client.copied_payload_bytes == copied
    buffer = client.get_meta(number)["buffer_"].id
    assert client.get_meta(again)["buffer_"].id == buffer and "offset_" not in client.get_meta(again)
    assert client.get_meta(part)["offset_"] == 8000
    assert same(client.get(part), np.arange(1000.0, 2000.0))
    assert same(client.get(both)[1], np.arange(10.0))
    client.delete(number)
    del array
    gc.collect()
    assert same(client.get(part), np.arange(1000.0, 2000.0))


def test_it_is_copied_when_its_blob_was_deleted(client: vineyard.Client) -> None:
    number = client.put(np.arange(10_000.0))
    array = client.get(number)
    client.delete(number)
    assert same(client.get(client.put(array)), np.arange(10_000.0))
    assert same(client.get(client.put([array, "x"]))[0], np.arange(10_000.0))


def test_it_is_copied_into_another_store(client: vineyard.Client) -> None:
    from vineyard.deploy.local import start_vineyardd

    array = client.get(client.put(np.arange(1000.0)))
    with start_vineyardd(size="64Mi") as (_, socket), vineyard.connect(socket) as elsewhere:
        assert same(elsewhere.get(elsewhere.put(array)), np.arange(1000.0))


def test_pickled_values_keep_their_arrays_in_place(client: vineyard.Client) -> None:
    class_instance = Holder(np.arange(100_000.0))
    number = client.put(class_instance)
    assert len([name for name in client.get_meta(number).members if name.startswith("__buffers_-")]) == 1
    copied = client.copied_payload_bytes
    got = client.get(number)
    assert same(got.array, class_instance.array) and not got.array.flags.writeable
    assert client.copied_payload_bytes == copied and client.is_shared_memory(got.array)
    assert client.get(number, copy=True).array.flags.writeable
    assert same(pickle.loads(pickle.dumps(got)).array, class_instance.array)


class Holder:
    def __init__(self, array: Any) -> None:
        self.array = array


def test_find_shared_memory(client: vineyard.Client) -> None:
    number = client.put(np.arange(100.0))
    array = client.get(number)
    buffer = client.get_meta(number)["buffer_"].id
    assert client.find_shared_memory(array[5:]) == buffer
    assert client.find_shared_memory(array.__array_interface__["data"][0]) == buffer
    assert client.find_shared_memory(memoryview(array)) == buffer
    assert client.find_shared_memory(np.arange(3)) is None and not client.is_shared_memory(b"abc")


def test_tensor_views(client: vineyard.Client) -> None:
    import vineyard.data.tensor  # noqa: F401  (as the tutorial does)

    obj = client.get_object(client.put(np.zeros((2, 3), np.float32)))
    assert obj.typename == "vineyard::Tensor" and obj.shape == (2, 3) and obj.size() == 6
    assert obj.value_type == "float32" and obj.order == "C" and obj.nbytes == 24
    assert same(obj.numpy(), np.zeros((2, 3), np.float32))
    pair = client.get_object(client.put((client.get_object(client.put(np.zeros(8))), np.ones(4))))
    assert (pair.first.typename, pair.first.size(), pair.second.size()) == ("vineyard::Array", 8, 4)


def test_numpy_is_optional(client: vineyard.Client, python: Callable[..., str]) -> None:
    client.put(np.arange(3), name="array")
    client.put([1, "x", b"y", {1, 2}], name="plain")
    out = python(
        """
sys.modules["numpy"] = None
client = vineyard.connect()
print(client.get(name="plain"), client.get(client.put((1, 2))))
print(client.get_object(client.get_name("array")).shape)
try:
    client.get(name="array")
except vineyard.Unsupported as error:
    print(error)
"""
    )
    assert out.splitlines() == [
        "[1, 'x', b'y', {1, 2}] (1, 2)", "(3,)", "an array: numpy is not installed here; pip install numpy",
    ]  # fmt: skip
