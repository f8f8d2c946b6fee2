"""verify: what is not what was put is told, wherever in a tree it lies."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import vineyard
from vineyard.launch import Daemon


def flip_bit(daemon: Daemon, address: int) -> None:
    """Changes a byte that this process has mapped, through the daemon's own descriptor."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, _, inode, *_ = line.split()
        begin, end = (int(each, 16) for each in span.split("-"))
        if begin <= address < end:
            break
    at = address - begin + int(offset, 16)
    with vineyard.connect(daemon.socket) as asking:
        pid = asking.status.pid
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.stat(entry).st_ino != int(inode):
                continue
        except OSError:
            continue
        fd = os.open(entry, os.O_RDWR)
        os.pwrite(fd, bytes([os.pread(fd, 1, at)[0] ^ 1]), at)
        os.close(fd)
        return
    raise AssertionError("the daemon has no such file")


def test_what_is_in_order_is_got_as_without(client: vineyard.Client) -> None:
    value = {"a": [1, "two", b"three"], "array": np.arange(10)}
    object_id = client.put(value)
    got = client.get(object_id, verify=True)
    assert got["a"] == value["a"] and (got["array"] == value["array"]).all()
    assert client.verify(object_id) == 0
    large = client.put(np.zeros(1 << 20))
    assert client.verify(large) == 8 << 20, "above 1 MiB there is no checksum by default"


@pytest.mark.parametrize("where", ["alone", "below"])
def test_a_flipped_bit_is_told_with_the_id_of_the_blob(
    client: vineyard.Client, daemon: Daemon, where: str
) -> None:
    array = np.arange(1000)
    object_id = client.put(array if where == "alone" else {"below": [array]})
    got = client.get(object_id)
    place = got if where == "alone" else got["below"][0]
    flip_bit(daemon, place.ctypes.data + 100)
    assert (client.get(object_id)["below"][0] if where == "below" else client.get(object_id)) is not None
    with pytest.raises(vineyard.Corrupt, match=r"blob o[89a-f][0-9a-f]{15}: 8000 bytes"):
        client.get(object_id, verify=True)
    with pytest.raises(vineyard.Corrupt):
        client.verify(object_id)


def test_of_nothing_there_is_nothing_to_verify(client: vineyard.Client) -> None:
    missing = client.put(1)
    client.delete(missing)
    with pytest.raises(vineyard.ObjectNotFound):
        client.get(missing, verify=True)
    assert client.get(missing, default=7, verify=True) == 7


def test_what_can_not_be_verified_is_not_got_as_if_it_were(client: vineyard.Client) -> None:
    large = client.put({"small": np.arange(10), "below": [np.zeros(1 << 18)]})
    blob = client.get_object(large)["__values_-value-1"].meta["__elements_-0"].members["buffer_"]
    with pytest.raises(vineyard.Unsupported) as caught:
        client.get(large, verify=True)
    for part in (str(large), str(blob), "2097152 bytes", "start the daemon with --checksum all"):
        assert part in str(caught.value)
    assert client.verify(large) == 2 << 20 and client.get(large)["below"][0].sum() == 0
    with Daemon("--meta", "local", "--size", "64Mi", "--checksum", "all") as careful:
        with vineyard.connect(careful.socket) as verified:
            assert verified.get(verified.put(np.zeros(1 << 18)), verify=True).sum() == 0
