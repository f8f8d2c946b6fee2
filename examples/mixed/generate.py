"""The first stage: reads how many, and writes so many float64 into shared memory, where they stay.

    python generate.py SOCKET IN_NAME OUT_NAME
"""

from __future__ import annotations

import sys
import time

import numpy as np

import vineyard

STEP = 1 << 16  # elements made at a time, in this process's own memory


def main() -> None:
    socket, source, target = sys.argv[1:]
    begun = time.perf_counter()
    with vineyard.connect(socket) as client:
        count = client.get(name=source)
        with client.create_blob(count * 8) as builder:
            array = np.frombuffer(builder.buffer, np.float64)
            for i in range(0, count, STEP):
                array[i : i + STEP] = np.arange(i, min(i + STEP, count))
            del array
        # An array that lies in a blob already is put as a link to it.
        client.put(np.frombuffer(client.get_blob(builder.id), np.float64), name=target)
        print(f"copied {client.copied_payload_bytes}")
        print(f"worked {time.perf_counter() - begun}")


if __name__ == "__main__":
    main()
