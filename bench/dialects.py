"""What the same events cost the door in each dialect, and what limits and event ids add."""

import json
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

from bench.figure import Figure, spread
from bench.node import node
from bench.peers import drive
from bench.processes import cpu_seconds
from bench.still_door import FREE, LIMITED, StillDoor, request, still_door
from tests.end_to_end.running_node import Node

PAIRS = 41
SINGLES, BATCH_EVENTS = 400, 4000
"""Single events, and events in batches, of one measurement."""

GOAL = 1.25
SHARE_GOAL = 0.10
BATCH_EVENTS_MAX = 500

CONNECTIONS = 16
WHOLE_SECONDS = 3

Event = dict[str, object]
Pair = tuple[float, float]
"""Seconds of a request of the one kind, and of the other."""

_PROPERTIES = {"page": "/home", "plan": "pro", "price": 12.5, "os": "Windows"}
_TIME = "2026-11-20T10:00:00.000Z"
_WHO = {"user_id": "usr_28f", "session_id": "sess_9c1"}


class Words(NamedTuple):
    """A dialect: where a single event and a batch go, and the page view in its words."""

    single: Callable[[Event], bytes]
    batch: Callable[[list[Event]], bytes]
    event: Event
    batch_events: int = BATCH_EVENTS_MAX


def _post(path: str, value: object) -> bytes:
    return request(path, json.dumps(value).encode())


def _lines(path: str, events: list[Event]) -> bytes:
    body = "\n".join(map(json.dumps, events)).encode()
    return request(path, body, content_type="application/x-ndjson")


NOVAMESH = Words(
    lambda event: _post("/v1/ingest", event),
    lambda events: _post("/v1/batch", {"events": events}),
    {
        "event": "page_view",
        "user_id": _WHO["user_id"],
        "timestamp": _TIME,
        "properties": {"session_id": _WHO["session_id"], **_PROPERTIES},
    },
)
DIALECTS: Mapping[str, Words] = {
    "native": Words(
        lambda event: _post("/v1/events", event),
        lambda events: _post("/v1/events", events),
        {"event": "page_view", **_WHO, "ts": _TIME, "properties": _PROPERTIES},
    ),
    "RealAnalytics": Words(
        lambda event: _post("/", event),
        lambda events: _post("/", {"events": events}),
        {
            "event": "page_view",
            "distinctId": _WHO["user_id"],
            "sessionId": _WHO["session_id"],
            "timestamp": _TIME,
            "properties": _PROPERTIES,
        },
        batch_events=100,
    ),
    "EdgeMQ": Words(
        lambda event: _post("/v1/endpoints/11111111-1111-4111-8111-111111111111/ingest", event),
        lambda events: _lines("/ingest", events),
        {"event": "page_view", **_WHO, "timestamp": _TIME, **_PROPERTIES},
    ),
    "clickstream": Words(
        lambda event: _post("/ingest", event),
        lambda events: _post(
            "/ingest/batch",
            {
                "batchId": "batch_1",
                "sentAt": _TIME,
                "clientInfo": {"sdkVersion": "1.0.0", "deviceId": "dev_1", "appBuild": "77"},
                "events": events,
            },
        ),
        {
            "event_type": "view",
            "event_name": "page_view",
            "event_time": _TIME,
            **_WHO,
            "page_name": "/home",
            "platform": "web",
            "extras": {"plan": "pro", "price": 12.5, "os": "Windows"},
        },
        batch_events=50,
    ),
    "Tapemetric": Words(
        lambda event: _post("/v1/ingest/events", {"events": [event]}),
        lambda events: _post("/v1/ingest/events", {"events": events}),
        {
            "event_type": "page_view",
            "ts": _TIME,
            "anonymous_id": "a8f3c2d0-1e5b-4a9c-8d4e-7f2a1b3c4d5e",
            **_WHO,
            "properties": _PROPERTIES,
        },
    ),
}


