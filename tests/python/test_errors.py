"""Bad input gets a named error with the thing, the reason and what to do."""

from __future__ import annotations

import os
import pickle
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import vineyard
from vineyard import errors


def test_exceptions_have_one_root_and_built_in_parents() -> None:
    for kind, parent in ((vineyard.ObjectNotFound, KeyError), (vineyard.OutOfMemory, MemoryError),
                         (vineyard.Timeout, TimeoutError), (vineyard.Unavailable, ConnectionError),
                         (vineyard.PermissionDenied, PermissionError), (vineyard.InvalidArgument, ValueError),
                         (vineyard.TypeMismatch, TypeError), (vineyard.Unsupported, NotImplementedError)):  # fmt: skip
        assert issubclass(kind, parent) and issubclass(kind, vineyard.VineyardError)
        assert issubclass(kind, RuntimeError)
    error = errors.error_of(-2, "object o1: no such object")
    assert type(error) is vineyard.ObjectNotFound and str(error) == "object o1: no such object"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error) and again.status == -2
    assert errors.error_of(-12345, "new").status == -12345


def test_every_status_of_the_header_has_an_exception() -> None:
    header = Path(__file__).parents[2] / "capi/include/vineyard/vineyard.h"
    codes = [int(line.split("(")[1].split(")")[0]) for line in header.read_text().splitlines()
             if line.startswith("#define VINEYARD_E_")]  # fmt: skip
    assert len(codes) > 20 and all(type(errors.error_of(code, "")) is not vineyard.VineyardError for code in codes)


def test_earlier_names_are_there() -> None:
    assert vineyard.ObjectNotExistsException is vineyard.ObjectNotFound
    assert vineyard.NotEnoughMemoryException is vineyard.OutOfMemory
    assert vineyard.ConnectionFailedException is vineyard.Unavailable


def test_a_missing_object(client: vineyard.Client) -> None:
    number = client.put([1])
    client.delete(number)
    for call in (client.get, client.get_object, client.get_meta, client.delete, client.persist, client.allocated_size,
                 client.labels, lambda i: client.put_name(i, "n"), lambda i: client.label(i, "k", "v"),
                 lambda i: client.put([i]), client.put, lambda i: client.wait(i, timeout=0)):  # fmt: skip
        with pytest.raises(vineyard.VineyardError) as caught:
            call(number)
        if not isinstance(caught.value, vineyard.Timeout):
            assert isinstance(caught.value, KeyError) and str(number) in str(caught.value)
    assert not client.exists(number) and client.get(number, default=7) == 7
    assert client.get(name="nobody", default=None) is None


@pytest.mark.parametrize("bad", ["", "o123", "O0000000000000001", "o000000000000000g", "o00000000000000001", "x" * 17])
def test_a_malformed_id(client: vineyard.Client, bad: str) -> None:
    for call in (vineyard.ObjectID, client.get, client.exists, client.delete):
        with pytest.raises(vineyard.InvalidArgument):
            call(bad)


@pytest.mark.parametrize("bad", [None, 1.5, b"o0000000000000001", True, object()])
def test_an_id_of_a_wrong_type(client: vineyard.Client, bad: Any) -> None:
    with pytest.raises(vineyard.TypeMismatch, match="object id"):
        client.get(bad)
    with pytest.raises(vineyard.TypeMismatch):
        vineyard.ObjectID(bad)


def test_a_number_that_is_no_id() -> None:
    for bad in (-1, 1 << 64):
        with pytest.raises(vineyard.InvalidArgument, match="0 to 2\\*\\*64 - 1"):
            vineyard.ObjectID(bad)


def test_a_blob_was_expected(client: vineyard.Client) -> None:
    with pytest.raises(vineyard.TypeMismatch, match="not of a blob; use get_object"):
        client.get_blob(client.put([1]))


