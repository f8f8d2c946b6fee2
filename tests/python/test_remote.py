"""Objects of other instances: metadata as always, payloads as the client says."""

from __future__ import annotations

import pickle
from typing import Any, Iterator

import numpy as np
import pytest
from scripted import Node, Scripted

import vineyard
from vineyard.launch import Daemon

THERE = 9
ARRAY, BUFFER, PAIR, LIST, TEXT, PICKLED, BYTES, SCALAR = (THERE << 40 | i for i in range(1, 9))
BUFFER, BYTES = BUFFER | 1 << 63, BYTES | 1 << 63


def array_nodes(number: int = ARRAY, buffer: int = BUFFER) -> list[Node]:
    fields = {"value_type_": "float64", "shape_": [8], "order_": "C", "value_type_meta_": "<f8"}
    return [Node(number, "vineyard::Array", fields, {"buffer_": buffer}), Node(buffer, size=64)]


@pytest.fixture(scope="module")
def scripted(daemon: Daemon) -> Iterator[Scripted]:
    with Scripted(daemon.socket) as running:
        running.know(THERE, array_nodes())
        running.know(THERE, [Node(BUFFER, size=64)])
        running.know(THERE, [Node(BYTES, size=13, kind=2)])
        text = Node(TEXT, "vineyard::String", {}, {"buffer_": BUFFER})
        running.know(THERE, [text, Node(BUFFER, size=64)])
        scalar = {"value_": 5, "value_type_": "int", "scalar_kind_": "python"}
        running.know(THERE, [Node(SCALAR, "vineyard::Scalar", scalar)])
        pickled = Node(PICKLED, "vineyard::PickleBuffer", {"nbytes": 64, "__buffers_-size": 0}, {"buffer_": BUFFER})
        running.know(THERE, [pickled, Node(BUFFER, size=64)])
        yield running


@pytest.fixture()
def far(scripted: Scripted) -> Iterator[vineyard.Client]:
    """A client that knows of objects on another instance."""
    with vineyard.connect(scripted.socket, timeout=20) as connected:
        yield connected


@pytest.fixture()
def pair(scripted: Scripted, client: vineyard.Client) -> int:
    """A pair on another instance, of an array there and one here."""
    here = client.put(np.ones(4))
    node = Node(PAIR, "vineyard::Pair", {}, {"first_": ARRAY, "second_": int(here)})
    scripted.know(THERE, [node, *array_nodes()])
    return PAIR


def test_the_value_of_what_is_elsewhere_is_none(far: vineyard.Client, pair: int) -> None:
    for number in (ARRAY, BUFFER, BYTES, TEXT, PICKLED):
        assert far.get(number) is None
    first, second = far.get(pair)
    assert first is None and second.tolist() == [1, 1, 1, 1] and not second.flags.writeable
    assert far.get(SCALAR) == 5, "what has no payload is metadata"


def test_copies_and_resolvers_of_others_keep_to_it(far: vineyard.Client, pair: int) -> None:
    first, second = far.get(pair, copy=True)
    assert first is None and second.tolist() == [1, 1, 1, 1] and second.flags.writeable
    seen: list[Any] = []
    with vineyard.resolver_context({"vineyard::Array": lambda obj: seen.append(obj.size()) or obj.numpy()}):
        first, second = far.get(pair)
    assert first is None and second.tolist() == [1, 1, 1, 1] and seen == [8, 4]


def test_members_that_are_here_stay_whole(scripted: Scripted, far: vineyard.Client, client: vineyard.Client) -> None:
    here = [client.put(value) for value in (np.arange(3), b"bytes", [1, ["two", 3.0]])]
    members = {"__elements_-0": ARRAY, "__elements_-2": int(here[0]), "__elements_-3": int(here[1]),
               "__elements_-4": int(here[2]), "__elements_-5": ARRAY}  # fmt: skip
    fields = {"__elements_-size": 6, "__elements_-1": "text"}
    scripted.know(THERE, [Node(LIST, "vineyard::List", fields, members), *array_nodes()])
    value = far.get(LIST)
    assert value[0] is None and value[1] == "text" and value[2].tolist() == [0, 1, 2]
    assert value[3:] == [b"bytes", [1, ["two", 3.0]], None]


@pytest.mark.parametrize("number", [ARRAY, BUFFER, TEXT, PICKLED, PAIR])
def test_it_is_an_error_for_who_wants_one(far: vineyard.Client, scripted: Scripted, pair: int, number: int) -> None:
    with pytest.raises(vineyard.Remote, match="instance 9 on host faraway") as caught:
        far.get(number, remote="error")
    assert caught.value.status == -16 and str(vineyard.ObjectID(BUFFER)) in str(caught.value)
    with vineyard.connect(scripted.socket, remote="error") as strict:
        with pytest.raises(vineyard.Remote):
            strict.get(number)
        if number != PAIR:
            assert strict.get(number, remote="none") is None
    with vineyard.envvars("VINEYARD_REMOTE", "error"), vineyard.connect(scripted.socket) as told:
        with pytest.raises(vineyard.Remote):
            told.get(number)


