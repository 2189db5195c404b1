"""What a request's target asks of an ingest route."""

import pytest

from weir.ingest.http.head import is_backfill, wants_server_time


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/v1/events?lane=backfill", True),
        (b"/v1/events?server_ts=1&lane=backfill&a=b", True),
        (b"/v1/events?server_ts=1", False),
        (b"/v1/events?lane=backfilled", False),
        (b"/lane=backfill", False),
    ],
)
def test_only_the_lane_itself_is_backfill(target: bytes, expected: bool) -> None:
    """What only looks like it neither pays nor waits."""
    assert is_backfill(target) is expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/v1/events?server_ts=1", True),
        (b"/v1/events?server_ts=0&server_ts=true", True),
        (b"/v1/events?server_ts=2", False),
        (b"/v1/events?server_ts=1&server_ts=0", False),
        (b"/v1/events", False),
    ],
)
def test_the_last_server_ts_counts(target: bytes, expected: bool) -> None:
    """As of any repeated parameter."""
    assert wants_server_time(target) is expected
