"""Following events as they become visible: what to ask next, and what is new in the answer.

Everything received before an answer's watermark is in it, so the next question begins there; what
was shown beyond it already is remembered. No event is shown twice, none is left out. Pure.
"""

from collections.abc import Sequence

import msgspec

ROWS_MAX = 5000
"""Rows of one answer; when there are more, the next question begins at the last of them."""

_COLUMNS = "epoch_us(received_at), seq, event_id, event, user_id, anonymous_id, properties"


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One event, as it is asked for."""

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

    __slots__ = ("_events", "_from_us", "_shown")

    def __init__(self, *, from_us: int, events: Sequence[str] = ()) -> None:
        self._from_us = from_us
        self._events = tuple(events)
        self._shown: dict[tuple[int | str, str], int] = {}

    def question(self) -> str:
        """The SQL to run next."""
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in self._events)
        chosen = f" AND event IN ({names})" if names else ""
        return (
            f"SELECT {_COLUMNS} FROM events"  # noqa: S608  # quoted, and gated by the node
            f" WHERE received_at >= make_timestamptz({self._from_us}){chosen}"
            " ORDER BY received_at, seq, event_id"
        )

    def fresh(self, page: Page) -> list[Row]:
        """The rows of the answer that were not shown before; the next question follows them."""
        rows = [row for row in page.rows if (row.seq, row.event_id) not in self._shown]
        for row in rows:
            self._shown[row.seq, row.event_id] = row.received_at_us
        end_us = page.rows[-1].received_at_us if page.truncated else page.watermark_us
        self._from_us = max(self._from_us, end_us)
        self._shown = {key: us for key, us in self._shown.items() if us >= self._from_us}
        return rows
