"""The backfill lane: requests that say they are not in a hurry get what live traffic leaves.

Over HTTP it is ``?lane=backfill`` on an ingest route. Their bodies, inflated, are paid out of a
budget of the worker that fills up at a fixed rate; once it is spent, and while the door is short of
room for anybody, they get 503 with ``Retry-After``, which is what slows their sender down.
"""

from weir.errors import Unavailable

ROOM_RETRY_S = 5


class Backfill:
    """One worker's budget. Time is passed in, in microseconds."""

    __slots__ = ("_bytes_per_s", "_left_bytes", "_seen_us")

    def __init__(self, bytes_per_s: int) -> None:
        self._bytes_per_s = bytes_per_s
        self._left_bytes = float(bytes_per_s)
        self._seen_us = 0

    def check(self, *, is_pressed: bool, now_us: int) -> None:
        """Raises ``Unavailable`` for a request of the lane that must wait.

        ``is_pressed``: the door refuses events of some tenants, or of all.
        """
        passed_s = max(0, now_us - self._seen_us) / 1_000_000
        self._seen_us = now_us
        self._left_bytes = min(
            self._bytes_per_s, self._left_bytes + min(passed_s, 3600.0) * self._bytes_per_s
        )
        if is_pressed:
            raise Unavailable(
                "The node is short of room, and backfill waits first.", retry_after_s=ROOM_RETRY_S
            )
        if self._left_bytes <= 0:
            wait_s = int(-self._left_bytes / self._bytes_per_s) + 1
            raise Unavailable("The budget for backfill is spent for now.", retry_after_s=wait_s)

    def spend(self, byte_count: int) -> None:
        """Takes a body out of the budget, which may so become a debt."""
        self._left_bytes -= byte_count
