"""Limits of a real node with two workers: monthly quotas over kills, windows that are shared."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from itertools import count
from urllib.parse import urlsplit

import httpx

from tests.end_to_end.running_node import Node, StartNode, wait_until

WORKERS = 2
CLIENTS = 6
QUOTA = 60


def test_monthly_quota_holds_over_workers_duplicates_and_kills(start_node: StartNode) -> None:
    """Events that are in the journals count, once; never more than one request too many.

    Retries of events do not count once the loader has seen them, and a node whose every process
    was killed refuses at the same number as before.
    """
    node = start_node(workers=WORKERS, cut_age_s=0.2)
    _change(node, "--events-per-month", str(QUOTA))
    ids = [f"once-{number}" for number in range(20)]
    for _ in range(2):
        batch = [{"event": "a", "event_id": each} for each in ids]
        assert node.send("/v1/events", batch).status_code == 202
    wait_until(lambda: _used(node) == len(ids), within_s=20, what="duplicates are left out")
    node.kill_all()
    node.start()

    answers = _send_until_refused(node, "/v1/ingest")
    taken = sum(answer.status_code == 202 for answer in answers)
    assert QUOTA - len(ids) <= taken <= QUOTA - len(ids) + WORKERS - 1
    refusal = next(answer for answer in answers if answer.status_code == 429)
    assert refusal.json()["error"] == "quota_exceeded"
    assert refusal.headers["x-ratelimit-limit"] == str(QUOTA)
    assert refusal.headers["x-ratelimit-remaining"] == "0"
    reset_s = int(refusal.headers["x-ratelimit-reset"])
    assert datetime.fromtimestamp(reset_s, UTC).strftime("%d %H:%M:%S") == "01 00:00:00"
    retry_at_s = time.time() + int(refusal.headers["retry-after"])
    assert abs(reset_s - retry_at_s) < 600  # of a month; time has gone by since the answer

    # What the loader makes of it is the same, and who sent more in one request learns it too.
    wait_until(lambda: _used(node) == len(ids) + taken, within_s=20, what="all is in the lake")
    assert node.send("/v1/events", [{"event": "a"}] * 3).status_code == 429
    rejected = 3 + sum(answer.status_code == 429 for answer in answers)
    wait_until(lambda: _total(node, "rejected") == rejected, within_s=20, what="refusals are told")
    _kill_a_worker(node)
    assert {_post(node, "/v1/ingest", {"event": "a"}).status_code for _ in range(8)} == {429}
    node.stop()
    assert _statuses_during(node.start, node) <= {429, 503}
    assert node.send("/v1/ingest", {"event": "a"}).status_code == 429
    _change(node, "--events-per-month", "none")
    assert node.send("/v1/ingest", {"event": "a"}).status_code == 202


def test_request_windows_are_shared_by_the_workers(start_node: StartNode) -> None:
    """A key's limit holds over both; every answer tells the window, and what is left of it.

    Once it is full it stays so until its end, also for the successor of a worker that was killed.
    """
    limit = 30
    node = start_node(workers=WORKERS)
    _change(node, "--requests-per-minute", str(limit))
    windows: Counter[str] = Counter()
    for answer in _send_until_refused(node, "/v1/ingest"):
        assert answer.headers["x-ratelimit-limit"] == str(limit)
        assert 0 <= int(answer.headers["x-ratelimit-remaining"]) < limit
        if answer.status_code == 202:
            windows[answer.headers["x-ratelimit-reset"]] += 1
        else:
            assert answer.json()["error"] == "rate_limited"
            assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert windows
    assert max(windows.values()) <= limit + WORKERS - 1

    _kill_a_worker(node)
    for answer in _send_until_refused(node, "/v1/ingest"):
        if answer.status_code == 202:
            windows[answer.headers["x-ratelimit-reset"]] += 1
    assert max(windows.values()) <= limit + WORKERS - 1


def test_event_windows_are_shared_by_the_workers(start_node: StartNode) -> None:
    """A tenant's limit holds over both; the overshoot is one batch for the other worker."""
    limit, size = 40, 4
    node = start_node(workers=WORKERS)
    _change(node, "--events-per-minute", str(limit))
    windows: Counter[str] = Counter()
    for answer in _send_until_refused(node, "/v1/batch", size=size):
        assert answer.headers["x-ratelimit-limit"] == str(limit)
        if answer.status_code == 202:
            windows[answer.headers["x-ratelimit-reset"]] += size
        else:
            assert answer.json()["error"] == "rate_limited"
            assert int(answer.headers["x-ratelimit-remaining"]) < size
    assert windows
    assert max(windows.values()) <= limit + size * (WORKERS - 1)


def _statuses_during(start: Callable[[], None], node: Node) -> set[int]:
    """What single events are answered from the first moment at which somebody listens."""
    found = set()
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(start)
        while not starting.done():
            with suppress(OSError, HTTPException):
                found.add(_post(node, "/v1/ingest", {"event": "a"}).status_code)
        starting.result()
    return found


def _kill_a_worker(node: Node) -> None:
    """Returns when it has a successor."""
    killed = node.pids("edge")[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(
        lambda: len(node.pids("edge")) == WORKERS and killed not in node.pids("edge"),
        within_s=20,
        what="a new worker",
    )


def _send_until_refused(node: Node, path: str, *, size: int = 0) -> list[httpx.Response]:
    """Sends from several clients, each on new connections, until each is refused.

    Single events, or batches of ``size``.
    """
    numbers = count()

    def send() -> list[httpx.Response]:
        answers: list[httpx.Response] = []
        while not answers or answers[-1].status_code == 202:
            event = {"event": "a", "event_id": f"sent-{next(numbers)}"}
            answers.append(_post(node, path, {"events": [event] * size} if size else event))
        return answers

    with ThreadPoolExecutor(CLIENTS) as pool:
        sent = [pool.submit(send) for _ in range(CLIENTS)]
        return [answer for each in sent for answer in each.result()]


def _post(node: Node, path: str, event: object) -> httpx.Response:
    """Much faster than ``Node.send``, so that the clients meet each other."""
    connection = HTTPConnection(urlsplit(node.url).netloc, timeout=20)
    with closing(connection):
        connection.request("POST", path, json.dumps(event), node.headers)
        answer = connection.getresponse()
        headers = answer.getheaders()
        return httpx.Response(answer.status, headers=headers, content=answer.read())


def _change(node: Node, *limits: str) -> None:
    done = node.weir("tenants", "change", "default", "--data", str(node.directory), *limits)
    assert done.returncode == 0, done.stderr


def _used(node: Node) -> int:
    done = node.weir("tenants", "list", "--data", str(node.directory), "--json")
    used: int = json.loads(done.stdout)[0]["events_this_month"]
    return used


def _total(node: Node, field: str) -> int:
    answer = httpx.get(
        node.url + "/v1/ledger", params={"by": "total"}, headers=node.headers, timeout=20
    )
    return sum(row[field] for row in answer.json()["items"])
