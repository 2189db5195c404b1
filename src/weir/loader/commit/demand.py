"""Demands for a cut: numbered, so that each is answered by one that began after it was made."""

import threading


class Demand:
    """Tickets that were given out, and the last one that was served."""

    __slots__ = ("_changed", "served", "wanted")

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.wanted = 0
        self.served = 0

    def ask(self) -> int:
        """A ticket for a cut that covers everything durable now."""
        with self._changed:
            self.wanted += 1
            return self.wanted

    def serve(self, ticket: int) -> None:
        """Everything up to this ticket is done."""
        with self._changed:
            self.served = max(self.served, ticket)
            self._changed.notify_all()

    def wait(self, ticket: int, *, timeout_s: float) -> bool:
        """Waits until the ticket is served; False when the time is over first."""
        with self._changed:
            return self._changed.wait_for(lambda: self.served >= ticket, timeout_s)
