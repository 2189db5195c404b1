"""What ``weir doctor`` finds: a line for each thing that was looked at."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(msgspec.Struct, frozen=True):
    """One thing, what was seen, and what to do about it."""

    what: str
    state: State
    seen: str
    advice: str | None = None


def good(what: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding(what, State.OK, seen)


def warning(what: str, seen: str, advice: str) -> Finding:
    """A node runs, but not as well or as safely as it could."""
    return Finding(what, State.WARNING, seen, advice)


def failed(what: str, seen: str, advice: str) -> Finding:
    """A node would not start, or not keep its promises."""
    return Finding(what, State.FAILED, seen, advice)
