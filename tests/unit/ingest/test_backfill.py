"""The backfill lane takes what it is given and no more, and live requests never meet it."""

from weir.errors import Unavailable
from weir.ingest.backfill import Backfill

RATE = 1000


def _wait_s(lane: Backfill, now_us: int, *, is_pressed: bool = False) -> int | None:
    try:
        lane.check(is_pressed=is_pressed, now_us=now_us)
    except Unavailable as refusal:
        return refusal.retry_after_s
    return None


def test_over_a_long_time_the_rate_is_kept() -> None:
    """Whoever comes back as told gets the rate, a burst of a second and one body at most."""
    lane = Backfill(RATE)
    now_us, taken = 1_800_000_000_000_000, 0
    start_us = now_us
    while now_us < start_us + 100_000_000:
        wait_s = _wait_s(lane, now_us)
        if wait_s is None:
            lane.spend(700)
            taken += 700
        else:
            assert wait_s == 1
            now_us += wait_s * 1_000_000
    assert 90 * RATE < taken <= 101 * RATE + 700


def test_large_body_is_paid_off_before_the_next() -> None:
    """It is taken, for it fits the route, and tells how long it costs."""
    lane = Backfill(RATE)
    assert _wait_s(lane, 0) is None
    lane.spend(11 * RATE)
    assert _wait_s(lane, 0) == 11
    assert _wait_s(lane, 5_000_000) == 6
    assert _wait_s(lane, 11_000_000) is None


def test_backfill_waits_while_the_node_is_pressed() -> None:
    """Whatever is left of its budget."""
    assert _wait_s(Backfill(RATE), 0, is_pressed=True) is not None


def test_clock_that_jumps_gives_no_more_than_a_second() -> None:
    """Forwards; and nothing backwards."""
    lane = Backfill(RATE)
    for now_us in (10**15, 2 * 10**15):
        assert _wait_s(lane, now_us) is None
        lane.spend(RATE)
        assert _wait_s(lane, now_us) == 1
    assert _wait_s(lane, 10**15) == 1
