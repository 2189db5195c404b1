"""A drawn mix of requests of all dialects, sent until each has an answer, and the book of it."""

import http.client
import json
import queue
import random
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.end_to_end.drawn_requests import ENDPOINT, PUBLIC_KEY, Drawn, draw_requests
from tests.end_to_end.running_node import PATIENCE

THREADS = 4
_RETRY_AFTER_S = 0.02
_UNANSWERED = (OSError, http.client.HTTPException)


class Sent(NamedTuple):
    """A request: who sends it, its valid events' ids (``None``: it has none), and its bad ones."""

    who: str
    drawn: Drawn
    ids: Sequence[str | None]
    bad: int = 0

    @property
    def events(self) -> int:
        return len(self.ids) + self.bad


def plan_mix(seed: int, count: int) -> list[Sent]:
    """New requests, so many, and others between them: the same for the same seed, but for the
    numbers in drawn ids.
    """
    return list(_mix(random.Random(seed), draw_requests(count, seed=seed), name=str(seed)))


def _mix(rng: random.Random, drawn: Sequence[Drawn], *, name: str) -> Iterator[Sent]:
    """New ones, each followed by some of one kind; every kind comes as often."""
    kinds = ["copy", "other dialect", "within", "bad", "limited", "small", "stranger"]
    sent: list[Sent] = []
    for number, each in enumerate(drawn):
        new = Sent("main", each, [_id(row.columns["event_id"]) for row in each.rows])
        fresh = [f"{name}-{number}-{part}" for part in range(rng.randint(1, 4))]
        sent.append(new)
        yield new
        if number % len(kinds) == 0:
            rng.shuffle(kinds)
        match kinds[number % len(kinds)]:
            case "copy":
                yield rng.choice(sent)
            case "other dialect":
                known = [part for part in rng.choice(sent).ids if part is not None]
                yield _plain(rng, "main", known or fresh)
            case "bad":
                yield _bad(rng, fresh)
            case "limited":
                yield from (_plain(rng, "limited", [f"{part}-l"]) for part in fresh)
            case "small":
                yield from (_plain(rng, "small", fresh) for _ in range(2))
            case "stranger":
                yield _plain(rng, rng.choice(["unknown", "revoked"]), fresh)
            case _:
                yield _plain(rng, "main", fresh * 2)


def _id(value: object) -> str | None:
    return None if value is None else str(value)


def _plain(rng: random.Random, who: str, ids: Sequence[str]) -> Sent:
    """Events with these ids, in a dialect of its choice."""
    click = {"event_type": "t", "event_time": "2024-03-01T00:00:00Z", "session_id": "s"}
    clicks = [
        {**click, "event_name": "m", "user_id": "u", "page_name": "p", "event_id": each}
        for each in ids
    ]
    plain = [{"event": "m", "event_id": each} for each in ids]
    real = {"timestamp": "2024-03-01T00:00:00Z", "distinctId": "u", "sessionId": "s"}
    tape = {"event_type": "m", "ts": "2024-03-01T00:00:00Z", "anonymous_id": "a"}
    shapes: list[tuple[str, object]] = [
        ("/v1/events", plain),
        ("/v1/batch", {"events": plain}),
        ("/", [{**real, "properties": {}, **each} for each in plain]),
        (
            "/v1/ingest/events",
            {"events": [{**tape, "session_id": "s", "event_id": each} for each in ids]},
        ),
        (
            "/ingest/batch",
            {
                "batchId": "b",
                "sentAt": "2024-03-02T00:00:00Z",
                "clientInfo": {"sdkVersion": "1", "deviceId": "d", "appBuild": "7"},
                "events": clicks,
            },
        ),
    ]
    if len(ids) == 1:
        shapes += [("/v1/ingest", plain[0]), ("/ingest", clicks[0])]
    path, value = rng.choice(shapes)
    return Sent(who, _json(path, value), ids)


def _bad(rng: random.Random, ids: Sequence[str]) -> Sent:
    """Refused whole, or in part where the dialect takes the others."""
    good: list[object] = [{"event": "m", "event_id": each} for each in ids]
    tape = {"event_type": "m", "ts": "2024-03-01T00:00:00Z", "anonymous_id": "a", "session_id": "s"}
    played: list[object] = [{**tape, "event_id": each} for each in ids]
    beacon = f"/v1/ingest/beacon?api_key={PUBLIC_KEY}"
    return rng.choice(
        [
            Sent("main", _json("/v1/events", [*good, {}, 7]), ids, bad=2),
            Sent("main", _json("/v1/events", [{}, {"event": ""}]), [], bad=2),
            Sent("main", _json("/v1/ingest/events", {"events": [*played, {}]}), ids, bad=1),
            Sent("none", _json(beacon, {"events": [{}, *played]}), ids, bad=1),
            Sent("none", _json(beacon, {"events": [{}, {}, 5]}), [], bad=3),
            Sent("main", _json("/v1/batch", {"events": [*good, {"event": 5}]}), [], len(ids) + 1),
            Sent("main", _json("/", [{"event": "m"}] * 3), [], bad=3),
            Sent("main", _json("/ingest", {"event_id": "x"}), [], bad=1),
            Sent("main", _json("/v1/ingest", {"event": None}), [], bad=1),
            Sent("main", Drawn("/v1/ingest", "application/json", b"{", []), [], bad=1),
        ]
    )


