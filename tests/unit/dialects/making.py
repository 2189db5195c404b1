"""Submissions, bodies and frames as the door makes them, for tests of what is pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from weir.dialects.port import Admission, AdmissionLimits, IngestRoute, Submission
from weir.dialects.table import ROUTES
from weir.domain.frame import Frame, Place
from weir.errors import WeirError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from weir.dialects.fields import Field
    from weir.dialects.shapes import BodyFormat, Shape
    from weir.domain.event import Event

LIMITS = AdmissionLimits(1 << 20, 64, 20 << 20)
VALUES = (
    "event", "event_id", "user_id", "anonymous_id", "session_id", "ts", "sent_at",
    "properties", "context",
)  # fmt: skip

AROUND: Mapping[str, bytes] = {
    "/ingest/batch": b'"batchId":"b","sentAt":"2026-01-02T03:04:06Z",'
    b'"clientInfo":{"sdkVersion":"1","deviceId":"d","appBuild":"7"},'
}
"""What must stand beside the events of an envelope, by path."""

GOOD_VALUES: Mapping[str, bytes] = {
    "text": b'"a"',
    "time": b'"2026-01-02T03:04:05Z"',
    "object": b"{}",
    "labels": b"[]",
    "integer": b"1",
    "number": b"1.5",
}

FORMATS: Mapping[str, BodyFormat] = {
    route.path: route.bodies
    for number, route in enumerate(ROUTES)
    if route.bodies and all(route.bodies is not before.bodies for before in ROUTES[:number])
}
"""What the table of dialects says of bodies, by path; routes that share a format are told once."""


def route_of(path: str) -> IngestRoute:
    """The route of a path that takes every request, else the last one of the path."""
    return [route for route in ROUTES if route.path == path][-1]


def admit(path: str, body: bytes, limits: AdmissionLimits = LIMITS) -> Admission:
    """What the dialect decides about a body; raises as it does."""
    return route_of(path).admit(Submission(body, limits, "abcd", 7))


def stored(path: str, body: bytes, limits: AdmissionLimits = LIMITS) -> list[Event]:
    """The events that the loader makes of what the door takes of a body."""
    admission = admit(path, body, limits)
    if not admission.event_count:
        return []
    route = route_of(path)
    frame = Frame(
        journal_id="00", position=0, next_position=8, offset=0, received_at_us=1,
        place=Place(1, 1, 1, 1), dialect=route.dialect.code,
        dialect_version=route.dialect_version, event_count=admission.event_count,
        refused_count=admission.refused_count, flags=0, meta=admission.meta,
        body=body if admission.body is None else admission.body,
    )  # fmt: skip
    events = list(route.dialect.decode([frame]))
    assert len(events) == admission.event_count
    return events


def told(path: str, body: bytes, limits: AdmissionLimits = LIMITS) -> list[dict[str, Any]]:
    """What the reply lists of the events that were not taken, in the words of the dialect."""
    try:
        reply = json.loads(admit(path, body, limits).reply.body)
    except WeirError as error:
        reply = json.loads(route_of(path).render_error(error).body)
    listed: list[dict[str, Any]] = next(
        (reply[name] for name in ("results", "errors", "details") if name in reply), []
    )
    return listed


def good_value(field: Field) -> bytes:
    """A value that a field takes."""
    return b'"%s"' % field.choices[0].encode() if field.choices else GOOD_VALUES[field.kind]


def event_of(fields: Mapping[str, Field], **values: bytes | None) -> bytes:
    """A good event with other texts of some values; None takes a field away."""
    sent: dict[str, bytes | None] = {
        name: good_value(field) for name, field in fields.items() if field.required
    }
    sent.update(values)
    return b"{%s}" % b",".join(
        b'"%s":%s' % (name.encode(), value) for name, value in sent.items() if value is not None
    )


def body_of(path: str, shape: Shape, events: Sequence[bytes], beside: bytes = b"") -> bytes:
    """A body of one shape; one event is the first."""
    joined = b",".join(events)
    return {
        "one": events[0] if events else b"",
        "array": b"[%s]" % joined,
        "envelope": b'{%s"events":[%s]%s}' % (AROUND.get(path, b""), joined, beside),
        "lines": b"\n".join(events),
    }[shape]


def values_of(event: Event) -> dict[str, object]:
    """The fields of an event, of whatever subclass; absent objects are None."""
    found = {name: getattr(event, name) for name in VALUES}
    for name in ("properties", "context"):
        found[name] = None if bytes(found[name]) in (b"", b"null") else bytes(found[name])
    return found
