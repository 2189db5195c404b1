"""Frames become canonical rows: the one place where events turn into Arrow columns.

``decode_frames`` takes frames of one round of reading, whatever their projects, as many as one
block holds, and has neighbours of one dialect decoded in one call; ``build_block`` makes one record
batch of them, grouped by project: the price of a round does not grow with the number of projects.
Work per event is list building only; nothing here looks into ``properties``. A frame that cannot
be decoded or gives another number of events than it says becomes a dead letter as a whole and
leaves the others alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, islice, pairwise
from operator import le
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.domain.event import Dialect, Event, check_event_count
from weir.domain.event_time import (
    BELIEVABLE_US,
    SKEW_US,
    TIME_MAX_US,
    TIME_MIN_US,
    TsSource,
    correct_times,
)
from weir.domain.frame import SEQ_PER_US, Frame, FrameFlag, decode_meta, seq_of
from weir.domain.times import all_to_us
from weir.errors import InvalidInput, LimitExceeded
from weir.lake.schema import CANONICAL, SCHEMA_VERSION
from weir.lake.sidecar import I64, U64, Ids, Numbers
from weir.loader.read.columns import json_column, text_column
from weir.loader.read.frame_columns import FrameColumns, columns_of
from weir.loader.read.identity import UserKeys, body_hashes, id_digests, made_ids

BLOCK_BYTES_MAX = 32 * 1024 * 1024
"""Size at which a block takes no further frame. What frames hold says little about it: the
events of a batch may share a long text, which then stands in every row."""

BLOCK_BATCHES = 8
"""A share of a full block at which frames that are decoded together are enough: so the frame that
fills a block has few behind it."""

FRAME_BYTES_MAX = 512 * 1024 * 1024
"""Size as rows above which a frame becomes a dead letter. A generation at its own bound and one
such frame stay within the 31-bit offsets of text columns."""

ROW_BYTES = 256
"""What a row costs besides its JSON texts, at the most that matters here."""

REASON_CHARS_MAX = 500

_ABSENT = -(2**63)
_TIME = pa.timestamp("us", tz="UTC")
_SOURCES = list(TsSource)
_SOURCE_NAMES = pa.array([source.value for source in _SOURCES], pa.string())
_SHORT_TEXTS = ("event", "user_id", "anonymous_id", "session_id")
_USERS, _ANONYMOUS = UserKeys("u"), UserKeys("a")
_CLIENT, _MISSING, _SHIFTED, _SKEWED = map(
    _SOURCES.index, (TsSource.CLIENT, TsSource.MISSING, TsSource.SHIFTED, TsSource.SKEWED)
)


class DeadFrame(NamedTuple):
    """A frame that has no rows, and why."""

    frame: Frame
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of a portion of a round of reading.

    ``rows`` are CANONICAL, duplicates included, grouped by project; ``spans`` says where each
    project's rows begin and end. ``columns`` are those of ``frames``. ``frame_of`` holds each row's
    frame and ``index`` its place in it. ``ids`` has one entry per row with a client's id, and
    ``id_rows`` says which rows.
    """

    rows: pa.RecordBatch
    frames: tuple[Frame, ...]
    columns: FrameColumns
    frame_of: Numbers
    index: Numbers
    ids: Ids
    id_rows: Numbers
    spans: dict[int, tuple[int, int]]
    dead: tuple[DeadFrame, ...]


class _Identified(NamedTuple):
    """Every row's event id; which rows have the client's, and those ids' hashes."""

    event_ids: Sequence[str | None]
    digests: list[bytes]
    rows: Numbers


class Decoded(NamedTuple):
    """The first of some frames, each of them either whole or dead.

    ``events`` are those of the whole ``frames``, in order: of each as many as it says.
    """

    frames: list[Frame]
    events: list[Event]
    dead: list[DeadFrame]

    def only(self, is_wanted: Callable[[Frame], bool]) -> "Decoded":
        """Those of the whole frames, with their events."""
        chosen = Decoded([], [], [])
        start = 0
        for frame in self.frames:
            stop = start + frame.event_count
            if is_wanted(frame):
                chosen.frames.append(frame)
                chosen.events.extend(self.events[start:stop])
            start = stop
        return chosen


def decode_frames(frames: Iterable[Frame], dialects: Mapping[int, Dialect]) -> Decoded:
    """The first of these frames, at least one if there is one, until a block is full.

    The frames carry events (no tallies). Raises nothing but ``MemoryError``, whatever is in them.
    """
    decoded = Decoded([], [], [])
    byte_count = 0
    for batch in _batches(frames):
        byte_count += _decode_batch(batch, dialects, decoded)
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
    return _assemble(_by_project(decoded), dialects, endpoints)


