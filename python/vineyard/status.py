"""Status: what the daemon reports of itself, and the client of its session."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator


class Status:
    """Named numbers and texts, as attributes and as a mapping, a snapshot.

    Among them ``memory_usage`` and ``memory_limit`` (bytes), ``ipc_connections``, ``rpc_connections``,
    and of this client ``requests``, ``copied_payload_bytes``, ``reconnects``.
    """

    def __init__(self, info: dict[str, Any], statistics: tuple[int, int, int]) -> None:
        self._values = {
            "memory_usage": info.get("memory_used", 0),
            "ipc_connections": info.get("connections", 0),
            "rpc_connections": 0,
            **info,
            "requests": statistics[0],
            "copied_payload_bytes": statistics[1],
            "reconnects": statistics[2],
        }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"status: no {name!r}; there are {', '.join(self._values)}") from None

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> Any:
        """The names."""
        return self._values.keys()

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        lines = [f"  {name}: {value}" for name, value in self._values.items()]
        return "\n".join(["<vineyard status", *lines, ">"])
