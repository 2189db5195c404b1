"""The client beside a node that answers as the test says."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from tests.clients.client_program import run_program, start_program
from tests.clients.fake_node import KEY, FakeNode, Reply
from tests.end_to_end.running_node import wait_until
from weir_client import AsyncWeirClient, Loss, Options, SpoolUnusable, WeirClient

QUICK = Options(batch_age_s=0.02, backoff_s=0.01, backoff_s_max=0.05, request_timeout_s=60)
AWAY = "http://127.0.0.1:9"
"""Where nothing listens."""


def _make(url: str, **given: object) -> WeirClient:
    return WeirClient(url, KEY, **{"options": QUICK, **given})  # type: ignore[arg-type]  # by tests


def test_events_are_sent_together_in_order_and_compressed(fake_node: FakeNode) -> None:
    """A full batch at once, the rest by age, without anybody asking."""
    options = QUICK._replace(batch_events_max=100, batch_age_s=0.2)
    with _make(fake_node.url, options=options) as client:
        ids = [client.track("step", {"number": number}) for number in range(250)]
        wait_until(lambda: len(fake_node.taken) == 250, within_s=10, what="three requests")
        assert fake_node.taken == ids
        assert max(len(received.events) for received in fake_node.received) <= 100
        first = fake_node.received[0].headers
        assert first["content-encoding"] == "gzip"
        assert first["authorization"] == f"Bearer {KEY}"
        more = client.track("late")
        wait_until(lambda: fake_node.taken[-1] == more, within_s=10, what="one more by its age")


def test_batches_end_at_their_bytes(fake_node: FakeNode) -> None:
    """The bound holds for each request; a larger event goes alone."""
    with _make(fake_node.url, options=QUICK._replace(batch_bytes_max=3000)) as client:
        for size in [900] * 7 + [5000] + [10] * 3:
            client.track("sized", {"text": "x" * size})
    for received in fake_node.received:
        assert len(received.events) == 1 or len(json.dumps(received.events)) < 3500
    assert len(fake_node.taken) == 11


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503),
        Reply(500, b""),
        Reply(502, b"<html>bad gateway</html>"),
        Reply(202, b"hello, I am something else"),
        Reply(202, b'{"accepted":1,"rejected":0,"results":[]}', cut=True),
        Reply(200, b'{"accepted":1,"rejected":0,"results":[]}', (("Content-Encoding", "gzip"),)),
        Reply(401),
        Reply(302, b"", (("Location", "/v1/query"),)),
    ],
    ids=["503", "500", "502", "stranger", "half", "undecodable", "401", "redirect"],
)
def test_what_was_not_acknowledged_is_sent_again_with_the_same_ids(
    fake_node: FakeNode, reply: Reply
) -> None:
    """Whatever came instead of an acknowledgement, three times."""
    fake_node.replies.extend([reply] * 3)
    with _make(fake_node.url, options=QUICK._replace(batch_age_s=60)) as client:
        ids = [client.track("a"), client.track("b")]
        assert client.flush(60)
        stats = client.stats()
    assert fake_node.taken == ids
    assert len({tuple(received.ids) for received in fake_node.received}) == 1
    assert len({received.sent_at for received in fake_node.received}) == 4
    assert (stats.delivered, stats.lost, stats.pending, stats.retries) == (2, 0, 0, 3)


@pytest.mark.parametrize("status", [429, 503])
def test_nothing_is_sent_before_retry_after_not_even_by_flush_and_close(
    fake_node: FakeNode, status: int
) -> None:
    """The node's wish is kept to the second, and the program still ends in time."""
    fake_node.replies.append(Reply(status, headers=(("Retry-After", "1"),)))
    client = _make(fake_node.url)
    client.track("a")
    client.flush(0.2)
    assert client.close(60)
    first, second = fake_node.received
    assert second.at_s - first.at_s >= 1


