"""Frames become canonical rows: the one place where events turn into Arrow columns.

``decode_frames`` takes frames of one round of reading, whatever their projects, as many as one
block holds; ``build_block`` makes one record batch of them, grouped by project: the price of a
round does not grow with the number of projects. Work per event is list building only; nothing
here looks into ``properties``. A frame that cannot be decoded or gives another number of events
than it says becomes a dead letter as a whole and leaves the others alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.domain.event import Dialect, Event
from weir.domain.event_time import SKEW_US, TIME_MAX_US, TIME_MIN_US, TsSource, correct_times
from weir.domain.frame import SEQ_PER_US, Frame, FrameFlag, decode_meta, seq_of
from weir.domain.times import all_to_us
from weir.errors import InvalidInput, LimitExceeded
from weir.lake.schema import CANONICAL, SCHEMA_VERSION
from weir.lake.sidecar import I64, U64, Ids, Numbers
from weir.loader.read.columns import json_column, text_column
from weir.loader.read.identity import UserKeys, body_hashes, made_ids_of, project_hash

BLOCK_BYTES_MAX = 32 * 1024 * 1024
"""Size at which a block takes no further frame. What frames hold says little about it: the
events of a batch may share a long text, which then stands in every row."""

FRAME_BYTES_MAX = 512 * 1024 * 1024
"""Size as rows above which a frame becomes a dead letter. A generation at its own bound and one
such frame stay within the 31-bit offsets of text columns."""

ROW_BYTES = 256
"""What a row costs besides its JSON texts, at the most that matters here."""

REASON_CHARS_MAX = 500

_ABSENT = -(2**63)
_TIME = pa.timestamp("us", tz="UTC")
_SOURCES = list(TsSource)
_SHORT_TEXTS = ("event", "user_id", "anonymous_id", "session_id")
_USERS, _ANONYMOUS = UserKeys("u"), UserKeys("a")
_CLIENT, _MISSING = _SOURCES.index(TsSource.CLIENT), _SOURCES.index(TsSource.MISSING)


class DeadFrame(NamedTuple):
    """A frame that has no rows, and why."""

    frame: Frame
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of a portion of a round of reading.

    ``rows`` are CANONICAL, duplicates included, grouped by project; ``spans`` says where each
    project's rows begin and end. ``frame_of`` holds each row's frame and ``index`` its place in
    it. ``ids`` has one entry per row with a client's id, and ``id_rows`` says which rows.
    """

    rows: pa.RecordBatch
    frames: tuple[Frame, ...]
    frame_of: Numbers
    index: Numbers
    ids: Ids
    id_rows: Numbers
    spans: dict[int, tuple[int, int]]
    dead: tuple[DeadFrame, ...]


class DecodedFrame(NamedTuple):
    """A frame and its events."""

    frame: Frame
    events: Sequence[Event]


class _Identified(NamedTuple):
    """Every row's event id; which rows have the client's, and those ids' hashes."""

    event_ids: list[str]
    digests: list[bytes]
    rows: Numbers


class Decoded(NamedTuple):
    """The first of some frames, each of them either whole or dead."""

    whole: list[DecodedFrame]
    dead: list[DeadFrame]

    @property
    def frame_count(self) -> int:
        return len(self.whole) + len(self.dead)


def decode_frames(frames: Iterable[Frame], dialects: Mapping[int, Dialect]) -> Decoded:
    """The first of these frames, at least one if there is one, until a block is full.

    The frames carry events (no tallies). Raises nothing but ``MemoryError``, whatever is in them.
    """
    decoded = Decoded([], [])
    byte_count = 0
    for frame in frames:
        try:
            events = _decode(frame, dialects)
            size = _row_bytes(frame, events)
        except MemoryError:  # says nothing of the frame
            raise
        except Exception as error:  # a body may break a decoder in any way; it is kept
            decoded.dead.append(dead_frame(frame, error))
            continue
        decoded.whole.append(DecodedFrame(frame, events))
        byte_count += size
        if byte_count >= BLOCK_BYTES_MAX:
            break
    return decoded


def dead_frame(frame: Frame, error: Exception) -> DeadFrame:
    """A frame with the reason why it has no rows, as an operator reads it."""
    text = f"{type(error).__name__}: {error}"[:REASON_CHARS_MAX]
    return DeadFrame(frame, text.encode(errors="backslashreplace").decode().replace("\0", ""))


def build_block(
    decoded: Decoded, dialects: Mapping[int, Dialect], endpoints: Mapping[int, str]
) -> Block:
    """The rows of decoded frames; ``endpoints`` names every endpoint id of them.

    Raises whatever a value raises that cannot stand in a column; some other part of the frames
    may do.
    """
    whole = sorted(decoded.whole, key=lambda one: one.frame.place.project_id)
    return _assemble(whole, decoded.dead, dialects, endpoints)