def test_payloads_can_not_be_fetched_yet(far: vineyard.Client, pair: int) -> None:
    for keywords in ({"remote": "fetch"}, {"fetch": True}):
        for number in (ARRAY, pair):
            with pytest.raises(vineyard.Unavailable, match="faraway.* can not be fetched from other instances yet"):
                far.get(number, **keywords)
    assert far.get(SCALAR, remote="fetch") == 5
    with pytest.raises(vineyard.Unsupported, match="instance 9"):
        far.migrate(ARRAY)


def test_what_is_here_does_not_change_by_it(far: vineyard.Client, client: vineyard.Client) -> None:
    value = [1, "two", np.arange(3), {"four": b"five"}]
    number = client.put(value)
    for remote in ("none", "error", "fetch", None):
        got = far.get(number, remote=remote)
        assert got[:2] == value[:2] and got[2].tolist() == [0, 1, 2] and got[3] == value[3]
    with pytest.raises(vineyard.InvalidArgument, match="one of none, error, fetch"):
        far.get(number, remote="maybe")


def test_an_object_elsewhere_has_its_metadata(far: vineyard.Client, pair: int) -> None:
    obj = far.get_object(pair)
    assert (obj.first.typename, obj.first.size(), obj.second.size()) == ("vineyard::Array", 8, 4)
    assert obj.first.shape == (8,) and obj.first.nbytes == 64 and len(obj) == 2
    assert not obj.islocal and obj.isglobal and obj.ispersist and obj.instance_id == THERE and not obj.islost
    assert not obj.first.islocal and not obj.first.isglobal and obj.second.islocal
    assert obj.stale_since is None and f"{vineyard.ObjectID(pair)}" in repr(obj)
    meta = far.get_meta(pair)
    assert meta.instance_id == THERE and not meta.islocal and meta.isglobal and meta.ispersist and not meta.islost
    assert meta["first_"].typename == "vineyard::Array" and meta["first_"]["shape_"] == [8]
    assert not meta["first_"].isglobal and meta["second_"].islocal and not meta["second_"].isglobal
    with pytest.raises(vineyard.Remote):
        obj.first.numpy()
    assert far.exists(pair) and pair in [int(far.wait(pair, timeout=1) or pair)]


def test_a_blob_elsewhere_has_sizes_and_no_bytes(far: vineyard.Client) -> None:
    blob = far.get_blob(BYTES)
    assert (blob.size, len(blob), blob.nbytes, blob.typename) == (28, 13, 28, "vineyard::Blob")
    assert not blob.islocal and "13 bytes" in repr(blob)
    for look in (lambda: bytes(blob), lambda: memoryview(blob), lambda: blob.buffer, lambda: blob[0], lambda: list(blob),
                 lambda: blob.address, lambda: np.frombuffer(blob), lambda: far.get_remote_blob(BYTES)):  # fmt: skip
        with pytest.raises(vineyard.Remote, match="instance 9"):
            look()
    blob.close()
    with pytest.raises(vineyard.Closed):
        len(blob)


def test_a_payload_is_lost_with_its_instance(scripted: Scripted, far: vineyard.Client) -> None:
    lost_array, lost_buffer = THERE << 40 | 100, 1 << 63 | THERE << 40 | 101
    scripted.know(THERE, array_nodes(lost_array, lost_buffer), lost=True, stale_since_ms=1_600_000_000_500)
    scripted.know(THERE, [Node(lost_buffer, size=64)], lost=True)
    obj = far.get_object(lost_array)
    assert obj.islost and obj.size() == 8 and obj.stale_since == 1_600_000_000.5
    meta = far.get_meta(lost_array)
    assert meta.islost and meta.stale_since == 1_600_000_000.5
    for remote in ("none", "error", "fetch"):
        for number in (lost_array, lost_buffer):
            with pytest.raises(vineyard.Lost, match="instance 9 on host faraway is gone since 2023-11-14") as caught:
                far.get(number, remote=remote)
            assert caught.value.status == -23 and not isinstance(caught.value, vineyard.Remote)


def test_labels_of_an_object_elsewhere(scripted: Scripted, far: vineyard.Client) -> None:
    labelled = THERE << 40 | 200
    scripted.know(THERE, [Node(labelled, "my::Type", {"x": 1})], labels={"color": "blue"})
    assert far.labels(labelled) == {"color": "blue"} == far.get_meta(labelled).labels


def test_an_object_elsewhere_can_be_pickled(far: vineyard.Client, pair: int) -> None:
    again = pickle.loads(pickle.dumps(far.get_object(pair)))
    assert again.first.size() == 8
