"""Uptime: in how many minutes of the last 30 days the node ran. One row a day, 30 at most."""

from sqlalchemy import Connection, delete, func, insert, select, update

from weir.clock import Clock
from weir.control.store.tables import CONTROL_STATE, UPTIME_DAYS
from weir.control.store.transactions import Transactions
from weir.domain.times import MINUTE_US

WINDOW_DAYS = 30
DAY_MINUTES = 1440
WHOLE_PPM = 1_000_000


class Uptime:
    """The uptime of a node."""

    __slots__ = ("_clock", "_transactions")

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def record(self) -> int:
        """Counts the current minute once and returns the uptime in millionths.

        The share is of the minutes since the first start, or of the last 30 UTC days, today
        included. A clock that was set back counts no minute twice.
        """
        minute = self._clock.now_us() // MINUTE_US
        today = minute // DAY_MINUTES
        first_day = today - WINDOW_DAYS + 1
        outside = (UPTIME_DAYS.c.day < first_day) | (UPTIME_DAYS.c.day > today)
        with self._transactions.write() as connection:
            _count_minute(connection, minute=minute, day=today)
            connection.execute(delete(UPTIME_DAYS).where(outside))
            up = connection.scalar(select(func.sum(UPTIME_DAYS.c.minutes))) or 0
            since = max(_first_minute(connection, minute), first_day * DAY_MINUTES)
        return min(WHOLE_PPM, up * WHOLE_PPM // (minute - since + 1))


def _count_minute(connection: Connection, *, minute: int, day: int) -> None:
    last = connection.scalar(select(UPTIME_DAYS.c.last_minute).where(UPTIME_DAYS.c.day == day))
    if last is None:
        connection.execute(insert(UPTIME_DAYS).values(day=day, minutes=1, last_minute=minute))
    elif last < minute:
        connection.execute(
            update(UPTIME_DAYS)
            .where(UPTIME_DAYS.c.day == day)
            .values(minutes=UPTIME_DAYS.c.minutes + 1, last_minute=minute)
        )


def _first_minute(connection: Connection, minute: int) -> int:
    """The minute of the first start, never later than ``minute``."""
    first = connection.scalar(select(CONTROL_STATE.c.first_minute))
    if first is not None and first <= minute:
        return int(first)
    connection.execute(update(CONTROL_STATE).values(first_minute=minute))
    return minute
