"""Blobs: sealed and being written, and how long their bytes stay."""

from __future__ import annotations

import gc
import pickle
import weakref
from typing import Any, Callable

import pytest

import vineyard


def test_the_tutorials_blob(client: vineyard.Client, capsys: pytest.CaptureFixture[str]) -> None:
    payload = b"Hello, World!"
    blob_id = client.put(payload)
    blob = client.get_object(blob_id)
    print(blob.typename, blob.size, blob)
    assert capsys.readouterr().out == f'vineyard::Blob 28 Object <"{blob_id}": vineyard::Blob>\n'
    assert str(blob_id)[:2] in ("o8", "o9", "oa", "ob", "oc", "od", "oe", "of") and len(str(blob_id)) == 17


def test_every_language_sees_the_value_and_python_its_pickle(client: vineyard.Client) -> None:
    for value, stored in ((b"x" * 13, 28), (b"x" * 300, 318), (b"x" * 70000, 70009), (bytearray(5), 27)):
        blob = client.get_blob(client.put(value))
        assert bytes(blob) == value and len(blob) == len(value) and blob.size == stored
        assert blob.nbytes == stored and blob.address % 64 == 0


def test_a_blob_is_a_read_only_buffer_of_unsigned_bytes(client: vineyard.Client) -> None:
    blob = client.get_blob(client.put(b"Hello, World!"))
    view = memoryview(blob)
    assert view.readonly and view.format == "B" and view.shape == (13,)
    assert blob[0] == 72 and bytes(blob[7:12]) == b"World" and list(blob)[:2] == [72, 101]
    with pytest.raises(TypeError):
        view[0] = 1
    with pytest.raises(IndexError):
        blob[13]


def test_a_builder_writes_in_place(client: vineyard.Client, other: vineyard.Client) -> None:
    builder = client.create_blob(10)
    builder.copy(0, b"01234")
    builder[5:] = b"56789"
    memoryview(builder)[0:1] = b"x"
    with pytest.raises(vineyard.ObjectNotFound):
        other.get(builder.id)
    blob = builder.seal(client)
    assert bytes(blob) == b"x123456789" and blob.id == builder.id
    assert bytes(other.get(builder.id)) == b"x123456789"
    assert "sealed" in repr(builder)


def test_a_builder_seals_on_success_and_aborts_on_an_exception(client: vineyard.Client) -> None:
    with client.create_blob(3) as builder:
        builder.copy(0, b"abc")
    assert bytes(client.get(builder.id)) == b"abc"
    with pytest.raises(ZeroDivisionError):
        with client.create_blob(3) as failed:
            1 / 0
    assert not client.exists(failed.id) and "aborted" in repr(failed)
    with client.create_blob(3) as aborted:
        aborted.abort()
    assert not client.exists(aborted.id)
    aborted.abort(client)
    aborted.close()


def test_sizes_and_shrinking(client: vineyard.Client) -> None:
    builders = client.create_blob([0, 1, 100_000])
    assert [builder.size for builder in builders] == [0, 1, 100_000]
    assert len(builders[0].seal()) == 0
    builders[2][:3] = b"abc"
    builders[2].shrink(3)
    assert builders[2].size == 3 and bytes(builders[2].seal()) == b"abc"
    builders[1].abort()
    empty = client.create_empty_blob()
    assert len(empty) == 0 and str(empty.id) == "o8000000000000000"


def test_misuse_of_a_builder_has_a_name(client: vineyard.Client) -> None:
    builder = client.create_blob(4)
    with pytest.raises(vineyard.InvalidArgument, match="5 bytes at offset 0 do not fit into 4"):
        builder.copy(0, b"12345")
    with pytest.raises(vineyard.InvalidArgument, match="at offset -1"):
        builder.copy(-1, b"1")
    with pytest.raises(vineyard.TypeMismatch, match="encode the text"):
        builder.copy(0, "text")
    with pytest.raises(vineyard.InvalidArgument, match="can not shrink 4 bytes to 5"):
        builder.shrink(5)
    with pytest.raises(vineyard.TypeMismatch, match="can not be pickled"):
        pickle.dumps(builder)
    builder.seal()
    for late in (builder.seal, builder.abort, lambda: builder.copy(0, b"x"), lambda: builder.buffer,
                 lambda: builder.shrink(1)):  # fmt: skip
        with pytest.raises(vineyard.AlreadySealed, match="it is sealed"):
            late()
    builder.close()
    gone = client.create_blob(4)
    gone.abort()
    for late in (gone.seal, lambda: gone.copy(0, b"x"), lambda: gone.buffer):
        with pytest.raises(vineyard.InvalidArgument, match="it was aborted, create another"):
            late()


