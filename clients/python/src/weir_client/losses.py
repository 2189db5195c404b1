"""Tells of events that will not arrive: to a callback one by one, to the log in few lines."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, Optional

LOG_INTERVAL_S = 10.0
"""A reason is logged at its first loss, then at most this often, with the number since."""

REASONS_MAX = 100
"""Reasons that are told apart; a program may make up names of events and fields without end."""

NAME_CHARS_MAX = 100

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

    name: str = ""
    """What the event is called, where that is known."""

    field: str = ""
    """What is at fault in it, ``user_id`` or ``properties.cart.0.price``; empty where no single
    field is. ``message`` begins with it."""


class _Reason(NamedTuple):
    code: str
    name: str
    field: str


OnLoss = Optional[Callable[[Loss], None]]


class Losses:
    """Counts losses and passes them on; may be called from any thread, never under a lock."""

    def __init__(self, on_loss: OnLoss, monotonic_s: Callable[[], float]) -> None:
        self.count = 0
        self._on_loss = on_loss
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._untold: Counter[_Reason] = Counter()
        self._last: dict[_Reason, Loss] = {}
        self._told_s: dict[_Reason, float] = {}

    def renewed(self) -> Losses:
        """One that counts from 0, for the child of a fork."""
        return Losses(self._on_loss, self._monotonic_s)

    def tell(self, losses: Iterable[Loss]) -> None:
        """Logs reasons and numbers; what ``on_loss`` raises is logged, not passed on.

        Of each reason the log has event, field and words of one loss, and no value of any.
        """
        for loss in losses:
            with self._lock:
                reason = self._reason(loss)
                self.count += 1
                self._untold[reason] += 1
                self._last[reason] = loss
                due = self._is_due(reason)
            if due:
                self._log(reason)
            self._call(loss)

    def log_rest(self) -> None:
        """Logs what was held back; for the end."""
        for reason in list(self._untold):
            self._log(reason)

    def _reason(self, loss: Loss) -> _Reason:
        """The event and the field at fault with the code; the code alone, once there are many."""
        field = loss.field.partition(".")[0]
        reason = _Reason(loss.code, loss.name if field else "", field)
        is_new = reason not in self._told_s and len(self._told_s) >= REASONS_MAX
        return _Reason(loss.code, "", "") if is_new else reason

    def _is_due(self, reason: _Reason) -> bool:
        now_s = self._monotonic_s()
        if now_s - self._told_s.get(reason, float("-inf")) < LOG_INTERVAL_S:
            return False
        self._told_s[reason] = now_s
        return True

    def _log(self, reason: _Reason) -> None:
        with self._lock:
            number = self._untold.pop(reason, 0)
            loss = self._last.pop(reason, None)
        if number and loss:
            words = f"{loss.name[:NAME_CHARS_MAX]!a}: {loss.message}" if loss.name else loss.message
            line = "".join(char if char.isprintable() else " " for char in words)
            log.warning("%d event(s) will not arrive: %s: %s", number, reason.code, line)

    def _call(self, loss: Loss) -> None:
        if self._on_loss is None:
            return
        try:
            self._on_loss(loss)
        except Exception:  # the callback's failure is not the sender's
            log.exception("on_loss failed")
