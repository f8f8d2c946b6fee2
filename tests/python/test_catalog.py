"""Metadata, lists, names, labels, deleting."""

from __future__ import annotations

import threading
from typing import Any, Callable

import numpy as np
import pytest

import vineyard


def test_metadata_built_by_hand(client: vineyard.Client, other: vineyard.Client) -> None:
    inner = vineyard.ObjectMeta()
    inner["typename"] = "my::Inner"
    inner["deep"] = {"list": [1, None, 2.5, b"\0", "é"], "map": {}}
    meta = vineyard.ObjectMeta()
    meta["typename"] = "my::Outer"
    meta["true"], meta["none"], meta["big"], meta["small"] = True, None, 2**64 - 1, -(2**63)
    meta["float"], meta["text"], meta["bytes"], meta["numpy"] = -0.0, "nul \0", b"\xff", np.int32(7)
    meta.add_member("inner", inner)
    meta["blob"] = client.put(b"x" * 100)
    meta.add_member("list", client.get_object(client.put([1, 2])))
    stored = client.create_metadata(meta)
    got = other.get_meta(stored.id)
    assert got.typename == got["typename"] == "my::Outer" and got.id == stored.id == got["id"]
    assert got["true"] is True and got["none"] is None and got["big"] == 2**64 - 1 and got["small"] == -(2**63)
    assert str(got["float"]) == "-0.0" and got["text"] == "nul \0" and got["bytes"] == b"\xff" and got["numpy"] == 7
    assert got["inner"]["deep"] == inner["deep"] and got["inner"].typename == "my::Inner"
    assert list(got.members) == ["inner", "blob", "list"] and got["blob"].typename == "vineyard::Blob"
    assert got.get("nothing", 5) == 5 and "text" in got and "nothing" not in got and len(got) == 11
    assert got.nbytes == got["blob"].nbytes and got.islocal and not got.isglobal
    assert got.instance_id == client.instance_id and "my::Outer" in repr(got)
    obj = other.get_object(stored.id)
    assert type(obj) is vineyard.Object and obj["inner"]["deep"] == inner["deep"] and obj.member("blob").size == 115
    assert other.get(stored.id).id == stored.id  # an unknown type is a plain object, never an error
    many = client.create_metadata([inner_of(i) for i in range(3)])
    assert [each["i"] for each in many] == [0, 1, 2]


def inner_of(i: int) -> vineyard.ObjectMeta:
    meta = vineyard.ObjectMeta()
    meta["typename"], meta["i"] = "my::Inner", i
    return meta


def requests(client: vineyard.Client, call: Callable[[], Any]) -> int:
    """Messages to the daemon that a call takes; asking takes one, which is not counted."""
    before = int(client.status.requests)
    call()
    return int(client.status.requests) - before - 1


def test_a_tree_is_put_by_one_message_and_got_by_none(client: vineyard.Client) -> None:
    tree: Any = {"leaves": [1, "two", None], "array": np.arange(10.0), "pair": (b"x" * 100, bytearray(b"y"))}
    for depth in range(20):
        tree = [tree, depth, {"at": (np.arange(depth), {depth})}]
    client.get(client.put(tree))  # the first look into a part of the memory asks for it
    made: list[Any] = []
    assert requests(client, lambda: made.append(client.put(tree))) == 1
    assert requests(client, lambda: made.append(client.put(tree, name="tree"))) == 1
    meta = inner_of(0)
    for i in range(20):
        meta.add_member("inner", inner_of(i))
        meta, inner = inner_of(i), meta
        meta.add_member("outer", inner)
    assert requests(client, lambda: made.append(client.create_metadata(meta))) == 1
    looks: list[Callable[[Any], Any]] = [client.get, client.get_object, client.get_meta]
    looks += [lambda number: client.get(number, copy=True), lambda number: list(client.get_object(number).meta.items())]
    for look in looks:
        assert requests(client, lambda: [look(each) for each in (*made[:2], made[2].id)]) == 0


