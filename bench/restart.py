"""A node that is killed and started again while senders go on at full speed."""

import http.client
import json
import struct
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from bench.door import EVENT
from bench.figure import Figure, spread
from bench.node import node
from bench.processes import cpu_seconds, tree
from bench.senders import Senders, senders
from tests.end_to_end.running_node import Node
from weir.domain.times import to_us
from weir.node.board import Slot
from weir.node.directory import Directory

RUNS = 5
SENDERS = 6
TAIL_EVENTS = 120_000
"""Events that are acknowledged and in no lake file when the node is killed."""

BATCH = 500
SENT_EACH = 500
"""Requests that each sender has had acknowledged before the kill."""

GIVE_UP_S = 120.0
POLL_S = 0.005
FIRST_S = 10.0
"""How long after the start what the senders got acknowledged is counted."""


SEEN = ("registry", "first_event", "loader", "api", "first_answer", "complete")


class Restart(NamedTuple):
    """Seconds from the start of the process; 0 for what was not reached."""

    registry: float
    first_event: float
    loader: float
    api: float
    ready: float
    first_answer: float
    complete: float
    """The watermark has passed the kill: whatever was acknowledged before is in an answer."""
    events: int
    """Acknowledged in the first ``FIRST_S``."""
    tail: int
    """Acknowledged before the kill and not in the lake."""
    cpu: float
    """Seconds of the processor that the node's processes have used until it is ready."""


def measure() -> list[Figure]:
    """Restarts with six senders, and without any."""
    loaded = [restart(SENDERS) for _ in range(RUNS)]
    alone = [restart(0) for _ in range(RUNS)]
    tail = f"{min(each.tail for each in loaded)} to {max(each.tail for each in loaded)}"
    how = f"kill -9 and start, {RUNS} runs; {SENDERS} processes send single events; tail of {tail}"
    return [
        *_figures("six senders", loaded, how=how, goals={"ready": "5", "first_answer": "2"}),
        *_figures("no senders", alone, how=f"{RUNS} runs", goals={}),
    ]


def restart(count: int) -> Restart:
    """One node: a tail, ``count`` senders, a kill, and what comes when after the start."""
    with node(workers=2, cut_age_s=3600, tail_bytes_max="1GiB") as weir:
        _fill(weir)
        if not count:
            return _kill_and_start(weir, None)
        with senders(count, url=weir.url + "/v1/ingest", key=weir.key, body=EVENT) as running:
            while min(running.sent().counts) < SENT_EACH:
                time.sleep(POLL_S)
            return _kill_and_start(weir, running)


def _fill(weir: Node) -> None:
    connection = http.client.HTTPConnection(urlsplit(weir.url).netloc)
    body = json.dumps({"events": [json.loads(EVENT)] * BATCH})
    for _ in range(TAIL_EVENTS // BATCH):
        connection.request("POST", "/v1/batch", body, weir.headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 202:
            raise SystemExit(f"POST /v1/batch: {answer.status}")


def _kill_and_start(weir: Node, running: Senders | None) -> Restart:
    before = running.sent().total if running else 0
    weir.kill_all()
    killed_us = time.time_ns() // 1000
    Directory(weir.directory).board.unlink()  # it tells nothing from here on
    started_s = time.monotonic()
    watch = _Watch(weir, started_s, killed_us, running)
    watch.start()
    weir.start()
    ready_s = time.monotonic() - started_s
    assert weir.process is not None
    cpu_s = sum(cpu_seconds(pid) for pid in tree(weir.process.pid))
    watch.join(GIVE_UP_S)
    return watch.result(ready=ready_s, tail=TAIL_EVENTS + before, cpu=cpu_s)


class _Watch(threading.Thread):
    """Looks at the board, at what the senders were answered, and asks a query again and again."""

    def __init__(
        self, weir: Node, started_s: float, killed_us: int, running: Senders | None
    ) -> None:
        super().__init__(daemon=True)
        self._board = Directory(weir.directory).board
        self._address = urlsplit(weir.url).netloc
        self._headers = weir.headers
        self._started_s = started_s
        self._killed_us = killed_us
        self._running = running
        self._sent_before = running.sent().total if running else 0
        self._at: dict[str, float] = {}
        self._events = 0

    def run(self) -> None:
        asker = threading.Thread(target=self._ask_until_complete, daemon=True)
        asker.start()
        looks: dict[str, Callable[[], bool]] = {
            "registry": lambda: self._slot(Slot.REGISTRY_EPOCH) > 0,
            "loader": lambda: self._slot(Slot.LOADER_READY) > 0,
            "api": lambda: self._slot(Slot.API_READY) > 0,
            "first_event": self._is_event_taken,
        }
        while self._elapsed_s() < GIVE_UP_S:
            for name, look in list(looks.items()):
                if look():
                    self._at[name] = self._elapsed_s()
                    del looks[name]
            if self._running and self._elapsed_s() < FIRST_S:
                self._events = self._running.sent().total - self._sent_before
            elif not looks and not asker.is_alive():
                return
            time.sleep(POLL_S)

    def result(self, *, ready: float, tail: int, cpu: float) -> Restart:
        """What was seen."""
        seen = {name: self._at.get(name, 0.0) for name in SEEN}
        return Restart(**seen, ready=ready, events=self._events, tail=tail, cpu=cpu)

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def _slot(self, slot: Slot) -> int:
        return _peek(self._board, slot)

    def _is_event_taken(self) -> bool:
        if self._running is None:
            return True
        return any(at_s > self._started_s for at_s in self._running.sent().at_s)

    def _ask_until_complete(self) -> None:
        path = "/v1/query?q=" + quote("SELECT count() FROM events")
        while self._elapsed_s() < GIVE_UP_S:
            try:
                connection = http.client.HTTPConnection(self._address, timeout=GIVE_UP_S)
                connection.request("GET", path, headers=self._headers)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
            except (OSError, http.client.HTTPException):
                time.sleep(POLL_S)
                continue
            if answer.status == 200:
                self._at.setdefault("first_answer", self._elapsed_s())
                watermark = json.loads(content)["meta"]["watermark"]
                if to_us(datetime.fromisoformat(watermark)) >= self._killed_us:
                    self._at["complete"] = self._elapsed_s()
                    return
            time.sleep(0.05)


def _peek(board: Path, slot: Slot) -> int:
    try:
        with board.open("rb") as file:
            file.seek(slot * 8)
            found = file.read(8)
    except OSError:
        return 0
    return int(struct.unpack("<q", found)[0]) if len(found) == 8 else 0


def _figures(name: str, runs: list[Restart], *, how: str, goals: dict[str, str]) -> list[Figure]:
    words = {
        "registry": "registry published",
        "first_event": "first event acknowledged",
        "loader": "loader answers",
        "api": "api answers",
        "ready": "ready",
        "first_answer": "first query answered",
        "complete": "everything before the kill in an answer",
        "cpu": "processor time of the node until it is ready",
    }
    figures = [
        Figure(
            f"{name}: {text}, s",
            spread([getattr(run, field) for run in runs]),
            goals.get(field, ""),
            how,
        )
        for field, text in words.items()
    ]
    events = spread([run.events for run in runs], digits=0)
    return [*figures, Figure(f"{name}: events acknowledged in {FIRST_S:.0f} s", events, "", how)]
