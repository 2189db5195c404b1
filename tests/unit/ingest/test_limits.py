"""Which limit counts: the key's, its tenant's, the node's; and that no limit is one of them."""

from pathlib import Path

import pytest

from weir.dialects.port import RateLimits, RateWindow
from weir.domain.registry import Principal, Tenant
from weir.errors import LimitExceeded
from weir.ingest.http.responses import window_headers
from weir.ingest.limits import LimitTable, create_limit_table

NODE = RateLimits(requests=10, events=1000)
OPEN = RateLimits(requests=0, events=0)
DIALECT = RateLimits(requests=7, events=70)


def table(tmp_path: Path, defaults: RateLimits) -> LimitTable:
    """The only worker's view of a fresh table."""
    create_limit_table(tmp_path / "limits", workers=1)
    return LimitTable(tmp_path / "limits", worker=0, defaults=defaults)


def key(*, requests: int | None = None, events: int | None = None) -> Principal:
    """A principal with limits as the registry has resolved them."""
    return Principal(
        *(1, "key_1", 1, 1, 1),
        scopes=frozenset({"ingest"}),
        slot=0,
        requests_per_minute=requests,
        events_per_minute=events,
    )


def limit_of(window: RateWindow | None) -> int | None:
    """The limit that was counted against, if any."""
    return None if window is None else window.limit


@pytest.mark.parametrize(
    ("own", "defaults", "limit"),
    [(5, NODE, 5), (None, NODE, 10), (0, NODE, None), (None, OPEN, None), (5, OPEN, 5)],
)
def test_requests_go_by_the_registry_then_by_the_settings(
    tmp_path: Path, own: int | None, defaults: RateLimits, limit: int | None
) -> None:
    """Nothing said is the node's limit; 0 is none, whatever the node's is."""
    limits = table(tmp_path, defaults)
    assert limit_of(limits.count_request(key(requests=own), now_us=0)) == limit
    tenant = Tenant(1, "one", events_per_minute=0)
    assert limits.applies(key(requests=own, events=0), tenant) == (limit is not None)


@pytest.mark.parametrize(
    ("own", "tenants", "defaults", "limit"),
    [
        (5, 50, NODE, 5),
        (None, 50, NODE, 50),
        (None, None, NODE, 1000),
        (None, 0, NODE, None),
        (5, 0, OPEN, 5),
        (None, None, OPEN, None),
    ],
)
def test_events_go_by_key_then_tenant_then_settings(
    tmp_path: Path, own: int | None, tenants: int | None, defaults: RateLimits, limit: int | None
) -> None:
    """A tenant without limits is not held to the node's."""
    limits = table(tmp_path, defaults)
    tenant = Tenant(1, "one", events_per_minute=tenants)
    assert limit_of(limits.count_events(key(events=own), tenant, 1, now_us=0)) == limit
    assert limits.applies(key(requests=0, events=own), tenant) == (limit is not None)


@pytest.mark.parametrize(
    ("own", "defaults", "limits_in_force"),
    [
        (None, OPEN, (7, 70)),
        (None, NODE, (10, 1000)),
        (5, OPEN, (5, 5)),
        (0, OPEN, (None, None)),
    ],
)
def test_dialect_has_a_limit_where_nobody_says_anything(
    tmp_path: Path, own: int | None, defaults: RateLimits, limits_in_force: tuple[int | None, ...]
) -> None:
    """Key, tenant, plan and node go before it, also when they want none."""
    limits = table(tmp_path, defaults)
    principal, tenant = key(requests=own, events=own), Tenant(1, "one")
    for number in range(2):
        told = limits.window_of(principal, tenant, DIALECT, now_us=0)
        requests = limits.count_request(principal, DIALECT, now_us=0)
        events = limits.count_events(principal, tenant, 1, DIALECT, now_us=0)
        assert (limit_of(requests), limit_of(events)) == limits_in_force
        assert limit_of(told) == limits_in_force[0]
        if told and requests:
            assert told.remaining == requests.remaining + 1 == requests.limit - number


def test_looking_counts_nothing_and_never_refuses(tmp_path: Path) -> None:
    """A full window, or one that a smaller limit found overfull, has nothing left."""
    limits = table(tmp_path, OPEN)
    tenant = Tenant(1, "one", events_per_minute=3)
    for _ in range(3):
        limits.count_events(key(requests=0), tenant, 1, now_us=0)
        limits.window_of(key(requests=0), tenant, None, now_us=0)
    assert limits.window_of(key(requests=0), tenant, None, now_us=0) == RateWindow(3, 0, 60)
    less = Tenant(1, "one", events_per_minute=2)
    assert limits.window_of(key(requests=0), less, None, now_us=0) == RateWindow(2, 0, 60)
    assert limits.window_of(key(requests=0, events=0), tenant, None, now_us=0) is None


def test_restarted_worker_goes_on_in_the_same_window(tmp_path: Path) -> None:
    """What a killed worker counted stays counted: its row is in the node's file."""
    limits = table(tmp_path, OPEN)
    principal = key(requests=3)
    for _ in range(2):
        limits.count_request(principal, now_us=0)
    again = LimitTable(tmp_path / "limits", worker=0, defaults=OPEN)
    assert again.count_request(principal, now_us=0) == RateWindow(3, 0, 60)
    with pytest.raises(LimitExceeded):
        again.count_request(principal, now_us=0)


def test_clients_read_their_window_in_three_headers() -> None:
    """The names that most clients know; the end of the window as Unix seconds."""
    assert window_headers(RateWindow(10, 3, 60)) == (
        b"X-RateLimit-Limit: 10\r\nX-RateLimit-Remaining: 3\r\nX-RateLimit-Reset: 60\r\n"
    )


def test_full_window_is_refused_until_the_next_minute(tmp_path: Path) -> None:
    """The request after the last one is told when to come again."""
    limits = table(tmp_path, OPEN)
    principal = key(requests=1)
    limits.count_request(principal, now_us=15_000_000)
    with pytest.raises(LimitExceeded) as caught:
        limits.count_request(principal, now_us=15_000_000)
    assert caught.value.retry_after_s == 45
    assert limits.count_request(principal, now_us=60_000_000) == RateWindow(1, 0, 120)


def test_clock_that_jumps_keeps_limits_and_waits_short(tmp_path: Path) -> None:
    """A day forth or back begins a new window; nobody is locked out for longer than a minute."""
    limits = table(tmp_path, OPEN)
    principal = key(requests=1)
    day_us = 86_400_000_000
    for now_us in (2 * day_us, 3 * day_us, day_us, 2 * day_us):
        assert limits.count_request(principal, now_us=now_us)
        with pytest.raises(LimitExceeded) as caught:
            limits.count_request(principal, now_us=now_us)
        assert 0 < (caught.value.retry_after_s or 0) <= 60
