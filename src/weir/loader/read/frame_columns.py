"""What frames say in numbers, a column for each field: the ledger and a cut ask all at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from weir.domain.frame import Frame
from weir.lake.sidecar import I64, Numbers

_FIELDS = {
    "tenant_id": attrgetter("place.tenant_id"),
    "project_id": attrgetter("place.project_id"),
    "key_id": attrgetter("place.key_id"),
    "position": attrgetter("position"),
    "received_us": attrgetter("received_at_us"),
    "event_count": attrgetter("event_count"),
    "refused_count": attrgetter("refused_count"),
}


@dataclass(frozen=True, slots=True)
class FrameColumns:
    """Columns of equal length, one entry per frame.

    ``journal`` is a place in ``journals``, which are in order.
    """

    journals: tuple[str, ...]
    journal: I64
    tenant_id: I64
    project_id: I64
    key_id: I64
    position: I64
    received_us: I64
    event_count: I64
    refused_count: I64

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, slots=True)
class Groups:
    """Entries of columns that share some values: ``of`` says in which of ``keys`` each is."""

    keys: list[tuple[int, ...]]
    of: Numbers

    def sums(self, values: I64) -> list[int]:
        """The sum of one value an entry, for each group."""
        totals = np.zeros(len(self.keys), dtype=np.int64)
        np.add.at(totals, self.of, values)
        found: list[int] = totals.tolist()
        return found


def columns_of(frames: Sequence[Frame]) -> FrameColumns:
    """The columns of frames."""
    count = len(frames)
    names = [frame.journal_id for frame in frames]
    journals = tuple(sorted(set(names)))
    ranks = {name: rank for rank, name in enumerate(journals)}
    return FrameColumns(
        journals=journals,
        journal=np.fromiter(map(ranks.__getitem__, names), dtype=np.int64, count=count),
        **{
            name: np.fromiter(map(get, frames), dtype=np.int64, count=count)
            for name, get in _FIELDS.items()
        },
    )


def concat_columns(parts: Sequence[FrameColumns]) -> FrameColumns:
    """All entries of the parts, in their order."""
    journals = tuple(sorted({name for part in parts for name in part.journals}))
    ranks = {name: rank for rank, name in enumerate(journals)}
    moved = [
        np.array([ranks[name] for name in part.journals], dtype=np.int64)[part.journal]
        for part in parts
    ]
    return FrameColumns(
        journals=journals,
        journal=_joined(moved),
        **{name: _joined([getattr(part, name) for part in parts]) for name in _FIELDS},
    )


def group(*columns: I64) -> Groups:
    """The entries of columns of equal length by their values, in the order of these."""
    order = np.lexsort(columns[::-1])
    values = np.stack(columns)[:, order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (values[:, 1:] != values[:, :-1]).any(axis=0)
    of = np.empty(len(order), dtype=np.intp)
    of[order] = np.cumsum(is_first) - 1
    return Groups([tuple(key) for key in values[:, is_first].T.tolist()], of)


def _joined(parts: Sequence[I64]) -> I64:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