def test_a_closed_client(daemon: Any) -> None:
    client = vineyard.connect(daemon.socket)
    number = client.put(b"x")
    client.close()
    client.close()
    assert client.closed and not client.connected and "closed" in repr(client)
    for call in (lambda: client.put(1), lambda: client.put(b"x"), lambda: client.get(number), lambda: client.status,
                 lambda: client.get_object(number), lambda: client.delete(number), lambda: client.list_names(),
                 lambda: client.list_objects(), lambda: client.exists(number), lambda: client.create_blob(3),
                 lambda: client.get_name("x"), lambda: client.clear(), lambda: client.instance_id,
                 lambda: client.put([1, [2]]), lambda: pickle.dumps(client), lambda: "x" in client,
                 lambda: "" in client, lambda: number in client):  # fmt: skip
        with pytest.raises(vineyard.Closed, match="client: it is closed"):
            call()


def test_names_that_can_not_be(client: vineyard.Client) -> None:
    number = client.put(1)
    for name in ("", "x" * 1025, "é" * 513, "nul\0", "\ud800"):
        for call in (lambda: client.put_name(number, name), lambda: client.put(2, name=name)):
            with pytest.raises((vineyard.InvalidArgument, vineyard.LimitExceeded)):
                call()
    for bad in (None, 5, b"x"):
        with pytest.raises(vineyard.TypeMismatch, match="name"):
            client.put_name(number, bad)
        with pytest.raises(vineyard.TypeMismatch, match="name"):
            client.get_name(bad)
    client.put_name(number, "x" * 1024)
    client.put_name(number, "taken")
    with pytest.raises(vineyard.AlreadyExists, match="taken"):
        client.put(3, name="taken")


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(vineyard.Unavailable, match=str(tmp_path / "none")) as caught:
        vineyard.connect(tmp_path / "none", timeout=1)
    assert isinstance(caught.value, ConnectionError)
    (tmp_path / "file").touch()
    with pytest.raises(vineyard.VineyardError, match="file"):
        vineyard.connect(tmp_path / "file", timeout=1)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "stale"))
    with pytest.raises(vineyard.Unavailable, match="stale"):
        vineyard.connect(tmp_path / "stale", timeout=1)


@pytest.mark.skipif(os.getuid() == 0, reason="root may connect to any socket")
def test_a_socket_without_permission(tmp_path: Path) -> None:
    closed = socket.socket(socket.AF_UNIX)
    closed.bind(str(tmp_path / "closed"))
    os.chmod(tmp_path / "closed", 0)
    with pytest.raises(vineyard.PermissionDenied, match="closed"):
        vineyard.connect(tmp_path / "closed", timeout=1)


def test_somebody_else_listens(tmp_path: Path) -> None:
    stranger = socket.socket(socket.AF_UNIX)
    stranger.bind(str(tmp_path / "stranger"))
    stranger.listen()
    with pytest.raises((vineyard.Timeout, vineyard.Unavailable)):
        vineyard.connect(tmp_path / "stranger", timeout=0.3)


def test_a_daemon_of_another_protocol(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "newer"))
    listener.listen()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            header = bytearray(connection.recv(32, socket.MSG_WAITALL))
            assert header[:4] == b"VYD\x01"  # core/wire/frame.h
            header[3] += 1
            connection.sendall(header)
            while connection.recv(4096):  # until the client hangs up
                pass

    daemon = threading.Thread(target=answer)
    daemon.start()
    with listener, pytest.raises(vineyard.VersionMismatch, match="newer: .* version 2") as caught:
        vineyard.connect(tmp_path / "newer", timeout=20)
    daemon.join()
    assert caught.value.status == -9


