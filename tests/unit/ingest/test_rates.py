"""Rate limits that workers share through a file: windows, sums, the documented overshoot."""

from pathlib import Path

import pytest

from weir.dialects.port import RateLimits, RateWindow
from weir.domain.registry import KEY_SLOTS_MAX, TENANTS_MAX, Principal, Tenant
from weir.errors import LimitExceeded
from weir.ingest.limits import LimitTable, create_limit_table

MINUTE_US = 60_000_000
NOW_US = 30_000_000 * MINUTE_US + 10_000_000
TENANT = Tenant(1, "one", events_per_minute=100)


def _key(slot: int = 1, *, requests: int | None = 10, events: int | None = None) -> Principal:
    scopes = frozenset({"ingest"})
    return Principal(
        slot, "key", 1, 1, 1, scopes, slot, requests_per_minute=requests, events_per_minute=events
    )


def _tables(tmp_path: Path, workers: int, defaults: tuple[int, int] = (0, 0)) -> list[LimitTable]:
    path = tmp_path / "limits"
    create_limit_table(path, workers=workers)
    limits = RateLimits(*defaults)
    return [LimitTable(path, worker=number, defaults=limits) for number in range(workers)]


def test_window_counts_up_to_the_limit(tmp_path: Path) -> None:
    """Then refuses, with what a client needs to know, and counts nothing more."""
    (table,) = _tables(tmp_path, 1)
    reset_s = NOW_US // MINUTE_US * 60 + 60
    for left in range(9, -1, -1):
        assert table.count_request(_key(), now_us=NOW_US) == RateWindow(10, left, reset_s)
    for _ in range(3):
        with pytest.raises(LimitExceeded) as caught:
            table.count_request(_key(), now_us=NOW_US)
        assert caught.value.retry_after_s == 50
        assert caught.value.context["window"] == RateWindow(10, 0, reset_s)


def test_next_minute_starts_anew(tmp_path: Path) -> None:
    """The window is the minute of the wall clock; a step backwards is a window of its own."""
    (table,) = _tables(tmp_path, 1)
    for minute in (0, 1, 0):
        for _ in range(10):
            table.count_request(_key(), now_us=NOW_US + minute * MINUTE_US)
        with pytest.raises(LimitExceeded):
            table.count_request(_key(), now_us=NOW_US + minute * MINUTE_US)


def test_last_moment_of_a_window_still_waits_a_second(tmp_path: Path) -> None:
    """Retry-After is never 0."""
    (table,) = _tables(tmp_path, 1)
    end_us = NOW_US // MINUTE_US * MINUTE_US + MINUTE_US - 1
    for _ in range(10):
        table.count_request(_key(), now_us=end_us)
    with pytest.raises(LimitExceeded) as caught:
        table.count_request(_key(), now_us=end_us)
    assert caught.value.retry_after_s == 1


def test_workers_share_one_limit(tmp_path: Path) -> None:
    """What one counted the others see; taking turns there is no overshoot at all."""
    tables = _tables(tmp_path, 2)
    for number in range(10):
        tables[number % 2].count_request(_key(), now_us=NOW_US)
    for table in tables:
        with pytest.raises(LimitExceeded):
            table.count_request(_key(), now_us=NOW_US)


@pytest.mark.parametrize("own", [None, 100], ids=["the tenant's", "the key's"])
def test_overshoot_is_one_amount_for_each_other_worker(tmp_path: Path, own: int | None) -> None:
    """Workers that read before any of them wrote each take one batch, and no more."""
    workers = 3
    tables = _tables(tmp_path, workers)
    key = _key(events=own)
    tables[0].count_events(key, TENANT, 90, now_us=NOW_US)
    before = (tmp_path / "limits").read_bytes()
    after = []
    for table in tables:
        table.count_events(key, TENANT, 10, now_us=NOW_US)
        after.append((tmp_path / "limits").read_bytes())
        _restore(tmp_path / "limits", before)
    taken = 90 + 10 * workers
    _restore(tmp_path / "limits", _joined(before, after))
    for table in tables:
        with pytest.raises(LimitExceeded):
            table.count_events(key, TENANT, 1, now_us=NOW_US)
    assert taken <= 100 + 10 * (workers - 1)


