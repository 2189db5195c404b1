"""A thousand projects at 20 events/s each: does one loader keep up, and what does it take?"""

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

from bench.figure import Figure
from bench.node import node
from bench.processes import cpu_seconds
from tests.end_to_end.running_node import Node
from weir.api.client import ControlClient
from weir.api.routes.operator.keys import CREATE_KEY
from weir.api.routes.operator.projects import CREATE_PROJECT
from weir.control.records import KeyRequest, ProjectRequest
from weir.node.board import Board, Slot

PROJECTS = 1000
RATE_EACH = 20
BATCH = 20
WARM_S = 10
SECONDS = 60
SENDERS = 2


def measure() -> list[Figure]:
    """Each project sends a batch a second, spread evenly; commits at their usual age."""
    with node(workers=1, cut_age_s=10) as weir:
        keys = _keys(weir)
        stop = threading.Event()
        sent: list[int] = []
        senders = [
            threading.Thread(
                target=_send, args=(weir, keys[part::SENDERS], stop, sent), daemon=True
            )
            for part in range(SENDERS)
        ]
        for sender in senders:
            sender.start()
        time.sleep(WARM_S)
        [loader], [edge] = weir.pids("loader"), weir.pids("edge")
        started, before = time.perf_counter(), sum(sent)
        loader_s, edge_s = cpu_seconds(loader), cpu_seconds(edge)
        backlogs = []
        for _ in range(SECONDS):
            time.sleep(1)
            backlogs.append(_visible_lag_s(weir))
        elapsed, count = time.perf_counter() - started, sum(sent) - before
        loader_s, edge_s = cpu_seconds(loader) - loader_s, cpu_seconds(edge) - edge_s
        stop.set()
        for sender in senders:
            sender.join(10)
    how = f"{PROJECTS} projects, batches of {BATCH}, {SECONDS} s, a commit every 10 s"
    return [
        Figure("many projects: events/s taken", f"{count / elapsed:.0f}", "20000", how),
        Figure(
            "many projects: seconds that queries are behind, median and last",
            f"{sorted(backlogs)[len(backlogs) // 2]:.1f}; {backlogs[-1]:.1f}",
            "does not grow",
            "age of the watermark",
        ),
        Figure(
            "many projects: share of a core, loader and edge",
            f"{loader_s / elapsed:.2f}; {edge_s / elapsed:.2f}",
            "",
            f"{count / loader_s:.0f} events per CPU second of the loader",
        ),
    ]


def _keys(weir: Node) -> list[str]:
    """A project with a key for each."""
    client = ControlClient(weir.directory / "run" / "control.sock")
    keys = []
    for number in range(PROJECTS):
        slug = f"p{number}"
        client.call(CREATE_PROJECT, ProjectRequest(slug=slug))
        keys.append(client.call(CREATE_KEY, KeyRequest(project=slug)).text)
    return keys


def _send(weir: Node, keys: list[str], stop: threading.Event, sent: list[int]) -> None:
    connection = http.client.HTTPConnection(urlsplit(weir.url).netloc)
    event = {"event": "load", "user_id": "u", "properties": {"page": "/home", "price": 12.5}}
    body = json.dumps([event] * BATCH)
    due = time.perf_counter()
    while True:
        for key in keys:
            if stop.is_set():
                return
            headers = {**weir.headers, "Authorization": f"Bearer {key}"}
            connection.request("POST", "/v1/events", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 202:
                sent.append(BATCH)
            due += BATCH / (RATE_EACH * len(keys))
            time.sleep(max(0.0, due - time.perf_counter()))


def _visible_lag_s(weir: Node) -> float:
    board = Board.open(weir.directory / "run" / "board")
    return time.time() - board.get(Slot.WATERMARK_US) / 1e6
