"""The order of one request's events outlives every correction of their times."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.loader.rig import Rig
from weir.domain.frame import FrameFlag

HOUR = timedelta(hours=1)


def _stored(rig: Rig, offsets: list[timedelta | None], *, flags: int = 0) -> list[tuple[int, str]]:
    """Number and ``ts_source`` of events with these claims, ahead of their receipt, as stored."""
    received_at = datetime.fromtimestamp(rig.clock.us / 1_000_000, UTC)
    events = [
        {"event": "e", "properties": {"n": number}}
        | ({} if ahead is None else {"ts": (received_at + ahead).isoformat()})
        for number, ahead in enumerate(offsets)
    ]
    rig.write(events, flags=flags)
    with rig.running() as loader:
        loader.cut()
    rows = sorted(rig.committed(), key=lambda row: row["ts"].date())
    found = [(int(row["properties"][5:-1]), row["ts_source"]) for row in rows]
    assert [row["seq"] for row in rows] == [
        min(row["seq"] for row in rows) + number for number, _ in found
    ]
    return found


@pytest.mark.parametrize("flags", [0, FrameFlag.SERVER_TS])
def test_events_at_one_moment_keep_their_order(rig: Rig, flags: int) -> None:
    """Without a time of their own, or with ours instead."""
    source = "server" if flags else "missing"
    assert _stored(rig, [None] * 5, flags=flags) == [(number, source) for number in range(5)]


def test_server_time_keeps_the_claimed_order_first(rig: Rig) -> None:
    """Of equal times the claims decide, then the arrival."""
    found = _stored(rig, [-HOUR, -3 * HOUR, -2 * HOUR, -HOUR], flags=FrameFlag.SERVER_TS)
    assert [number for number, _ in found] == [1, 2, 0, 3]
    assert {source for _, source in found} == {"server"}


def test_events_that_move_together_keep_their_order(rig: Rig) -> None:
    """A clock that is an hour fast spoils no sequence."""
    found = _stored(rig, [2 * HOUR, HOUR, HOUR, 3 * HOUR])
    assert found == [(1, "shifted"), (2, "shifted"), (0, "shifted"), (3, "shifted")]


def test_clamped_events_keep_the_claimed_order(rig: Rig) -> None:
    """All at the receipt, one by one, in the order that the client claims."""
    found = _stored(rig, [-HOUR, 5 * HOUR, 2 * HOUR, 50 * HOUR, 2 * HOUR])
    assert found == [(0, "client"), *((number, "clamped") for number in (2, 4, 1, 3))]
