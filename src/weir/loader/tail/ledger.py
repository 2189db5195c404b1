"""Counting events for the ledger, by key and minute of ``received_at``."""

from collections.abc import Iterable

import msgspec
import numpy as np

from weir.domain.frame import Frame
from weir.domain.outcome import UNATTRIBUTED_KEY, LedgerRow
from weir.domain.times import MINUTE_US
from weir.lake.sidecar import Flags, Numbers
from weir.loader.read.rounds import LostEvents

_TALLY = msgspec.msgpack.Decoder(list[tuple[int, int, int, int]])
_FIELDS = LedgerRow.__struct_fields__[2:]
_AT = {name: place for place, name in enumerate(_FIELDS)}


class Counts:
    """Sums of ledger rows, one row of numbers per key and minute."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], list[int]] = {}

    def add(self, key_id: int, minute: int, **events: int) -> None:
        """Adds to the named fields of one key and minute."""
        row = self._rows.setdefault((key_id, minute), [0] * len(_FIELDS))
        for name, count in events.items():
            row[_AT[name]] += count

    def add_rows(self, rows: Iterable[LedgerRow]) -> None:
        """Adds whole rows."""
        for row in rows:
            found = self._rows.setdefault((row.key_id, row.minute), [0] * len(_FIELDS))
            for place, name in enumerate(_FIELDS):
                found[place] += getattr(row, name)

    def add_read(self, frame: Frame) -> None:
        """Counts a frame's events as received; those that were taken are in flight."""
        refused, taken = frame.refused_count, frame.event_count
        key = (frame.place.key_id, frame.received_at_us // MINUTE_US)
        row = self._rows.setdefault(key, [0] * len(_FIELDS))
        row[0] += taken + refused  # received
        row[1] += refused
        row[2] += taken
        row[_AT["in_flight"]] += taken

    def add_replayed(self, frame: Frame) -> None:
        """Takes a frame's events back from the dead letters: they are in flight again."""
        key = (frame.place.key_id, frame.received_at_us // MINUTE_US)
        self.add(*key, dead_lettered=-frame.event_count, in_flight=frame.event_count)

    def add_tally(self, frame: Frame) -> bool:
        """Adds the door's counts of events that were refused outright; False for other bytes."""
        try:
            entries = _TALLY.decode(frame.body)
        except msgspec.MsgspecError:
            return False
        for key_id, minute, received, rejected in entries:
            self.add(key_id, minute, received=received, rejected=rejected)
        return True

    def add_loss(self, loss: LostEvents, minute: int) -> None:
        """Counts events that nobody can read any more."""
        fate = "quarantined" if loss.present else "lost"
        count = loss.event_count
        self.add(UNATTRIBUTED_KEY, minute, received=count, accepted=count, **{fate: count})

    def settle_rows(self, frames: list[Frame], frame_of: Numbers, flags: dict[str, Flags]) -> None:
        """Turns events in flight into outcomes; ``flags`` has one entry per row and field."""
        totals = {
            name: np.bincount(frame_of[flag], minlength=len(frames)).tolist()
            for name, flag in flags.items()
        }
        for number, frame in enumerate(frames):
            self._settle(frame, {name: counts[number] for name, counts in totals.items()})

    def settle_dead(self, frame: Frame) -> None:
        """Turns a dead frame's events in flight into dead letters."""
        self._settle(frame, {"dead_lettered": frame.event_count})

    def rows(self) -> list[LedgerRow]:
        """The sums as ledger rows, by minute and key."""
        ordered = sorted(self._rows, key=lambda key: (key[1], key[0]))
        return [LedgerRow(*key, *self._rows[key]) for key in ordered]

    def _settle(self, frame: Frame, fates: dict[str, int]) -> None:
        row = self._rows[frame.place.key_id, frame.received_at_us // MINUTE_US]
        row[_AT["in_flight"]] -= frame.event_count
        for name, count in fates.items():
            row[_AT[name]] += count


def total_by_key(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """One row per key over all its minutes, with the minute 0."""
    counts = Counts()
    counts.add_rows(msgspec.structs.replace(row, minute=0) for row in rows)
    return counts.rows()


def explained(rows: Iterable[LedgerRow]) -> int:
    """Events with a final outcome."""
    return sum(
        row.stored + row.duplicate + row.dead_lettered + row.quarantined + row.lost for row in rows
    )
