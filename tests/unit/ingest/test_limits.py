"""Which limit counts: the key's, its tenant's, the node's; and that no limit is one of them."""

from pathlib import Path

import pytest

from weir.domain.registry import Principal, Tenant
from weir.errors import LimitExceeded
from weir.ingest.limits import Limits, LimitTable, Usage, create_limit_table

NODE = Limits(requests=10, events=1000)
OPEN = Limits(requests=0, events=0)


def table(tmp_path: Path, defaults: Limits) -> LimitTable:
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


def limit_of(usage: Usage | None) -> int | None:
    """The limit that was counted against, if any."""
    return None if usage is None else usage.limit


@pytest.mark.parametrize(
    ("own", "defaults", "limit"),
    [(5, NODE, 5), (None, NODE, 10), (0, NODE, None), (None, OPEN, None), (5, OPEN, 5)],
)
def test_requests_go_by_the_registry_then_by_the_settings(
    tmp_path: Path, own: int | None, defaults: Limits, limit: int | None
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
    tmp_path: Path, own: int | None, tenants: int | None, defaults: Limits, limit: int | None
) -> None:
    """A tenant without limits is not held to the node's."""
    limits = table(tmp_path, defaults)
    tenant = Tenant(1, "one", events_per_minute=tenants)
    assert limit_of(limits.count_events(key(events=own), tenant, 1, now_us=0)) == limit
    assert limits.applies(key(requests=0, events=own), tenant) == (limit is not None)


def test_full_window_is_refused_until_the_next_minute(tmp_path: Path) -> None:
    """The request after the last one is told when to come again."""
    limits = table(tmp_path, OPEN)
    principal = key(requests=1)
    limits.count_request(principal, now_us=15_000_000)
    with pytest.raises(LimitExceeded) as caught:
        limits.count_request(principal, now_us=15_000_000)
    assert caught.value.retry_after_s == 45
    assert limits.count_request(principal, now_us=60_000_000) == Usage(1, 0, 120)


def test_clock_that_jumps_keeps_limits_and_waits_short(tmp_path: Path) -> None:
    """A day forth or back begins a new window; nobody is locked out for longer than a minute."""
    limits = table(tmp_path, OPEN)
    principal = key(requests=1)
    day_us = 86_400_000_000
    for now_us in (2 * day_us, 3 * day_us, day_us, 2 * day_us):
        assert limits.count_request(principal, now_us=now_us) is not None
        with pytest.raises(LimitExceeded) as caught:
            limits.count_request(principal, now_us=now_us)
        assert 0 < (caught.value.retry_after_s or 0) <= 60
