"""The event: what a dialect makes of one item of a request body.

A dialect's wire types derive from ``Event`` (renaming fields as its clients spell them), so that
decoding a body gives events at once. Times are as claimed; correction is ``domain.event_time``.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from weir.domain.frame import Frame
from weir.errors import InvalidInput

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


DecodeFrames = Callable[[Sequence[Frame]], Sequence[Event]]
"""The taken events of frames of the dialect, in order: of each exactly ``frame.event_count``.

Raises ``InvalidInput`` when a body cannot be decoded, which after admission means a bug or a
dialect version this program does not know. The loader then asks for fewer frames, and dead-letters
the events of one that fails alone.
"""


class Dialect(msgspec.Struct, frozen=True):
    """What the loader needs to know of a dialect; ``code`` is what frames carry, for ever."""

    code: int
    name: str
    decode: DecodeFrames


def frame_by_frame(decode: Callable[[Frame], Sequence[Event]]) -> DecodeFrames:
    """Decodes the frames of a dialect in which a frame is read by itself."""

    def decode_frames(frames: Sequence[Frame]) -> Sequence[Event]:
        events: list[Event] = []
        for frame in frames:
            own = decode(frame)
            check_event_count(len(own), frame.event_count)
            events += own
        return events

    return decode_frames


def check_event_count(decoded: int, accepted: int) -> None:
    """Raises ``InvalidInput`` unless as many events were decoded as the door had accepted."""
    if decoded != accepted:
        raise InvalidInput(f"{decoded} events were decoded, {accepted} were accepted.")