@pytest.mark.parametrize("arguments, keywords, error", [
    (("localhost", 9600), {}, vineyard.Unsupported), ((), {"host": "h", "port": 1}, vineyard.Unsupported),
    ((), {"endpoint": "h:1"}, vineyard.Unsupported), ((), {"endpoint": ("h", 1)}, vineyard.Unsupported),
    (("tcp://h:1",), {}, vineyard.Unsupported), ((3.5,), {}, vineyard.TypeMismatch),
    (("a", "b", "c"), {}, vineyard.TypeMismatch), (("",), {}, vineyard.InvalidArgument),
    (("unix://",), {}, vineyard.InvalidArgument), ((), {"config": "/nonexistent"}, vineyard.InvalidArgument),
    (("/x",), {"remote": "maybe"}, vineyard.InvalidArgument), (("/x",), {"timeout": -1}, vineyard.InvalidArgument),
    (("/x",), {"timeout": "1"}, vineyard.TypeMismatch), (("/x",), {"timeout": 0}, vineyard.InvalidArgument),
    (("/x",), {"timeout": False}, vineyard.TypeMismatch),
])  # fmt: skip
def test_places_that_can_not_be_connected_to(arguments: Any, keywords: Any, error: Any) -> None:
    with pytest.raises(error):
        vineyard.connect(*arguments, **keywords)


def test_metadata_that_can_not_be(client: vineyard.Client) -> None:
    meta = vineyard.ObjectMeta()
    with pytest.raises(vineyard.TypeMismatch, match="type name"):
        client.create_metadata(meta)
    with pytest.raises(vineyard.TypeMismatch, match="not NoneType|a type name"):
        meta["typename"] = None
    with pytest.raises(vineyard.TypeMismatch, match="put the value and add it as a member"):
        meta["x"] = object()
    with pytest.raises(vineyard.TypeMismatch, match="id, Object or ObjectMeta"):
        meta.add_member("m", "text")  # type: ignore[arg-type]
    meta["typename"] = "my::Type"
    meta["x"] = [1, {"k": {1, 2}}]
    with pytest.raises(vineyard.TypeMismatch, match="metadata holds"):
        client.create_metadata(meta)
    meta["x"] = 1 << 64
    with pytest.raises(vineyard.LimitExceeded, match="64 bits"):
        client.create_metadata(meta)
    stored = client.get_meta(client.put([1]))
    with pytest.raises(vineyard.InvalidArgument, match="objects do not change"):
        stored["x"] = 1
    with pytest.raises(vineyard.ObjectNotFound, match="no field or member 'nothing'"):
        stored["nothing"]


def of_another(client: Any) -> vineyard.ObjectID:
    """An id that the daemon of this test can not have made."""
    assert client.instance_id != 77
    return vineyard.ObjectID(77 << 40 | 5)


def member_of_nothing(client: Any, number: Any) -> Any:
    meta = vineyard.ObjectMeta()
    meta["typename"] = "my::Type"
    meta.add_member("m", "text")  # type: ignore[arg-type]


