"""Errors, named by what the catcher does about them.

Each carries a stable ``code`` (the one in API replies and docs/reference/errors.md), words for a
person, a ``hint`` that says what to do next, and fields for the log. An adapter (HTTP, CLI)
translates it once. Only ``Unavailable`` is worth a retry.
"""

from typing import ClassVar, Self


class WeirError(Exception):
    """Something that a caller can act on; never raised itself, only its subclasses are."""

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
