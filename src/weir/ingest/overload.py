"""When the door refuses events because there is no room for them: disk and backlog.

Looked at about once a second; the reserve is far larger than what arrives in that time.
"""

import os
from collections.abc import Callable
from pathlib import Path

from weir.errors import Unavailable
from weir.telemetry import BACKLOG_BYTES, Happening, emit


class Gate:
    """Open, or closed for a reason that is told to the client."""

    __slots__ = ("_backlog_bytes", "_backlog_bytes_max", "_directory", "_reserve_bytes", "refusal")

    def __init__(
        self,
        directory: Path,
        *,
        reserve_bytes: int,
        backlog_bytes: Callable[[], int],
        backlog_bytes_max: int,
    ) -> None:
        self._directory = directory
        self._reserve_bytes = reserve_bytes
        self._backlog_bytes = backlog_bytes
        self._backlog_bytes_max = backlog_bytes_max
        self.refusal: Unavailable | None = None
        """What every event meets while the gate is closed."""

    def look(self) -> None:
        """Opens or closes the gate by what the disk and the journal say now.

        A disk that cannot be asked (no descriptor is left, say) closes it too.
        """
        backlog = free = -1
        try:
            backlog = self._backlog_bytes()
            BACKLOG_BYTES.set(backlog)
            disk = os.statvfs(self._directory)
            free = disk.f_bavail * disk.f_frsize
            reason = self._reason(free, backlog)
        except OSError as error:
            reason = f"The node cannot look at its disk: {error.strerror}."
        was_closed = self.refusal is not None
        self.refusal = None if reason is None else Unavailable(reason, retry_after_s=5)
        if reason is not None and not was_closed:
            emit(Happening.EDGE_OVERLOADED, reason=reason, free_bytes=free, backlog_bytes=backlog)
        elif reason is None and was_closed:
            emit(Happening.EDGE_RESUMED, free_bytes=free, backlog_bytes=backlog)

    def _reason(self, free: int, backlog: int) -> str | None:
        if free < self._reserve_bytes:
            return "The node's disk is nearly full."
        if backlog > self._backlog_bytes_max:
            return "The node is catching up with earlier events."
        return None
