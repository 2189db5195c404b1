"""Rate of frames becoming rows, against decoding alone: ``python bench/loader_rows.py``.

Two shapes: requests of 500 events and of one. Read the ratios; the machine makes the figures.
"""

import random
import time
from collections.abc import Callable, Sequence

import msgspec

from weir.domain.event import Dialect, Event, frame_by_frame
from weir.domain.frame import Frame, Place
from weir.loader.read.rows import Block, build_block, decode_frames

NOW_US = 1_790_000_000_000_000
EVENTS = 50_000
ROUND_EVENTS = 5_000


class _Wire(Event):
    properties: msgspec.Raw = msgspec.Raw()
    context: msgspec.Raw = msgspec.Raw()


def main() -> None:
    """Prints thousand events per second for decoding and for rows, per shape."""
    decoder = msgspec.json.Decoder(list[_Wire])
    dialect = Dialect(1, "native", frame_by_frame(lambda frame: decoder.decode(frame.body)))
    for size in (500, 1):
        frames = _frames(size)
        rounds = [
            frames[start : start + ROUND_EVENTS // size]
            for start in range(0, len(frames), ROUND_EVENTS // size)
        ]
        decoding = _rate(dialect.decode, rounds)
        building = _rate(lambda frame_list: _build(frame_list, {1: dialect}), rounds)
        print(f"{size:4d} events a frame: decode {decoding:5.0f} k/s, rows {building:5.0f} k/s")


def _build(frames: Sequence[Frame], dialects: dict[int, Dialect]) -> Block:
    return build_block(decode_frames(frames, dialects), dialects, {1: "e"})


def _rate(work: Callable[[Sequence[Frame]], object], rounds: Sequence[Sequence[Frame]]) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for frames in rounds:
            work(frames)
        best = min(best, time.perf_counter() - start)
    return EVENTS / best / 1000


def _frames(size: int) -> list[Frame]:
    random.seed(1)
    frames = []
    for number in range(EVENTS // size):
        body = b"[" + b",".join(_event() for _ in range(size)) + b"]"
        place = Place(1, number % 4, 1, 1)
        frames.append(
            Frame("00", number, number + 1, 0, NOW_US, place, 1, 1, size, 0, 0, b"", body)
        )
    return frames


def _event() -> bytes:
    user = random.randrange(20_000)
    return (
        b'{"event":"page_view","event_id":"%032x","user_id":"user_%d","anonymous_id":"anon-%016x",'
        b'"session_id":"sess-%014x","ts":"2026-09-21T10:13:%02d.123Z","properties":{"$browser":'
        b'"Chrome","$os":"Windows","url":"/app/section-%d/page","plan":"pro","price":%d.5,'
        b'"is_mobile":true,"screen_width":1440,"app_version":"3.1.0","latency_ms":81.123},'
        b'"context":{"ip":"10.1.1.7","lib":"web-js","locale":"en-US"}}'
    ) % (random.getrandbits(128), user, user * 7919, user * 31, user % 60, user % 20, user % 90)


if __name__ == "__main__":
    main()