def _batches(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """The frames in batches: neighbours of one dialect, until they may be large as rows.

    A frame's rows hold its body once an event at the most.
    """
    batch: list[Frame] = []
    byte_count, enough = 0, BLOCK_BYTES_MAX // BLOCK_BATCHES
    for frame in frames:
        if batch and (byte_count >= enough or frame.dialect != batch[0].dialect):
            yield batch
            batch, byte_count = [], 0
        batch.append(frame)
        byte_count += frame.event_count * (len(frame.body) + ROW_BYTES)
    if batch:
        yield batch


def _decode_batch(batch: Sequence[Frame], dialects: Mapping[int, Dialect], decoded: Decoded) -> int:
    """Adds frames of one dialect to those decoded; about their size as rows, in bytes.

    Where they cannot be decoded together they are in halves, and one that cannot be alone is dead.
    """
    try:
        events = _decode(batch, dialects)
        size = _row_bytes(batch, events)
    except MemoryError:  # says nothing of the frames
        raise
    except Exception as error:  # a body may break a decoder in any way; it is kept
        if len(batch) == 1:
            decoded.dead.append(dead_frame(batch[0], error))
            return 0
        half = len(batch) // 2
        return sum(_decode_batch(each, dialects, decoded) for each in (batch[:half], batch[half:]))
    decoded.frames.extend(batch)
    decoded.events.extend(events)
    return size


def _decode(batch: Sequence[Frame], dialects: Mapping[int, Dialect]) -> Sequence[Event]:
    code = batch[0].dialect
    dialect = dialects.get(code)
    if dialect is None:
        raise InvalidInput(f"There is no dialect {code}.")
    events = dialect.decode(batch)
    check_event_count(len(events), sum([frame.event_count for frame in batch]))
    return events


def _row_bytes(batch: Sequence[Frame], events: Sequence[Event]) -> int:
    """About the size of the frames' rows, and never far below it."""
    size = ROW_BYTES * len(events) + sum([len(frame.body) for frame in batch])
    size += sum(map(len, [event.properties for event in events]))
    size += sum(map(len, [event.context for event in events]))
    if size > FRAME_BYTES_MAX:
        raise LimitExceeded(f"The events take {size} bytes as rows, {FRAME_BYTES_MAX} may be.")
    return size


def _by_project(decoded: Decoded) -> Decoded:
    """What was decoded, each project's frames together, in the order of the projects' ids."""
    projects = [frame.place.project_id for frame in decoded.frames]
    if all(map(le, projects, islice(projects, 1, None))):
        return decoded
    order = sorted(range(len(projects)), key=projects.__getitem__)
    starts = list(accumulate([frame.event_count for frame in decoded.frames], initial=0))
    return Decoded(
        [decoded.frames[number] for number in order],
        [e for number in order for e in decoded.events[starts[number] : starts[number + 1]]],
        decoded.dead,
    )


def _assemble(
    decoded: Decoded, dialects: Mapping[int, Dialect], endpoints: Mapping[int, str]
) -> Block:
    frames, events = tuple(decoded.frames), decoded.events
    said = columns_of(frames)
    frame_of = np.repeat(np.arange(len(frames)), said.event_count)
    starts = np.concatenate([[0], np.cumsum(said.event_count)]).astype(np.intp)
    index = np.arange(len(events)) - starts[frame_of]
    received = said.received_us[frame_of]

    spans = _spans(said.project_id, starts)
    named = _identify(frames, frame_of, index, events, spans)
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
        columns=said,
        frame_of=frame_of,
        index=index,
        ids=Ids(
            hi=halves[0::2].copy(),
            lo=halves[1::2].copy(),
            received_us=received[named.rows],
            body=_bodies(rows, claimed, jsons, named.rows),
        ),
        id_rows=named.rows,
        spans=spans,
        dead=tuple(decoded.dead),
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
    if not len(id_rows):
        return np.zeros(0, dtype=np.uint64)
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
        "ts_source": _SOURCE_NAMES.take(pa.array(sources)),
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
    """``ts`` and the place of its source in ``_SOURCES``, per row, as ``domain.event_time`` says.

    Only requests with a time from the future, for which their events are looked at together, pay
    for the rules themselves.
    """
    present = claimed != _ABSENT
    ts = np.where(present, claimed, received)
    sources = np.where(present, _CLIENT, _MISSING).astype(np.int8)
    has_sent = present & (sent != _ABSENT)
    if has_sent.any():
        error = received - np.where(has_sent, sent, received)
        is_off = np.abs(error) > SKEW_US
        is_moved = is_off & (np.abs(error) <= BELIEVABLE_US)
        ts = np.where(is_moved, np.clip(ts + error, TIME_MIN_US, TIME_MAX_US), ts)
        sources[is_off] = _SKEWED
        sources[is_moved] = _SHIFTED
    ahead = np.flatnonzero(~has_sent & (ts - received > SKEW_US))
    odd = set((np.searchsorted(starts, ahead, side="right") - 1).tolist())
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


def _identify(
    frames: Sequence[Frame],
    frame_of: Numbers,
    index: Numbers,
    events: Sequence[Event],
    spans: Mapping[int, tuple[int, int]],
) -> _Identified:
    """Event ids, made ones where the client gave none."""
    event_ids = [event.event_id for event in events]
    digests = [
        digest
        for project_id, (start, stop) in spans.items()
        for digest in id_digests(project_id, filter(None, event_ids[start:stop]))
    ]
    is_given = np.fromiter(map(bool, event_ids), dtype=np.bool_, count=len(events))
    missing = np.flatnonzero(~is_given)
    made = made_ids(frames, frame_of[missing], index[missing])
    for row, made_id in zip(missing.tolist(), made, strict=True):
        event_ids[row] = made_id
    return _Identified(event_ids, digests, np.flatnonzero(is_given))


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
        "topic": _topics([frame.meta for frame in frames]),
    }
    return {name: pa.array(values, pa.string()).take(rows) for name, values in names.items()}


def _topics(metas: Sequence[bytes]) -> list[str | None]:
    """What the frames' metadata say of topics; many say the same."""
    topics = {meta: decode_meta(meta).topic for meta in set(metas)}
    return [topics[meta] for meta in metas]


def _spans(projects: I64, starts: Numbers) -> dict[int, tuple[int, int]]:
    """Where each project's rows stand; projects without rows are left out."""
    firsts = np.flatnonzero(np.diff(projects, prepend=-1)).tolist()
    return {
        int(projects[first]): (int(starts[first]), int(starts[after]))
        for first, after in pairwise([*firsts, len(projects)])
        if starts[first] < starts[after]
    }
