"""Monthly quotas at the door: the check, the count, the month's change, two workers."""

from pathlib import Path

import pytest

from weir.dialects.port import RateWindow
from weir.domain.times import month_of, month_start_us
from weir.errors import LimitExceeded
from weir.ingest.quota import Quota
from weir.node.usage import UsageTable, create_usage_table

NOW_US = 1_800_000_000_000_000
MONTH_END_US = month_start_us(month_of(NOW_US) + 1)
TENANT, LIMIT = 3, 10


def _workers(tmp_path: Path, count: int) -> list[Quota]:
    create_usage_table(tmp_path / "usage", workers=count, month=0, used={})
    return [_worker(tmp_path, number) for number in range(count)]


def _worker(tmp_path: Path, number: int) -> Quota:
    table = UsageTable.open(tmp_path / "usage")
    return Quota(table, worker=number, offset=0, now_us=NOW_US)


def _take(quota: Quota, events: int, *, now_us: int = NOW_US) -> None:
    quota.check(TENANT, events, LIMIT, now_us=now_us)
    quota.accepted[TENANT] += events


def test_quota_is_taken_to_the_last_event(tmp_path: Path) -> None:
    """Over all workers; what does not fit as a whole is refused whole, what fits passes."""
    first, second = _workers(tmp_path, 2)
    _take(first, 6)
    with pytest.raises(LimitExceeded):
        _take(second, 5)
    _take(second, 4)
    for quota in (first, second):
        with pytest.raises(LimitExceeded):
            _take(quota, 1)


def test_refusal_tells_the_months_end(tmp_path: Path) -> None:
    """Code, seconds until the month is over in UTC, the limit and what is left of it."""
    (quota,) = _workers(tmp_path, 1)
    _take(quota, 8)
    now_us = MONTH_END_US - 1_500_000
    with pytest.raises(LimitExceeded) as caught:
        quota.check(TENANT, 3, LIMIT, now_us=now_us)
    error = caught.value
    assert (error.code, error.retry_after_s) == ("quota_exceeded", 2)
    assert error.context["window"] == RateWindow(10, 2, MONTH_END_US // 1_000_000)
    assert error.context["refused_count"] == 3
    with pytest.raises(LimitExceeded) as caught:
        quota.check(TENANT, 3, LIMIT, now_us=MONTH_END_US - 1)
    assert caught.value.retry_after_s == 1


def test_next_month_begins_with_the_whole_quota(tmp_path: Path) -> None:
    """At its first microsecond, also where another worker still stands in the old month."""
    first, second = _workers(tmp_path, 2)
    _take(first, 10)
    _take(first, 10, now_us=MONTH_END_US)
    with pytest.raises(LimitExceeded):
        _take(second, 1, now_us=MONTH_END_US)


def test_tenant_without_quota_is_counted_for_the_day_it_gets_one(tmp_path: Path) -> None:
    """A plan may change in the middle of a month."""
    (quota,) = _workers(tmp_path, 1)
    quota.accepted[TENANT] += LIMIT
    with pytest.raises(LimitExceeded):
        quota.check(TENANT, 1, LIMIT, now_us=NOW_US)


def test_overshoot_is_one_request_for_each_other_worker(tmp_path: Path) -> None:
    """Workers that check before any of them counts each take one request, and no more."""
    workers = _workers(tmp_path, 3)
    _take(workers[0], 8)
    for quota in workers:
        quota.check(TENANT, 2, LIMIT, now_us=NOW_US)
    for quota in workers:
        quota.accepted[TENANT] += 2
    for quota in workers:
        with pytest.raises(LimitExceeded):
            quota.check(TENANT, 1, LIMIT, now_us=NOW_US)


def test_worker_without_a_journal_leaves_the_counts_as_they_are(tmp_path: Path) -> None:
    """It takes nothing, and cannot say from where on it would count."""
    (quota,) = _workers(tmp_path, 1)
    _take(quota, 4)
    table = UsageTable.open(tmp_path / "usage")
    start = table.open_start(0)
    idle = Quota(table, worker=0, offset=None, now_us=NOW_US)
    assert (table.open_start(0), table.at_start(0, TENANT)) == (start, 0)
    idle.check(TENANT, LIMIT - 4, LIMIT, now_us=NOW_US)
    with pytest.raises(LimitExceeded):
        idle.check(TENANT, LIMIT - 3, LIMIT, now_us=NOW_US)


def test_restarted_worker_has_forgotten_nothing(tmp_path: Path) -> None:
    """What its predecessor took stays counted until the loader knows better."""
    (quota,) = _workers(tmp_path, 1)
    _take(quota, 10)
    with pytest.raises(LimitExceeded):
        _take(_worker(tmp_path, 0), 1)
