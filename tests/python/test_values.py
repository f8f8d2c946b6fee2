"""What goes in comes out: the values that are no arrays."""

from __future__ import annotations

import collections
import enum
import math
import pickle
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from same import same

import vineyard

Point = collections.namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 1


class MyList(list):  # type: ignore[type-arg]
    pass


class MyStr(str):
    pass


def stored(client: vineyard.Client) -> int:
    return int(client.status.objects + client.status.blobs)


def nan_of(bits: int) -> float:
    return float(struct.unpack("d", struct.pack("Q", bits))[0])


VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**50, -(10**50),
    127, 128, 255, 256, -128, -129, 0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 5e-324,
    nan_of(0x7FF8000000000123), nan_of(0xFFF0000000000001), 1 + 2j, complex(-0.0, math.nan),
    "", "text", "NUL \0 inside", "emoji 🍇 and é", "x" * 16384, "x" * 16385, "é" * 16384, "\ud800 alone",
    b"", b"Hello, World!", b"x" * 255, b"x" * 256, b"x" * 65535, b"x" * 65536, b"x" * 300000,
    bytearray(), bytearray(b"abc"), bytearray(b"x" * 70000),
    (), (1,), (1, 2), (1, 2, 3), [], [1], [1, 2], [None, True, 1, 1.5, "s"], {}, {"a": 1, "b": 2},
    {"z": 1, "a": {"n": [1, (2, 3)]}, 3: None, (1, 2): b"v", None: [], True: "t"},
    [[], (), {}, "", b""], ([1, 2], {"k": (b"x", bytearray(b"y"))}), [10**30, 1 + 2j, "\ud800"],
    Point(1, 2), Colour.RED, MyList([1, 2]), MyStr("sub"), {1, 2, 3}, frozenset([1]), range(10), Ellipsis,
    collections.OrderedDict(b=1, a=2), {"__elements_-0": 1, "scalar_kind_": "python"}, slice(1, 2, 3),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:40])
def test_a_value_comes_out_as_it_went_in(client: vineyard.Client, other: vineyard.Client, value: Any) -> None:
    assert same(other.get(client.put(value)), value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:40])
def test_a_value_comes_out_of_containers_as_it_went_in(client: vineyard.Client, value: Any) -> None:
    for container in ([value, value], (value,), (value, 1), {"k": value}):
        assert same(client.get(client.put(container)), container)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.complex_numbers()
    | st.text()
    | st.binary(max_size=200)
    | st.binary(max_size=20).map(bytearray)
)
keys = st.none() | st.booleans() | st.integers() | st.text() | st.binary(max_size=20) | st.tuples(st.integers())
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=5)
    | st.lists(inner, max_size=5).map(tuple)
    | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=trees)
def test_any_tree_comes_out_as_it_went_in(client: vineyard.Client, value: Any) -> None:
    got = client.put(value)
    assert same(client.get(got), value)
    assert same(client.get(got, copy=True), value)
    client.delete(got)


def test_a_memoryview_is_read_only_bytes(client: vineyard.Client) -> None:
    got = client.get(client.put(memoryview(b"abc")))
    assert type(got) is memoryview and got.readonly and got.format == "B" and got == b"abc"
    strided = client.get(client.put(memoryview(b"abcdef")[::2]))
    assert bytes(strided) == b"ace"
    copy = client.get(client.put(memoryview(b"abc")), copy=True)
    copy[0] = 65
    assert bytes(copy) == b"Abc"


def test_a_list_of_a_million_ints_is_one_object(client: vineyard.Client) -> None:
    before = stored(client)
    value = list(range(1_000_000))
    number = client.put(value)
    assert stored(client) == before + 1
    assert client.get(number) == value


def test_a_value_met_twice_is_one_member_and_one_value(client: vineyard.Client) -> None:
    inner, data, raw = [1, [2]], bytearray(b"shared"), b"x" * 1000
    before = stored(client)
    number = client.put([inner, data, {"again": inner}, data, raw, raw])
    assert stored(client) - before == 6  # list, inner, its list, data, dict, raw
    got = client.get(number)
    assert got[0] is got[2]["again"] and got[1] is got[3] and got[4] is got[5]
    assert same(got, [inner, data, {"again": inner}, data, raw, raw])


def test_a_container_that_contains_itself_is_pickled_whole(client: vineyard.Client) -> None:
    value: list[Any] = [1]
    value.append(value)
    number = client.put(value)
    assert client.get_meta(number).typename == "vineyard::PickleBuffer"
    got = client.get(number)
    assert got[0] == 1 and got[1] is got
    loop: dict[str, Any] = {}
    loop["deep"] = [(loop, 1)]
    got = client.get(client.put(loop))
    assert got["deep"][0][0] is got


def test_deep_nesting_is_pickled_whole(client: vineyard.Client) -> None:
    value: list[Any] = []
    for _ in range(200):
        value = [value]
    number = client.put(value)
    assert client.get_meta(number).typename == "vineyard::PickleBuffer"
    assert client.get(number) == value
    value = []
    for _ in range(50):
        value = [value]
    number = client.put(value)
    assert client.get_meta(number).typename == "vineyard::List"
    assert client.get(number) == value
    for _ in range(100_000):
        value = [value]
    with pytest.raises(vineyard.LimitExceeded, match="nested too deep"):
        client.put(value)


def test_an_object_an_id_and_metadata_are_links(client: vineyard.Client) -> None:
    number = client.put(["linked", "list"])
    with client.get_object(number) as obj:
        for link in (number, obj, obj.meta):
            holder = client.put([link, 1])
            assert client.get(holder) == [["linked", "list"], 1]
            assert client.get_object(holder)["__elements_-0"].id == number
    assert client.put(number) == number
    client.delete(number, force=True)  # held by its parents
    assert client.get(holder) == [["linked", "list"], 1]