def test_a_batch_that_is_too_large_is_halved(fake_node: FakeNode) -> None:
    """Until its parts fit, in order."""
    fake_node.events_max = 3
    with _make(fake_node.url) as client:
        ids = [client.track("a") for _ in range(20)]
        assert client.flush(60)
    assert fake_node.taken == ids


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, b"<html>The plain HTTP request was sent to HTTPS port</html>"),
        Reply(400, b'{"error":"invalid_request","message":"The Host header is malformed."}'),
        Reply(413, b"<html>"),
        Reply(422, b""),
    ],
    ids=["html", "host", "413", "empty"],
)
def test_what_stands_between_client_and_node_costs_no_event(
    fake_node: FakeNode, tmp_path: Path, reply: Reply
) -> None:
    """Also when the node has taken events before, whatever that answers meanwhile."""
    losses: list[Loss] = []
    options = QUICK._replace(batch_age_s=60)
    with _make(fake_node.url, spool=tmp_path, on_loss=losses.append, options=options) as client:
        ids = [client.track("first")]
        assert client.flush(60)
        fake_node.replies.extend([reply] * 20)
        ids += [client.track("a", {"n": number}) for number in range(200)]
        assert client.flush(120)
    assert losses == []
    assert fake_node.taken == ids


def test_a_batch_that_a_minute_never_holds_is_parted(fake_node: FakeNode) -> None:
    """Into halves of what it holds; a limit that is only used up parts nothing."""
    window = ("X-RateLimit-Limit", "10")
    used = Reply(429, headers=(window, ("X-RateLimit-Remaining", "0")))
    never = Reply(429, headers=(window, ("X-RateLimit-Remaining", "10")))
    fake_node.replies.extend([used, used, used, never])
    with _make(fake_node.url, options=QUICK._replace(batch_age_s=60)) as client:
        ids = [client.track("a") for _ in range(13)]
        assert client.flush(60)
    assert [len(received.ids) for received in fake_node.received] == [13] * 4 + [5, 5, 3]
    assert fake_node.taken == ids


@pytest.mark.parametrize(
    "reply",
    [
        Reply(0, b"HTTP/1.1 202 Accepted\r\nX: ", drip=b"x"),
        Reply(0, drip=b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        Reply(0, b"HTTP/1.1 202 Accepted\r\nContent-Length: 99999\r\n\r\n", drip=b" "),
    ],
    ids=["head", "hints", "body"],
)
def test_an_answer_that_never_ends_is_given_up(fake_node: FakeNode, reply: Reply) -> None:
    """Although something comes before each wait for bytes is over; the events are sent again."""
    fake_node.replies.append(reply)
    with _make(fake_node.url, options=QUICK._replace(request_timeout_s=0.5)) as client:
        event_id = client.track("a")
        assert client.flush(60)
    assert set(fake_node.taken) == {event_id}  # on a busy machine a good answer may be late too


def test_flush_is_not_over_before_losses_are_told(fake_node: FakeNode) -> None:
    """Nor does anything cease to wait: whoever sees True sees in ``lost`` all that is lost."""
    result = {"index": 0, "code": "validation.type", "field": "f", "message": "m"}
    body = json.dumps({"accepted": 0, "rejected": 1, "results": [result]})
    fake_node.replies.append(Reply(400, body.encode()))
    begun, may_end = threading.Event(), threading.Event()

    def hear(_loss: Loss) -> None:
        begun.set()
        assert may_end.wait(120)

    with _make(fake_node.url, on_loss=hear) as client:
        client.track("bad")
        assert begun.wait(60)
        assert client.stats().pending == 1
        assert not client.flush(0.05)
        may_end.set()
        assert client.flush(60)
        assert client.stats()[:4] == (1, 0, 1, 0)


def test_what_the_node_rejects_is_told_and_not_sent_again(fake_node: FakeNode) -> None:
    """The others of the request are delivered; the loss holds code, words and the event."""
    result = {"index": 1, "code": "validation.type", "field": "user_id", "message": "is wrong"}
    body = json.dumps({"accepted": 1, "rejected": 1, "results": [result]})
    fake_node.replies.append(Reply(202, body.encode()))
    losses: list[Loss] = []
    with _make(fake_node.url, on_loss=losses.append, options=Options(batch_age_s=60)) as client:
        client.track("good")
        bad = client.track("bad")
        assert client.flush(60)
        assert client.stats().delivered == 1
    [loss] = losses
    assert loss[:3] == (bad, "validation.type", "user_id is wrong")
    assert json.loads(loss.event)["event"] == "bad"
    assert len(fake_node.received) == 1


def test_a_request_without_answer_is_given_up_and_sent_again(fake_node: FakeNode) -> None:
    """A node that hangs costs a timeout, not the events."""
    fake_node.open.clear()
    with _make(fake_node.url, options=QUICK._replace(request_timeout_s=0.5)) as client:
        event_id = client.track("a")
        wait_until(lambda: len(fake_node.received) > 1, within_s=10, what="a second attempt")
        fake_node.open.set()
        assert client.flush(60)
    assert event_id in fake_node.taken


class _Raises(Mapping[str, object]):
    """Raises whatever is asked of it, as a Mapping over a closed file or database may."""

    def __getitem__(self, name: str) -> object:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("closed")

    def __len__(self) -> int:
        raise OSError("closed")


class _NoZone(tzinfo):
    def utcoffset(self, _moment: datetime | None) -> timedelta:
        raise RuntimeError("no zone")

    def dst(self, _moment: datetime | None) -> None:
        """Nobody asks."""

    def tzname(self, _moment: datetime | None) -> None:
        """Nobody asks."""


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda client: client.track("a", {"x": float("nan")}), "invalid"),
        (lambda client: client.track("a", {"x": object()}), "invalid"),
        (lambda client: client.track("a", {"x": _Raises()}), "invalid"),
        (lambda client: client.track("a", _Raises()), "invalid"),
        (lambda client: client.page("a", _Raises()), "invalid"),
        (lambda client: client.track("a", context=_Raises()), "invalid"),
        (lambda client: client.send(_Raises()), "invalid"),
        (lambda client: client.track("a", ts=datetime(2026, 1, 1, tzinfo=_NoZone())), "invalid"),
        (lambda client: client.track("a", {"x": "y" * 2000}), "too_large"),
    ],
)
def test_an_event_that_cannot_be_sent_is_told_and_raises_nothing(
    fake_node: FakeNode, call: Callable[[WeirClient], str], code: str
) -> None:
    """A program never fails because of what it tracks; the next event goes through."""
    losses: list[Loss] = []
    options = QUICK._replace(event_bytes_max=1000)
    with _make(
        fake_node.url, on_loss=losses.append, options=options, context={"app": "x"}
    ) as client:
        event_id = call(client)
        good = client.track("good")
    assert [(loss.event_id, loss.code) for loss in losses] == [(event_id, code)]
    assert json.loads(losses[0].event)["event_id"] == event_id
    assert code != "too_large" or losses[0].message.endswith("bytes; event_bytes_max is 1000")
    assert fake_node.taken == [good]


