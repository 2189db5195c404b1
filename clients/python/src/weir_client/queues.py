"""Where events wait: what both kinds of queue do, and the one in memory."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple, Protocol

FULL_CODES = {"queue_full", "spool_full"}

_OBJECT_BYTES = 48
"""What Python keeps around an event's bytes."""


class QueueFull(Exception):
    """There is no room for this event now."""


class Peek(NamedTuple):
    """The oldest events, still in the queue, and how many damaged ones were skipped for good."""

    events: list[bytes]
    damaged: int = 0


class Queue(Protocol):
    """Events in the order they came. Not for two threads at once."""

    full_code: str
    """The code of the loss when there was no room."""

    events: int
    event_bytes: int
    unsynced: bool
    """Whether a sync would save something from a power cut."""

    def put(self, event: bytes) -> None:
        """Adds an event; raises ``QueueFull``, or ``OSError`` when the disk fails."""
        ...

    def peek(self, *, events_max: int, bytes_max: int) -> Peek:
        """The oldest events within both bounds, the first one whatever its size."""
        ...

    def settle(self, events: int) -> None:
        """Forgets so many of the events that ``peek`` gave last."""
        ...

    def close(self) -> list[bytes]:
        """Ends the queue; gives back what would be lost with it."""
        ...


class MemoryQueue:
    """A bounded queue that ends with the program."""

    full_code = "queue_full"
    unsynced = False

    def __init__(self, bytes_max: int) -> None:
        self.events = 0
        self.event_bytes = 0
        self._bytes_max = bytes_max
        self._waiting: deque[bytes] = deque()

    def put(self, event: bytes) -> None:
        held_bytes = self.event_bytes + (self.events + 1) * _OBJECT_BYTES + len(event)
        if held_bytes > self._bytes_max:
            raise QueueFull
        self._waiting.append(event)
        self.events += 1
        self.event_bytes += len(event)

    def peek(self, *, events_max: int, bytes_max: int) -> Peek:
        found: list[bytes] = []
        for event in islice(self._waiting, events_max):
            bytes_max -= len(event)
            if found and bytes_max < 0:
                break
            found.append(event)
        return Peek(found)

    def settle(self, events: int) -> None:
        for _ in range(events):
            self.event_bytes -= len(self._waiting.popleft())
        self.events -= events

    def close(self) -> list[bytes]:
        left = list(self._waiting)
        self.settle(len(left))
        return left