def test_types_and_fields_are_those_of_the_registry(client: vineyard.Client) -> None:
    def meta(value: Any) -> vineyard.ObjectMeta:
        return client.get_meta(client.put(value))

    assert meta(7).typename == "vineyard::Scalar" and meta(7).fields["value_"] == 7
    assert meta(7).fields["value_type_"] == "int" and meta(7).fields["scalar_kind_"] == "python"
    assert meta(-(2**64)).fields["value_"] == b"\xff" + bytes(8)
    assert meta(-(2**64)).fields["value_type_"] == "bigint"
    assert meta(2**64 - 1).fields["value_"] == 2**64 - 1
    assert meta("s").typename == "vineyard::String" and meta("s").fields == {"value_": "s"}
    assert list(meta("x" * 16385).members) == ["buffer_"]
    assert meta((1, "b")).typename == "vineyard::Pair" and meta((1, "b")).fields == {"first_": 1, "second_": "b"}
    assert meta((1, 2, 3)).typename == "vineyard::Tuple"
    listed = meta([1, b"b"])
    assert listed.typename == "vineyard::List" and listed.fields == {"__elements_-size": 2, "__elements_-0": 1}
    assert list(listed.members) == ["__elements_-1"] and listed["__elements_-1"].typename == "vineyard::Blob"
    mapped = meta({"k": 1, "b": b"x"})
    assert mapped.typename == "vineyard::Dict" and mapped["__values_-size"] == 2
    assert mapped["__values_-key-0"] == "k" and mapped["__values_-value-1"].typename == "vineyard::Blob"
    assert meta({1, 2}).typename == "vineyard::PickleBuffer"


def test_a_sequence_built_by_hand_resolves_to_a_tuple(client: vineyard.Client) -> None:
    meta = vineyard.ObjectMeta()
    meta["typename"] = "vineyard::Sequence"
    meta["__elements_-size"] = 2
    meta["__elements_-0"] = "field"
    meta.add_member("__elements_-1", client.put(b"member"))
    assert client.get(client.create_metadata(meta).id) == ("field", b"member")


def test_no_pickle_is_read_when_it_is_not_allowed(client: vineyard.Client) -> None:
    number, plain = client.put({1, 2}), client.put([1, b"bytes", "text"])
    with vineyard.connect(client.ipc_socket, allow_pickle=False) as careful:
        with pytest.raises(vineyard.PickleNotAllowed, match="allow_pickle=False"):
            careful.get(number)
        with pytest.raises(vineyard.PickleNotAllowed):
            careful.get(client.put([1, {2}]))
        assert careful.get(plain) == [1, b"bytes", "text"]
        assert careful.get_object(number).typename == "vineyard::PickleBuffer"


@pytest.mark.parametrize("first", [True, False])
def test_unpickled_objects_keep_the_options_of_their_client(client: vineyard.Client, first: bool) -> None:
    blob, pickled = client.put(b"x"), client.put({1, 2})
    # A name of their own, so that no other test made their client before.
    options: dict[str, Any] = {"name": f"options {first}", "timeout": 20}
    with (
        vineyard.connect(client.ipc_socket, allow_pickle=first, **options) as one,
        vineyard.connect(client.ipc_socket, allow_pickle=not first, **options) as two,
    ):
        for source in (one, two, one):
            for number in (blob, pickled):
                again = pickle.loads(pickle.dumps(source.get_object(number)))
                assert again.id == number and again._client.allow_pickle == source.allow_pickle
            if source.allow_pickle:
                assert again._client.get(pickled) == {1, 2}
            else:
                with pytest.raises(vineyard.PickleNotAllowed):
                    again._client.get(pickled)
        again = [pickle.loads(pickle.dumps(one.get_object(blob)))._client for _ in range(2)]
        assert again[0] is again[1]  # one session, however many objects


def test_an_id_inside_a_pickle_keeps_nothing_alive(client: vineyard.Client) -> None:
    number = client.put([b"linked"])
    linked, named = client.put([number]), client.put({number, 1})
    assert client.get_meta(named).typename == "vineyard::PickleBuffer"
    client.delete(linked, deep=False)
    client.delete(number)  # nothing holds it
    assert not client.exists(number) and client.get(named) == {number, 1}


def test_where_payloads_may_come_from(client: vineyard.Client) -> None:
    number = client.put([1, b"here"])
    for remote in (None, "none", "error", "fetch"):
        assert client.get(number, remote=remote) == [1, b"here"] == client.get(number, fetch=True, remote=remote)
    with pytest.raises(vineyard.InvalidArgument, match="remote='some': one of none, error, fetch"):
        client.get(number, remote="some")
    for remote in ("none", "error", "fetch"):
        with vineyard.envvars("VINEYARD_REMOTE", remote), vineyard.connect(client.ipc_socket) as other:
            assert other._remote == remote and other.get(number) == [1, b"here"]
        with vineyard.connect(client.ipc_socket, remote=remote) as other:
            assert other._remote == remote == pickle.loads(pickle.dumps(other))._remote
    with vineyard.envvars("VINEYARD_REMOTE", "some"):
        with pytest.raises(vineyard.InvalidArgument, match="remote='some'"):
            vineyard.connect(client.ipc_socket)


def test_what_can_not_be_pickled_is_a_named_error(client: vineyard.Client) -> None:
    before = stored(client)
    with pytest.raises(vineyard.TypeMismatch, match="generator can not be pickled .* register a builder"):
        client.put(each for each in ())
    with pytest.raises(TypeError):
        client.put([1, b"x" * 100, lambda: 0])
    assert stored(client) == before
