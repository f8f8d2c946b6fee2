"""Threads, signals, fork, spawn, forkserver."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Iterator

import numpy as np
import pytest

import vineyard


def test_one_client_in_many_threads(client: vineyard.Client) -> None:
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            random = np.random.default_rng(seed)
            for i in range(100):
                value = [seed, i, random.random(int(random.integers(0, 2000))), b"x" * int(random.integers(0, 99))]
                number = client.put(value, name=f"{seed}-{i}")
                got = client.get(name=f"{seed}-{i}")
                assert got[:2] == value[:2] and (got[2] == value[2]).all() and got[3] == value[3]
                if i % 2:
                    client.delete(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_other_threads_run_while_one_waits(client: vineyard.Client) -> None:
    done = threading.Event()

    def wait() -> None:
        with pytest.raises(vineyard.Timeout):
            client.get_name("nobody", timeout=1.5)
        done.set()

    thread = threading.Thread(target=wait)
    thread.start()
    turns = 0
    while not done.is_set():
        client.get(client.put(turns))
        turns += 1
    thread.join()
    assert turns > 100


HALF = 32 << 20


@pytest.fixture()
def neighbour() -> Iterator[Callable[[], tuple[int, bytearray]]]:
    """Asks how often another thread had a turn, and for the bytes that each turn writes in two places.

    It has turns only where the interpreter's lock is given up: nobody takes the lock away any more.
    """
    payload, turns, ended = bytearray(2 * HALF), [0], threading.Event()

    def run() -> None:
        for turn in itertools.count(1):
            turns[0] = turn
            payload[HALF // 2 : HALF // 2 + 8] = payload[-HALF // 2 : 8 - HALF // 2] = turn.to_bytes(8, "little")
            if ended.wait(0.001):  # leaves the lock to others
                return

    old = sys.getswitchinterval()
    sys.setswitchinterval(3600)
    thread = threading.Thread(target=run)
    thread.start()
    yield lambda: (turns[0], payload)
    sys.setswitchinterval(old)
    ended.set()
    thread.join()


@pytest.mark.parametrize("kind", [bytearray, memoryview, np.asarray, lambda data: [1, data], "builder", "memory_copy"])
def test_other_threads_run_while_one_copies_into_the_store(
    client: vineyard.Client, neighbour: Callable[[], tuple[int, bytearray]], kind: Any
) -> None:
    payload = neighbour()[1]
    for _ in range(100):  # whether the thread gets a processor in time is a matter of luck
        if isinstance(kind, str):
            builder = client.create_blob(len(payload))
            if kind == "builder":
                builder.copy(0, payload)
            else:
                vineyard.memory_copy(builder, 0, payload)
            blob = builder.seal()
            number = blob.id
        else:
            number = client.put(payload if kind is bytearray else kind(payload))
            obj = client.get_object(number)
            blob = obj if isinstance(obj, vineyard.Blob) else next(obj.member(name) for name in obj.meta.members)
        # The thread writes both at once: that they differ means that it ran amid the copy.
        begin, end = bytes(blob[HALF // 2 : HALF // 2 + 8]), bytes(blob[-HALF // 2 : 8 - HALF // 2])
        blob.close()
        client.delete(number)
        if begin != end:
            return
    pytest.fail("no copy let another thread run")


def pickled(data: bytearray) -> Any:
    """A value that is stored as a pickle, the bytes beside it."""
    return slice(np.array(data))


def listed(data: bytearray) -> Any:
    return [1, bytes(data)]


COPIED = [(bytes, False), (bytearray, False), (listed, False)]  # the others are read in place
COPIED += [(make, True) for make in (bytes, bytearray, memoryview, np.array, listed, pickled)]


@pytest.mark.parametrize("make, copy", COPIED)
def test_other_threads_run_while_one_copies_out_of_the_store(
    client: vineyard.Client, neighbour: Callable[[], tuple[int, bytearray]], make: Any, copy: bool
) -> None:
    number = client.put(make(neighbour()[1]))
    client.get(number, copy=copy)  # from now on no get sends a message, during which others would run
    for _ in range(100):
        before = neighbour()[0]
        value = client.get(number, copy=copy)
        if neighbour()[0] != before:
            return
        del value
    pytest.fail("no copy let another thread run")


def test_closing_while_others_use_it(daemon: Any) -> None:
    client = vineyard.connect(daemon.socket)
    ended: list[str] = []
    begun = threading.Barrier(5)

    def work() -> None:
        try:
            client.get(client.put([1, b"x"]))
            begun.wait()
            while True:
                client.get(client.put([1, b"x"]))
        except vineyard.VineyardError as error:
            ended.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    client.close()
    for thread in threads:
        thread.join()
    assert len(ended) == 4


WAITS = {
    "name": "client.get_name('nobody', wait=True)",
    "object": "client.wait(builder.id)",
    "put": "client.put([1])",
    "connect": "vineyard.connect(client.ipc_socket, timeout=100_000)",
    "list": "client.list_objects()",
}


@pytest.mark.parametrize("what", WAITS)
def test_ctrl_c_ends_a_wait_at_once(what: str) -> None:
    # Of a running daemon, or of one that does not answer; nothing else ends these waits for a day.
    code = f"""
