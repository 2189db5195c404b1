"""From the acknowledgement of an event to its being visible in SQL, under load."""

import http.client
import json
import threading
import time
from urllib.parse import quote, urlsplit

from bench.figure import Figure, percentile, spread
from bench.node import node
from tests.end_to_end.running_node import Node

RATE = 20_000
BATCH = 200
SECONDS = 20
PROBE_EVERY_S = 0.1


def measure() -> list[Figure]:
    """Probes among 20,000 events/s: each is asked for until it is found."""
    with node() as weir:
        stop = threading.Event()
        sent: list[int] = []
        sender = threading.Thread(target=send_steadily, args=(weir, stop, sent), daemon=True)
        sender.start()
        time.sleep(2)
        before, started = sum(sent), time.perf_counter()
        delays = _probe(weir)
        rate = (sum(sent) - before) / (time.perf_counter() - started)
        stop.set()
        sender.join(10)
    how = f"{len(delays)} probes in {SECONDS} s at {rate:.0f} events/s; asked for in a loop"
    return [
        Figure("acknowledged to visible, p99 in s", f"{percentile(delays, 0.99):.2f}", "1", how),
        Figure("acknowledged to visible, median in s", spread(delays), "", ""),
    ]


def send_steadily(weir: Node, stop: threading.Event, sent: list[int], *, rate: int = RATE) -> None:
    """Posts batches at so many events/s until ``stop``; notes what was accepted in ``sent``."""
    connection = http.client.HTTPConnection(urlsplit(weir.url).netloc)
    event = {"event": "load", "user_id": "u", "properties": {"page": "/home", "price": 12.5}}
    body = json.dumps({"events": [event] * BATCH})
    due = time.perf_counter()
    while not stop.is_set():
        connection.request("POST", "/v1/batch", body, weir.headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 202:
            sent.append(BATCH)
        due += BATCH / rate
        time.sleep(max(0.0, due - time.perf_counter()))


def _probe(weir: Node) -> list[float]:
    connection = http.client.HTTPConnection(urlsplit(weir.url).netloc)
    delays: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        name = f"probe-{len(delays)}"
        body = json.dumps({"event": name})
        _ask(connection, "POST", "/v1/ingest", body, weir.headers)
        acknowledged = time.perf_counter()
        sql = quote(f"SELECT count() FROM events WHERE event = '{name}'")
        while True:
            found = json.loads(_ask(connection, "GET", f"/v1/query?q={sql}", None, weir.headers))
            if found["rows"] == [[1]]:
                break
        delays.append(time.perf_counter() - acknowledged)
        time.sleep(PROBE_EVERY_S)
    return delays


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: str | None,
    headers: dict[str, str],
) -> bytes:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status not in (200, 202):
        raise SystemExit(f"{method} {path}: {answer.status} {content[:200]!r}")
    return content
