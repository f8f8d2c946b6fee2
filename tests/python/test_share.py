"""Who may read what is put; and what another user pickled is not run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest

import vineyard
from vineyard.launch import Daemon

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


def _nested(trap: Any) -> dict[str, Any]:
    """A pickle in each place that can hold one."""
    objects = np.empty(2, dtype=object)
    objects[0], objects[1] = 1, trap
    return {
        "alone": trap,
        "in a list": [1, trap],
        "in a tuple": (1, (trap,)),
        "in a dict": {"a": {"b": trap}},
        "as a key": {(1, "x"): [trap]},
        "in a set": {1, 2, trap},
        "deep": [[[[{"a": (1, [trap])}]]]],
        "in an array of objects": objects,
        "in a list beside large arrays": [np.zeros(100_000), trap],
    }


# ---- one user -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", ["uid", "gid", "all", ("gid", os.getegid())])
def test_what_is_shared_reads_the_same(client: vineyard.Client, other: vineyard.Client, share: Any) -> None:
    value = {"a": [1, "two", b"three"], "large": np.arange(200_000)}
    number = client.put(value, share=share, name=f"shared {share}")
    got = other.get(name=f"shared {share}")
    assert got["a"] == value["a"] and np.array_equal(got["large"], value["large"])
    assert other.get_object(number).owner_uid == os.geteuid()
    other.delete(number)
    assert not client.exists(number)


def test_a_client_says_it_for_all_that_it_puts(daemon: Daemon, other: vineyard.Client) -> None:
    with vineyard.connect(daemon.socket, share="all") as sharing:
        numbers = [sharing.put(b"x"), sharing.put(np.zeros(9)), sharing.put([1, "a"]), sharing.put(b"y" * 300_000)]
        instances = {other.get_object(number).instance_id for number in numbers}
        assert instances.isdisjoint({other.instance_id}), "of a store of its own"
        builder = sharing.create_blob(100_000)
        builder.buffer[:] = b"z" * 100_000
        blob = builder.seal(sharing)
        assert bytes(other.get_blob(blob.id)) == b"z" * 100_000


def test_a_blob_is_shared_as_the_object_that_it_is_put_in(client: vineyard.Client) -> None:
    builder = client.create_blob(100_000, share="all")
    builder.buffer[:] = b"z" * 100_000
    blob = builder.seal(client)
    client.put([1, vineyard.ObjectID(blob.id)], share="all")
    meta = vineyard.ObjectMeta()
    meta["typename"] = "example::T"
    meta.add_member("blob", blob.id)
    with pytest.raises(vineyard.InvalidArgument, match="shares with others, and the new object is what is for uid"):
        client.create_metadata(meta)


def test_an_array_of_the_store_is_copied_for_others(client: vineyard.Client) -> None:
    array = client.get(client.put(np.arange(100_000)))
    number = client.put(array, share="all")
    assert np.array_equal(client.get(number), array)


@pytest.mark.parametrize("share", ["everybody", 3, ("gid",), ("gid", -1), ("uid", 1)])
def test_what_nobody_is_called(client: vineyard.Client, share: Any) -> None:
    with pytest.raises(vineyard.InvalidArgument, match="'uid', 'gid', 'all' or"):
        client.put(1, share=share)


# ---- pickles --------------------------------------------------------------------------------------------


@pytest.fixture()
def trap() -> Iterator[Trap]:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Trap(os.path.join(folder, "ran"))


@pytest.mark.parametrize("place", _nested(None))
def test_a_pickle_is_not_run_wherever_it_lies(daemon: Daemon, client: vineyard.Client, trap: Trap, place: str) -> None:
    number = client.put(_nested(trap)[place])
    assert not os.path.exists(trap.path)
    with vineyard.connect(daemon.socket, allow_pickle=False) as careful:
        for options in ({}, {"copy": True}):
            with pytest.raises(vineyard.PickleNotAllowed, match="allow_pickle=False"):
                careful.get(number, **options)
        assert not os.path.exists(trap.path)
    client.get(number)
    assert os.path.exists(trap.path), "else it is no trap"


@needs_root
@pytest.mark.parametrize("place", _nested(None))
def test_a_pickle_of_another_user_is_not_run_unless_one_says_so(place: str, trap: Trap) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with Daemon("--meta", "local", "--size", "64Mi", "--allow-uid", "1001", socket=folder + "/v.sock") as daemon:
            code = (
                "import os, sys; os.setgid(1001); os.setuid(1001)\n"
                "import vineyard\nfrom test_share import Trap, _nested\n"
                "with vineyard.connect(sys.argv[1], share='all') as client:\n"
                "    print(client.put(_nested(Trap(sys.argv[3]))[sys.argv[2]], name='gift'))\n"
                "    assert client.get_object(client.get_name('gift')).owner_uid == 1001\n"
            )
            here = os.path.dirname(__file__)
            subprocess.run(
                [sys.executable, "-c", "import numpy\n" + code, daemon.socket, place, trap.path],
                env=dict(os.environ, PYTHONPATH=here, PYTHONDONTWRITEBYTECODE="1"),
                check=True,
                timeout=60,
            )
            with vineyard.connect(daemon.socket) as client:
                with pytest.raises(vineyard.PickleNotAllowed, match="a pickle of uid 1001, another user"):
                    client.get(name="gift")
                assert not os.path.exists(trap.path)
                own = client.put({1, 2})
                assert client.get(own) == {1, 2}
            with vineyard.connect(daemon.socket, allow_pickle=True) as trusting:
                trusting.get(name="gift")
                assert os.path.exists(trap.path)
