"""Following events as they become visible: what to ask next, and what is new in the answer.

Everything received before an answer's watermark is in it, so the next question begins there; what
was shown beyond it already is remembered. No event is shown twice, none is left out. Pure.
How it is asked: ``query/statement/follow.py``.
"""

import msgspec

ROWS_MAX = 5000
"""Rows of one answer; when there are more, the next question begins at the last of them."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One event, in the columns of ``follow_statement``."""

    received_at_us: int
    seq: int | str
    event_id: str
    event: str
    user_id: str | None
    anonymous_id: str | None
    properties: str


class Page(msgspec.Struct, frozen=True):
    """One answer: its rows by time, and how far it is complete."""

    rows: list[Row]
    truncated: bool
    watermark_us: int


class Following:
    """Where a stream of questions stands."""

    __slots__ = ("_shown", "from_us")

    def __init__(self, *, from_us: int) -> None:
        self.from_us = from_us
        """From which moment on to ask next."""
        self._shown: dict[tuple[int | str, str], int] = {}

    def fresh(self, page: Page) -> list[Row]:
        """Returns the rows of the answer that were not shown before, and moves behind them."""
        rows = [row for row in page.rows if (row.seq, row.event_id) not in self._shown]
        for row in rows:
            self._shown[row.seq, row.event_id] = row.received_at_us
        end_us = page.rows[-1].received_at_us if page.truncated else page.watermark_us
        self.from_us = max(self.from_us, end_us)
        self._shown = {key: us for key, us in self._shown.items() if us >= self.from_us}
        return rows
