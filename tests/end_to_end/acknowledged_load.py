"""Load with a recorder: every event has an id, and what was acknowledged is remembered."""

import http.client
import json
import threading
import time
from typing import Self
from urllib.parse import urlsplit

QUIET_S = 0.25
"""Half the time after which a node that stops takes a client for idle."""


class Load:
    """Threads that send events, one or a few a request, until told to stop.

    An event without an answer is sent again with the same id, as an SDK does. ``acknowledged``
    holds the ids of events that were answered with 202; ``broken`` counts requests without an
    answer on connections that had served one before. A thread that a busy machine kept waiting
    finds its connection closed by a node that stops, as an idle one may be: that breaks nothing.
    """

    def __init__(self, url: str, key: str, *, threads: int, name: str = "") -> None:
        """``name`` begins the events' ids: two loads of one node need two."""
        self._name = name
        self.acknowledged: set[str] = set()
        self.refused_statuses: set[int] = set()
        self.broken = 0
        self._address = urlsplit(url).netloc
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._proven: set[http.client.HTTPConnection] = set()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Sends nothing more; a second time does nothing."""
        self._stop.set()
        for thread in self._threads:
            thread.join(120)

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        count = 0
        began_s = time.monotonic()
        while not self._stop.is_set():
            ids = [f"{self._name}{number}-{count}-{part}" for part in range(1 + count % 3)]
            while not self._stop.is_set():
                before_s, began_s = began_s, time.monotonic()
                try:
                    status = self._send(connection, ids)
                except (OSError, http.client.HTTPException):
                    with self._lock:
                        was_quiet = began_s - before_s > QUIET_S
                        self.broken += connection in self._proven and not was_quiet
                        self._proven.discard(connection)
                    connection.close()
                    self._stop.wait(0.01)
                    continue
                if status == 202:
                    with self._lock:
                        self.acknowledged.update(ids)
                    break
                self.refused_statuses.add(status)
                self._stop.wait(0.01)
            count += 1
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, ids: list[str]) -> int:
        events = [{"event": "load", "event_id": name, "user_id": name[:3]} for name in ids]
        connection.request("POST", "/v1/batch", json.dumps({"events": events}), self._headers)
        answer = connection.getresponse()
        answer.read()
        with self._lock:
            if connection.sock is None:  # the answer said that it was the last
                self._proven.discard(connection)
            else:
                self._proven.add(connection)
        return answer.status
