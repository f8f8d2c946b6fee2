"""Two daemons and a ZooKeeper: what a client of one sees of the other."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest
from processes import ZooKeeper

import vineyard
from vineyard.launch import Daemon

Client = vineyard.Client


class Cluster:
    """Daemons that share their metadata."""

    def __init__(self, address: str) -> None:
        self._flags = ("--meta", f"zookeeper://{address}/test", "--meta-session-timeout", "2s", "--size", "64Mi")
        self.daemons = [self.start(), self.start()]

    def start(self, *flags: str) -> Daemon:
        return Daemon(*self._flags, *flags)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ZooKeeper() as server:
        running = Cluster(server.address)
        try:
            yield running
        finally:
            for daemon in running.daemons:
                daemon.stop()


@pytest.fixture()
def one(cluster: Cluster) -> Iterator[Client]:
    with vineyard.connect(cluster.daemons[0].socket) as connected:
        yield connected


@pytest.fixture()
def two(cluster: Cluster) -> Iterator[Client]:
    with vineyard.connect(cluster.daemons[1].socket) as connected:
        yield connected


def put_pair(one: Client, two: Client) -> Any:
    """A pair made by `one`, of an array of each."""
    first, second = one.put(np.zeros(8)), two.put(np.ones(4))
    one.persist(first)
    two.persist(second)
    return one.put((one.get_object(first), two.get_object(second)))


def until(what: Callable[[], bool]) -> None:
    """Returns once it is so."""
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_readmes_cluster(cluster: Cluster) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (block,) = [b for b in re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S) if "/tmp/a.sock" in b]
    for there, daemon in zip(("/tmp/a.sock", "/tmp/b.sock"), cluster.daemons):
        block = block.replace(there, daemon.socket)
    names: dict[str, Any] = {"vineyard": vineyard, "np": np}
    pairs = []
    for _ in range(2):  # whoever reads it may try it again
        exec(block, names)
        first, second = names["b"].get(names["pair"])
        assert first is None and list(second) == [1, 1, 1, 1]
        assert names["b"].get_name("pair", latest=True) == names["pair"]
        pairs.append(names["pair"])
    for pair in pairs:
        names["a"].delete(pair)
    names["a"].close(), names["b"].close()


def test_what_is_deleted_by_force_stays_for_its_parents_on_its_own_instance(one: Client, two: Client) -> None:
    member = one.put(np.arange(3), persist=True)
    own, known = one.put([one.get_object(member)]), one.put([one.get_object(member)], persist=True)
    with pytest.raises(vineyard.InUse, match="delete that first, or force"):
        two.delete(member)
    two.delete(member, force=True)
    one.sync()
    assert not two.exists(member)
    with pytest.raises(vineyard.ObjectNotFound, match=f"{member}"):
        two.get_object(known)["__elements_-0"]
    assert one.get(own)[0].tolist() == one.get(known)[0].tolist() == [0, 1, 2]
    assert one.exists(member) and not one.get_object(member).ispersist
    one.delete([own, known])
    assert not one.exists(member)


def test_an_object_that_is_not_persisted_is_said_to_be_of_its_instance(one: Client, two: Client) -> None:
    number = one.put([1])
    for call in (lambda: two.get(number), lambda: two.delete(number), lambda: two.persist(number)):
        with pytest.raises(vineyard.ObjectNotFound) as caught:
            call()
        for part in (str(number), f"instance {one.instance_id}", "is not persisted, or deleted", "check the id"):
            assert part in str(caught.value)


def test_a_pair_of_two_instances(one: Client, two: Client) -> None:
    pair = put_pair(one, two)
    there, here = two.get_object(pair), one.get_object(pair)
    assert there.first.size() == here.first.size() == 8 and there.second.size() == here.second.size() == 4
    assert there.isglobal and here.isglobal and there.ispersist and here.ispersist
    assert here.islocal and not there.islocal and there.instance_id == one.instance_id == here.instance_id
    assert not there.first.islocal and there.second.islocal and here.first.islocal and not here.second.islocal
    assert not there.first.isglobal and not there.second.isglobal and there.first.instance_id == one.instance_id
    first, second = two.get(pair)
    assert first is None and second.tolist() == [1, 1, 1, 1]
    first, second = one.get(pair)
    assert first.tolist() == [0] * 8 and second is None
    meta = two.get_meta(pair)
    assert meta.isglobal and not meta.islocal and meta["second_"].islocal and meta["first_"]["shape_"] == [8]
    with pytest.raises(vineyard.Remote, match=f"instance {one.instance_id} on host {os.uname().nodename}"):
        two.get(pair, remote="error")
    with pytest.raises(vineyard.Unavailable, match="can not be fetched"):
        two.get(pair, fetch=True)


def test_members_are_given_in_every_form(one: Client, two: Client) -> None:
    number = two.put(np.arange(3), persist=True)
    obj, meta = two.get_object(number), two.get_meta(number)
    for link in (number, obj, meta):
        assert [each.id for each in members(one, one.put([link, b"own"]))][0] == number
        assert one.get(one.put((link, 5))) == (None, 5)
    built = vineyard.ObjectMeta()
    built["typename"] = "my::Type"
    for i, link in enumerate((number, obj, meta)):
        built.add_member(f"m{i}", link)
    stored = one.create_metadata(built)
    assert stored.isglobal and stored.ispersist and two.get_object(stored.id)["m2"].islocal
    # The value of an array of the other is a value like any: it is copied.
    assert one.get(one.put(two.get(number))).tolist() == [0, 1, 2]


def members(client: Client, number: Any) -> list[Any]:
    obj = client.get_object(number)
    return [obj.member(name) for name in obj.meta.members]


def test_what_is_not_persisted_is_not_seen(one: Client, two: Client) -> None:
    number = one.put(np.zeros(3))
    assert not two.exists(number) and two.get(number, default="none") == "none"
    for call in (two.get_object, two.get_meta, two.persist, two.delete, lambda n: two.put([n]), two.labels):
        with pytest.raises(vineyard.ObjectNotFound, match=str(number)):
            call(number)
    with pytest.raises(vineyard.Timeout):
        two.wait(number, timeout=0.05)


def test_it_is_waited_for(one: Client, two: Client) -> None:
    number = one.put([1, "two"])
    later = threading.Timer(0.1, lambda: one.persist([number]))
    later.start()
    two.wait(number, timeout=60)
    later.join()
    assert two.exists(number) and two.get(number) == [1, "two"], "metadata alone says what it is"


def test_several_are_persisted_at_once(one: Client, two: Client) -> None:
    numbers = [one.put([i]) for i in range(20)]
    one.persist(numbers)
    one.persist([one.get_object(numbers[0]), one.get_meta(numbers[1])])
    two.wait_revision(one.revision)
    assert [two.get(number) for number in numbers] == [[i] for i in range(20)]


def test_names_are_the_clusters(one: Client, two: Client) -> None:
    number = one.put(b"x", persist=True, name="cluster name")
    assert two.get_name("cluster name", latest=True) == number
    found, revision = two.get_name_revision("cluster name", wait=True)
    assert found == number and two.get(name="cluster name") is None
    mine = two.put(b"y", persist=True)
    with pytest.raises(vineyard.AlreadyExists):
        two.put_name(mine, "cluster name")
    moved = two.put_name(mine, "cluster name", expect=revision)
    with pytest.raises(vineyard.Conflict):
        one.put_name(number, "cluster name", expect=revision)
    assert one.get_name("cluster name", latest=True) == mine
    one.wait_revision(two.revision)
    assert one.get_name_revision("cluster name") == (mine, moved)
    assert one.list_names("cluster *") == two.list_names("cluster *") == {"cluster name": mine}
    one.drop_name("cluster name", expect=moved)
    with pytest.raises(vineyard.ObjectNotFound):
        two.get_name("cluster name", latest=True)


def test_a_name_is_waited_for(one: Client, two: Client) -> None:
    number = one.put([5], persist=True)
    later = threading.Timer(0.1, lambda: one.put_name(number, "awaited"))
    later.start()
    assert two.get_name("awaited", timeout=60) == number
    later.join()


def test_names_of_what_is_not_persisted_stay_here(one: Client, two: Client) -> None:
    number = one.put([1], name="of this host")
    assert one.get_name("of this host") == number == one.get_name("of this host", latest=True)
    with pytest.raises(vineyard.ObjectNotFound):
        two.get_name("of this host", latest=True)


def test_labels_are_set_and_read_anywhere(one: Client, two: Client) -> None:
    number = one.put([1], persist=True)
    two.label(number, {"color": "blue", "shape": "round"})
    one.wait_revision(two.revision)
    assert one.labels(number) == two.labels(number) == {"color": "blue", "shape": "round"}
    one.label(number, "shape")
    two.wait_revision(one.revision)
    assert two.labels(number) == {"color": "blue"} == two.get_meta(number).labels


def test_lists_are_of_the_cluster(one: Client, two: Client) -> None:
    metas = []
    for client in (one, two):
        meta = vineyard.ObjectMeta()
        meta["typename"] = "my::Listed"
        metas.append(client.create_metadata(meta).id)
        client.persist(metas[-1])
        client.label(metas[-1], "from", f"{client.instance_id}")
    own = vineyard.ObjectMeta()
    own["typename"] = "my::Listed"
    transient = one.create_metadata(own).id
    one.sync()
    two.sync()
    assert set(one.objects("my::Listed")) == {*metas, transient} and set(two.objects("my::Listed")) == set(metas)
    assert set(two.objects("my::Listed", instance=one.instance_id)) == {metas[0]}
    assert set(one.objects("my::Listed", instance=one.instance_id)) == {metas[0], transient}
    assert [each.id for each in one.list_objects("my::*", label="from", instance=two.instance_id)] == [metas[1]]
    label = ("from", f"{one.instance_id}")
    assert [each.id for each in two.list_metadatas("my::*", label=label)] == [metas[0]]
    assert len(two.list_objects("my::Listed", limit=1)) == 1


def test_deleting_by_another(one: Client, two: Client) -> None:
    pair = put_pair(one, two)
    first = one.get_object(pair).first.id
    view = one.get(first)
    with pytest.raises(vineyard.InUse, match=str(pair)):
        two.delete(first)
    two.delete(pair)
    assert not two.exists(pair)
    one.sync()
    assert not one.exists(pair) and one.exists(first)
    two.delete(first)
    one.sync()
    assert not one.exists(first) and view.tolist() == [0] * 8


def test_changes_are_followed_from_another_instance(one: Client, two: Client) -> None:
    two.sync()
    with two.watch() as watch:
        number = one.put([1], persist=True)
        seen = [follow(watch, "created")]
        one.put_name(number, "followed")
        seen.append(follow(watch, "named"))
        one.label(number, "k", "v")
        seen.append(follow(watch, "labelled"))
        one.delete(number)
        seen += [follow(watch, "dropped"), follow(watch, "deleted")]
    assert {each.id for each in seen} == {number}
    assert seen[0].instance == one.instance_id and seen[1].name == "followed"
    assert seen[-1].position <= two.revision


def follow(watch: vineyard.Watch, kind: str) -> vineyard.Event:
    """The next event, of this kind."""
    event = watch.next(60)
    assert event is not None and event.kind == kind, f"{kind} was expected, not {event}"
    return event


def test_instances_are_listed_everywhere(one: Client, two: Client) -> None:
    assert set(one.meta) == set(two.meta) == {one.instance_id, two.instance_id}
    for client in (one, two):
        known = one.meta[client.instance_id]
        assert known["state"] == "alive" and known["ipc_socket"] == client.ipc_socket
        assert known["host"] == os.uname().nodename and known["memory_limit"] == client.status.memory_limit
        assert known["since"] <= time.time() + 1


def test_a_daemon_that_was_killed_comes_back_with_everything(cluster: Cluster, one: Client, two: Client) -> None:
    pair = put_pair(one, two)
    with open(f"/proc/{cluster.daemons[0].process.pid}/task/{cluster.daemons[0].process.pid}/children") as children:
        os.kill(int(children.read().split()[0]), signal.SIGKILL)
    first, second = one.get(pair)
    assert first.tolist() == [0] * 8 and second is None
    again = put_pair(one, two)
    two.wait_revision(one.revision)
    assert two.get(again)[1].tolist() == two.get(pair)[1].tolist() == [1, 1, 1, 1]


def test_an_instance_that_ends_is_lost_and_forgotten(cluster: Cluster, one: Client) -> None:
    with cluster.start() as third, vineyard.connect(third.socket) as client:
        lost = client.instance_id
        number = client.put(np.zeros(8), persist=True, name="of the lost")
        one.wait_revision(client.revision)
        pair = one.put((number, 5))
        assert one.get(pair) == (None, 5)
        client.close()
    until(lambda: one.meta[lost]["state"] == "lost")
    assert one.get_object(number).islost and one.get_object(pair).first.islost
    for remote in ("none", "error", "fetch"):
        with pytest.raises(vineyard.Lost, match=f"instance {lost} on host .* is gone since 20"):
            one.get(pair, remote=remote)
    one.forget_instance(lost)
    assert lost not in one.meta and not one.exists(number)
    with pytest.raises(vineyard.ObjectNotFound, match=str(number)):
        one.get_object(pair).first
    assert one.get_object(pair)["second_"] == 5 and not one.get_object(pair).islost
    with pytest.raises(vineyard.ObjectNotFound):
        one.get_name("of the lost", latest=True)


def test_what_another_instance_has_is_evicted_loaded_and_pinned_there(
    cluster: Cluster, one: Client, tmp_path: Path
) -> None:
    number = one.put(np.zeros(8), persist=True)
    with cluster.start("--spill-path", str(tmp_path)) as third, vineyard.connect(third.socket) as client:
        for call in (client.evict, client.load, client.pin):
            with pytest.raises(vineyard.Remote):
                call(number)
        with pytest.raises(vineyard.Remote, match=f"evict of object {number}: it is another instance's; evict it there"):
            client.evict(number)
        lost = client.instance_id
        client.close()
    until(lambda: one.meta[lost]["state"] == "lost")
    one.forget_instance(lost)
