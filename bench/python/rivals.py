"""What Python has without vineyard: multiprocessing.shared_memory with pickle 5, pickle over a socket.

Both are written as somebody who knows them would: buffers out of band, one block for each value, no
copy on get from shared memory.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
from multiprocessing import resource_tracker, shared_memory


class SharedMemory:
    """A block for each value: count, sizes, pickle, buffers. The name is what another process needs."""

    name = "shared_memory + pickle 5"

    def __init__(self) -> None:
        self.blocks: dict[str, shared_memory.SharedMemory] = {}

    def put(self, value: object) -> str:
        buffers: list[pickle.PickleBuffer] = []
        data = pickle.dumps(value, 5, buffer_callback=buffers.append)
        parts = [data, *(buffer.raw() for buffer in buffers)]
        sizes = [len(part) for part in parts]
        header = struct.pack(f"<{len(parts) + 1}Q", len(parts), *sizes)
        block = shared_memory.SharedMemory(create=True, size=len(header) + sum(sizes))
        block.buf[: len(header)] = header
        at = len(header)
        for part, size in zip(parts, sizes):
            block.buf[at : at + size] = part
            at += size
        self.blocks[block.name] = block
        return block.name

    def get(self, name: str) -> object:
        # (Python 3.13 has track=False; before, an attach registers the block to be unlinked.)
        block = shared_memory.SharedMemory(name)
        resource_tracker.unregister(block._name, "shared_memory")  # type: ignore[attr-defined]
        buf = block.buf
        (count,) = struct.unpack_from("<Q", buf)
        sizes = struct.unpack_from(f"<{count}Q", buf, 8)
        at, parts = 8 + 8 * count, []
        for size in sizes:
            parts.append(buf[at : at + size].toreadonly())
            at += size
        # The block would close the mapping under the value: the views keep it instead.
        block._buf = block._mmap = None  # type: ignore[attr-defined]
        block.close()
        return pickle.loads(parts[0], buffers=parts[1:])

    def delete(self, name: str) -> None:
        block = self.blocks.pop(name)
        resource_tracker.register(block._name, "shared_memory")  # type: ignore[attr-defined]
        block.unlink()
        block.close()

    def close(self) -> None:
        for name in list(self.blocks):
            self.delete(name)


class Socket:
    """Another process keeps the values; each put and get sends the pickle over a unix socket."""

    name = "pickle over a unix socket"

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.child = os.fork()
        if self.child == 0:
            self.socket.close()
            try:
                self._serve(theirs)
            finally:
                os._exit(0)
        theirs.close()

    @staticmethod
    def _serve(peer: socket.socket) -> None:
        values: dict[int, bytes] = {}
        while True:
            header = _receive(peer, 17)
            if len(header) < 17:
                return
            what, number, size = struct.unpack("<cQQ", header)
            if what == b"p":
                number = len(values)
                values[number] = bytes(_receive(peer, size))
                peer.sendall(struct.pack("<Q", number))
            elif what == b"g":
                peer.sendall(struct.pack("<Q", len(values[number])))
                peer.sendall(values[number])
            elif what == b"d":
                values[number] = b""
                peer.sendall(struct.pack("<Q", 0))
            else:  # an echo
                peer.sendall(_receive(peer, size))

    def put(self, value: object) -> int:
        data = pickle.dumps(value, 5)
        self.socket.sendall(struct.pack("<cQQ", b"p", 0, len(data)))
        self.socket.sendall(data)
        return int(struct.unpack("<Q", _receive(self.socket, 8))[0])

    def get(self, number: int) -> object:
        self.socket.sendall(struct.pack("<cQQ", b"g", number, 0))
        (size,) = struct.unpack("<Q", _receive(self.socket, 8))
        return pickle.loads(_receive(self.socket, size))

    def delete(self, number: int) -> None:
        self.socket.sendall(struct.pack("<cQQ", b"d", number, 0))
        _receive(self.socket, 8)

    def close(self) -> None:
        self.socket.close()
        os.waitpid(self.child, 0)


def _receive(peer: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, have = memoryview(data), 0
    while have < size:
        got = peer.recv_into(view[have:])
        if got == 0:
            return data[:have]
        have += got
    return data


class Echo:
    """A bare round trip: a message of a fixed size to another process and back, nothing else done."""

    def __init__(self, size: int) -> None:
        self.data = bytes(size)
        self.socket, theirs = socket.socketpair()
        self.child = os.fork()
        if self.child == 0:
            self.socket.close()
            receive, send = theirs.recv, theirs.send
            while data := receive(size):
                send(data)
            os._exit(0)
        theirs.close()

    def __call__(self) -> None:
        self.socket.send(self.data)
        self.socket.recv(len(self.data))

    def close(self) -> None:
        self.socket.close()
        os.waitpid(self.child, 0)
