"""Submissions and frames as the door makes them, for tests of what is pure."""

from __future__ import annotations

from weir.dialects.port import Admission, IngestRoute, Limits, Submission
from weir.dialects.table import ROUTES
from weir.domain.event import Event
from weir.domain.frame import Frame, Place

LIMITS = Limits(1 << 20, 64, 20 << 20)
VALUES = (
    "event", "event_id", "user_id", "anonymous_id", "session_id", "ts", "sent_at",
    "properties", "context",
)  # fmt: skip


def route_of(path: str) -> IngestRoute:
    """The route of a path that takes every request, else the last one of the path."""
    return [route for route in ROUTES if route.path == path][-1]


def admit(path: str, body: bytes, limits: Limits = LIMITS) -> Admission:
    """What the dialect decides about a body; raises as it does."""
    return route_of(path).admit(Submission(body, limits, "abcd", 7))


def stored(path: str, body: bytes, limits: Limits = LIMITS) -> list[Event]:
    """The events that the loader makes of what the door takes of a body."""
    admission = admit(path, body, limits)
    if not admission.event_count:
        return []
    route = route_of(path)
    frame = Frame(
        journal_id="00", position=0, next_position=8, offset=0, received_at_us=1,
        place=Place(1, 1, 1, 1), dialect=route.dialect.code,
        dialect_version=route.dialect_version, event_count=admission.event_count,
        refused_count=admission.refused_count, flags=0, meta=admission.meta, body=body,
    )  # fmt: skip
    events = list(route.dialect.decode(frame))
    assert len(events) == admission.event_count
    return events


def values_of(event: Event) -> dict[str, object]:
    """The fields of an event, of whatever subclass; absent objects are None."""
    found = {name: getattr(event, name) for name in VALUES}
    for name in ("properties", "context"):
        found[name] = None if bytes(found[name]) in (b"", b"null") else bytes(found[name])
    return found
