"""Puts a dict under "from python" that ReadWhatPythonWrote.java reads: python write_for_java.py SOCKET."""

import sys

import numpy as np

import vineyard

with vineyard.connect(sys.argv[1]) as client:
    value = {
        "text": "grüße 🍇",
        "pair": (1, 2.5),
        "prices": np.arange(1_000_000) / 4,
        "raw": memoryview(b"\x07raw"),
    }
    print("put", client.put(value, name="from python", replace=True))
