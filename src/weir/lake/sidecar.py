"""Sidecars: the sorted id hashes by which duplicates of committed events are found.

A file has a head of 32 bytes, then four columns of 8-byte little-endian numbers, one after the
other, each with one entry per event that carries a client's ``event_id``:

    0   8   magic ``WEIRIDS2``
    8   8   number of entries, n
    16  16  reserved, zero
    32      hi[n] u64, lo[n] u64, received_at[n] i64 (us), body[n] u64

``hi, lo`` are the BLAKE2b hash (128 bits) of project id and event id, ``body`` is a hash (64
bits) of the event's content, never 0 (``loader/read/identity.py``). A file whose magic is
``WEIRIDS1`` has another hash there, which is read as 0: unknown. Entries are sorted by (hi, lo,
received_at). One file covers all projects of a commit, or of several once merged. The same columns,
unsorted and without a file, carry the ids of rows in memory. See docs/formats/dedup.md.
"""

import mmap
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from weir.errors import Conflict, Corrupt

MAGIC = b"WEIRIDS2"
MAGIC_1 = b"WEIRIDS1"
BODY_UNKNOWN = np.uint64(0)
_IS_SIDECAR = re.compile(rb"WEIRIDS[0-9]")
_HEAD = struct.Struct("<8sQ16x")
ENTRY_BYTES = 32

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Ids:
    """Columns of equal length, one entry per event with a client's id."""

    hi: U64
    lo: U64
    received_us: I64
    body: U64

    def __len__(self) -> int:
        return len(self.hi)

    def take(self, which: Numbers | Flags) -> "Ids":
        """The entries at these places, or those flagged."""
        return Ids(self.hi[which], self.lo[which], self.received_us[which], self.body[which])

    def between(self, first: int, end: int) -> "Ids":
        """A view of the entries at these places."""
        where = slice(first, end)
        return Ids(self.hi[where], self.lo[where], self.received_us[where], self.body[where])

    @property
    def columns(self) -> tuple[U64, U64, I64, U64]:
        """The columns in the order of a file."""
        return self.hi, self.lo, self.received_us, self.body


class Matches:
    """Which of a batch of ids were found so far, in any index."""

    __slots__ = ("_same_body", "found")

    def __init__(self, count: int) -> None:
        self.found: Flags = np.zeros(count, dtype=np.bool_)
        self._same_body: Flags = np.zeros(count, dtype=np.bool_)

    @property
    def conflicts(self) -> Flags:
        """Found, and nothing that was found has the same body."""
        return self.found & ~self._same_body

    def search(self, index: Ids, ids: Ids, *, window_us: int) -> None:
        """Adds what the sorted ``index`` holds of ``ids`` with less than the window between.

        Any order of ``ids`` will do; in that of ``hi`` it takes a fifth of the time.
        """
        places = np.searchsorted(index.hi, ids.hi)
        pending = _equal(index, ids, places, np.arange(len(ids)))
        while len(pending):
            place = places[pending]
            near = np.abs(index.received_us[place] - ids.received_us[pending]) < window_us
            hit = near & (index.lo[place] == ids.lo[pending])
            self.found[pending[hit]] = True
            body = index.body[place]
            same = hit & ((body == ids.body[pending]) | (body == BODY_UNKNOWN))
            self._same_body[pending[same]] = True
            places[pending] += 1
            pending = _equal(index, ids, places, pending)


def _equal(index: Ids, ids: Ids, places: Numbers, pending: Numbers) -> Numbers:
    """Those of ``pending`` whose ``hi`` stands in the index at their place."""
    pending = pending[places[pending] < len(index)]
    equal: Flags = index.hi[places[pending]] == ids.hi[pending]
    return pending[equal]


def empty_ids() -> Ids:
    """No entries."""
    numbers = np.zeros(0, dtype=np.uint64)
    return Ids(numbers, numbers, np.zeros(0, dtype=np.int64), numbers)


def concat_ids(parts: Sequence[Ids]) -> Ids:
    """All entries of the parts, in their order."""
    if not parts:
        return empty_ids()
    return Ids(
        np.concatenate([part.hi for part in parts]),
        np.concatenate([part.lo for part in parts]),
        np.concatenate([part.received_us for part in parts]),
        np.concatenate([part.body for part in parts]),
    )


