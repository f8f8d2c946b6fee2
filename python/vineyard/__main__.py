"""``python3 -m vineyard`` is the daemon, with all its flags."""

from __future__ import annotations

import os
import sys

from vineyard.launch import program


def main() -> None:
    """Becomes vineyardd."""
    path = program()
    os.execv(path, [path, *sys.argv[1:]])


if __name__ == "__main__":
    main()
