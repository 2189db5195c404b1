"""The door: events acknowledged after fdatasync, by one worker on one core."""

import json
from collections.abc import Sequence
from statistics import median

from bench.asgi import uvicorn
from bench.figure import Figure, spread
from bench.node import node, sync_us
from bench.peers import CLIENT_CPU, SERVER_CPU, Load, drive, nginx
from bench.processes import cpu_seconds, pin

PAIRS = 5
SECONDS = 4
CONNECTIONS = (64, 512)
BATCH_EVENTS = 500
BATCH_EVENT_BYTES = 250
SINGLE_GOAL = 0.28
BATCH_GOAL = 400_000

EVENT = json.dumps(
    {
        "event": "page_view",
        "user_id": "usr_28f",
        "timestamp": "2026-11-20T10:00:00.000Z",
        "properties": {"page": "/home", "plan": "pro", "price": 12.5, "os": "Windows"},
    }
)


def measure_single() -> list[Figure]:
    """``POST /v1/ingest`` beside nginx's static reply and an empty ASGI app, in turn."""
    with nginx() as static, uvicorn() as empty, node(workers=1) as weir:
        _pin_all(weir.pids("edge"), weir.pids("loader") + weir.pids("api"))
        drive(weir.url + "/v1/ingest", key=weir.key, body=EVENT, connections=8, seconds=1)
        urls = (weir.url + "/v1/ingest", static + "/", empty + "/")
        return [figure for each in CONNECTIONS for figure in _single(urls, weir.key, each)]


def _single(urls: Sequence[str], key: str, connections: int) -> list[Figure]:
    rounds = [[_drive(url, key, EVENT, connections) for url in urls] for _ in range(PAIRS)]
    own, static, empty = (
        [load.requests_per_s for load in each] for each in zip(*rounds, strict=True)
    )
    name = f"single events, {connections} connections"
    how = (
        f"wrk, {len(EVENT)}-byte event, {PAIRS} rounds of {SECONDS} s each, each server on one "
        f"core; disk's fdatasync {sync_us():.0f} µs"
    )
    rates = "; ".join(f"{median(each):.0f}" for each in (own, static, empty))
    p99s = [each[0].p99_ms for each in rounds]
    return [
        Figure(f"{name}: ratio to nginx, static", _ratio(own, static), str(SINGLE_GOAL), how),
        Figure(
            f"{name}: ratio to uvicorn, empty app", _ratio(own, empty), "1.2", "uvloop, httptools"
        ),
        Figure(f"{name}: own; nginx; uvicorn, requests/s", rates, "", ""),
        Figure(f"{name}: p99 latency, ms", spread(p99s, digits=1), "", "as wrk saw it"),
    ]


def _ratio(own: Sequence[float], peer: Sequence[float]) -> str:
    return spread([one / other for one, other in zip(own, peer, strict=True)])


def measure_batch() -> list[Figure]:
    """``POST /v1/batch`` with 500 events of 250 bytes."""
    body = json.dumps({"events": [padded_event()] * BATCH_EVENTS})
    rates, per_cpu = [], []
    with node(workers=1, journal_backlog_bytes_max="64GiB") as weir:
        edge = weir.pids("edge")
        _pin_all(edge, weir.pids("loader") + weir.pids("api"))
        for _ in range(PAIRS):
            before = cpu_seconds(edge[0])
            own = _drive(weir.url + "/v1/batch", weir.key, body, 16)
            events = own.requests_per_s * BATCH_EVENTS
            rates.append(events)
            per_cpu.append(events * SECONDS / (cpu_seconds(edge[0]) - before))
    how = f"wrk, 16 connections, {BATCH_EVENTS} events of {BATCH_EVENT_BYTES} bytes, {PAIRS} runs"
    return [
        Figure(
            "batches: durable events/s, one core", spread(rates, digits=0), f"{BATCH_GOAL}", how
        ),
        Figure("batches: events per CPU second of the worker", spread(per_cpu, digits=0), "", ""),
    ]


def _drive(url: str, key: str, body: str, connections: int) -> Load:
    load = drive(url, key=key, body=body, connections=connections, seconds=SECONDS)
    if load.not_2xx:
        raise SystemExit(f"{load.not_2xx} requests to {url} were refused; the figure would lie.")
    return load


def _pin_all(servers: list[int], others: list[int]) -> None:
    pin(servers, SERVER_CPU)
    pin(others, CLIENT_CPU)


def padded_event() -> dict[str, object]:
    """An event of ``BATCH_EVENT_BYTES`` as JSON."""
    event = json.loads(EVENT)
    event["properties"]["pad"] = ""
    event["properties"]["pad"] = "x" * (BATCH_EVENT_BYTES - len(json.dumps(event)))
    found: dict[str, object] = event
    return found