def test_memory_is_bounded_while_the_node_is_away() -> None:
    """The oldest are kept, the newest told as lost; at the end all that waited are told."""
    losses: list[Loss] = []
    options = QUICK._replace(queue_bytes_max=20_000)
    client = _make(AWAY, on_loss=losses.append, options=options)
    ids = [client.track("a", {"number": number}) for number in range(1000)]
    full = len(losses)
    assert 0 < client.stats().pending < 150
    assert {loss.code for loss in losses} == {"queue_full"}
    assert not client.close(0)
    assert {loss.code for loss in losses[full:]} == {"undelivered"}
    assert [loss.event_id for loss in losses[full:] + losses[:full]] == ids


def test_tracking_may_wait_for_room(fake_node: FakeNode) -> None:
    """With a room timeout eight threads lose nothing in a queue far smaller than their events."""
    options = QUICK._replace(queue_bytes_max=50_000, room_timeout_s=120, batch_age_s=5)
    with _make(fake_node.url, options=options) as client:

        def run() -> None:
            for number in range(500):
                client.track("a", {"number": number})

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush(120)
        assert client.stats().lost == 0
    assert len(set(fake_node.taken)) == len(fake_node.taken) == 4000


def test_what_a_program_left_behind_is_sent_first_and_in_order(
    fake_node: FakeNode, tmp_path: Path
) -> None:
    """A run without a node leaves its events; the next sends them before its own."""
    with _make(AWAY, spool=tmp_path, options=QUICK._replace(close_timeout_s=0.1)) as client:
        old = [client.track("old") for _ in range(30)]
    with _make(fake_node.url, spool=tmp_path) as client:
        new = [client.track("new") for _ in range(3)]
        assert client.flush(60)
        assert client.stats()[:4] == (33, 33, 0, 0)
    assert fake_node.taken == old + new


def test_damage_in_the_spool_is_told(fake_node: FakeNode, tmp_path: Path) -> None:
    """Once per event that is gone, while the others arrive."""
    with _make(AWAY, spool=tmp_path, options=QUICK._replace(close_timeout_s=0)) as client:
        ids = [client.track("a") for _ in range(5)]
    [file] = tmp_path.glob("*.spool")
    file.write_bytes(file.read_bytes()[:-7])
    losses: list[Loss] = []
    with _make(fake_node.url, spool=tmp_path, on_loss=losses.append) as client:
        assert client.flush(60)
    assert fake_node.taken == ids[:-1]
    assert [loss.code for loss in losses] == ["spool_damaged"]


