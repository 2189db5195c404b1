"""The whole tree on one core, beside the edge worker alone on it: single events and batches.

Behind the door stands the loader, which makes rows of what was acknowledged, commits them and
merges the files of a day. Where a core is to spare it does that there; here it takes its time from
the door's. A rate of the whole tree counts until everything is in the lake. What is left to merge
of one measurement is merged before the next begins, and its processor time is counted apart.
"""

import json
import time
from statistics import median
from typing import NamedTuple

from bench.door import BATCH_EVENTS, EVENT, padded_event
from bench.figure import Figure, spread
from bench.lake import settled_files
from bench.node import load_all, node
from bench.peers import CLIENT_CPU, SERVER_CPU, drive, nginx
from bench.processes import cpu_seconds, cpu_seconds_with_children, pin, tree
from tests.end_to_end.running_node import Node

ROUNDS = 3
TREE_GOAL = 0.22
LOADER_GOAL_US = 20


class _Kind(NamedTuple):
    """What is sent, and how: requests of so many events, for so long."""

    name: str
    path: str
    body: str
    events: int
    connections: int
    seconds: int


class _Round(NamedTuple):
    """Requests per second, and the CPU time that edge worker and loader took for an event."""

    static: float
    edge_alone: float
    whole_tree: float
    edge_us: float
    loader_us: float
    merges_us: float


_SINGLE = _Kind("single events", "/v1/ingest", EVENT, 1, 64, 20)
_BATCH = _Kind(
    f"batches of {BATCH_EVENTS}",
    "/v1/batch",
    json.dumps({"events": [padded_event()] * BATCH_EVENTS}),
    *(BATCH_EVENTS, 16, 10),
)


def measure() -> list[Figure]:
    """nginx's static reply, the edge worker alone on a core and the whole tree on it, in turn."""
    with nginx() as static:
        return [figure for kind in (_SINGLE, _BATCH) for figure in _measure(kind, static)]


def _measure(kind: _Kind, static: str) -> list[Figure]:
    with node(workers=1, journal_backlog_bytes_max="64GiB") as weir:
        _drive(kind, weir.url + kind.path, weir.key)
        load_all(weir.directory)
        rounds = [_measure_round(kind, static, weir) for _ in range(ROUNDS)]
    rates = "; ".join(
        f"{median([getattr(each, name) for each in rounds]):.0f}"
        for name in ("static", "edge_alone", "whole_tree")
    )
    is_single = kind is _SINGLE
    how = f"wrk, {kind.connections} connections, {ROUNDS} rounds of {kind.seconds} s each, in turn"
    return [
        Figure(
            f"{kind.name}, edge worker alone on a core: ratio to nginx, static",
            *(spread([each.edge_alone / each.static for each in rounds]), "", how),
        ),
        Figure(
            f"{kind.name}, whole tree on that core: ratio to nginx, static",
            spread([each.whole_tree / each.static for each in rounds]),
            str(TREE_GOAL) if is_single else "",
            "until all are in the lake",
        ),
        Figure(f"{kind.name}: nginx; edge alone; whole tree, requests/s", rates, "", ""),
        Figure(
            f"{kind.name}, whole tree: CPU of the loader, µs an event",
            spread([each.loader_us for each in rounds], digits=1),
            str(LOADER_GOAL_US) if is_single else "",
            "",
        ),
        Figure(
            f"{kind.name}, whole tree: CPU of merging them, µs an event",
            *(
                spread([each.merges_us for each in rounds], digits=1),
                "",
                "its processes' starts too",
            ),
        ),
        Figure(
            f"{kind.name}, whole tree: CPU of the edge worker, µs an event",
            *(spread([each.edge_us for each in rounds], digits=1), "", ""),
        ),
    ]


def _measure_round(kind: _Kind, static: str, weir: Node) -> _Round:
    assert weir.process is not None
    [edge], [loader] = weir.pids("edge"), weir.pids("loader")
    processes = tree(weir.process.pid)
    others = [pid for pid in processes if pid != edge]
    pin([edge], SERVER_CPU)
    pin(others, CLIENT_CPU)
    nothing = _drive(kind, static + "/", weir.key)
    alone = _drive(kind, weir.url + kind.path, weir.key)
    load_all(weir.directory)
    settled_files(weir)
    pin(others, SERVER_CPU)
    before_s = _cpu_seconds(edge, loader)
    started_s = time.perf_counter()
    count = _drive(kind, weir.url + kind.path, weir.key) * kind.seconds
    load_all(weir.directory)
    whole = count / (time.perf_counter() - started_s)
    settled_files(weir)
    events = count * kind.events / 1e6
    taken_s = [
        after - before for after, before in zip(_cpu_seconds(edge, loader), before_s, strict=True)
    ]
    return _Round(nothing, alone, whole, *(seconds / events for seconds in taken_s))


def _cpu_seconds(edge: int, loader: int) -> tuple[float, float, float]:
    """What edge worker, loader and the loader's merge processes have taken so far."""
    own = cpu_seconds(loader)
    return cpu_seconds(edge), own, cpu_seconds_with_children(loader) - own


def _drive(kind: _Kind, url: str, key: str) -> float:
    """Requests per second, all of which were taken."""
    options = {"connections": kind.connections, "seconds": kind.seconds}
    load = drive(url, key=key, body=kind.body, **options)
    if load.not_2xx:
        raise SystemExit(f"{load.not_2xx} requests to {url} were refused; the figure would lie.")
    return load.requests_per_s