def _decode(frame: Frame, dialects: Mapping[int, Dialect]) -> Sequence[Event]:
    dialect = dialects.get(frame.dialect)
    if dialect is None:
        raise InvalidInput(f"There is no dialect {frame.dialect}.")
    events = dialect.decode(frame)
    if len(events) != frame.event_count:
        raise InvalidInput(f"{len(events)} events were decoded, {frame.event_count} were accepted.")
    return events


def _row_bytes(frame: Frame, events: Sequence[Event]) -> int:
    """About the size of the frame's rows, and never far below it."""
    size = len(frame.body) + ROW_BYTES * len(events)
    size += sum(map(len, [event.properties for event in events]))
    size += sum(map(len, [event.context for event in events]))
    if size > FRAME_BYTES_MAX:
        raise LimitExceeded(f"The events take {size} bytes as rows, {FRAME_BYTES_MAX} may be.")
    return size


def _assemble(
    decoded: Sequence[DecodedFrame],
    dead: Sequence[DeadFrame],
    dialects: Mapping[int, Dialect],
    endpoints: Mapping[int, str],
) -> Block:
    frames = tuple(one.frame for one in decoded)
    events = [event for one in decoded for event in one.events]
    counts = np.array([len(one.events) for one in decoded], dtype=np.intp)
    frame_of = np.repeat(np.arange(len(frames)), counts)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    index = np.arange(len(events)) - starts[frame_of]
    received = np.array([frame.received_at_us for frame in frames], dtype=np.int64)[frame_of]

    named = _identify(decoded)
    claimed, time_columns = _time_columns(frames, starts, events, received)
    event_columns, jsons = _event_columns(events)
    columns = {
        "event_id": pa.array(named.event_ids, pa.string()),
        **event_columns,
        **time_columns,
        **_frame_columns(frames, frame_of, dialects, endpoints),
        "seq": pa.array(seq_of(0, 0) + received * SEQ_PER_US + index, pa.int64()),
        "schema_version": pa.array(np.full(len(events), SCHEMA_VERSION, dtype=np.int32)),
    }
    halves = np.frombuffer(b"".join(named.digests), dtype=">u8").astype(np.uint64)
    rows = pa.record_batch([columns[name] for name in CANONICAL.names], schema=CANONICAL)
    return Block(
        rows=rows,
        frames=frames,
        frame_of=frame_of,
        index=index,
        ids=Ids(
            hi=halves[0::2].copy(),
            lo=halves[1::2].copy(),
            received_us=received[named.rows],
            body=_bodies(rows, claimed, jsons, named.rows),
        ),
        id_rows=named.rows,
        spans=_spans(frames, starts),
        dead=tuple(dead),
    )


def _event_columns(
    events: Sequence[Event],
) -> tuple[dict[str, pa.Array], list[Sequence[bytes]]]:
    """The columns that are the event's own fields, and the texts of those that are JSON."""
    user_ids = [event.user_id for event in events]
    anonymous_ids = [event.anonymous_id for event in events]
    properties = json_column([event.properties for event in events], absent=b"{}")
    contexts = json_column([event.context for event in events], absent=b"")
    columns = {
        "event": text_column([event.event for event in events]),
        "user_id": text_column(user_ids),
        "anonymous_id": text_column(anonymous_ids),
        "session_id": text_column([event.session_id for event in events]),
        "user_key": pa.array(_user_keys(user_ids, anonymous_ids), pa.int64()),
        "properties": properties.array,
        "context": contexts.array,
    }
    return columns, [properties.texts, contexts.texts]


def _bodies(
    rows: pa.RecordBatch, claimed: I64, jsons: Sequence[Sequence[bytes]], id_rows: Numbers
) -> U64:
    """The body hashes of the rows with a client's id."""
    texts = [rows[name] for name in _SHORT_TEXTS]
    if len(id_rows) < rows.num_rows:
        places = id_rows.tolist()
        texts = [column.take(pa.array(id_rows)) for column in texts]
        jsons = [[column[place] for place in places] for column in jsons]
    return body_hashes(texts, claimed[id_rows], jsons)


def _time_columns(
    frames: Sequence[Frame], starts: Numbers, events: Sequence[Event], received: I64
) -> tuple[I64, dict[str, pa.Array]]:
    """The claimed times, and the columns of times."""
    claimed = _instants([event.ts for event in events])
    sent = _instants([event.sent_at for event in events])
    ts, sources = _correct(frames, starts, claimed, sent, received)
    return claimed, {
        "ts": pa.array(ts, _TIME),
        "client_ts": _nullable_times(claimed),
        "sent_at": _nullable_times(sent),
        "received_at": pa.array(received, _TIME),
        "ts_source": pa.array([source.value for source in _SOURCES]).take(pa.array(sources)),
    }