import os, signal, sys, time, vineyard
from vineyard.deploy.local import start_vineyardd
with start_vineyardd(size="32Mi") as (_, socket):
    client = vineyard.connect(socket, timeout=100_000)
    builder = client.create_blob(1)
    pid = client.status.pid
    try:
        if {what not in ("name", "object")}:
            os.kill(pid, signal.SIGSTOP)
            while "T (stopped)" not in open(f"/proc/{{pid}}/status").read():
                time.sleep(0.001)
        print("ready", flush=True)
        {WAITS[what]}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    os.kill(pid, signal.SIGCONT)
    assert client.get(client.put([2])) == [2]
    print("works")
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    while state_of(child.pid) != "S":
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    assert child.stdout.read() == "interrupted\nworks\n" and child.wait() == 0


def state_of(pid: int) -> str:
    """S: it waits for something."""
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def test_a_handler_that_raises_nothing_lets_the_wait_go_on(client: vineyard.Client) -> None:
    hits: list[int] = []
    old = signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        with pytest.raises(vineyard.Timeout):
            client.get_name("nobody", timeout=0.5)
        assert client.get(client.put(b"x" * 100)) == b"x" * 100
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert len(hits) >= 3


def square(arguments: tuple[vineyard.Client, vineyard.ObjectID, Any]) -> vineyard.ObjectID:
    client, number, obj = arguments
    value = client.get(number)
    assert obj["__elements_-1"] == "text" and not value[0].flags.writeable
    return client.put(value[0] ** 2)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes(client: vineyard.Client, method: str) -> None:
    number = client.put([np.arange(1000.0), "text"])
    with multiprocessing.get_context(method).Pool(2) as pool:
        made = pool.map(square, [(client, number, client.get_object(number))] * 8)
    assert len(set(made)) == 8
    assert (client.get(made[0]) == np.arange(1000.0) ** 2).all()


def in_child(work: Any) -> None:
    """Runs `work` in a forked child, which must end well."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_uses_the_client_and_the_views_of_its_parent(client: vineyard.Client) -> None:
    number = client.put(np.arange(10_000))
    array, blob = client.get(number), client.get_blob(client.put(b"abc"))

    def child() -> None:
        assert array.sum() == 49995000 and bytes(blob) == b"abc"
        again = client.get(number)
        assert (again == array).all() and client.get(client.put([1, b"x"])) == [1, b"x"]
        del again

    in_child(child)
    assert array.sum() == 49995000 and client.get(client.put(b"y")) == b"y"


@pytest.mark.parametrize("first", ["parent", "child"])
def test_both_sides_drop_their_views_in_either_order(client: vineyard.Client, first: str) -> None:
    payload = os.urandom(200_000)
    number = client.put(memoryview(payload))
    views = [client.get(number)]
    client.delete(number)
    to_child, from_child = os.pipe(), os.pipe()

    def child() -> None:
        if first == "child":
            views.clear()
            gc.collect()
            os.write(from_child[1], b"x")
            os.read(to_child[0], 1)
        else:
            os.read(to_child[0], 1)
            assert views[0] == payload
            views.clear()

    pid = os.fork()
    if pid == 0:
        try:
            child()
            os._exit(0)
        except BaseException:
            os._exit(1)
    if first == "child":
        os.read(from_child[0], 1)
        fill(client, len(payload))
        assert views[0] == payload
    views.clear()
    gc.collect()
    fill(client, len(payload))
    os.write(to_child[1], b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for end in (*to_child, *from_child):
        os.close(end)


def fill(client: vineyard.Client, size: int) -> None:
    """Would take the memory of anything that was given back."""
    for _ in range(5):
        client.put(memoryview(bytes(size)))


def test_a_writer_belongs_to_the_process_that_made_it(client: vineyard.Client) -> None:
    builder = client.create_blob(100_000)

    def child() -> None:
        for call in (builder.seal, lambda: builder.copy(0, b"x")):
            with pytest.raises(vineyard.VineyardError):
                call()
        builder.close()

    in_child(child)
    builder.copy(0, b"parent")
    assert bytes(builder.seal())[:6] == b"parent"


def test_a_client_pickles_as_its_socket(client: vineyard.Client) -> None:
    again = pickle.loads(pickle.dumps(client))
    assert again.ipc_socket == client.ipc_socket and again is not client
    assert again.get(client.put([1])) == [1]
    again.close()


def test_values_outlive_the_daemon(tmp_path: Any) -> None:
    from vineyard.deploy.local import start_vineyardd

    with start_vineyardd(size="64Mi") as (_, socket):
        client = vineyard.connect(socket, timeout=2)
        array = client.get(client.put(np.arange(100_000)))
        blob = client.get_blob(client.put(b"blob"))
    assert (array == np.arange(100_000)).all() and bytes(blob) == b"blob"
    with pytest.raises(vineyard.VineyardError):
        client.put(1)
    assert not client.connected
    client.close()
    assert array[5] == 5


def test_puts_and_gets_go_on_over_a_crash_of_the_daemon(daemon: Any) -> None:
    with vineyard.connect(daemon.socket) as client:
        kept = [client.put([i, np.arange(1000.0)]) for i in range(20)]
        array = client.get(kept[0])[1]
        pid = client.status.pid
        os.kill(pid, signal.SIGKILL)
        assert (array == np.arange(1000.0)).all()
        assert [client.get(number)[0] for number in kept] == list(range(20))
        assert client.get(client.put(["again"])) == ["again"]
        assert client.status.pid != pid