@pytest.mark.parametrize("size, error, text", [
    (-1, vineyard.InvalidArgument, "-1 bytes; a size is not negative"),
    (1 << 63, vineyard.LimitExceeded, "no store is that large"),
    (1 << 62, (vineyard.LimitExceeded, vineyard.OutOfMemory), "4611686018427387904|more than"),
    (1.5, vineyard.TypeMismatch, "not float"), ("9", vineyard.TypeMismatch, "not str"),
    (True, vineyard.TypeMismatch, "not bool"), (None, vineyard.TypeMismatch, "not NoneType"),
])  # fmt: skip
def test_absurd_sizes(client: vineyard.Client, size: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        client.create_blob(size)


def test_a_full_store_is_an_error_that_says_so_and_stores_nothing(client: vineyard.Client) -> None:
    kept = [client.put(bytes(32 << 20)) for _ in range(4)]
    before = client.status.blobs
    with pytest.raises(vineyard.OutOfMemory) as caught:
        for _ in range(8):
            kept.append(client.put(bytes(32 << 20)))
    assert isinstance(caught.value, MemoryError) and str(caught.value)
    assert client.status.blobs == before + len(kept) - 4
    client.delete(kept)
    client.get(client.put(bytes(32 << 20)))


@pytest.mark.parametrize("order", range(6))
def test_bytes_stay_as_long_as_any_view(client: vineyard.Client, daemon: Any, order: int) -> None:
    own = vineyard.connect(daemon.socket)
    payload = bytes(range(256)) * 1000
    number = own.put(memoryview(payload))
    blob = own.get_blob(number)
    view, part = memoryview(blob), memoryview(blob)[1000:2000]
    value = own.get(number)
    ends: list[Callable[[], Any]] = [own.close, lambda: client.delete(number), blob.close]
    for i in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))[order]:
        ends[i]()
    del own, blob, ends
    gc.collect()
    for _ in range(4):
        client.put(bytes(len(payload)))  # would take the memory
    assert view == payload and part == payload[1000:2000] and value == payload
    view.release()
    del value
    gc.collect()
    assert part == payload[1000:2000]


def test_numpy_keeps_a_closed_blobs_bytes(client: vineyard.Client) -> None:
    np = pytest.importorskip("numpy")
    number = client.put(memoryview(b"abcdefgh" * 1000))
    blob = client.get_blob(number)
    array = np.ndarray((8000,), np.uint8, blob)  # keeps the blob, not its buffer
    blob.close()
    client.delete(number)
    gc.collect()
    client.put(bytes(8000))
    assert array.tobytes() == b"abcdefgh" * 1000


def test_closing(client: vineyard.Client) -> None:
    blob = client.get_blob(client.put(b"abc"))
    assert "3 bytes of value" in repr(blob)
    with blob as same:
        assert same is blob
    blob.close()
    assert blob.closed and "closed" in repr(blob) and blob.id
    for late in (lambda: blob.size, lambda: len(blob), lambda: blob[0], lambda: blob.meta, lambda: blob.buffer):
        with pytest.raises(vineyard.Closed, match="it is closed, get it again"):
            late()
    with pytest.raises(BufferError, match="closed"):
        memoryview(blob)


def test_memory_comes_back_when_the_last_view_goes(client: vineyard.Client) -> None:
    def used() -> int:
        return int(client.status.memory_used)

    before = used()
    number = client.put(memoryview(bytes(1 << 20)))
    view = client.get(number)
    client.delete(number)
    assert not client.exists(number) and used() >= before + (1 << 20)
    del view
    gc.collect()
    client.put(b"")  # a turn of the daemon
    wait_until(lambda: used() < before + (1 << 20))


def wait_until(done: Callable[[], bool]) -> None:
    import time

    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_objects_and_blobs_can_be_weakly_referenced_and_pickled(client: vineyard.Client) -> None:
    blob = client.get_blob(client.put(b"abc"))
    listed = client.get_object(client.put([1, b"x"]))
    assert weakref.ref(blob)() is blob and weakref.ref(listed)() is listed
    again = pickle.loads(pickle.dumps(blob))
    assert bytes(again) == b"abc" and again == blob and hash(again) == hash(blob)
    assert pickle.loads(pickle.dumps(listed))["__elements_-0"] == 1