def _json(path: str, value: object) -> Drawn:
    return Drawn(path, "application/json", json.dumps(value).encode(), [])


class Book:
    """What the answers told, in events; ``_maybe`` of what was sent and not answered."""

    def __init__(self) -> None:
        self.taken: dict[str, set[str]] = {"main": set(), "small": set()}
        self.perhaps: dict[str, set[str]] = {"main": set(), "small": set()}
        """Ids by project: told to be taken, and perhaps taken."""
        self.nameless = 0
        """Taken without an id."""
        self.nameless_maybe = 0
        self.accepted = 0
        self.accepted_maybe = 0
        self.rejected_in_frames = 0
        self.refused: dict[int, int] = {}
        """Events of requests of which nothing was written, by the node's run."""
        self.rejected_maybe = 0
        self.statuses: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def note_unanswered(self, sent: Sent) -> None:
        with self._lock:
            self.accepted_maybe += len(sent.ids)
            self.rejected_maybe += sent.events
            self.nameless_maybe += sent.ids.count(None)
            self.perhaps[_project(sent)].update(each for each in sent.ids if each is not None)

    def note(self, sent: Sent, status: int, told: Mapping[str, object], *, run: int) -> None:
        with self._lock:
            self.statuses[sent.who, status] = self.statuses.get((sent.who, status), 0) + 1
            if status in (200, 202) and told.get("queued") is not False:
                assert told.get("rejected", 0) == sent.bad, (sent, told)
                self.accepted += len(sent.ids)
                self.nameless += sent.ids.count(None)
                self.rejected_in_frames += sent.bad
                self.taken[_project(sent)].update(each for each in sent.ids if each is not None)
            elif status != 401:  # nobody knows whose they would have been
                self.refused[run] = self.refused.get(run, 0) + sent.events

    def rejected(self, *, without: Collection[int] = ()) -> int:
        """Events that were refused; those refused outright in some runs can be left out."""
        outright = sum(count for run, count in self.refused.items() if run not in without)
        return self.rejected_in_frames + outright


def _project(sent: Sent) -> str:
    return "small" if sent.who == "small" else "main"


class MixedLoad:
    """Clients that send a plan's requests, each again while it has no answer.

    The one that meets a ``None`` in the plan restarts the node, while the others go on; no two
    do so at a time.
    """

    def __init__(
        self,
        plan: Sequence[Sent | None],
        url: str,
        *,
        keys: Mapping[str, str],
        endpoint: str,
        restart: Callable[[], None],
    ) -> None:
        """``restart`` counts ``run`` up between two runs of the node."""
        self.book = Book()
        self.run = 0
        self._restart = restart
        self._restarting = threading.Lock()
        self._failures: list[BaseException] = []
        self._left: queue.SimpleQueue[Sent | None] = queue.SimpleQueue()
        for each in plan:
            self._left.put(each)
        self._address = urlsplit(url).netloc
        self._keys = keys
        self._endpoint = endpoint
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(THREADS)]

    def send_all(self, *, within_s: float) -> None:
        """Returns when every request has its answer; ``within_s`` as in ``wait_until``."""
        deadline = time.monotonic() + within_s * PATIENCE
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if self._failures:
                raise self._failures[0]
            assert not thread.is_alive(), "requests without an answer"

    def _serve(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            while not self._failures:
                sent = self._left.get_nowait()
                if sent is None:
                    with self._restarting:
                        self._restart()
                else:
                    self._send_until_answered(connection, sent)
        except queue.Empty:
            pass
        except BaseException as error:  # raised again where the test waits
            self._failures.append(error)
        finally:
            connection.close()

    def _send_until_answered(self, connection: http.client.HTTPConnection, sent: Sent) -> None:
        while not self._failures:
            run = self.run
            try:
                if connection.sock is None:
                    connection.connect()
            except OSError:
                time.sleep(_RETRY_AFTER_S)
                continue
            try:
                status, body = self._ask(connection, sent)
            except _UNANSWERED:
                connection.close()
                self.book.note_unanswered(sent)
                if None in sent.ids:  # sent again, it would be another event
                    return
                continue
            self.book.note(sent, status, json.loads(body), run=run)
            if status != 503:
                return
            time.sleep(_RETRY_AFTER_S)

    def _ask(self, connection: http.client.HTTPConnection, sent: Sent) -> tuple[int, bytes]:
        drawn = sent.drawn
        public = self._keys["public"]
        path = drawn.path.replace(ENDPOINT, self._endpoint).replace(PUBLIC_KEY, public)
        body = drawn.body.replace(PUBLIC_KEY.encode(), public.encode())
        headers = {"Content-Type": drawn.content_type}
        if drawn.has_key and sent.who != "none":
            headers["X-API-Key"] = self._keys[sent.who]
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def new_seed() -> int:
    """One that no run had; it stands in the test's failure."""
    return uuid.uuid4().int >> 96
