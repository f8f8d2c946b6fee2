"""Reads what WriteForPython.java has put under "from java": python read_from_java.py SOCKET."""

import sys

import vineyard

with vineyard.connect(sys.argv[1]) as client:
    table = client.get(name="from java")
    (squares,) = table["columns"]
    print(f"{table['name']}: {squares.dtype}[{squares.size}], the last is {squares[-1]}, read-only: {not squares.flags.writeable}")
    print(f"matrix of shape {table['matrix'].shape}, sum {table['matrix'].sum()}")
    print(f"copied payload bytes: {client.copied_payload_bytes}")