def test_a_full_spool_and_a_spool_without_a_disk_are_told(tmp_path: Path) -> None:
    """Neither raises; the code says which."""
    codes: list[str] = []
    options = QUICK._replace(spool_bytes_max=2000, close_timeout_s=0)
    with _make(
        AWAY, spool=tmp_path / "a", on_loss=lambda loss: codes.append(loss.code), options=options
    ) as client:
        for _ in range(30):
            client.track("a")
        assert set(codes) == {"spool_full"}
        codes.clear()
    gone = tmp_path / "b"
    with _make(AWAY, spool=gone, on_loss=lambda loss: codes.append(loss.code)) as client:
        (gone / "position").unlink()
        gone.rmdir()
        client.track("a")
        assert codes == ["spool_failed"]


def test_a_program_killed_the_moment_it_tracked_loses_nothing(
    fake_node: FakeNode, tmp_path: Path
) -> None:
    """SIGKILL to itself; its next run delivers every event once, before its own."""
    program = """if True:
        import os, signal, sys
        from weir_client import WeirClient
        client = WeirClient(sys.argv[1], "key", spool=sys.argv[2])
        print(*[client.track("a", {"n": n}) for n in range(200)], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = start_program(program, AWAY, tmp_path)
    output, _ = killed.communicate(timeout=300)
    ids = output.split()
    assert len(ids) == 200
    with _make(fake_node.url, spool=tmp_path) as client:
        assert client.flush(60)
    assert fake_node.taken == ids


def test_a_program_that_just_ends_delivers(fake_node: FakeNode) -> None:
    """Nobody calls flush or close; the end of the program does."""
    run_program(
        "import sys, weir_client\n"
        "options = weir_client.Options(batch_age_s=60, close_timeout_s=30)\n"
        "client = weir_client.WeirClient(sys.argv[1], 'key', options=options)\n"
        "client.track('a'); client.track('b')",
        fake_node.url,
    )
    assert [event["event"] for event in fake_node.received[0].events] == ["a", "b"]


def test_a_program_ends_in_time_while_the_node_hangs(fake_node: FakeNode, tmp_path: Path) -> None:
    """Not after the request's timeout of an hour; what it tracked is in the spool."""
    fake_node.open.clear()
    run_program(
        "import sys, weir_client\n"
        "options = weir_client.Options(request_timeout_s=3600, close_timeout_s=0.3)\n"
        "client = weir_client.WeirClient(\n"
        "    sys.argv[1], 'key', spool=sys.argv[2], options=options)\n"
        "client.track('a')",
        fake_node.url,
        tmp_path,
    )
    [file] = tmp_path.glob("*.spool")
    assert b'"event":"a"' in file.read_bytes()


def test_a_fork_doubles_nothing_and_sends_its_own(fake_node: FakeNode) -> None:
    """What waits at the fork is the parent's; the child begins with an empty queue and thread."""
    program = """if True:
        import os, sys, weir_client
        client = weir_client.WeirClient(
            sys.argv[1], "key", options=weir_client.Options(batch_age_s=60, close_timeout_s=30))
        client.track("before")
        for number in range(3):
            if os.fork() == 0:
                client.track("child")
                sys.exit(0 if client.flush(20) else 1)
        codes = [os.wait()[1] for _ in range(3)]
        client.track("parent")
        sys.exit(any(codes))
    """
    run_program(program, fake_node.url)
    events = [event for received in fake_node.received for event in received.events]
    assert sorted(event["event"] for event in events) == ["before", *["child"] * 3, "parent"]
    assert len({event["event_id"] for event in events}) == 5


def test_a_fork_leaves_the_spool_to_its_parent(fake_node: FakeNode, tmp_path: Path) -> None:
    """The child sends from memory and says so; the lock stays the parent's, and ends with it."""
    program = """if True:
        import os, sys, weir_client
        client = weir_client.WeirClient(sys.argv[1], "key", spool=sys.argv[2])
        client.track("before")
        child = os.fork()
        client.track("child" if child == 0 else "parent")
        if child == 0:
            sys.exit(0 if client.close(20) else 1)
        client.close(30)
        weir_client.WeirClient(sys.argv[1], "key", spool=sys.argv[2]).close()
        sys.exit(os.wait()[1] > 0)
    """
    done = run_program(program, fake_node.url, tmp_path)
    assert len(fake_node.taken) == len(set(fake_node.taken)) == 3
    assert "the spool stays with the process that opened it" in done.stderr


