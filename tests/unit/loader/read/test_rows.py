"""Frames become canonical rows: every column, and equal to the pure rules."""

import uuid
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.loader.rig import JSON_DIALECT, START_US
from weir.domain.event_time import correct_times
from weir.domain.frame import Frame, FrameFlag, FrameMeta, Place, encode_meta, seq_of
from weir.lake.schema import CANONICAL
from weir.loader.read.rows import Block, build_block, decode_frames

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def make_frame(events: list[dict[str, Any]], position: int = 0, **fields: Any) -> Frame:
    """A frame of JSON events."""
    return Frame(
        journal_id=fields.get("journal_id", "00"),
        position=position,
        next_position=position + 1,
        offset=0,
        received_at_us=fields.get("received_at_us", START_US),
        place=Place(1, fields.get("project", 1), 7, 1),
        dialect=1,
        dialect_version=1,
        event_count=len(events),
        refused_count=0,
        flags=fields.get("flags", 0),
        meta=fields.get("meta", b""),
        body=msgspec.json.encode(events),
    )


def build(*frames: Frame) -> Block:
    """A block without dead frames."""
    dialects = {1: JSON_DIALECT}
    block = build_block(decode_frames(frames, dialects), dialects, {7: "e-7"})
    assert block.dead == ()
    return block


def at(us: int) -> datetime:
    """A time of microseconds."""
    return EPOCH + timedelta(microseconds=us)


def test_every_column_of_a_full_event() -> None:
    """What was sent stands in its column, JSON byte for byte."""
    body = (
        b'[{"event":"buy","event_id":"i","user_id":"u","anonymous_id":"a","session_id":"s",'
        b'"ts":"2026-09-21T13:13:20+00:00","properties":{"b" : 1,"a":1e999,"a":2},'
        b'"context":{"x":"\xc3\xa9"}}]'
    )
    frame = msgspec.structs.replace(
        make_frame([{}], meta=encode_meta(FrameMeta(topic="t"))), body=body
    )
    (row,) = build(frame).rows.to_pylist()
    key = int.from_bytes(md5(b"uu", usedforsecurity=False).digest()[8:], "big", signed=True)
    assert row == {
        "event_id": "i",
        "event": "buy",
        "user_id": "u",
        "anonymous_id": "a",
        "session_id": "s",
        "user_key": key,
        "ts": datetime(2026, 9, 21, 13, 13, 20, tzinfo=UTC),
        "client_ts": datetime(2026, 9, 21, 13, 13, 20, tzinfo=UTC),
        "sent_at": None,
        "received_at": at(START_US),
        "ts_source": "client",
        "seq": seq_of(START_US, 0),
        "properties": '{"b" : 1,"a":1e999,"a":2}',
        "context": '{"x":"é"}',
        "endpoint": "e-7",
        "dialect": "json",
        "topic": "t",
        "schema_version": 1,
    }


def test_absent_fields() -> None:
    """Missing, null and empty become null, an empty object or our time."""
    rows = build(
        make_frame([{"event": "e"}, {"event": "e", "properties": None, "context": None}])
    ).rows.to_pylist()
    for row in rows:
        assert row["properties"] == "{}"
        assert row["context"] is row["user_key"] is row["client_ts"] is row["topic"] is None
        assert row["ts"] == row["received_at"]
        assert row["ts_source"] == "missing"


def test_user_key_falls_back_to_anonymous_id() -> None:
    """Known users and anonymous ones with the same text differ."""
    events = [{"event": "e", "user_id": "x"}, {"event": "e", "anonymous_id": "x"}, {"event": "e"}]
    first, second, third = build(make_frame(events)).rows["user_key"].to_pylist()
    assert first != second
    assert third is None


def test_made_ids_are_uuids_of_the_place() -> None:
    """They repeat exactly, differ between places, sort by time and say version 7."""
    frames = [
        make_frame([{"event": "e"}] * 3, position=position, received_at_us=START_US + position)
        for position in (0, 1000)
    ]
    ids = build(*frames).rows["event_id"].to_pylist()
    assert ids == build(*frames).rows["event_id"].to_pylist()
    assert len(set(ids)) == 6
    assert max(ids[:3]) < min(ids[3:])
    assert {uuid.UUID(text).version for text in ids} == {7}
    assert uuid.UUID(ids[0]).int >> 80 == START_US // 1000
    other = build(make_frame([{"event": "e"}], journal_id="01")).rows["event_id"].to_pylist()
    assert other[0] not in ids


