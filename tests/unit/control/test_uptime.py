"""Uptime is true, bounded, and counts no minute twice."""

from typing import Any

from sqlalchemy import func, select

from weir.control.service import ControlService
from weir.control.store.tables import UPTIME_DAYS
from weir.node.directory import Directory
from weir.storage.database import open_engine, sqlite_url

MINUTE_US = 60_000_000
DAY_US = 1440 * MINUTE_US


def run_minutes(service: ControlService, clock: Any, minutes: int) -> int:
    """The node runs so many minutes more; the uptime afterwards."""
    uptime = 0
    for _ in range(minutes):
        uptime = service.uptime.record()
        clock.us += MINUTE_US
    return uptime


def test_uptime_of_a_new_node_is_whole(service: ControlService, clock: Any) -> None:
    """From the first minute on, however often the minute is counted."""
    assert [service.uptime.record() for _ in range(3)] == [1_000_000] * 3
    assert run_minutes(service, clock, 3) == 1_000_000


def test_time_down_is_counted_since_the_first_start(service: ControlService, clock: Any) -> None:
    """Five minutes up, fourteen down, one up: six of twenty."""
    run_minutes(service, clock, 5)
    clock.us += 14 * MINUTE_US
    assert service.uptime.record() == 300_000


def test_window_is_thirty_days(service: ControlService, clock: Any) -> None:
    """What lies before is forgotten, being up as being down."""
    run_minutes(service, clock, 10)
    clock.us += 40 * DAY_US
    up = service.uptime.record()
    minutes = 29 * 1440 + (clock.us // MINUTE_US) % 1440 + 1
    assert up == 1_000_000 // minutes


def test_rows_are_bounded(service: ControlService, clock: Any, directory: Directory) -> None:
    """One a day, thirty at most."""
    for _ in range(40):
        service.uptime.record()
        clock.us += DAY_US
    engine = open_engine(sqlite_url(directory.control_db))
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(UPTIME_DAYS)) == 30
    engine.dispose()


def test_clock_that_was_set_back_breaks_nothing(service: ControlService, clock: Any) -> None:
    """The share stays between nothing and the whole."""
    run_minutes(service, clock, 5)
    clock.us -= 3 * DAY_US
    assert 0 < run_minutes(service, clock, 5) <= 1_000_000
    clock.us += 3 * DAY_US
    assert 0 < service.uptime.record() <= 1_000_000