def _instants(times: Sequence[datetime | None]) -> I64:
    """Microseconds within the years 1 to 9999; ``_ABSENT`` where there is no time."""
    if not any(times):
        return np.full(len(times), _ABSENT, dtype=np.int64)
    found = np.array(all_to_us(times, absent=_ABSENT), dtype=np.int64)
    return np.where(found == _ABSENT, found, np.clip(found, TIME_MIN_US, TIME_MAX_US))


def _nullable_times(times: I64) -> pa.Array:
    return pa.array(times, pa.int64(), mask=times == _ABSENT).cast(_TIME)


def _correct(
    frames: Sequence[Frame], starts: Numbers, claimed: I64, sent: I64, received: I64
) -> tuple[I64, npt.NDArray[np.int8]]:
    """``ts`` and the place of its source in ``_SOURCES``, per row.

    Rows that no rule can move are done at once; only requests with others pay for the rules.
    """
    present = claimed != _ABSENT
    ts = np.where(present, claimed, received)
    sources = np.where(present, _CLIENT, _MISSING).astype(np.int8)
    odd_rows = (sent != _ABSENT) | (ts - received > SKEW_US)
    odd = set((np.searchsorted(starts, np.flatnonzero(odd_rows), side="right") - 1).tolist())
    odd.update(n for n, frame in enumerate(frames) if frame.flags & FrameFlag.SERVER_TS)
    for number in odd:
        rows = slice(starts[number], starts[number + 1])
        corrected = correct_times(
            [None if us == _ABSENT else us for us in claimed[rows].tolist()],
            [None if us == _ABSENT else us for us in sent[rows].tolist()],
            received_us=frames[number].received_at_us,
            server_ts=bool(frames[number].flags & FrameFlag.SERVER_TS),
        )
        ts[rows] = corrected.ts_us
        sources[rows] = [_SOURCES.index(source) for source in corrected.sources]
    return ts, sources


def _identify(decoded: Sequence[DecodedFrame]) -> _Identified:
    """Event ids, made ones where the client gave none."""
    event_ids: list[str] = []
    digests: list[bytes] = []
    given: list[bool] = []
    hashes: dict[int, blake2b] = {}
    for frame, events in decoded:
        project = frame.place.project_id
        start = hashes.get(project) or hashes.setdefault(project, project_hash(project))
        clients = [event.event_id for event in events]
        for event_id in filter(None, clients):
            hashed = start.copy()
            hashed.update(event_id.encode())
            digests.append(hashed.digest())
        given += map(bool, clients)
        event_ids += _completed(frame, clients)
    return _Identified(event_ids, digests, np.flatnonzero(np.array(given, dtype=np.bool_)))


def _completed(frame: Frame, clients: Sequence[str | None]) -> Iterable[str]:
    """The ids of a frame's events, with made ones where there is none."""
    if all(clients):
        return filter(None, clients)
    missing = [index for index, event_id in enumerate(clients) if not event_id]
    made = iter(made_ids_of(frame, missing))
    return (event_id or next(made) for event_id in clients)


def _user_keys(
    user_ids: Sequence[str | None], anonymous_ids: Sequence[str | None]
) -> list[int | None]:
    return [
        _USERS[user] if user else _ANONYMOUS[anonymous] if anonymous else None
        for user, anonymous in zip(user_ids, anonymous_ids, strict=True)
    ]


def _frame_columns(
    frames: Sequence[Frame],
    frame_of: Numbers,
    dialects: Mapping[int, Dialect],
    endpoints: Mapping[int, str],
) -> dict[str, pa.Array]:
    """The columns whose value is the frame's."""
    rows = pa.array(frame_of)
    names = {
        "endpoint": [endpoints[frame.place.endpoint_id] for frame in frames],
        "dialect": [dialects[frame.dialect].name for frame in frames],
        "topic": [decode_meta(f.meta).topic if f.meta else None for f in frames],
    }
    return {name: pa.array(values, pa.string()).take(rows) for name, values in names.items()}


def _spans(frames: Sequence[Frame], starts: Numbers) -> dict[int, tuple[int, int]]:
    """Where each project's rows stand; projects without rows are left out."""
    projects = [frame.place.project_id for frame in frames]
    firsts = [n for n, project in enumerate(projects) if n == 0 or project != projects[n - 1]]
    return {
        projects[first]: (int(starts[first]), int(starts[after]))
        for first, after in pairwise([*firsts, len(frames)])
        if starts[first] < starts[after]
    }
