"""Errors, named by what the catcher does about them, and the one way they cross a wire.

Each carries a stable ``code`` (the one in API replies and docs/reference/errors.md), words for a
person, a ``hint`` that says what to do next, and fields for the log. An adapter (HTTP, CLI)
translates it once. Only ``Unavailable`` is worth a retry.

Between processes of a node an error travels as a ``Failure`` and arrives as the class that it was:
``failure_of`` on one side, ``error_of`` on the other.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

CARRIED: Final = ("position",)
"""Context that crosses a wire: ``position``, a character's place in a query. The rest is for the
log of the process that raised the error."""


class WeirError(Exception):
    """Something that a caller can act on; only its subclasses can be made."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        details: list[dict[str, object]] | None = None,
        retry_after_s: int | None = None,
        **context: object,
    ) -> None:
        if type(self) is WeirError:
            raise TypeError("WeirError says nothing to its catcher; raise one of its kinds")
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.details = details
        self.retry_after_s = retry_after_s
        self.context = context

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def without_frames(self) -> Self:
        """The error without the calls that it came through, and whatever those held.

        For one that is kept: what it came through most often leads back to its keeper, and both
        would stay, with a body of many megabytes perhaps, until the collector looks for them.
        """
        self.__context__ = None
        return self.with_traceback(None)


class InvalidInput(WeirError):
    """The caller sent something that cannot be taken: correct it."""

    status = 400
    default_code = "invalid_request"


class Unauthenticated(WeirError):
    """No credential, or one that is not known: send a valid one."""

    status = 401
    default_code = "unauthorized"


class Forbidden(WeirError):
    """The credential is known and may not do this."""

    status = 403
    default_code = "forbidden"


class NotFound(WeirError):
    """There is no such thing, or it belongs to somebody else."""

    status = 404
    default_code = "not_found"


class Conflict(WeirError):
    """The thing exists already, or is in use, or was changed meanwhile."""

    status = 409
    default_code = "conflict"


class LimitExceeded(WeirError):
    """A named limit was passed: send less, or later."""

    status = 429
    default_code = "rate_limited"


class Unavailable(WeirError):
    """Not now; the same call may succeed later. The only error that is retried."""

    status = 503
    default_code = "unavailable"


class Corrupt(WeirError):
    """Stored bytes are not what was written: kept aside, reported, never served."""

    status = 500
    default_code = "corrupt"


class Unprocessable(WeirError):
    """Understood, but a value or a cost of it is outside the limits: ask for less."""

    status = 422
    default_code = "unprocessable"


class TimedOut(WeirError):
    """It took longer than its deadline: ask for less."""

    status = 504
    default_code = "timeout"


class Internal(WeirError):
    """A fault of the node's own, told without its particulars; the log has them."""

    status = 500
    default_code = "internal"


KINDS: Final[tuple[type[WeirError], ...]] = (
    InvalidInput,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    LimitExceeded,
    Unavailable,
    Corrupt,
    Unprocessable,
    TimedOut,
    Internal,
)
"""All that a catcher can tell apart. A class beyond them refines one of these for its adapter."""

_BY_NAME = {kind.__name__: kind for kind in KINDS}
_BY_STATUS = {kind.status: kind for kind in KINDS if kind.status < 500} | {500: Internal}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a message between processes, in JSON or msgpack; no trace of where it arose."""

    kind: str
    code: str
    message: str
    hint: str | None = None
    details: list[dict[str, object]] | None = None
    retry_after_s: int | None = None
    context: dict[str, int | str] = field(default_factory=dict)


def failure_of(error: WeirError) -> Failure:
    """The error as a message; what refines a kind travels as that kind, with its code."""
    kind = next(kind for kind in type(error).__mro__ if kind in KINDS)
    carried = {name: error.context.get(name) for name in CARRIED}
    return Failure(
        kind=kind.__name__,
        code=error.code,
        message=error.message,
        hint=error.hint,
        details=error.details,
        retry_after_s=error.retry_after_s,
        context={name: value for name, value in carried.items() if isinstance(value, int | str)},
    )


def error_of(failure: Failure) -> WeirError:
    """The error that a message tells; ``Internal`` when its kind is not known here."""
    kind = _BY_NAME.get(failure.kind, Internal)
    return kind(
        failure.message,
        code=failure.code,
        hint=failure.hint,
        details=failure.details,
        retry_after_s=failure.retry_after_s,
        **failure.context,
    )


def kind_of_status(status: int) -> type[WeirError]:
    """The kind of a refusal that came over HTTP: by its status, a strange one by its hundred.

    Of a node that fails without naming a fault of its own (502, 504, …) a client knows only that
    the same request may succeed later.
    """
    return _BY_STATUS.get(status) or (Unavailable if status > 500 else InvalidInput)
