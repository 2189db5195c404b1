"""The event: what a dialect makes of one item of a request body.

A dialect's wire types derive from ``Event`` (renaming fields as its clients spell them), so that
decoding a body gives events at once. Times are as claimed; correction is ``domain.event_time``.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from weir.domain.frame import Frame

ABSENT = msgspec.Raw(b"")


class Event(msgspec.Struct, gc=False):
    """One decoded event. Absent and null are the same: ``None``.

    ``properties`` and ``context`` are JSON objects exactly as sent (unknown top-level fields
    already folded into ``properties``); absent is ``b""`` or ``b"null"`` (msgspec cannot decode
    an optional ``Raw``). A time without a zone is UTC. A subclass that spells a field otherwise
    declares it again with ``msgspec.field(name=…)``. No field can lead back to its event, so the
    garbage collector need not know of events.
    """

    event: str
    event_id: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    ts: datetime | None = None
    sent_at: datetime | None = None
    properties: msgspec.Raw = ABSENT
    context: msgspec.Raw = ABSENT


DecodeFrame = Callable[[Frame], Sequence[Event]]
"""The taken events of a frame, in order: exactly ``frame.event_count`` of them.

Raises ``InvalidInput`` when the body cannot be decoded, which after admission means a bug or a
dialect version this program does not know; the loader then dead-letters the frame's events.
"""


class Dialect(msgspec.Struct, frozen=True):
    """What the loader needs to know of a dialect; ``code`` is what frames carry, for ever."""

    code: int
    name: str
    decode: DecodeFrame
