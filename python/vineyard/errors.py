"""What can go wrong: one exception for each status of the C interface, with one root.

Every exception is a :class:`VineyardError` and, where Python has a word for it, that built-in too, so
that ``except KeyError`` or ``except MemoryError`` do what they say. ``status`` is the number of the C
interface. The names of the earlier system stand at the end, as aliases.
"""

from __future__ import annotations


class VineyardError(RuntimeError):
    """Root of all exceptions of this package."""

    status: int = -99

    def __str__(self) -> str:
        # KeyError's would quote the text.
        return str(self.args[0]) if self.args else type(self).__name__


class InvalidArgument(VineyardError, ValueError):
    """An argument, id, name or handle that can not be right."""

    status = -1


class Closed(InvalidArgument):
    """The client, object or blob was closed before."""


class ObjectNotFound(VineyardError, KeyError):
    """No such object, name, field or member."""

    status = -2


class AlreadyExists(VineyardError, ValueError):
    """The name is taken."""

    status = -3


class OutOfMemory(VineyardError, MemoryError):
    """The store is full; nothing was stored."""

    status = -4


class Timeout(VineyardError, TimeoutError):
    """The deadline passed."""

    status = -5


class Unavailable(VineyardError, ConnectionError):
    """No daemon answers."""

    status = -6


class Interrupted(VineyardError, InterruptedError):
    """A signal ended the wait."""

    status = -7


class PermissionDenied(VineyardError, PermissionError):
    """The system or the daemon refuses this user."""

    status = -8


class PickleNotAllowed(PermissionDenied):
    """The value is a pickle, and the client was opened with ``allow_pickle=False``, or another user wrote it."""


class VersionMismatch(VineyardError):
    """Client and daemon were built to different layouts or protocols."""

    status = -9


class ProtocolError(VineyardError):
    """The other side broke the protocol."""

    status = -10


class TypeMismatch(VineyardError, TypeError):
    """The value, field or object is of another type."""

    status = -11


class LimitExceeded(VineyardError, ValueError):
    """Larger, longer or deeper than allowed."""

    status = -12


class Conflict(VineyardError):
    """Compare-and-set found another revision."""

    status = -13


class InUse(VineyardError):
    """Other objects link to it."""

    status = -14


class Forked(VineyardError):
    """The blob builder belongs to the parent process."""

    status = -15


class Remote(VineyardError):
    """The payload lives on another instance."""

    status = -16


class HostOutOfMemory(VineyardError, MemoryError):
    """This process or host is out of memory or descriptors."""

    status = -17


class Unsupported(VineyardError, NotImplementedError):
    """Not offered by this build or daemon."""

    status = -18


class Corrupt(VineyardError):
    """Stored bytes do not pass their checks."""

    status = -19


class UnknownOutcome(VineyardError):
    """The change may or may not have been applied."""

    status = -20


class AlreadySealed(VineyardError):
    """The blob is sealed already."""

    status = -21


class SystemFailure(VineyardError, OSError):
    """A system call failed unexpectedly."""

    status = -22


class Lost(VineyardError):
    """The instance that had the payload is gone."""

    status = -23


class InternalError(VineyardError):
    """A defect of vineyard."""

    status = -99


_BY_STATUS: dict[int, type[VineyardError]] = {
    kind.status: kind
    for kind in (
        InvalidArgument, ObjectNotFound, AlreadyExists, OutOfMemory, Timeout, Unavailable, Interrupted,
        PermissionDenied, VersionMismatch, ProtocolError, TypeMismatch, LimitExceeded, Conflict, InUse,
        Forked, Remote, HostOutOfMemory, Unsupported, Corrupt, UnknownOutcome, AlreadySealed,
        SystemFailure, Lost, InternalError,
    )
}  # fmt: skip

_BY_STATUS[1] = Closed  # the native module's own, see rules.i


def error_of(status: int, text: str) -> VineyardError:
    """The exception for a status of the C interface; called by the native module."""
    kind = _BY_STATUS.get(status)
    error = (kind or VineyardError)(text or f"status {status}")
    if kind is None:
        error.status = status
    return error


# Names of the earlier system.
VineyardException = VineyardError
AssertionFailedException = InternalError
ConnectionErrorException = Unavailable
ConnectionFailedException = Unavailable
IOErrorException = SystemFailure
InvalidException = InvalidArgument
KeyErrorException = ObjectNotFound
MetaTreeInvalidException = Corrupt
MetaTreeNameInvalidException = InvalidArgument
MetaTreeNameNotExistsException = ObjectNotFound
MetaTreeSubtreeNotExistsException = ObjectNotFound
MetaTreeTypeInvalidException = TypeMismatch
MetaTreeTypeNotExistsException = ObjectNotFound
NotEnoughMemoryException = OutOfMemory
NotImplementedException = Unsupported
ObjectExistsException = AlreadyExists
ObjectNotExistsException = ObjectNotFound
ObjectNotSealedException = ObjectNotFound
ObjectSealedException = AlreadySealed
TypeErrorException = TypeMismatch
UnknownErrorException = InternalError
UserInputErrorException = InvalidArgument
VineyardServerNotReadyException = Unavailable

__all__ = [
    "AlreadyExists",
    "AlreadySealed",
    "AssertionFailedException",
    "Closed",
    "Conflict",
    "ConnectionErrorException",
    "ConnectionFailedException",
    "Corrupt",
    "Forked",
    "HostOutOfMemory",
    "IOErrorException",
    "InUse",
    "InternalError",
    "Interrupted",
    "InvalidArgument",
    "InvalidException",
    "KeyErrorException",
    "LimitExceeded",
    "Lost",
    "MetaTreeInvalidException",
    "MetaTreeNameInvalidException",
    "MetaTreeNameNotExistsException",
    "MetaTreeSubtreeNotExistsException",
    "MetaTreeTypeInvalidException",
    "MetaTreeTypeNotExistsException",
    "NotEnoughMemoryException",
    "NotImplementedException",
    "ObjectExistsException",
    "ObjectNotExistsException",
    "ObjectNotFound",
    "ObjectNotSealedException",
    "ObjectSealedException",
    "OutOfMemory",
    "PermissionDenied",
    "PickleNotAllowed",
    "ProtocolError",
    "Remote",
    "SystemFailure",
    "Timeout",
    "TypeErrorException",
    "TypeMismatch",
    "Unavailable",
    "UnknownErrorException",
    "UnknownOutcome",
    "Unsupported",
    "UserInputErrorException",
    "VersionMismatch",
    "VineyardError",
    "VineyardException",
    "VineyardServerNotReadyException",
]