@pytest.mark.parametrize("call, thing, reason, advice", [
    (lambda c, n: c.get(), "get", "not None", "an object id, not None, or name= is needed"),
    (lambda c, n: c.delete(None), "object id", "not None", "an ObjectID was expected"),
    (lambda c, n: vineyard.ObjectID(-1), "object id -1", "", "a number from 0 to"),
    (lambda c, n: vineyard.ObjectID("zz"), "object id 'zz'", "", "expected 'o' and 16"),
    (lambda c, n: c.get_blob(n), "get_blob: {n}", "not of a blob", "use get_object"),
    (lambda c, n: c.get_meta(n)["zz"], "vineyard::List {n}", "no field or member 'zz'", "there are __elements_-size, "),
    (lambda c, n: c.get_meta(c.put([1] * 99))["zz"], "vineyard::List", "no field or member 'zz'", "it has 100"),
    (lambda c, n: c.get_object(n)["zz"], "object {n}", "no field or member 'zz'", "keys() of its meta"),
    (lambda c, n: c.get_meta(n).add_member("a", n), "vineyard::List {n}", "it is stored", "build another"),
    (lambda c, n: c.put(vineyard.ObjectMeta()), "metadata", "no type name", 'set meta["typename"]'),
    (member_of_nothing, "member 'm'", "not str", "an id, Object or ObjectMeta was expected"),
    (lambda c, n: c.put(each for each in ()), "a generator", "can not be pickled", "register a builder"),
    (lambda c, n: c.put(1, builder=5), "builder", "not int", "a function or a BuilderContext"),
    (lambda c, n: c.get(n, resolver=5), "resolver", "not int", "a function or a ResolverContext"),
    (lambda c, n: c.get(n, name="x"), "get", "not both", "give an id or a name"),
    (lambda c, n: c.list_objects("(", regex=True), "pattern '('", "no regular expression", "missing )"),
    (lambda c, n: c.list_names(limit=-1), "limit=-1", "", "not negative, or None, was expected"),
    (lambda c, n: c.create_blob(-1), "create_blob: -1 bytes", "not negative", "a size is"),
    (lambda c, n: c.create_blob(3).copy(1, b"abc"), "3 bytes at offset 1", "do not fit into 3", "create a larger one"),
    (lambda c, n: vineyard.connect("h", 1), "connect h:1", "not offered yet", "connect to the socket of a daemon"),
    (lambda c, n: vineyard.connect("/x", timeout=0), "timeout=0", "waits for the daemon", "give more seconds"),
    (lambda c, n: vineyard.connect("/x", remote="no"), "remote='no'", "", "one of none, error, fetch"),
    (lambda c, n: vineyard.connect(""), "path of the socket", "is empty", "leave it out"),
    (lambda c, n: vineyard.connect(config="/none"), "config /none", "No such file", "IPCSocket: <path>"),
    (lambda c, n: c.put_name(n, "taken"), "name 'taken'", "has it", "drop it first, or replace it"),
    (lambda c, n: c.put(bytes(1 << 30)), "1073741824 bytes", "larger than the whole store", "a larger --size"),
    (lambda c, n: c.get("taken"), "object id 'taken'", "16 lower-case hexadecimal digits", "client.get(name='taken')"),
    (lambda c, n: c.get_object("taken"), "object id 'taken'", "if that is a name", "client.get_name('taken')"),
    (lambda c, n: c.get_object(c.put({"k": 1}))["k"], "member 'k'", "its stored form", "client.get(id)['k']"),
    (lambda c, n: c.get(of_another(c)), "instance 77", "is not persisted, or deleted", "check the id"),
    (lambda c, n: c.delete(of_another(c)), "instance 77", "is not persisted, or deleted", "check the id"),
    (lambda c, n: c.put_name(of_another(c), "x"), "instance 77", "is not persisted, or deleted", "check the id"),
    (lambda c, n: c.put([n]) and c.delete(n), "object {n}", "links to it", "delete that first, or force it"),
])  # fmt: skip
def test_a_text_says_the_thing_the_reason_and_what_to_do(
    client: vineyard.Client, call: Any, thing: str, reason: str, advice: str
) -> None:
    number = client.put([1, b"x"], name="taken")
    with pytest.raises(vineyard.VineyardError) as caught:
        call(client, number)
    for part in (thing.format(n=number), reason, advice):
        assert part in str(caught.value)


def test_bad_lists_and_waits(client: vineyard.Client) -> None:
    for call in (lambda: client.list_objects(5), lambda: client.list_names(None)):
        with pytest.raises(vineyard.TypeMismatch, match="a pattern is a str"):
            call()
    with pytest.raises(vineyard.InvalidArgument, match="no regular expression"):
        client.list_objects("(", regex=True)
    for limit in (-1, 1.5, True, "5"):
        for method in ("list_objects", "list_metadatas", "list_names"):
            with pytest.raises(vineyard.InvalidArgument, match="limit="):
                getattr(client, method)("*", limit=limit)
    with pytest.raises(vineyard.InvalidArgument, match="not both"):
        client.get(client.put(1), name="x")
    with pytest.raises(vineyard.TypeMismatch, match="resolver is"):
        client.get(client.put(1), resolver=5)
    with pytest.raises(vineyard.TypeMismatch, match="builder is"):
        client.put(1, builder=5)
    with pytest.raises(vineyard.TypeMismatch, match="an Object was expected"):
        client.release_object(5)
