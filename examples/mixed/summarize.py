"""The last stage: reads an array in place and writes a dict of what it found.

    python summarize.py SOCKET IN_NAME OUT_NAME
"""

from __future__ import annotations

import sys
import time

import vineyard


def main() -> None:
    socket, source, target = sys.argv[1:]
    begun = time.perf_counter()
    with vineyard.connect(socket) as client:
        array = client.get(name=source)
        found = {"count": len(array), "first": array[0], "last": array[-1], "sum": array.sum()}
        client.put({key: float(value) for key, value in found.items()}, name=target)
        print(f"copied {client.copied_payload_bytes}")
        print(f"worked {time.perf_counter() - begun}")


if __name__ == "__main__":
    main()
