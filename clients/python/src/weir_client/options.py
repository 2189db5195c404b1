"""Every limit of a client, with its default and unit."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """Limits of a client; the defaults suit a web server. ``_bytes`` are bytes, ``_s`` seconds."""

    batch_events_max: int = 500
    """Events in one request; a node takes at most 1000."""

    batch_bytes_max: int = 1_000_000
    """Bytes of events in one request, before compression; a longer event goes alone."""

    batch_age_s: float = 1.0
    """How long an event waits for others to fill its request."""

    event_bytes_max: int = 1_000_000
    """One event as JSON; a longer one is dropped (``too_large``)."""

    queue_bytes_max: int = 32 * 1024 * 1024
    """Events held in memory, when there is no spool. When full, new events are dropped."""

    spool_bytes_max: int = 1024 * 1024 * 1024
    """Files of the spool, what is sent of them but not removed yet included. When full, new
    events are dropped."""

    spool_sync_s: float = 1.0
    """How long an event may lie in the spool before it outlives a power cut."""

    room_timeout_s: float = 0.0
    """How long ``track`` waits for room before it drops the event."""

    request_timeout_s: float = 10.0
    """Connecting, and each wait for bytes, of a request; the whole of it may take four times as
    long, before it is ended and tried again."""

    backoff_s: float = 0.25
    """Bound of the first random wait after a failure; it doubles with each further one."""

    backoff_s_max: float = 30.0
    """Where the doubling ends."""

    close_timeout_s: float = 5.0
    """How long ``close``, and the end of the program, wait for what is not delivered yet."""

    gzip_bytes_min: int = 1024
    """Bodies from this size on are compressed."""

    def check(self) -> None:
        """Raises ``ValueError`` naming the first limit that cannot work."""
        for name, value in self._asdict().items():
            least = 0 if name in _MAY_BE_ZERO else 1 if isinstance(value, int) else 0.001
            if not least <= value < float("inf"):
                raise ValueError(f"{name} must be a number of at least {least}")
        if self.batch_events_max > 1000:
            raise ValueError("batch_events_max must be at most 1000, what a node takes")


DEFAULTS = Options()

_MAY_BE_ZERO = {"room_timeout_s", "close_timeout_s", "backoff_s", "backoff_s_max", "gzip_bytes_min"}
