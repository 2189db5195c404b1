"""Where an event was sent: every frame that carries its id, in memory and in raw payload files.

An id that the client gave stands in the body of its frame; one that Weir made tells its frame by
the time in which that was received. The raw files hold a frame for as long as they are kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import chain

import msgspec

from weir.clock import Clock
from weir.domain.event import Dialect, Event
from weir.domain.frame import Frame
from weir.errors import Corrupt
from weir.lake.raw import decode_raw
from weir.lake.records import DeadLetter
from weir.loader.ports import Catalog, LakeStore
from weir.loader.read.identity import made_id_of
from weir.loader.serve.wire import Copy, TraceReply, TraceRequest
from weir.loader.tail.view import View

TRACE_SEARCH_S = 20.0
"""How long raw files are searched for an event's copies."""

DEAD_LETTERS_SEARCHED = 1000

_encode = msgspec.json.Encoder().encode


class Tracer:
    """Looks for the copies of events. Any thread may ask."""

    __slots__ = ("_catalog", "_clock", "_dedup_window_us", "_dialects", "_store", "_view")

    def __init__(
        self,
        *,
        catalog: Catalog,
        store: LakeStore,
        view: View,
        dialects: Mapping[int, Dialect],
        clock: Clock,
        dedup_window_us: int,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._view = view
        self._dialects = dialects
        self._clock = clock
        self._dedup_window_us = dedup_window_us

    def trace(self, request: TraceRequest) -> TraceReply:
        """Every copy of an event in memory, and in the raw files around the stored one.

        Without a stored one only dead letters are searched. What ``TRACE_SEARCH_S`` does not
        suffice for is left out, and the reply is not ``complete``.
        """
        wanted = Wanted(request.event_id, received_us=request.received_at_us)
        frames = self._view.frames(request.project_id)
        copies = list(copies_in_memory(frames, wanted, self._dialects))
        letters = self._catalog.dead_letters(request.project_id, limit=DEAD_LETTERS_SEARCHED)
        dead = {(each.journal_id, each.position): each.reason for each in letters}
        deadline_s = self._clock.monotonic_s() + TRACE_SEARCH_S
        complete = True
        for path in self._paths(request, letters):
            if self._clock.monotonic_s() > deadline_s:
                complete = False
                break
            copies += copies_in_raw([path], self._store.read, wanted, self._dialects, dead)
        distinct = {(each.journal_id, each.position, each.body_hash): each for each in copies}
        ordered = sorted(distinct.values(), key=lambda each: (each.received_at_us, each.journal_id))
        return TraceReply(tuple(ordered), complete)

    def _paths(self, request: TraceRequest, letters: Iterable[DeadLetter]) -> Iterable[str]:
        """The raw files to search, each once: those of dead letters, then those in the window."""
        paths = dict.fromkeys(each.raw_path for each in letters)
        if request.received_at_us is not None:
            near = self._catalog.raw_between(
                request.project_id,
                from_us=request.received_at_us - self._dedup_window_us,
                to_us=request.received_at_us + self._dedup_window_us,
            )
            paths |= dict.fromkeys(near)
        return paths


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
    """The copies in raw files. ``dead`` holds reasons by journal and position.

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
    events = dialect.decode([frame]) if dialect is not None else ()
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