def test_metadata_answers_to_its_own_names(client: vineyard.Client) -> None:
    number = client.put([1, b"x" * 10])
    meta = client.get_meta(number)
    for name in ("id", "typename", "nbytes", "instance_id"):
        assert name in meta and meta[name] == getattr(meta, name) == meta.get(name)
    assert (meta["id"], meta["typename"]) == (number, "vineyard::List")
    assert meta["nbytes"] == meta.nbytes > 0 and meta["instance_id"] == client.instance_id
    assert list(meta) == ["__elements_-size", "__elements_-0", "__elements_-1"] and len(meta) == 3
    pickled = client.get_meta(client.put(slice(np.arange(10.0))))  # a pickle, and 80 bytes beside it
    assert pickled["nbytes"] == pickled.fields["nbytes"] < pickled.nbytes  # a field's value, as it was set
    mine = inner_of(1)
    mine["nbytes"] = 8
    mine.add_member("id", client.put([1]))
    stored = client.create_metadata(mine)
    assert stored["nbytes"] == 8 and stored["id"].typename == "vineyard::List" and stored.id != stored["id"].id
    copied = client.get_meta(client.shallow_copy(stored.id))
    assert list(copied.members) == ["id"] and copied["nbytes"] == 8
    for latest in ({}, {"latest": True}, {"latest": False}, {"sync_remote": False}):
        assert client.get_meta(number, **latest) == client.get_metas([number], **latest)[0] == meta


def test_persisting(client: vineyard.Client, other: vineyard.Client) -> None:
    inner = client.put([b"deep"])
    number = client.put([inner, b"blob", "leaf"])
    assert not client.get_object(number).ispersist and not other.get_meta(inner).ispersist
    client.persist(number)
    for reader in (client, other):
        obj = reader.get_object(number)
        assert obj.ispersist and reader.get_meta(number).ispersist and reader.get_meta(inner).ispersist
        assert obj.member("__elements_-1").ispersist and obj.member("__elements_-0").member("__elements_-0").ispersist
    client.persist(number)
    client.persist([number, client.get_object(inner), client.get_meta(number)])
    assert other.get_meta(number).ispersist and other.get(number) == [["deep".encode()], b"blob", "leaf"]
    at_once = client.put({"a": [b"x"]}, persist=True, name="published")
    assert other.get_object(at_once).ispersist and other.get_name("published") == at_once
    assert other.get_object(at_once).member("__values_-value-0").ispersist
    assert client.get_meta(client.put(b"bytes", persist=True)).ispersist
    assert not client.get_meta(client.put(b"bytes")).ispersist


def test_shallow_copy(client: vineyard.Client) -> None:
    number = client.put(np.arange(100.0))
    copied = client.copied_payload_bytes
    other = client.shallow_copy(number, {"note": "copy", "order_": "F"})
    meta = client.get_meta(other)
    assert client.copied_payload_bytes == copied and other != number
    assert meta["note"] == "copy" and meta["order_"] == "F"
    assert meta["buffer_"].id == client.get_meta(number)["buffer_"].id
    client.delete(number)
    assert client.get(other).tolist() == list(range(100))


def test_lists_by_type_with_is_a(client: vineyard.Client) -> None:
    array, tensor = client.put(np.zeros(2)), client.put(np.zeros((2, 2)))
    pair, three, listed = client.put((1, 2)), client.put((1, 2, 3)), client.put([1])

    def found(pattern: str, **keywords: Any) -> set[vineyard.ObjectID]:
        return {obj.id for obj in client.list_objects(pattern, limit=100, **keywords)}

    assert found("vineyard::Array") == {array} and found("vineyard::Tensor*") == {array, tensor}
    assert found("vineyard::Tuple") == {pair, three} and found("vineyard::Sequence") == {pair, three, listed}
    assert found("vineyard::[AT]*") == {array, tensor, pair, three} and found("nothing*") == set()
    assert found("^vineyard::(List|Pair)$", regex=True) == {pair, listed}
    assert found("Sequence", regex=True) == {pair, three, listed}
    assert {pair, three, listed, array, tensor} <= set(client.objects())
    assert len(client.list_objects("*", limit=2)) == 2 == len(client.list_objects(".", regex=True, limit=2))
    assert [meta.typename for meta in client.list_metadatas("vineyard::List")] == ["vineyard::List"]


def test_a_long_list_is_seen_whole(client: vineyard.Client) -> None:
    numbers = {client.put([i]) for i in range(2500)}
    assert set(client.objects("vineyard::List")) == numbers
    assert len(client.list_objects("vineyard::List", limit=1500)) == 1500
    assert len(client.list_metadatas("vineyard::List", limit=None)) == 2500
    assert len(client.list_objects("List", regex=True, limit=None)) == 2500