def test_the_async_client_takes_waits_and_closes(fake_node: FakeNode, tmp_path: Path) -> None:
    """Many tasks at once, a queue that is too small for them, and a flush."""
    options = QUICK._replace(spool_bytes_max=30_000, room_timeout_s=120)

    async def run() -> None:
        async with AsyncWeirClient(
            fake_node.url, KEY, spool=tmp_path, options=options, context={"app": "x"}
        ) as client:
            await asyncio.gather(*[client.track("a", {"n": number}) for number in range(400)])
            await client.identify("u", {"plan": "pro"}, session_id="s")
            await client.page("home", {"path": "/"})
            assert await client.flush(20)
            assert client.stats()[:4] == (402, 402, 0, 0)

    asyncio.run(run())
    assert len(set(fake_node.taken)) == 402
    page = fake_node.received[-1].events[-1]
    assert page["properties"] == {"name": "home", "path": "/"}
    assert page["context"] == {"app": "x"}


def test_after_close_events_are_told_and_nothing_is_left_running(fake_node: FakeNode) -> None:
    """Closing twice is harmless; a later event is a loss with a code of its own."""
    losses: list[Loss] = []
    others = set(threading.enumerate())
    client = _make(fake_node.url, on_loss=losses.append)
    client.track("a")
    assert client.close()
    assert client.close()
    client.track("b")
    assert [loss.code for loss in losses] == ["closed"]
    begun = set(threading.enumerate()) - others
    assert not [thread for thread in begun if thread.name.startswith("weir-")]


def test_a_callback_may_fail_and_may_call_the_client(fake_node: FakeNode) -> None:
    """What it raises is logged; flush inside of it gives up at once instead of hanging."""
    refusal = {"index": 0, "code": "validation.type", "field": "", "message": ""}
    body = json.dumps({"accepted": 0, "rejected": 1, "results": [refusal]}).encode()
    fake_node.replies.append(Reply(400, body))
    answers: list[bool] = []

    def fail(_loss: Loss) -> None:
        answers.append(client.flush())
        raise RuntimeError("mine")

    with _make(fake_node.url, on_loss=fail) as client:
        client.track("bad")
        assert client.flush(60)
        good = client.track("good")
    assert answers == [False]
    assert fake_node.taken == [good]


