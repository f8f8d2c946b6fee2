"""One test for each defect that was found, named after it."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from typing import Any

import pytest

import vineyard
from vineyard.deploy.local import start_vineyardd

numpy = pytest.importorskip("numpy")


def test_an_array_whose_blob_was_deleted_can_be_put(client: vineyard.Client) -> None:
    number = client.put(memoryview(bytes(range(200)) * 10))
    array = numpy.frombuffer(client.get(number), "u1")
    client.delete(number)
    assert (client.get(client.put(array)) == array).all()


@pytest.mark.parametrize("expect", [-1, 1 << 64, (1 << 64) - 1])
def test_a_revision_that_can_not_be_never_overwrites(client: vineyard.Client, expect: int) -> None:
    number = client.put(1)
    client.put_name(number, "revision")
    with pytest.raises(vineyard.InvalidArgument, match="expect="):
        client.put_name(client.put(2), "revision", expect=expect)
    with pytest.raises(vineyard.InvalidArgument, match="expect="):
        client.drop_name("revision", expect=expect)
    assert client.get_name("revision") == number
    with pytest.raises(vineyard.TypeMismatch, match="revision is an int, not str"):
        client.put_name(number, "revision", expect="1")  # type: ignore[arg-type]
    client.drop_name("revision")


def test_arrays_of_many_views_find_their_blobs(client: vineyard.Client) -> None:
    arrays = client.get(client.put([numpy.full(64, i) for i in range(3000)]))
    before = client.status.memory_usage
    again = client.put(arrays)
    # Linked to, not copied: 3,000 records and no payload of 512 bytes.
    assert client.status.memory_usage - before < 3000 * 512 + 200_000
    for i, array in enumerate(client.get(again)):
        assert (array == i).all()
    del arrays[::2]
    gc.collect()
    assert client.find_shared_memory(arrays[7]) is not None
    assert client.find_shared_memory(numpy.zeros(64)) is None


def test_memory_that_a_view_of_a_builder_covers_is_nobody_elses(client: vineyard.Client) -> None:
    builder = client.create_blob(1_000_000)
    view = builder.buffer
    with pytest.raises(vineyard.InUse, match="release them first"):
        builder.shrink(10)
    view[:3] = b"abc"
    view.release()
    builder.shrink(3)
    assert bytes(builder.seal()) == b"abc"


def test_a_builder_after_its_client_says_so(daemon: Any) -> None:
    with vineyard.connect(daemon.socket) as client:
        builder = client.create_blob(100)
    with pytest.raises(vineyard.VineyardError, match="client is closed") as raised:
        builder[:3] = b"abc"
    assert not isinstance(raised.value, vineyard.AlreadySealed)


@pytest.mark.parametrize("count", [2**40, 2**63, -1, "x", 1.5, None, [1], True])
@pytest.mark.parametrize(
    "typename, field",
    [
        ("vineyard::List", "__elements_-size"),
        ("vineyard::Tuple", "__elements_-size"),
        ("vineyard::Dict", "__values_-size"),
        ("vineyard::PickleBuffer", "__buffers_-size"),
    ],
)
def test_a_count_that_can_not_be_is_corrupt(client: vineyard.Client, typename: str, field: str, count: Any) -> None:
    meta = vineyard.ObjectMeta()
    meta["typename"] = typename
    meta[field] = count
    meta.add_member("buffer_", client.put(memoryview(b"no pickle")))
    number = client.create_metadata(meta).id
    with pytest.raises(vineyard.Corrupt):
        client.get(number)


@pytest.mark.parametrize(
    "kind, name, value",
    [
        ("numpy", "int8", "x"),
        ("numpy", "int8", 1000),
        ("numpy", "float16", 1 << 20),
        ("numpy", "complex64", [1]),
        ("python", "bigint", 5),
        ("python", "complex", [1, 2, 3]),
        ("python", "nothing", 1),
    ],
)
def test_a_scalar_that_can_not_be_is_corrupt(client: vineyard.Client, kind: str, name: str, value: Any) -> None:
    meta = vineyard.ObjectMeta()
    meta["typename"] = "vineyard::Scalar"
    meta["scalar_kind_"], meta["value_type_"], meta["value_"] = kind, name, value
    number = client.create_metadata(meta).id
    with pytest.raises(vineyard.Corrupt):
        client.get(number)


def test_a_pickle_that_is_none_is_corrupt(client: vineyard.Client) -> None:
    meta = vineyard.ObjectMeta()
    meta["typename"] = "vineyard::PickleBuffer"
    meta.add_member("buffer_", client.put(memoryview(pickle.dumps([1, 2, 3])[:-3])))
    with pytest.raises(vineyard.Corrupt, match="pickle"):
        client.get(client.create_metadata(meta).id)


def test_metadata_that_contains_itself_says_so(client: vineyard.Client) -> None:
    meta = vineyard.ObjectMeta()
    meta["typename"] = "t"
    meta.add_member("self", meta)
    with pytest.raises(vineyard.InvalidArgument, match="contains itself"):
        client.create_metadata(meta)


def test_a_tensor_with_a_parameter_is_a_tensor(client: vineyard.Client) -> None:
    array = numpy.arange(6).reshape(2, 3)
    plain = client.get_object(client.put(array))
    meta = vineyard.ObjectMeta()
    meta["typename"] = "vineyard::Tensor<int64>"
    for name in ("value_type_", "shape_", "order_", "value_type_meta_", "partition_index_"):
        meta[name] = plain.field(name)
    meta.add_member("buffer_", plain.member("buffer_"))
    number = client.create_metadata(meta).id
    assert (client.get(number) == array).all()
    assert (client.get_object(number).numpy() == array).all()
    assert number in [each.id for each in client.list_objects("vineyard::Tensor", limit=100)]


def test_a_keyword_that_nobody_knows_is_refused(daemon: Any) -> None:
    with pytest.raises(TypeError, match="timout"):
        vineyard.connect(daemon.socket, timout=3)  # type: ignore[call-arg]


def test_a_daemon_that_did_not_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from vineyard import launch

    started: list[launch.Daemon] = []

    def interrupted(self: launch.Daemon, timeout: float) -> None:
        started.append(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(launch.Daemon, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt), start_vineyardd(size="64Mi"):
        pass
    assert started[0].process.poll() is not None


def test_too_long_a_list_is_refused_at_once(client: vineyard.Client) -> None:
    with pytest.raises(vineyard.LimitExceeded, match="use an array"):
        client.put([None] * ((4 << 20) + 1))


# What ends while threads wait in the library: the interpreter ended such a thread in the middle of C++, which aborts.
ENDS = """
import sys, threading, time, vineyard
client = vineyard.connect(sys.argv[1])
def spin():
    while True: pass
for _ in range(4): threading.Thread(target=spin, daemon=True).start()
for _ in range(40): threading.Thread(target=lambda: client.get_name("never", wait=30), daemon=True).start()
time.sleep(0.3)
"""


def test_the_end_of_the_program_while_threads_wait_is_no_abort(client: vineyard.Client) -> None:
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", ENDS, client.ipc_socket], capture_output=True, text=True, timeout=100
        )
        assert (done.returncode, done.stderr) == (0, "")