def test_only_clients_ids_are_hashed() -> None:
    """Made ids need no deduplication; equal ids of two projects have different hashes."""
    block = build(
        make_frame([{"event": "e"}, {"event": "e", "event_id": "i"}], project=2),
        make_frame([{"event": "e", "event_id": "i"}], project=1),
    )
    assert block.id_rows.tolist() == [0, 2]
    assert block.ids.hi[0] != block.ids.hi[1]
    assert block.ids.body[0] == block.ids.body[1]
    assert block.spans == {1: (0, 1), 2: (1, 3)}


def test_body_hash_ignores_sent_at_alone() -> None:
    """A retry with a later sent_at is the same body; any other change is not."""
    first: dict[str, Any] = {"event": "e", "event_id": "i", "user_id": "u", "properties": {"a": 1}}
    changed = [
        first | {"sent_at": "2026-09-21T00:00:00Z"},
        first | {"user_id": None, "anonymous_id": "u"},
        first | {"properties": {"a": 2}},
        first | {"ts": "2026-09-21T00:00:00Z"},
        first | {"context": {}},
        first | {"event": "f"},
    ]
    hashes = build(make_frame([first, *changed])).ids.body.tolist()
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == len(changed)


def test_times_without_zone_are_utc_and_impossible_ones_are_clamped() -> None:
    """Mixed kinds of times in one frame keep their meaning."""
    times = ["2026-09-20T00:00:00", "2026-09-20T02:00:00+02:00", "0001-01-01T00:00:00+05:00"]
    rows = build(make_frame([{"event": "e", "ts": time} for time in times])).rows
    found = rows["client_ts"].to_pylist()
    assert found[0] == found[1] == datetime(2026, 9, 20, tzinfo=UTC)
    assert found[2] == datetime(1, 1, 1, tzinfo=UTC)


_offsets = st.none() | st.integers(-3 * 86_400, 3 * 86_400)


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(_offsets, _offsets), max_size=4), st.booleans()), max_size=5
    )
)
def test_times_equal_the_rules_of_each_request(
    requests: list[tuple[list[tuple[int | None, int | None]], bool]],
) -> None:
    """However frames are batched, ts and its source are what domain.event_time says."""
    frames, ts, sources = [], [], []
    for number, (offsets, server) in enumerate(requests):
        received_us = START_US + number
        claims = [None if c is None else START_US + c * 1_000_000 for c, _ in offsets]
        sent = [None if s is None else START_US + s * 1_000_000 for _, s in offsets]
        events = [
            {"event": "e", "ts": c and at(c).isoformat(), "sent_at": s and at(s).isoformat()}
            for c, s in zip(claims, sent, strict=True)
        ]
        flags = int(FrameFlag.SERVER_TS) if server else 0
        frames.append(make_frame(events, number, received_at_us=received_us, flags=flags))
        corrected = correct_times(claims, sent, received_us=received_us, server_ts=server)
        ts += corrected.ts_us
        sources += corrected.sources
    rows = build(*frames).rows
    assert rows["ts"].cast("int64").to_pylist() == ts
    assert rows["ts_source"].to_pylist() == sources


def test_no_frames_give_an_empty_block() -> None:
    """A round without events has the schema and nothing else."""
    block = build()
    assert block.rows.schema == CANONICAL
    assert block.rows.num_rows == 0
    assert block.spans == {}


def test_body_hash_is_fixed() -> None:
    """Sidecars on disk hold it: the same events give the same numbers in every version."""
    events: list[dict[str, Any]] = [
        {"event": "e", "event_id": "i", "user_id": "user-12345", "properties": {"a": 1}},
        {"event": "e" * 65, "event_id": "j", "context": {"x": "é"}, "ts": "2026-09-21T00:00:00Z"},
    ]
    hashes = build(make_frame(events)).ids.body.tolist()
    assert hashes == [8405071960295914231, 13220943097633963860]
    assert hashes[1:] == build(make_frame(events[1:])).ids.body.tolist()