def test_a_program_out_of_threads_keeps_its_events(
    fake_node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tracking raises nothing, and the next event finds a thread for both."""

    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with _make(fake_node.url) as client:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            first = client.track("a")
        second = client.track("a")
        assert client.flush(60)
    assert fake_node.taken == [first, second]


def test_the_log_says_where_and_why_events_wait(
    fake_node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    """The address and the node's words, or the system's when there is no node."""
    message = "The key is mistyped: its checksum does not match."
    fake_node.replies.append(Reply(401, json.dumps({"error": "x", "message": message}).encode()))
    with _make(fake_node.url) as client:
        client.track("a")
        assert client.flush(60)
    assert f"{fake_node.url}/v1/events does not take them: status 401 x: {message}" in caplog.text
    for url, words in [
        (AWAY, "refused"),
        (fake_node.url.replace("http:", "https:"), "SSL"),
    ]:
        caplog.clear()
        with _make(url, options=QUICK._replace(close_timeout_s=0)) as client:
            client.track("a")
            assert not client.flush(0.2)
            wait_until(lambda: "does not take them" in caplog.text, within_s=10, what="a line")
        assert url in caplog.text
        assert words in caplog.text


def test_the_log_says_which_event_is_lost_by_which_field(
    fake_node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    """At the call, or when the node has refused it; each reason at once, and no value."""
    result = {"index": 0, "code": "validation.format", "field": "ts", "message": "is no time"}
    told = {"accepted": 0, "rejected": 1, "results": [result, {**result, "field": "sent_at"}]}
    fake_node.replies.append(Reply(202, json.dumps(told).encode()))
    losses: list[Loss] = []
    with _make(fake_node.url, on_loss=losses.append) as client:
        client.track("login", user_id=4.2)  # type: ignore[arg-type]  # wrong on purpose
        client.track("cart", {"items": [{"price": float("nan"), "who": "secret"}]})
        client.identify(None, {"mail": "secret"})  # type: ignore[arg-type]  # as above
        client.identify("")
        client.track("buy\n", ts="secret")
        assert client.flush(60)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        f"1 event(s) will not arrive: {words}"
        for words in (
            "invalid: 'login': user_id must be a text, an integer or a UUID, not float",
            "invalid: 'cart': properties.items.0.price is nan, which JSON cannot say",
            "invalid: 'identify': user_id is required",
            "validation.format: 'buy\\n': ts is no time; sent_at is no time",
            "invalid: 'identify': user_id is required",  # the second one, at the end
        )
    ]
    assert "secret" not in caplog.text
    assert [(loss.name, loss.field) for loss in losses] == [
        ("login", "user_id"),
        ("cart", "properties.items.0.price"),
        ("identify", "user_id"),
        ("identify", "user_id"),
        ("buy\n", "ts"),
    ]


def test_reasons_without_end_are_told_together(
    fake_node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that makes up names fills neither the memory nor the log; each loss is counted."""
    with _make(fake_node.url) as client:
        for number in range(300):
            client.track(f"event {number}", user_id=4.2)  # type: ignore[arg-type]  # wrong on purpose
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 102
    assert sum(int(line.split()[0]) for line in lines) == 300


def test_context_that_cannot_be_sent_ends_no_event(fake_node: FakeNode) -> None:
    """It would spoil each of them: the client is not made. What changes later is not sent."""
    for context in ({"app": object()}, {"app": "a\0b"}, {"app": float("nan")}, [1]):
        with pytest.raises(ValueError, match=r"^context"):
            _make(fake_node.url, context=context)
    app = {"release": Decimal("1.0")}
    with _make(fake_node.url, context={"app": app}) as client:
        app["release"] = object()  # type: ignore[assignment]  # wrong on purpose
        client.track("a")
        assert client.flush(60)
        assert client.stats().lost == 0


def test_no_log_line_and_no_text_of_the_client_holds_the_key(
    fake_node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    """At every level, of every library below, whatever the node answers."""
    caplog.set_level(logging.DEBUG)
    echo = json.dumps({"error": KEY + " !", "message": KEY}).encode()
    told = json.dumps({"error": "unknown", "message": f"No {KEY} here."}).encode()
    fake_node.replies.extend(
        [Reply(401, echo), Reply(401, told), Reply(503, KEY.encode()), Reply(202, b"")]
    )
    with _make(fake_node.url) as client:
        client.track("a")
        assert client.flush(60)
        assert KEY not in repr(vars(client)) + repr(vars(client._delivery))
    assert "status 401" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "schlüssel"])
def test_a_wrong_key_is_refused_without_being_repeated(key: str) -> None:
    """Otherwise it would stand in a traceback."""
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        WeirClient("http://localhost", key)
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:8080", "ftp://x", "http://", "http://u:p@x", "http://x?a=b", "http://x:y"),
        *("http://x/v1/events", "http://x/weir/v1/"),
    ],
)
def test_a_wrong_address_is_refused(url: str) -> None:
    """When the client is made, not with the first event."""
    with pytest.raises(ValueError, match="must be like"):
        WeirClient(url, KEY)


@pytest.mark.parametrize(
    "change",
    [{"batch_events_max": 0}, {"batch_events_max": 1001}, {"backoff_s": -1.0}, {"batch_age_s": 0}],
)
def test_a_wrong_limit_is_refused_by_its_name(change: dict[str, float]) -> None:
    """The first that cannot work."""
    with pytest.raises(ValueError, match=next(iter(change))):
        WeirClient(AWAY, KEY, options=Options()._replace(**change))  # type: ignore[arg-type]  # wrong on purpose


def test_two_clients_cannot_share_a_spool(tmp_path: Path) -> None:
    """The second is refused with what to do."""
    with _make(AWAY, spool=tmp_path), pytest.raises(SpoolUnusable, match="of its own"):
        _make(AWAY, spool=tmp_path)


def test_an_http_client_of_ones_own_is_used(fake_node: FakeNode) -> None:
    """For proxies, certificates and the like."""
    made: list[int] = []

    def make() -> httpx.Client:
        made.append(os.getpid())
        return httpx.Client(headers={"X-Through": "mine"})

    with _make(fake_node.url, make_http=make) as client:
        client.track("a")
    assert made == [os.getpid()]
    assert fake_node.received[0].headers["x-through"] == "mine"
