"""A request's head: what its target asks of an ingest route, and which heads are remembered."""

import pytest

from weir.ingest.http.head import (
    HEAD_BYTES_MAX,
    HEADS_MAX,
    Head,
    HeadMemory,
    is_backfill,
    origin_form,
    wants_server_time,
)


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


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/v1/events?a=b", b"/v1/events?a=b"),
        (b"http://a.example/v1/events?a=b", b"/v1/events?a=b"),
        (b"https://a.example:80/", b"/"),
        (b"http://a.example", b"/"),
        (b"*", b"*"),
        (b"/a?b=http://c/d", b"/a?b=http://c/d"),
        (b"//a/b", b"//a/b"),
    ],
)
def test_target_is_brought_to_path_and_query(target: bytes, found: bytes) -> None:
    """Only what names a server is cut."""
    assert origin_form(target) == found


def _head(**headers: bytes) -> Head:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Head(b"POST", b"/", b"/", named)


@pytest.mark.parametrize(
    "head",
    [
        _head(),
        _head(content_length=b"5", expect=b"100-continue"),
        _head(content_length=b"5", connection=b"close"),
        _head(content_length=b"5", upgrade=b"h2c"),
        _head(transfer_encoding=b"chunked"),
        Head(b"POST", b"/", b"/", {b"content-length": b"5"}, is_old=True),
    ],
)
def test_heads_that_mean_more_than_they_say_are_not_remembered(head: Head) -> None:
    """Only plain ones with a length."""
    memory = HeadMemory()
    memory.remember(b"bytes", head)
    assert memory.recall(b"bytes") is None


def test_memory_of_heads_is_bounded() -> None:
    """In number and in size."""
    memory = HeadMemory()
    plain = _head(content_length=b"5")
    memory.remember(b"x" * (HEAD_BYTES_MAX + 1), plain)
    assert memory.recall(b"x" * (HEAD_BYTES_MAX + 1)) is None
    for number in range(HEADS_MAX + 1):
        memory.remember(b"%d" % number, plain)
    assert memory.recall(b"0") is None
    found = memory.recall(b"%d" % HEADS_MAX)
    assert found is not None
    assert found.body_bytes == 5