def order_of(ids: Ids) -> Numbers:
    """The order by ``hi``: of entries in any order."""
    order: Numbers = np.argsort(ids.hi)
    return order


def sort_ids(ids: Ids) -> Ids:
    """The entries in the order of an index."""
    return ids.take(_untied(ids, order_of(ids)))


def merge_ids(parts: Sequence[Ids]) -> Ids:
    """The entries of sorted parts in the order of an index: much cheaper than sorting them."""
    ids = concat_ids(parts)
    return ids.take(_untied(ids, np.argsort(ids.hi, kind="stable")))


def tied(ids: Ids, order: Numbers) -> Numbers:
    """The places in an order by ``hi`` of all entries that share theirs with another."""
    hi = ids.hi[order]
    same = hi[1:] == hi[:-1]
    if not same.any():
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(np.append(same, False) | np.append(False, same))


def _untied(ids: Ids, order: Numbers) -> Numbers:
    """An order by ``hi`` with equal ones by (lo, received_at), then as they stood."""
    places = tied(ids, order)
    if len(places):
        entries = np.sort(order[places])
        columns = (ids.received_us[entries], ids.lo[entries], ids.hi[entries])
        order[places] = entries[np.lexsort(columns)]
    return order


def encode_sidecar(ids: Ids) -> bytes:
    """The bytes of a file; ``ids`` must be sorted."""
    columns = (ids.hi, ids.lo, ids.received_us, ids.body)
    return _HEAD.pack(MAGIC, len(ids)) + b"".join(
        column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes() for column in columns
    )


def blank_sidecar(count: int) -> memoryview:
    """The bytes of a file with so many entries, whose columns are still to be filled."""
    content = bytearray(_HEAD.size + count * ENTRY_BYTES)
    _HEAD.pack_into(content, 0, MAGIC, count)
    return memoryview(content)


def decode_sidecar(content: bytes | memoryview) -> Ids:
    """The columns as views of the bytes.

    Raises ``Corrupt`` when they are not a sidecar, ``Conflict`` (``newer_format``) when a newer
    version of Weir has written it.
    """
    magic, count = _HEAD.unpack_from(content) if len(content) >= _HEAD.size else (b"", 0)
    if magic not in (MAGIC, MAGIC_1) and _IS_SIDECAR.fullmatch(magic):
        raise Conflict(
            f"The deduplication sidecars are of version {magic[-1:].decode()}; this program reads"
            " versions 1 and 2.",
            code="newer_format",
            hint="Run the version of Weir that wrote them or a newer one, or restore a backup made"
            " before the upgrade.",
        )
    if magic not in (MAGIC, MAGIC_1) or len(content) != _HEAD.size + count * ENTRY_BYTES:
        raise _damaged()
    starts = [_HEAD.size + column * count * 8 for column in range(4)]
    hi, lo, body = (
        np.frombuffer(content, dtype="<u8", count=count, offset=starts[column])
        for column in (0, 1, 3)
    )
    received = np.frombuffer(content, dtype="<i8", count=count, offset=starts[2])
    return Ids(hi, lo, received, body if magic == MAGIC else np.broadcast_to(BODY_UNKNOWN, count))


class MappedSidecar:
    """A file's columns, mapped: memory is used only for what lookups have touched."""

    __slots__ = ("_mapped", "ids")

    def __init__(self, path: Path) -> None:
        """Raises ``Corrupt`` when it is not a sidecar, or not there."""
        try:
            with path.open("rb") as file:
                self._mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        except (FileNotFoundError, ValueError) as error:  # gone, or empty
            raise _damaged() from error
        self.ids = decode_sidecar(memoryview(self._mapped))

    def let_go(self) -> None:
        """Gives back the memory of what was touched; it is read again when it is wanted."""
        self._mapped.madvise(mmap.MADV_DONTNEED)


def map_sidecar(path: Path) -> Ids:
    """The columns of a file, mapped; raises as ``MappedSidecar``."""
    return MappedSidecar(path).ids


def _damaged() -> Corrupt:
    return Corrupt(
        "A deduplication sidecar is not what was written.",
        hint="Restore the file from a backup; without it, duplicates could be stored.",
    )
