"""Tells of events that will not arrive: to a callback one by one, to the log in few lines."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, Optional

LOG_INTERVAL_S = 10.0
"""A reason is logged at its first loss, then at most this often, with the number since."""

log = logging.getLogger("weir_client")


class Loss(NamedTuple):
    """An event that will not arrive, and why."""

    event_id: str
    """Empty where nobody can tell any more (a damaged line of the spool)."""

    code: str
    """The node's error code for an event that it refused (``validation.…``), or the client's:
    ``invalid`` (no JSON can be made of it), ``too_large``, ``queue_full``, ``spool_full``,
    ``spool_failed`` (the disk), ``spool_damaged``, ``closed`` (tracked after ``close``) or
    ``undelivered`` (still waiting in memory when ``close`` gave up; it may have arrived)."""

    message: str
    event: bytes = b""
    """The event as JSON, where there is one; the fields that JSON can say if it is ``invalid``."""


OnLoss = Optional[Callable[[Loss], None]]


class Losses:
    """Counts losses and passes them on; may be called from any thread, never under a lock."""

    def __init__(self, on_loss: OnLoss, monotonic_s: Callable[[], float]) -> None:
        self.count = 0
        self._on_loss = on_loss
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._untold: Counter[str] = Counter()
        self._told_s: dict[str, float] = {}

    def renewed(self) -> Losses:
        """One that counts from 0, for the child of a fork."""
        return Losses(self._on_loss, self._monotonic_s)

    def tell(self, losses: Iterable[Loss]) -> None:
        """Logs codes and numbers only; what ``on_loss`` raises is logged, not passed on."""
        for loss in losses:
            with self._lock:
                self.count += 1
                self._untold[loss.code] += 1
                due = self._is_due(loss.code)
            if due:
                self._log(loss.code)
            self._call(loss)

    def log_rest(self) -> None:
        """Logs what was held back; for the end."""
        for code in list(self._untold):
            self._log(code)

    def _is_due(self, code: str) -> bool:
        now_s = self._monotonic_s()
        if now_s - self._told_s.get(code, float("-inf")) < LOG_INTERVAL_S:
            return False
        self._told_s[code] = now_s
        return True

    def _log(self, code: str) -> None:
        with self._lock:
            number = self._untold.pop(code, 0)
        if number:
            log.warning("%d event(s) will not arrive: %s", number, code)

    def _call(self, loss: Loss) -> None:
        if self._on_loss is None:
            return
        try:
            self._on_loss(loss)
        except Exception:  # the callback's failure is not the sender's
            log.exception("on_loss failed")
