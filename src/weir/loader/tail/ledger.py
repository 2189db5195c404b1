"""Counting events for the ledger, by key and minute of ``received_at``."""

from collections.abc import Iterable

import msgspec
import numpy as np

from weir.domain.frame import Frame
from weir.domain.outcome import UNATTRIBUTED_KEY, LedgerRow
from weir.domain.times import MINUTE_US
from weir.lake.sidecar import Flags, Numbers
from weir.loader.read.frame_columns import FrameColumns, Groups, group
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

    def add_read(self, frames: FrameColumns) -> None:
        """Counts frames' events as received; those that were taken are in flight."""
        keys = _ledger_keys(frames)
        sums = zip(keys.sums(frames.event_count), keys.sums(frames.refused_count), strict=True)
        for (key_id, minute), (taken, refused) in zip(keys.keys, sums, strict=True):
            self.add(
                *(key_id, minute),
                received=taken + refused,
                rejected=refused,
                accepted=taken,
                in_flight=taken,
            )

    def add_replayed(self, frames: FrameColumns) -> None:
        """Takes frames' events back from the dead letters: they are in flight again."""
        keys = _ledger_keys(frames)
        for (key_id, minute), count in zip(keys.keys, keys.sums(frames.event_count), strict=True):
            self.add(key_id, minute, dead_lettered=-count, in_flight=count)

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

    def settle_rows(self, frames: FrameColumns, frame_of: Numbers, flags: dict[str, Flags]) -> None:
        """Turns events in flight into outcomes; ``flags`` has one entry per row and field."""
        keys = _ledger_keys(frames)
        key_of = keys.of[frame_of]
        fates = {
            name: np.bincount(key_of[flag], minlength=len(keys.keys)).tolist()
            for name, flag in flags.items()
        }
        for number, (key_id, minute) in enumerate(keys.keys):
            self.add(key_id, minute, **{name: counts[number] for name, counts in fates.items()})
        self._land(keys, frames)

    def settle_dead(self, frames: FrameColumns) -> None:
        """Turns dead frames' events in flight into dead letters."""
        keys = _ledger_keys(frames)
        for (key_id, minute), count in zip(keys.keys, keys.sums(frames.event_count), strict=True):
            self.add(key_id, minute, dead_lettered=count)
        self._land(keys, frames)

    def rows(self) -> list[LedgerRow]:
        """The sums as ledger rows, by minute and key."""
        ordered = sorted(self._rows, key=lambda key: (key[1], key[0]))
        return [LedgerRow(*key, *self._rows[key]) for key in ordered]

    def _land(self, keys: Groups, frames: FrameColumns) -> None:
        """The events of these frames are in flight no more."""
        for (key_id, minute), count in zip(keys.keys, keys.sums(frames.event_count), strict=True):
            self.add(key_id, minute, in_flight=-count)


def _ledger_keys(frames: FrameColumns) -> Groups:
    """The frames by key and minute."""
    return group(frames.key_id, frames.received_us // MINUTE_US)


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