def test_names(client: vineyard.Client, other: vineyard.Client) -> None:
    one, two = client.put([1]), client.put([2], name="two")
    first = client.put_name(one, "a name with ünicode/и пробел")
    assert other.get_name("a name with ünicode/и пробел") == one and other.get(name="two") == [2]
    with pytest.raises(vineyard.AlreadyExists, match=str(two)):
        client.put_name(one, "two")
    assert client.get_name("two") == two
    second = client.put_name(one, "two", replace=True)
    assert other.get_name_revision("two") == (one, second) and second != first
    assert client.list_names("*") == {"a name with ünicode/и пробел": one, "two": one}
    assert client.list_names("t[v-x]o") == {"two": one} == client.list_names("^t.o$", regex=True)
    assert len(client.list_names("*", limit=1)) == 1 and client.list_names("*", limit=0) == {}
    assert len(client.list_names("*", limit=None)) == 2
    client.drop_name("two")
    with pytest.raises(vineyard.ObjectNotFound, match="two"):
        other.get_name("two")
    with pytest.raises(vineyard.ObjectNotFound):
        client.drop_name("two")
    client.delete(one)
    assert "a name with ünicode/и пробел" not in client  # a name goes with its object


def test_compare_and_set(client: vineyard.Client) -> None:
    one, two = client.put(1), client.put(2)
    revision = client.put_name(one, "cas", expect=0)
    with pytest.raises(vineyard.Conflict):
        client.put_name(two, "cas", expect=0)
    newer = client.put_name(two, "cas", expect=revision)
    with pytest.raises(vineyard.Conflict):
        client.put_name(one, "cas", expect=revision)
    with pytest.raises(vineyard.Conflict):
        client.drop_name("cas", expect=revision)
    assert client.get_name("cas") == two
    client.drop_name("cas", expect=newer)
    assert "cas" not in client


def test_many_threads_count_by_compare_and_set(client: vineyard.Client) -> None:
    client.put(0, name="counter")

    def count() -> None:
        for _ in range(20):
            while True:
                number, revision = client.get_name_revision("counter")
                try:
                    client.put_name(client.put(client.get(number) + 1), "counter", expect=revision)
                    break
                except vineyard.Conflict:
                    pass

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client["counter"] == 80


def test_waiting_for_a_name(client: vineyard.Client, other: vineyard.Client) -> None:
    with pytest.raises(vineyard.Timeout):
        client.get_name("later", timeout=0.05)
    got: list[Any] = []
    waiter = threading.Thread(target=lambda: got.append(other.get_name("later", wait=True, timeout=20)))
    waiter.start()
    number = client.put([1], name="later")
    waiter.join()
    assert got == [number]


