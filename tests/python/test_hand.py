"""evict, load, pin, unpin: where an object lies because a program says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import vineyard
from vineyard.launch import Daemon


@pytest.fixture()
def spilling(tmp_path: Path) -> Iterator[vineyard.Client]:
    flags = ("--meta", "local", "--size", "64Mi", "--spill-path", str(tmp_path), "--spill-upper-rate", "1")
    with Daemon(*flags) as daemon, vineyard.connect(daemon.socket) as client:
        yield client


def spilled(client: vineyard.Client) -> int:
    return int(client.status.spilled_blobs)


def test_a_value_goes_to_a_file_and_comes_back(spilling: vineyard.Client) -> None:
    value = np.arange(1 << 20)
    object_id = spilling.put({"array": value, "text": "x"})
    spilling.evict(object_id)
    assert spilled(spilling) == 1
    spilling.load(object_id)
    assert spilled(spilling) == 0
    spilling.evict(object_id)
    assert (spilling.get(object_id)["array"] == value).all()


def test_what_is_pinned_or_read_stays_and_the_error_says_by_whom(spilling: vineyard.Client) -> None:
    object_id = spilling.put(np.arange(1 << 20))
    spilling.pin(object_id)
    spilling.pin(object_id)
    for _ in range(2):
        with pytest.raises(vineyard.InUse, match=rf"pid {os.getpid()} \(uid {os.getuid()}\) has pinned it"):
            spilling.evict(object_id)
        spilling.unpin(object_id)
    with pytest.raises(vineyard.ObjectNotFound, match="this client has not pinned it"):
        spilling.unpin(object_id)
    array = spilling.get(object_id)
    with pytest.raises(vineyard.InUse):
        spilling.evict(object_id)
    assert array[7] == 7 and spilled(spilling) == 0
    del array
    spilling.evict(object_id)
    assert spilled(spilling) == 1


def test_a_pin_loads_and_ends_with_its_client(spilling: vineyard.Client) -> None:
    object_id = spilling.put(np.arange(1 << 20))
    spilling.evict(object_id)
    with vineyard.connect(spilling.ipc_socket) as other:
        other.pin(object_id)
        assert spilled(spilling) == 0
        with pytest.raises(vineyard.InUse):
            spilling.evict(object_id)
    spilling.evict(object_id)
    assert spilled(spilling) == 1


def test_objects_serve_as_ids_and_what_is_none_is_refused(spilling: vineyard.Client) -> None:
    object_id = spilling.put(b"x" * 1000)
    gone = spilling.put(b"gone")
    spilling.delete(gone)
    for call in (spilling.evict, spilling.load, spilling.pin, spilling.unpin):
        with pytest.raises(vineyard.ObjectNotFound):
            call(gone)
        with pytest.raises((TypeError, ValueError)):
            call("no id")
    for call in (spilling.evict, spilling.load, spilling.pin, spilling.unpin):
        call(object_id)


def test_without_a_place_for_files_nothing_is_evicted(client: vineyard.Client) -> None:
    object_id = client.put(b"x")
    with pytest.raises(vineyard.Unsupported, match="--evict spill"):
        client.evict(object_id)
    client.load(object_id)
    client.pin(object_id)
    client.unpin(object_id)
