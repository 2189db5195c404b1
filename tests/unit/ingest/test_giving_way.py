"""An edge worker leaves the cores to those that start beside it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.ingest.giving_way import (
    REST_S_MAX,
    STARTING_S_MAX,
    STARTING_SHARE,
    GivingWay,
)


def test_busy_worker_takes_its_share_of_a_core() -> None:
    """One that always has work to do rests for the rest of the time."""
    giving_way = GivingWay(now_s=100.0, cpu_s=3.0)
    now_s, cpu_s, rested_s = 100.0, 3.0, 0.0
    while now_s < 105.0:
        now_s, cpu_s = now_s + 0.005, cpu_s + 0.005
        rest_s = giving_way.rest_s(others_are_ready=False, now_s=now_s, cpu_s=cpu_s)
        now_s, rested_s = now_s + rest_s, rested_s + rest_s
    assert (cpu_s - 3.0) / (now_s - 100.0) == pytest.approx(STARTING_SHARE, rel=0.01)


def test_worker_with_little_to_do_never_rests() -> None:
    """Whoever takes less than the share is not slowed down."""
    giving_way = GivingWay(now_s=0.0, cpu_s=0.0)
    for step in range(1, 1000):
        now_s = step * 0.005
        assert not giving_way.rest_s(others_are_ready=False, now_s=now_s, cpu_s=now_s * 0.2)


def test_once_the_others_are_ready_it_never_rests_again() -> None:
    """One that dies later starts beside a worker at full speed: events come first then."""
    giving_way = GivingWay(now_s=0.0, cpu_s=0.0)
    assert giving_way.rest_s(others_are_ready=False, now_s=0.01, cpu_s=0.01) > 0
    assert not giving_way.rest_s(others_are_ready=True, now_s=0.02, cpu_s=0.02)
    assert not giving_way.rest_s(others_are_ready=False, now_s=0.03, cpu_s=0.03)
    assert giving_way.is_over


def test_others_that_never_get_ready_hold_nobody_up_for_long() -> None:
    """After its time the worker goes on at full speed."""
    giving_way = GivingWay(now_s=0.0, cpu_s=0.0)
    assert not giving_way.rest_s(others_are_ready=False, now_s=STARTING_S_MAX, cpu_s=9.0)
    assert giving_way.is_over


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=2))
def test_no_rest_is_long(looks: list[tuple[float, float]]) -> None:
    """Whatever the clocks say, an answer is delayed by one short rest at most."""
    giving_way = GivingWay(now_s=0.0, cpu_s=0.0)
    for (before_s, _), (now_s, cpu_s) in pairwise(sorted(looks)):
        assert before_s <= now_s
        rest_s = giving_way.rest_s(others_are_ready=False, now_s=now_s, cpu_s=cpu_s)
        assert 0 <= rest_s <= REST_S_MAX