def test_a_wait_that_is_a_number_is_a_number_of_seconds(
    client: vineyard.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vineyard import _native

    waits: list[Any] = []

    def asked(handle: Any, name: str, options: Any) -> Any:
        waits.append(options[1])
        return 1, 1

    with pytest.raises(vineyard.ObjectNotFound):
        client.get_name("nobody", 0)
    with pytest.raises(vineyard.InvalidArgument, match="one number of seconds"):
        client.get_name("nobody", wait=0.1, timeout=5)
    with pytest.raises(vineyard.TypeMismatch, match="a number of seconds"):
        client.get_name("nobody", wait="long")  # type: ignore[arg-type]
    monkeypatch.setattr(_native, "vineyard_name_get_with", asked)
    for wait in (0.3, 2, True, False, None):
        client.get_name_revision("a name", wait)  # type: ignore[arg-type]
        client.get_name("a name", wait=wait)  # type: ignore[arg-type]
    client.get_name("a name", wait=True, timeout=3)
    assert waits == [300, 300, 2000, 2000, -1, -1, 0, 0, 0, 0, 3000]


def test_waiting_for_an_object(client: vineyard.Client, other: vineyard.Client) -> None:
    builder = client.create_blob(3)
    with pytest.raises(vineyard.Timeout):
        other.wait(builder.id, timeout=0.05)
    waiter = threading.Thread(target=lambda: other.wait(builder.id, timeout=20))
    waiter.start()
    builder.seal()
    waiter.join()
    assert other.exists(builder.id)


def test_a_client_is_a_mapping_of_names(client: vineyard.Client) -> None:
    client["k"] = [1, 2]
    client["k"] = [3]
    number = client.get_name("k")
    assert "k" in client and client["k"] == [3] and "x" not in client
    assert number in client and client.get_object(number) in client and client.get_meta(number) in client
    for nothing in (5, None, b"k", "", "x" * 1025, "nul \0", "\ud800", vineyard.ObjectID(1), str(number)):
        assert nothing not in client
    del client["k"]
    with pytest.raises(KeyError):
        client["k"]
    with pytest.raises(TypeError):
        iter(client)


def test_labels(client: vineyard.Client, other: vineyard.Client) -> None:
    number = client.put([1])
    client.label(number, "colour", "red")
    client.label(number, {"size": "big", "colour": "blue"})
    assert other.labels(number) == {"colour": "blue", "size": "big"} == other.get_meta(number).labels
    client.label(number, "size", None)
    assert other.labels(number) == {"colour": "blue"}
    client.label(number, "colour", "")
    assert other.labels(number) == {}


def test_delete(client: vineyard.Client, other: vineyard.Client) -> None:
    inner = client.put([b"x" * 100])
    outer = client.put([inner, b"y"])
    with pytest.raises(vineyard.InUse, match=str(inner)):
        client.delete(inner, deep=True)
    blob = client.get_meta(outer)["__elements_-1"].id
    client.delete(outer)
    assert not other.exists(outer) and not other.exists(blob)
    many = [client.put(i) for i in range(10)]
    with pytest.raises(vineyard.ObjectNotFound):
        client.delete([*many, outer])
    assert all(map(client.exists, many))  # all or none
    client.delete([many[0], client.get_object(many[1]), client.get_meta(many[2])])
    assert [client.exists(each) for each in many] == [False] * 3 + [True] * 7
    shallow = client.put([b"z"])
    member = client.get_meta(shallow)["__elements_-0"].id
    client.delete(shallow, deep=False)
    assert client.exists(member) and client.get(member) == b"z"
    assert client.clear() >= 8 and client.status.objects == client.status.blobs == 0


def test_bytes_are_no_list_of_ids(client: vineyard.Client) -> None:
    for call in (client.delete, client.persist):
        for value in (b"x", bytearray(b"x"), memoryview(b"x")):
            with pytest.raises(vineyard.TypeMismatch):
                call(value)


def test_a_limit_may_be_larger_than_any_list(client: vineyard.Client) -> None:
    found = client.put([1])
    for limit in (1 << 40, 1 << 63, 1 << 70):
        assert found in [each.id for each in client.list_objects("vineyard::List", limit=limit)]


def test_a_policy_without_a_name_is_refused(client: vineyard.Client) -> None:
    with pytest.raises(vineyard.InvalidArgument, match="none, error, fetch"):
        client.get(client.put(1), remote="")


def test_the_rest(client: vineyard.Client) -> None:
    number = client.put([b"x" * 100])
    client.persist(number)
    client.persist([number, client.get_object(number)])
    assert client.allocated_size(number) == 115 == client.get_object(number).nbytes
    assert client.migrate(number) == number and client.memory_trim() >= 0
    client.sync_meta()
    status = client.status
    assert status.memory_limit >= 256 << 20 and status.memory_usage > 0 and status.ipc_connections >= 1
    assert status.rpc_connections == 0 and status["objects"] == status.objects and "objects" in status
    assert "memory_limit" in repr(status)
    assert list(client.meta) == [client.instance_id] and client.version == vineyard.__version__
    twin = client.fork()
    assert twin.get(number) == [b"x" * 100] and twin.ipc_socket == client.ipc_socket
    twin.close()
    assert client.connected and "connected" in repr(client) and client.ipc_socket in repr(client)
    objects = client.get_objects([number, number])
    client.release_objects(objects)
    assert objects[0].closed
    assert [meta.id for meta in client.get_metas([number])] == [number]


def test_ids(client: vineyard.Client) -> None:
    import pickle

    number = client.put([1])
    assert vineyard.ObjectID(str(number)) == number == int(number) == vineyard.ObjectID(int(number))
    assert hash(number) == hash(vineyard.ObjectID(number)) and number != "x" and number != None  # noqa: E711
    assert repr(number) == str(number) == f"{number}" and number.uri == f"vineyard://{number}"
    assert type(pickle.loads(pickle.dumps(number))) is vineyard.ObjectID and not number.is_blob
    assert client.get(str(number)) == client.get(int(number)) == client.get(client.get_object(number)) == [1]
    assert client.get(client.get_meta(number)) == [1]


def test_another_process_sees_all_of_it(client: vineyard.Client, python: Callable[..., str]) -> None:
    client.put({"a": [1, (2.5, b"x")], "n": np.arange(3)}, name="for you")
    out = python("v = vineyard.connect().get(name='for you'); print(v['a'], v['n'].sum())")
    assert out == "[1, (2.5, b'x')] 3\n"