def _restore(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


def _joined(before: bytes, after: list[bytes]) -> bytes:
    """What the file holds when all wrote at once: every worker writes its own row only."""
    row = len(before) // len(after)
    return b"".join(one[n * row : (n + 1) * row] for n, one in enumerate(after))


def test_events_that_do_not_fit_are_not_counted(tmp_path: Path) -> None:
    """A batch takes nothing of what it leaves for smaller ones."""
    (table,) = _tables(tmp_path, 1)
    window = table.count_events(_key(), TENANT, 95, now_us=NOW_US)
    assert window is not None
    assert window.remaining == 5
    with pytest.raises(LimitExceeded) as caught:
        table.count_events(_key(), TENANT, 6, now_us=NOW_US)
    shown = caught.value.context["window"]
    assert isinstance(shown, RateWindow)
    assert shown.remaining == 5
    window = table.count_events(_key(), TENANT, 5, now_us=NOW_US)
    assert window is not None
    assert window.remaining == 0


def test_keys_and_tenants_do_not_touch_each_other(tmp_path: Path) -> None:
    """Each has a cell of its own, to the last slot."""
    (table,) = _tables(tmp_path, 1)
    for slot in (0, 1, KEY_SLOTS_MAX - 1):
        for _ in range(10):
            table.count_request(_key(slot), now_us=NOW_US)
        with pytest.raises(LimitExceeded):
            table.count_request(_key(slot), now_us=NOW_US)
    assert table.count_events(_key(), TENANT, 1, now_us=NOW_US)
    other = Tenant(2, "two", events_per_minute=100)
    window = table.count_events(_key(), other, 1, now_us=NOW_US)
    assert window is not None
    assert window.remaining == 99


def test_key_with_its_own_number_counts_its_own_events(tmp_path: Path) -> None:
    """Neither those of other keys nor any in its tenant's window; to the last slot and tenant."""
    (table,) = _tables(tmp_path, 1)
    last = Tenant(TENANTS_MAX - 1, "last", events_per_minute=100)
    for tenant in (TENANT, last):
        window = table.count_events(_key(0), tenant, 8, now_us=NOW_US)
        assert window is not None
        assert (window.limit, window.remaining) == (100, 92)
    for slot, limit in ((0, 5), (1, 3), (KEY_SLOTS_MAX - 1, 4)):
        key = _key(slot, events=limit)
        for left in range(limit - 1, -1, -1):
            window = table.count_events(key, TENANT, 1, now_us=NOW_US)
            assert window is not None
            assert (window.limit, window.remaining) == (limit, left)
        with pytest.raises(LimitExceeded, match=f"{limit} events per minute of this API key"):
            table.count_events(key, TENANT, 1, now_us=NOW_US)
        told = table.window_of(_key(slot, requests=0, events=limit), TENANT, None, now_us=NOW_US)
        assert told is not None
        assert (told.limit, told.remaining) == (limit, 0)
    window = table.count_events(_key(0), TENANT, 92, now_us=NOW_US)
    assert window is not None
    assert window.remaining == 0
    with pytest.raises(LimitExceeded, match="100 events per minute of this account"):
        table.count_events(_key(0), TENANT, 1, now_us=NOW_US)
    assert table.count_request(_key(0), now_us=NOW_US)


def test_key_without_a_limit_uses_nothing_of_its_tenants(tmp_path: Path) -> None:
    """0 goes before the tenant's number, the node's and the dialect's."""
    (table,) = _tables(tmp_path, 1, defaults=(7, 70))
    free = _key(requests=0, events=0)
    assert table.count_events(free, TENANT, 1000, RateLimits(1, 1), now_us=NOW_US) is None
    assert table.window_of(free, TENANT, RateLimits(1, 1), now_us=NOW_US) is None
    window = table.count_events(_key(), TENANT, 1, now_us=NOW_US)
    assert window is not None
    assert window.remaining == 99


def test_own_limits_go_before_the_nodes(tmp_path: Path) -> None:
    """The key's, else the tenant's, else the setting's, else none."""
    (table,) = _tables(tmp_path, 1, defaults=(7, 70))
    free = Tenant(3, "three")

    def limit_of(window: RateWindow | None) -> int:
        assert window is not None
        return window.limit

    assert limit_of(table.count_request(_key(requests=None), now_us=NOW_US)) == 7
    assert limit_of(table.count_request(_key(), now_us=NOW_US)) == 10
    assert limit_of(table.count_events(_key(), free, 1, now_us=NOW_US)) == 70
    assert limit_of(table.count_events(_key(), TENANT, 1, now_us=NOW_US)) == 100
    assert limit_of(table.count_events(_key(events=5), TENANT, 1, now_us=NOW_US)) == 5


def test_without_limits_nothing_is_counted(tmp_path: Path) -> None:
    """And the door need not ask."""
    (table,) = _tables(tmp_path, 1)
    key = _key(requests=None)
    free = Tenant(3, "three")
    assert not table.count_request(key, now_us=NOW_US)
    assert not table.count_events(key, free, 10**9, now_us=NOW_US)
    assert not table.applies(key, free)
    assert table.applies(_key(), free)
    assert table.applies(key, TENANT)


def test_table_is_made_anew(tmp_path: Path) -> None:
    """What a former node counted is forgotten, and nobody else may read it."""
    (table,) = _tables(tmp_path, 1)
    table.count_request(_key(), now_us=NOW_US)
    (again,) = _tables(tmp_path, 1)
    window = again.count_request(_key(), now_us=NOW_US)
    assert window is not None
    assert window.remaining == 9
    assert (tmp_path / "limits").stat().st_mode & 0o777 == 0o600
