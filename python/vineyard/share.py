"""Who may read what is put: ``share=`` of :func:`vineyard.connect`, ``put`` and ``create_blob``."""

from __future__ import annotations

from vineyard.errors import InvalidArgument, TypeMismatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

    Share = Union[str, "tuple[str, int]", None]

_NUMBERS = {"uid": 1, "gid": 2, "all": 3}


def share_of(share: Any) -> tuple[int, int]:
    """``None`` (as the client, else as the daemon says), ``"uid"``, ``"all"``, ``("gid", number)``, or
    ``"gid"``: this process's group; as the C interface takes it."""
    if share is None:
        return 0, 0
    if share == "gid":
        import os

        return 2, os.getegid()
    if isinstance(share, str) and share in _NUMBERS:
        return _NUMBERS[share], 0
    if isinstance(share, tuple) and len(share) == 2 and share[0] == "gid":
        gid = share[1]
        if isinstance(gid, bool) or not isinstance(gid, int):
            raise TypeMismatch(f"share: the number of a group was expected, not {type(gid).__name__}")
        if 0 <= gid < 1 << 32:
            return 2, gid
    raise InvalidArgument(f"share={share!r}: 'uid', 'gid', 'all' or ('gid', number) was expected")
