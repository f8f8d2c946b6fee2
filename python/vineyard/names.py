"""Names: what a client does with names of objects, as methods and as a mapping."""

from __future__ import annotations

from vineyard import _native
from vineyard.errors import Closed, InvalidArgument, LimitExceeded, ObjectNotFound, TypeMismatch
from vineyard.ids import ObjectID, make_id
from vineyard.meta import ObjectMeta
from vineyard.objects import Object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from vineyard.catalog import Id
    from vineyard.client import Client

_ANY = (1 << 64) - 1
_PAGE = 1000


def _expected(revision: int | None) -> int:
    """What the C interface takes for ``expect=``."""
    if revision is None:
        return _ANY
    if isinstance(revision, bool) or not isinstance(revision, int):
        raise TypeMismatch(f"expect: a revision is an int, not {type(revision).__name__}")
    if not 0 <= revision < _ANY:
        raise InvalidArgument(f"expect={revision}: no name has this revision; give what put_name answered, or 0")
    return revision


class Names:
    """Base of :class:`vineyard.Client`. A name is 1 to 1,024 bytes of UTF-8."""

    _handle: Any

    @property
    def _client(self) -> Client:
        return self  # type: ignore[return-value]

    def put_name(
        self, object_id: Id, name: str, *, replace: bool = False, expect: int | None = None
    ) -> int:
        """Names an object; the revision of the name, for a later ``expect``.

        The daemon answers at once, so there is no ``timeout=``: the client's own holds.

        :param replace: the name may be taken; it moves to this object
        :param expect: compare and set: the revision that the name must have, 0 if it must not exist
        :raises AlreadyExists: it is taken, and neither was given
        :raises Conflict: it has another revision
        :raises ObjectNotFound: no such object
        """
        from vineyard.catalog import as_id

        if isinstance(object_id, str) and not isinstance(name, str):
            object_id, name = name, object_id
        options = (bool(replace), expect is not None, _expected(expect))
        return _native.vineyard_name_put(self._handle, _text(name), as_id(object_id), options)

    def get_name(
        self, name: str, wait: bool | float = False, *, timeout: float | None = None, latest: bool = False
    ) -> ObjectID:
        """The object that has the name.

        :param wait: until it is given, at most ``timeout`` seconds (30); a number is that many seconds
        :param timeout: the same number; waits, too
        :param latest: as of now in the whole cluster, not as of what the daemon has heard
        :raises ObjectNotFound: nothing has it
        :raises Timeout: nothing got it
        """
        return self.get_name_revision(name, wait, timeout=timeout, latest=latest)[0]

    def get_name_revision(
        self, name: str, wait: bool | float = False, *, timeout: float | None = None, latest: bool = False
    ) -> tuple[ObjectID, int]:
        """The same with the revision of the name, for ``put_name(..., expect=)``."""
        from vineyard.client import _milliseconds

        if wait is not None and not isinstance(wait, bool):
            if timeout is not None:
                raise InvalidArgument(f"get_name: wait={wait!r} and timeout={timeout!r}; give one number of seconds")
            timeout = wait
        limit = _milliseconds(timeout, -1) if wait or timeout is not None else 0
        number, revision = _native.vineyard_name_get_with(self._handle, _text(name), (latest, limit))
        return make_id(number), revision

    def drop_name(self, name: str, *, expect: int | None = None) -> None:
        """Takes the name away; the object stays.

        :raises ObjectNotFound: nothing has it
        :raises Conflict: it has another revision than ``expect``
        """
        options = (False, expect is not None, _expected(expect))
        _native.vineyard_name_drop(self._handle, _text(name), options)

    def list_names(self, pattern: str = "*", regex: bool = False, limit: int | None = 5) -> dict[str, ObjectID]:
        """At most ``limit`` (None: all) names that match, in byte order, and their objects.

        :param pattern: of a shell (``*``, ``?``, ``[a-z]``), or a regular expression
        """
        from vineyard.catalog import check_limit, compile_pattern

        check_limit(limit)
        expression = compile_pattern(pattern) if regex else None
        found: dict[str, ObjectID] = {}
        for name, number in self._names("*" if regex else pattern):
            if limit is not None and len(found) >= limit:
                break
            if expression is None or expression.search(name):
                found[name] = number
        return found

    def _names(self, pattern: str) -> Iterator[tuple[str, ObjectID]]:
        if not isinstance(pattern, str):
            raise TypeMismatch(f"list_names: a pattern is a str, not {type(pattern).__name__}")
        handle = _native.vineyard_name_list_open(self._handle, pattern)
        while True:
            page = _native.next_names(handle, _PAGE)
            for name, number, _ in page:
                yield name, make_id(number)
            if len(page) < _PAGE:
                break

    # ---- as a mapping: client["name"]

    def __getitem__(self, name: str) -> Any:
        """The value of the object that has the name."""
        return self._client.get(self.get_name(name))

    def __setitem__(self, name: str, value: Any) -> None:
        """Puts a value under a name, which may be taken."""
        self._client.put(value, name=_text(name), replace=True)

    def __delitem__(self, name: str) -> None:
        """Takes the name away; the object stays."""
        self.drop_name(name)

    def __contains__(self, name: object) -> bool:
        if isinstance(name, (ObjectID, Object, ObjectMeta)):
            return self._client.exists(name)
        if not isinstance(name, str):
            return False
        try:
            self.get_name(name)
        except Closed:
            raise
        except (ObjectNotFound, InvalidArgument, LimitExceeded):  # names nothing, or can name nothing
            return False
        return True

    # Neither a sequence nor a whole mapping: iterating would mean client[0].
    __iter__: Any = None


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeMismatch(f"name: a str was expected, not {type(name).__name__}")
    return name
