#!/usr/bin/env python3
"""The Python program of the matrix: writes what Python can put, prints what others put.

    matrix.py write SOCKET            puts every case, named python/<case>
    matrix.py read SOCKET WRITER      prints every object that is named <WRITER>/<case>
    matrix.py refuse SOCKET WRITER    asks for what an object is not, prints the errors
    matrix.py large SOCKET WRITER     see ../large.py

README.md describes what it prints.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model import data_text  # noqa: E402
from reading import dump_lines, value_lines  # noqa: E402
from writing import meta, values  # noqa: E402

import vineyard  # noqa: E402


def write(client: vineyard.Client) -> None:
    for case, value in values(client).items():
        client.put(value, name=f"python/{case}")
        print(f"written {case}")


def read(client: vineyard.Client, writer: str) -> None:
    for name in client.list_names(f"{writer}/*", limit=None):
        case = name.partition("/")[2]
        before = client.copied_payload_bytes
        print("object", *dump_lines(client.get_object(client.get_name(name))), sep="\n")
        # A blob's bytes are read where they are, through the buffer protocol: `bytes` would be a copy.
        in_place = [*value_lines(client.get(name=name, resolver=BLOBS_IN_PLACE))]
        print("value", *in_place, sep="\n")
        print(f"copied {client.copied_payload_bytes - before}")
        # And a plain get gives the same, as bytes, bytearray and memoryview.
        plain = [*value_lines(client.get(name=name))]
        print(f"read {case}" if plain == in_place else f"failed {case} get() gives {plain[:3]}")
        gc.collect()


BLOBS_IN_PLACE = vineyard.resolver_context({"vineyard::Blob": lambda blob: blob})


def refuse(client: vineyard.Client, writer: str) -> None:
    def id_of(case: str) -> vineyard.ObjectID:
        return client.get_name(f"{writer}/{case}")

    attempts: dict[str, Callable[[], object]] = {
        "array of a string": lambda: client.get_object(id_of("str_ascii"))._open.array(),
        "blob of a string": lambda: client.get_blob(id_of("str_ascii")),
        "member of a string": lambda: client.get_object(id_of("str_ascii")).member("buffer_"),
        "array without a buffer": lambda: client.get(client.put(meta("vineyard::Array", {"shape_": [1]}))),
        "name of nothing": lambda: id_of("no such case"),
    }
    for what, attempt in attempts.items():
        try:
            print(f"accepted {what}: {attempt()!r}")
        except vineyard.VineyardError as error:
            print(f"refused {what}: {error.status} {error}")


def large(client: vineyard.Client, writer: str) -> None:
    """A blob beyond 4 GiB, and an array that begins there: see ../large.py."""
    copied = client.copied_payload_bytes
    with client.get_blob(client.get_name(f"{writer}/large")) as blob, blob.buffer as value:
        before = blob.field("value_offset_")
        print(f"length {len(value)}")
        print(f"before {data_text(ctypes.string_at(blob.address - before, before))}")
        behind = blob.size - before - len(value)
        print(f"behind {data_text(ctypes.string_at(blob.address + len(value), behind))}")
        two, four = 1 << 31, 1 << 32
        for at in (0, two - 8, two, four - 8, four, four + 8, len(value) - 8):
            print(f"at {at} {data_text(value[at : at + 8])}")
    print(*value_lines(client.get(name=f"{writer}/large_part")), sep="\n")
    print(f"copied {client.copied_payload_bytes - copied}")


def main() -> None:
    command, socket, *rest = sys.argv[1:]
    with vineyard.connect(socket) as client:
        {"write": write, "read": read, "refuse": refuse, "large": large}[command](client, *rest)


if __name__ == "__main__":
    main()
