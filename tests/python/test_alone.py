"""A cluster of one: what is about many instances works on one host, too."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Any

import numpy as np
import pytest

import vineyard
from vineyard.launch import Daemon


def events(watch: vineyard.Watch, count: int) -> list[vineyard.Event]:
    """The next events, as many as that."""
    found: list[vineyard.Event] = []
    while len(found) < count:
        event = watch.next(20)
        assert event is not None, f"nothing came behind {found}"
        found.append(event)
    return found


def test_the_instance_is_listed(client: vineyard.Client) -> None:
    (number,) = client.instances
    one = client.instances[number]
    assert client.meta == client.instances
    assert number == one["instance_id"] == client.instance_id
    assert one["state"] == "alive" and one["memory_limit"] == client.status.memory_limit and one["host"]
    assert one["socket"] == one["ipc_socket"] == client.ipc_socket and one["uid"] == os.geteuid()
    assert one["host"] == one["hostname"] == one["nodename"] and one["rpc_endpoint"] == one["endpoint"]
    assert one["since"] is None or 0 < one["since"] <= time.time() + 1


def test_an_instance_that_lives_is_not_forgotten(client: vineyard.Client) -> None:
    with pytest.raises(vineyard.InUse):
        client.forget_instance(client.instance_id)
    with pytest.raises(vineyard.ObjectNotFound):
        client.forget_instance(client.instance_id ^ 1)
    for bad, error in ((0, vineyard.InvalidArgument), (1 << 23, vineyard.InvalidArgument), ("1", vineyard.TypeMismatch),
                       (True, vineyard.TypeMismatch)):  # fmt: skip
        with pytest.raises(error):
            client.forget_instance(bad)  # type: ignore[arg-type]


def test_what_one_client_changes_is_waited_for_by_another(client: vineyard.Client, other: vineyard.Client) -> None:
    before = client.revision
    assert before == client.sync() and before == other.revision
    client.persist(client.put([1]))
    after = client.revision
    assert after > before
    other.wait_revision(after)
    other.wait_revision(tuple(after), timeout=0.1)
    other.wait_revision((0, 0))
    assert other.sync(timeout=20) >= after
    client.sync_meta()
    with pytest.raises(vineyard.Timeout):
        other.wait_revision((after.generation, after.entries + 1000), timeout=0.05)
    for bad, error in ((5, vineyard.TypeMismatch), ((1,), vineyard.TypeMismatch), ((1, "2"), vineyard.TypeMismatch),
                       ((-1, 2), vineyard.InvalidArgument), ((0, 1 << 64), vineyard.InvalidArgument)):  # fmt: skip
        with pytest.raises(error):
            client.wait_revision(bad)


def test_a_watch_sees_what_happens(client: vineyard.Client, other: vineyard.Client) -> None:
    with client.watch(timeout=0.05) as watch:
        assert list(watch) == []
        number = other.put([1, np.arange(3)])
        other.persist(number)
        (created,) = events(watch, 1)
        assert created.kind == "created" and created.id == number and created.instance == client.instance_id
        assert created.position == watch.position == client.revision
        other.put_name(number, "watched")
        other.label(number, "color", "blue")
        other.drop_name("watched")
        other.delete(number)
        found = events(watch, 4)
        assert [each.kind for each in found] == ["named", "labelled", "dropped", "deleted"]
        assert found[0].name == found[2].name == "watched" and found[0].id == found[2].id == number
        assert found[1].id == found[3].id == number and found[1].name is None
        assert list(watch) == []
    assert watch.closed and "closed" in repr(watch)
    watch.close()
    with pytest.raises(vineyard.InvalidArgument, match="watch: it is closed"):
        watch.next(0)


def test_a_watch_goes_on_at_a_position(client: vineyard.Client) -> None:
    numbers = [client.put([i]) for i in range(3)]
    start = client.revision
    for number in numbers:
        client.persist(number)
    with client.watch(after=start) as watch:
        first = events(watch, 1)[0]
        assert first.id == numbers[0]
    with client.watch(after=client.revision, timeout=0.05) as watch:
        assert list(watch) == []
    with client.watch(after=start) as watch:
        assert [each.id for each in events(watch, 3)] == numbers


def test_a_watch_is_waited_for_by_its_descriptor(client: vineyard.Client) -> None:
    with client.watch() as watch:
        assert watch.next(0.1) is None
        number = client.put([1])
        client.persist(number)
        found = None
        while found is None:
            assert select.select([watch], [], [], 20)[0] == [watch]
            found = watch.next(0)
        assert found.id == number
        assert watch.next(0) is None


def test_a_watch_survives_its_daemon() -> None:
    with Daemon("--meta", "local", "--size", "64Mi") as daemon, vineyard.connect(daemon.socket) as client:
        with client.watch() as watch:
            first = client.put([1])
            client.persist(first)
            assert events(watch, 1)[0].id == first
            os.kill(int(child_of(daemon.process.pid)), signal.SIGKILL)
            second = client.put([2])
            client.persist(second)
            seen = events(watch, 1)
            while seen[-1].id != second and seen[-1].kind != "compacted":
                seen += events(watch, 1)
            # Whoever is told that something may be missing lists anew, and misses nothing from there on.
            third = client.put([3])
            client.persist(third)
            while seen[-1].id != third:
                seen += events(watch, 1)


def child_of(keeper: int) -> str:
    with open(f"/proc/{keeper}/task/{keeper}/children") as children:
        (child,) = children.read().split()
    return child


def test_a_watch_ends_with_its_client(daemon: Daemon) -> None:
    client = vineyard.connect(daemon.socket)
    watch = client.watch()
    client.close()
    with pytest.raises(vineyard.InvalidArgument, match="client: it is closed"):
        watch.next(0)


def test_objects_are_listed_by_label(client: vineyard.Client) -> None:
    blue, red, none = (client.put([i]) for i in range(3))
    client.label(blue, "color", "blue")
    client.label(red, "color", "red")
    client.persist(red)
    assert {each.id for each in client.list_objects("vineyard::List", limit=None, label="color")} == {blue, red}
    assert [each.id for each in client.list_metadatas("vineyard::List", label=("color", "red"))] == [red]
    assert list(client.objects(label=("color", "green"))) == []
    assert set(client.objects("vineyard::List", instance=client.instance_id)) == {blue, red, none}
    assert list(client.objects(instance=client.instance_id ^ 1)) == []
    for keywords, error in (({"label": 5}, vineyard.TypeMismatch), ({"label": ("a", 5)}, vineyard.TypeMismatch),
                            ({"label": ""}, vineyard.InvalidArgument), ({"instance": "x"}, vineyard.TypeMismatch),
                            ({"instance": 0}, vineyard.InvalidArgument)):  # fmt: skip
        with pytest.raises(error, match="list: "):
            client.list_objects(**keywords)  # type: ignore[arg-type]


def test_a_name_as_of_now(client: vineyard.Client, other: vineyard.Client) -> None:
    number = client.put([1], persist=True, name="now")
    assert other.get_name("now", latest=True) == number == other.get_name("now")
    with pytest.raises(vineyard.ObjectNotFound):
        other.get_name("never", latest=True)
    with pytest.raises(vineyard.Timeout):
        other.get_name("never", timeout=0.05, latest=True)
    found, revision = other.get_name_revision("now", latest=True)
    assert found == number and other.put_name(number, "now", expect=revision) > revision


@pytest.mark.parametrize("stored", [1, "text", b"bytes", [1, 2], np.arange(4)])
def test_what_is_persisted_is_as_before(client: vineyard.Client, stored: Any) -> None:
    number = client.put(stored)
    assert not client.get_object(number).ispersist
    for each in (number, client.get_object(number), client.get_meta(number), [number, number]):
        client.persist(each)
    obj = client.get_object(number)
    assert obj.ispersist and obj.islocal and not obj.isglobal and not obj.islost and obj.stale_since is None
    assert np.array_equal(client.get(number), stored)