def measure() -> list[Figure]:
    """The door alone in one process, pair by pair; and beside it what a whole worker takes."""
    sizes = {1, *(words.batch_events for words in DIALECTS.values())}
    with node(workers=1, journal_backlog_bytes_max="64GiB") as weir:
        whole_s = {count: _whole_s(weir, _sent(NOVAMESH, count)) for count in sorted(sizes)}
    with still_door(FREE) as free, still_door(LIMITED) as limited:
        beside = [
            _beside_novamesh(free, name, count, whole_s[count])
            for name, words in DIALECTS.items()
            for count in (1, words.batch_events)
        ]
        with_limits = [
            _share_of_limits(free, limited, count, whole_s[count])
            for count in (1, BATCH_EVENTS_MAX)
        ]
    return beside + with_limits


def _beside_novamesh(door: StillDoor, name: str, count: int, whole_s: float) -> Figure:
    own = (door, _sent(DIALECTS[name], count))
    pairs = _pairs((door, _sent(NOVAMESH, count)), own, count)
    ratio = spread([second / first for first, second in pairs])
    whole = (whole_s + _added_s(pairs)) / whole_s
    return Figure(
        f"{name}, {_events(count)}: ratio to NovaMesh",
        f"{ratio}; {whole:.2f} with the rest of the worker",
        f"{GOAL}",
        f"{PAIRS} pairs of the door's CPU, no socket, no disk; the rest: its worker under wrk",
    )


def _share_of_limits(free: StillDoor, limited: StillDoor, count: int, whole_s: float) -> Figure:
    """NovaMesh's events with ids, under every kind of limit, beside the same without both."""
    plain = [NOVAMESH.event] * count
    without = NOVAMESH.batch(plain) if count > 1 else NOVAMESH.single(NOVAMESH.event)
    pairs = _pairs((free, without), (limited, _sent(NOVAMESH, count)), count)
    return Figure(
        f"rate limits, quota and event ids, {_events(count)}: share of the worker's CPU",
        f"{_added_s(pairs) / whole_s:.3f}",
        f"{SHARE_GOAL}",
        f"{_added_s(pairs) * 1e6:.1f} µs of {whole_s * 1e6:.0f} a request",
    )


def _events(count: int) -> str:
    return f"a batch of {count}" if count > 1 else "a single event"


def _added_s(pairs: list[Pair]) -> float:
    return median(second - first for first, second in pairs)


def _whole_s(weir: Node, sent: bytes) -> float:
    """CPU time of a whole worker for a request, as wrk sends it."""
    head, _, body = sent.decode().partition("\r\n\r\n")
    [edge] = weir.pids("edge")
    before_s = cpu_seconds(edge)
    load = drive(
        weir.url + head.split()[1],
        key=weir.key,
        body=body,
        connections=CONNECTIONS,
        seconds=WHOLE_SECONDS,
    )
    if load.not_2xx:
        raise SystemExit(f"{load.not_2xx} requests were refused; the figure would lie.")
    return (cpu_seconds(edge) - before_s) / (load.requests_per_s * WHOLE_SECONDS)


def _sent(words: Words, count: int) -> bytes:
    """A request with so many events, each with its id."""
    events = [
        {**words.event, "event_id": f"0193f3c2-7a10-7000-8000-{number:012x}"}
        for number in range(count)
    ]
    return words.batch(events) if count > 1 else words.single(events[0])


def _pairs(
    first: tuple[StillDoor, bytes], second: tuple[StillDoor, bytes], count: int
) -> list[Pair]:
    """What one request of each costs, in turn: each pair in the other order than the last."""
    times = SINGLES if count == 1 else BATCH_EVENTS // count
    found: list[Pair] = []
    for turn in range(PAIRS + 1):
        one, other = (first, second) if turn % 2 else (second, first)
        used = (one[0].used_s(one[1], times), other[0].used_s(other[1], times))
        found.append(used if turn % 2 else used[::-1])
    return found[1:]  # the first warms up
