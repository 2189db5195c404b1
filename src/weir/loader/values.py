"""Values that several folders of the loader and those who ask it share."""

from typing import NamedTuple

import msgspec

from weir.domain.snapshot import Snapshot


class ReplayFate(msgspec.Struct, frozen=True):
    """What became of a letter: its events by outcome, or why it stays a letter."""

    journal_id: str
    position: int
    stored: int = 0
    duplicate: int = 0
    reason: str | None = None


class SharedSnapshot(NamedTuple):
    """A snapshot, and the descriptor of its tail, which the receiver closes; None: no tail."""

    snapshot: Snapshot
    descriptor: int | None
