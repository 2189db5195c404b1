"""Counts of what the door did: for the ledger and for the metrics.

Nothing is counted in shared memory per request; the sums are handed on once a second. The
ledger's part (events refused outright, per key and minute) goes into the journal as a tally
frame, so that it is counted once whatever dies.
"""

from collections import Counter
from collections.abc import Callable

import msgspec

from weir.domain.frame import Draft, FrameFlag, Place
from weir.domain.times import MINUTE_US
from weir.telemetry import DOOR_BYTES, EVENTS, REQUESTS, Happening, emit

TALLY_VERSION = 1
_NOWHERE = Place(0, 0, 0, 0)


class Counters:
    """One worker's sums since they were last handed on."""

    __slots__ = ("_body_bytes", "_events", "_refused", "_saturated", "_statuses")

    def __init__(self) -> None:
        self._refused: Counter[tuple[int, int]] = Counter()
        self._events: Counter[tuple[str, str]] = Counter()
        self._statuses = [0] * 600
        self._body_bytes = 0
        self._saturated: set[str] = set()

    def count_taken(self, dialect: str, taken: int, refused: int, *, body_bytes: int) -> None:
        """Counts events of a body that was written; its frame carries both counts itself."""
        self._events[dialect, "accepted"] += taken
        if refused:
            self._events[dialect, "rejected"] += refused
        self._body_bytes += body_bytes

    def count_refused(self, dialect: str, *, key_id: int, events: int, now_us: int) -> None:
        """Counts events of a body of which nothing was written."""
        self._refused[key_id, now_us // MINUTE_US] += events
        self._events[dialect, "rejected"] += events

    def count_status(self, status: int) -> None:
        """Counts an answer that left the door."""
        self._statuses[status] += 1

    def note_saturated(self, limit: str) -> None:
        """Logs that a limit refused somebody, once until the sums are handed on."""
        if limit not in self._saturated:
            self._saturated.add(limit)
            emit(Happening.EDGE_SATURATED, limit=limit)

    def hand_on(self, append: Callable[[Draft], None]) -> None:
        """Adds the sums to the metrics and the refusals to the journal."""
        for (dialect, result), count in self._events.items():
            EVENTS.labels(dialect, result).inc(count)
        for status, count in enumerate(self._statuses):
            if count:
                REQUESTS.labels(str(status)).inc(count)
                self._statuses[status] = 0
        DOOR_BYTES.inc(self._body_bytes)
        self._events.clear()
        self._saturated.clear()
        self._body_bytes = 0
        if self._refused:
            append(self._draft())
            self._refused.clear()

    def _draft(self) -> Draft:
        rows = [(key_id, minute, count, count) for (key_id, minute), count in self._refused.items()]
        return Draft(
            place=_NOWHERE,
            dialect=0,
            dialect_version=TALLY_VERSION,
            event_count=0,
            refused_count=0,
            flags=FrameFlag.TALLY,
            meta=b"",
            body=msgspec.msgpack.encode(rows),
        )


class _NoWaiter:
    """The waiter of a tally frame: no client waits for it."""

    __slots__ = ()

    def durable(self, received_at_us: int) -> None:
        """Does nothing: no client waits."""

    def failed(self, error: Exception) -> None:
        """The worker ends anyway; what a tally frame counted is lost with it."""
        emit(Happening.REQUEST_FAILED, reason=type(error).__name__, what="tally")


NO_WAITER = _NoWaiter()
