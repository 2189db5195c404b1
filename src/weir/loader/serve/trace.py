"""Where an event was sent: every frame that carries its id, in memory and in raw payload files.

An id that the client gave stands in the body of its frame; one that Weir made tells its frame by
the time in which that was received. The raw files hold a frame for as long as they are kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import chain

import msgspec

from weir.domain.event import Dialect, Event
from weir.domain.frame import Frame
from weir.errors import Corrupt
from weir.lake.raw import decode_raw
from weir.loader.read.identity import made_id_of
from weir.loader.serve.wire import Copy

_encode = msgspec.json.Encoder().encode


class Wanted:
    """An event id, and how a frame that may carry it is told from the others."""

    __slots__ = ("_needles", "_received_us", "event_id")

    def __init__(self, event_id: str, *, received_us: int | None) -> None:
        self.event_id = event_id
        self._received_us = received_us
        escaped = event_id.encode("ascii", "backslashreplace")
        self._needles = {_encode(event_id)[1:-1], event_id.encode(), escaped}

    def may_be_in(self, frame: Frame) -> bool:
        """Cheap, and never wrong about a frame that carries it, unless its spelling is odd."""
        if frame.received_at_us == self._received_us:
            return True
        return any(needle in frame.body for needle in self._needles)


def copies_in_memory(
    frames: Iterable[tuple[Frame, str | None]], wanted: Wanted, dialects: Mapping[int, Dialect]
) -> Iterator[Copy]:
    """The copies in frames that are not in the lake yet, each with why it is dead, if it is."""
    for frame, reason in frames:
        if wanted.may_be_in(frame):
            yield from _copies(frame, wanted, dialects, committed=False, reason=reason)


def copies_in_raw(
    paths: Iterable[str],
    read: Callable[[str], bytes],
    wanted: Wanted,
    dialects: Mapping[int, Dialect],
    dead: Mapping[tuple[str, int], str],
) -> Iterator[Copy]:
    """The copies in raw files. ``dead`` gives reasons by journal and position.

    A file that has gone or is damaged holds nothing.
    """
    for frame in chain.from_iterable(_frames(path, read) for path in paths):
        if wanted.may_be_in(frame):
            reason = dead.get((frame.journal_id, frame.position))
            yield from _copies(frame, wanted, dialects, committed=True, reason=reason)


def _frames(path: str, read: Callable[[str], bytes]) -> Iterator[Frame]:
    try:
        yield from decode_raw(read(path))
    except (OSError, Corrupt):
        return


def _copies(
    frame: Frame,
    wanted: Wanted,
    dialects: Mapping[int, Dialect],
    *,
    committed: bool,
    reason: str | None,
) -> Iterator[Copy]:
    if reason is not None:
        yield _copy(frame, None, dialects, committed=committed, reason=reason)
        return
    dialect = dialects.get(frame.dialect)
    events = dialect.decode(frame) if dialect is not None else ()
    for index, event in enumerate(events):
        given = event.event_id or made_id_of(frame, index)
        if given == wanted.event_id:
            yield _copy(frame, event, dialects, committed=committed, reason=None)


def _copy(
    frame: Frame,
    event: Event | None,
    dialects: Mapping[int, Dialect],
    *,
    committed: bool,
    reason: str | None,
) -> Copy:
    dialect = dialects.get(frame.dialect)
    return Copy(
        received_at_us=frame.received_at_us,
        journal_id=frame.journal_id,
        position=frame.position,
        key_id=frame.place.key_id,
        dialect=dialect.name if dialect is not None else str(frame.dialect),
        committed=committed,
        reason=reason,
        body_hash=0 if event is None else _content_hash(event),
    )


def _content_hash(event: Event) -> int:
    """Tells whether two copies say the same; not what sidecars hold."""
    content = (
        *(event.event, event.user_id, event.anonymous_id, event.session_id),
        *(event.ts, bytes(event.properties), bytes(event.context)),
    )
    digest = blake2b(msgspec.msgpack.encode(content), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
