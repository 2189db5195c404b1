"""Event time: what ``ts`` becomes when a client's clock cannot be trusted.

Pure rules over the events of one request; all times are microseconds since 1970-01-01 UTC. The
claim itself stays in ``client_ts``, so that every correction can be undone. The rules, in order:

1. The request asked for the server's time, or the event claims none: ``ts`` is ``received_at``.
2. With ``sent_at`` the clock's error is known: ``received_at - sent_at``. Up to 30 s it is
   travel time and nothing moves; up to 24 h the events move by it; beyond, ``sent_at`` itself is
   not believed: nothing moves, and the event is flagged.
3. Without ``sent_at`` only the future convicts a clock. More than 24 h ahead: ``received_at``.
   When all the others are more than 30 s ahead, they move together so that the newest is
   ``received_at``; otherwise each one that is more than 30 s ahead becomes ``received_at``.

Past times without ``sent_at`` stay: a late event is not a skewed one.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from weir.domain.times import DAY_US

SKEW_US = 30_000_000
"""A clock that is off by no more than this is right."""

BELIEVABLE_US = DAY_US
"""A clock that is off by more than this says nothing about its error."""

TIME_MIN_US = -62_135_596_800_000_000
"""0001-01-01 UTC: every time outside of the years 1 to 9999 is clamped to them."""

TIME_MAX_US = 253_402_300_799_999_999
"""The last microsecond of the year 9999."""


class TsSource(StrEnum):
    """How ``ts`` was decided; the column ``ts_source``."""

    CLIENT = "client"
    """``ts`` is what the client claimed."""
    MISSING = "missing"
    """Nothing was claimed: ``received_at``."""
    SERVER = "server"
    """The request asked for the server's time: ``received_at``."""
    SHIFTED = "shifted"
    """Moved with its request by the clock's error."""
    CLAMPED = "clamped"
    """Claimed to be from the future: ``received_at``."""
    SKEWED = "skewed"
    """``ts`` is what the client claimed, though ``sent_at`` was off by more than 24 h."""


class Corrected(NamedTuple):
    """``ts`` and its source, one of each per event."""

    ts_us: list[int]
    sources: list[TsSource]


def correct_times(
    client_us: Sequence[int | None],
    sent_us: Sequence[int | None],
    *,
    received_us: int,
    server_ts: bool,
) -> Corrected:
    """The times of one request's events, in their order.

    ``client_us`` and ``sent_us`` have one entry per event, ``None`` where nothing was claimed. An
    event with ``sent_at`` is judged by it; the others of the request are judged together.
    """
    if server_ts:
        count = len(client_us)
        return Corrected([received_us] * count, [TsSource.SERVER] * count)
    move_us = _move_together(client_us, sent_us, received_us)
    ts_us, sources = [], []
    for client, sent in zip(client_us, sent_us, strict=True):
        if client is None:
            time, source = received_us, TsSource.MISSING
        elif sent is not None:
            time, source = _by_sent_at(client, received_us - sent)
        else:
            time, source = _by_future(client, received_us, move_us)
        ts_us.append(clamp_us(time))
        sources.append(source)
    return Corrected(ts_us, sources)


def clamp_us(time_us: int) -> int:
    """The nearest time within the years 1 to 9999."""
    return min(max(time_us, TIME_MIN_US), TIME_MAX_US)


def _move_together(
    client_us: Sequence[int | None], sent_us: Sequence[int | None], received_us: int
) -> int:
    """Returns by how much events without ``sent_at`` move together; 0 when they do not."""
    aheads = [
        client - received_us
        for client, sent in zip(client_us, sent_us, strict=True)
        if client is not None and sent is None and client - received_us <= BELIEVABLE_US
    ]
    if not aheads or min(aheads) <= SKEW_US:
        return 0
    return -max(aheads)


def _by_sent_at(client_us: int, error_us: int) -> tuple[int, TsSource]:
    if abs(error_us) <= SKEW_US:
        return client_us, TsSource.CLIENT
    if abs(error_us) <= BELIEVABLE_US:
        return client_us + error_us, TsSource.SHIFTED
    return client_us, TsSource.SKEWED


def _by_future(client_us: int, received_us: int, move_us: int) -> tuple[int, TsSource]:
    ahead_us = client_us - received_us
    if ahead_us <= SKEW_US:
        return client_us, TsSource.CLIENT
    if ahead_us > BELIEVABLE_US or not move_us:
        return received_us, TsSource.CLAMPED
    return client_us + move_us, TsSource.SHIFTED
