"""A daemon that says what a test wants about certain objects, and is a real one in everything else: it stands
between a client and a vineyardd, and answers finds and waits for ids that it was told of."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
from typing import Any

_HEADER = struct.Struct("<4sHHIHHQQ")  # core/wire/frame.h
_ANSWER, _FIND, _WAIT = 0x8000, 4, 5


def pack(value: Any) -> bytes:
    """As msgpack: what records and answers are made of."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value]) if value < 128 else b"\xcf" + struct.pack(">Q", value)
    if isinstance(value, str):
        data = value.encode()
        return b"\xdb" + struct.pack(">I", len(data)) + data
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, (list, tuple)):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
    assert isinstance(value, dict)
    pairs = (pack(key) + pack(item) for key, item in value.items())
    return b"\xdf" + struct.pack(">I", len(value)) + b"".join(pairs)


def _asked_id(body: bytes) -> int:
    """The first item of a find."""
    sizes = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
    first = body[1]
    return first if first < 128 else int.from_bytes(body[2 : 2 + sizes[first]], "big")


class Node:
    """An object of another instance: of a blob its size, of others type, fields and members."""

    def __init__(
        self, id: int, typename: str = "", fields: Any = None, members: Any = None, size: int = 0, kind: int = 1
    ) -> None:
        self.id, self.typename, self.size, self.kind = id, typename, size, kind
        self.fields, self.members = fields or {}, members or {}

    def packed(self, instance: int) -> list[Any]:
        if self.id >= 1 << 63:
            return [self.id, self.kind, self.size]
        members = [[name, number] for name, number in self.members.items()]
        record = {"i": self.id, "t": self.typename, "n": 64, "o": instance, "m": members, "f": self.fields}
        return [self.id, b"\x01" + pack(record)]


class Scripted:
    """Listens at ``socket``. A context manager."""

    def __init__(self, daemon: str) -> None:
        self._daemon = daemon
        self._folder = tempfile.TemporaryDirectory(prefix="vy-scripted-")
        self.socket = os.path.join(self._folder.name, "s")
        self._answers: dict[int, bytes] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.socket)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def know(
        self, instance: int, nodes: list[Node], *, lost: bool = False, stale_since_ms: int = 0, labels: Any = None
    ) -> None:
        """Answers for the first of the nodes, which ``instance`` has persisted with the others."""
        packed = [node.packed(instance) for node in nodes]
        remote = [instance, int(lost), 1_700_000_000_000, "faraway", stale_since_ms, packed, labels or {}]
        self._answers[nodes[0].id] = pack([0, "", 1, remote])

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._daemon)
            lock = threading.Lock()
            for pump in (self._to_daemon, self._to_client):
                threading.Thread(target=pump, args=(client, server, lock), daemon=True).start()

    def _to_daemon(self, client: socket.socket, server: socket.socket, lock: threading.Lock) -> None:
        while frame := _receive(client):
            header, body, _ = frame
            magic, kind, _, _, _, _, correlation, number = _HEADER.unpack(header)
            known = self._answers.get(_asked_id(body)) if kind in (_FIND, _WAIT) else None
            if known is None:
                server.sendall(header + body)
                continue
            with lock:
                client.sendall(
                    _HEADER.pack(magic, kind | _ANSWER, 0, len(known), 0, 0, correlation, number) + known
                )
        server.shutdown(socket.SHUT_RDWR)

    def _to_client(self, client: socket.socket, server: socket.socket, lock: threading.Lock) -> None:
        while frame := _receive(server):
            header, body, descriptors = frame
            with lock:
                try:
                    socket.send_fds(client, [header], descriptors)
                    client.sendall(body)
                except OSError:
                    return
            for descriptor in descriptors:
                os.close(descriptor)
        client.close()

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._folder.cleanup()


def _receive(stream: socket.socket) -> tuple[bytes, bytes, list[int]] | None:
    """A whole frame and what came beside it; None: the other side has ended."""
    header, descriptors = b"", []
    body = b""
    try:
        while len(header) < _HEADER.size:
            part, files, _, _ = socket.recv_fds(stream, _HEADER.size - len(header), 8)
            if not part:
                return None
            header += part
            descriptors += files
        while len(body) < _HEADER.unpack(header)[3]:
            part = stream.recv(_HEADER.unpack(header)[3] - len(body))
            if not part:
                return None
            body += part
    except OSError:
        return None
    return header, body, descriptors
