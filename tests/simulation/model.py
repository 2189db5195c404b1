"""What must be true of every event, kept beside the real thing in a few lists."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

DAY_US = 86_400_000_000
POISON = b"poison"


class SentEvent(NamedTuple):
    """``number`` is the event's own; ``event_id`` may be shared by copies."""

    number: int
    event_id: str | None


@dataclass
class Frame:
    """A request of events; nobody knows what became of it until it is acknowledged."""

    project: int
    events: tuple[SentEvent, ...]
    sent_us: int
    poison: bool = False
    received_us: int | None = None
    """None until it is acknowledged."""

    @property
    def body(self) -> bytes:
        if self.poison:
            return POISON
        return msgspec.json.encode([_wire(each) for each in self.events])


class Row(NamedTuple):
    """What a reader found of an event."""

    number: int
    event_id: str


@dataclass
class Model:
    """All frames that were ever sent."""

    choice: random.Random
    projects: int
    frames: list[Frame] = field(default_factory=list)
    _numbers: int = 0
    _ids: dict[int, list[str]] = field(default_factory=dict)

    def send(self, now_us: int) -> Frame:
        """A new frame: fresh events, events without an id, copies of earlier ones, poison."""
        project = 1 + self.choice.randrange(self.projects)
        if self.choice.random() < 0.03:
            frame = Frame(project, (SentEvent(0, None),), now_us, poison=True)
        else:
            count = self.choice.randint(1, 4)
            frame = Frame(project, tuple(self._event(project) for _ in range(count)), now_us)
        self.frames.append(frame)
        return frame

    def missing(self, project: int, rows: Iterable[Row], *, before_us: int) -> list[str]:
        """What a reader should have seen: acknowledged, and received before a moment."""
        rows = list(rows)
        numbers, ids = {row.number for row in rows}, {row.event_id for row in rows}
        return [
            f"event {event.number} ({event.event_id}) of project {project} is not there"
            for frame in self.frames
            if frame.project == project and not frame.poison
            if frame.received_us is not None and frame.received_us < before_us
            for event in frame.events
            if (event.event_id not in ids if event.event_id else event.number not in numbers)
        ]

    def wrong(self, project: int, rows: Iterable[Row], *, whole: bool) -> list[str]:
        """Rows that nobody sent, or that are there more often than they may be.

        With ``whole``, when nothing is in flight any more, also those there too seldom.
        """
        copies: dict[str, list[Frame]] = {}
        known: set[tuple[int, str | None]] = set()
        for frame in self.frames:
            if frame.project == project and not frame.poison:
                for event in frame.events:
                    known.add((event.number, event.event_id))
                    copies.setdefault(_key(event), []).append(frame)
        problems = []
        found = Counter[str]()
        for row in rows:
            event = SentEvent(row.number, row.event_id if row.event_id.startswith("id-") else None)
            if (event.number, event.event_id) not in known:
                problems.append(f"nobody sent {row}")
            found[_key(event)] += 1
        for key, frames in copies.items():
            sure = [each.received_us for each in frames if each.received_us is not None]
            least = _clusters(sure) if whole else 0
            most = _clusters([each.received_us or each.sent_us for each in frames])
            if not least <= found[key] <= most:
                problems.append(
                    f"{key} of project {project} is there {found[key]} times, not {least} to {most}"
                )
        return problems

    @property
    def poisoned(self) -> tuple[int, int]:
        """Events that must have become dead letters, and that may have."""
        poison = [frame for frame in self.frames if frame.poison]
        return sum(frame.received_us is not None for frame in poison), len(poison)

    def _event(self, project: int) -> SentEvent:
        self._numbers += 1
        ids = self._ids.setdefault(project, [])
        kind = self.choice.random()
        if kind < 0.2:
            return SentEvent(self._numbers, None)
        if kind < 0.4 and ids:
            return SentEvent(self._numbers, self.choice.choice(ids))
        ids.append(f"id-{project}-{len(ids)}")
        return SentEvent(self._numbers, ids[-1])


def _key(event: SentEvent) -> str:
    return event.event_id or f"number {event.number}"


def _clusters(times_us: list[int]) -> int:
    """Groups of copies that are further apart than the deduplication window.

    The clock moves by seconds or by days, so there is nothing in between.
    """
    clusters = 0
    last_us = -(10**18)
    for time_us in sorted(times_us):
        clusters += time_us - last_us >= DAY_US
        last_us = time_us
    return clusters


def _wire(event: SentEvent) -> Mapping[str, object]:
    fields: dict[str, object] = {"event": "e", "properties": {"n": event.number}}
    return fields if event.event_id is None else fields | {"event_id": event.event_id}
