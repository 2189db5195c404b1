"""What is not ingest goes to the api process, request by request, and comes back as it was sent."""

from pathlib import Path

import pytest

from tests.contract.http.ways import PLAIN, Way
from tests.unit.ingest.node import (
    EXPIRED,
    INGEST,
    QUERY,
    Node,
    connections_of,
    running_node,
    unsent_bytes,
    wait_for,
)
from tests.unit.ingest.upstream import FLOOD_PIECE
from tests.unit.ingest.wire import Closed, chunked, request
from weir.ingest.http import relay

HELLO = request("/livez", b"", method="GET")


@pytest.fixture
def way() -> Way:
    """How the door itself passes requests on, to the byte."""
    return PLAIN


def test_request_arrives_as_it_was_sent(node: Node) -> None:
    """Method, target, headers and body are the client's; only the framing is ours."""
    body = bytes(range(256))
    sent = request(
        "/echo/a%20b?q=%41&q=2", body, "X-Own: kept", "Cookie: a=b", "X-Own: twice", method="PATCH",
        key="somebody",
    )  # fmt: skip
    with node.connect() as wire:
        assert wire.ask(sent).status == 200
    seen = node.upstream.requests[0]
    assert (seen.method, seen.target) == ("PATCH", "/echo/a%20b?q=%41&q=2")
    assert seen.body.encode("latin-1") == body
    headers = dict(seen.headers)
    assert headers["x-own"] == "kept, twice"
    assert headers["cookie"] == "a=b"
    assert headers["authorization"] == "Bearer somebody"
    assert headers["host"] == "door.example"
    assert headers["content-length"] == "256"
    assert len(headers) == len(seen.headers)


def test_client_address_is_told_by_the_door_alone(node: Node) -> None:
    """A client cannot claim another address."""
    with node.connect() as wire:
        wire.ask(request("/echo", b"", "X-Weir-Client-Address: 203.0.113.9", method="GET"))
    headers = node.upstream.requests[0].headers
    told = [value for name, value in headers if name == "x-weir-client-address"]
    assert told == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("forwarded", "told"),
    [("198.51.100.1, 203.0.113.9", "203.0.113.9"), ("x\xe9", ""), ("2001:db8::1", "2001:db8::1")],
)
def test_client_behind_a_trusted_proxy_is_told(node: Node, forwarded: str, told: str) -> None:
    """So that address lists hold for queries as they do for events."""
    with node.connect() as wire:
        wire.ask(request("/echo", b"", f"X-Forwarded-For: {forwarded}", method="GET"))
    assert dict(node.upstream.requests[0].headers)["x-weir-client-address"] == told


def test_headers_between_two_servers_are_not_passed_on(node: Node) -> None:
    """Hop-by-hop headers end at the door (RFC 9110 section 7.6.1)."""
    lines = ("Connection: keep-alive", "Keep-Alive: 5", "TE: trailers", "Upgrade: h2c")
    with node.connect() as wire:
        wire.ask(request("/echo", b"", *lines, method="GET"))
        wire.ask(chunked(b"abc", target="/echo"))
    for seen in node.upstream.requests:
        names = {name for name, _ in seen.headers}
        assert not names & {"keep-alive", "te", "upgrade", "transfer-encoding"}
    assert node.upstream.requests[1].body == "abc"


def test_answer_streams_in_chunks(node: Node) -> None:
    """An answer without a length goes on as chunks, and the connection stays in step."""
    with node.connect() as wire:
        answer = wire.ask(request("/stream/100", b"", method="GET"), method="GET")
        assert answer.body.split() == [b"%d" % number for number in range(100)]
        assert answer["transfer-encoding"] == "chunked"
        assert wire.ask(HELLO, method="GET").status == 200


def test_old_client_gets_a_stream_to_the_end_of_the_connection(node: Node) -> None:
    """HTTP/1.0 knows no chunks."""
    with node.connect() as wire:
        answer = wire.ask(b"GET /stream/3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert (answer.body, answer["transfer-encoding"]) == (b"0 1 2 ", None)
        assert answer["connection"] == "close"


def test_what_is_known_behind_the_body_comes_back(node: Node) -> None:
    """Trailers are announced and sent as they came (RFC 9110, 6.5), and the connection goes on."""
    with node.connect() as wire:
        for count in (3, 0):
            answer = wire.ask(request(f"/trailed/{count}", b"", method="GET"), method="GET")
            assert answer["trailer"] == "X-Own, X-Other"
            assert answer.trailers == [("x-own", "known late"), ("x-other", "2")]
            assert len(answer.body.split()) == count
        assert wire.ask(HELLO, method="GET").status == 200


def test_old_client_is_promised_no_trailers(node: Node) -> None:
    """Without chunks there is no place for them."""
    with node.connect() as wire:
        answer = wire.ask(b"GET /trailed/3 HTTP/1.0\r\n\r\n")
        assert (answer.body, answer["trailer"]) == (b"0 1 2 ", None)


@pytest.mark.parametrize(
    ("target", "method", "status", "body"),
    [
        ("/sized", "GET", 418, b"short"),
        ("/none", "DELETE", 204, b""),
        ("/echo", "HEAD", 200, b""),
        ("/none", "HEAD", 204, b""),
    ],
)
def test_status_and_length_come_back(
    node: Node, target: str, method: str, status: int, body: bytes
) -> None:
    """Whatever the api answers is what the client reads; twice on one connection."""
    with node.connect() as wire:
        for _ in range(2):
            answer = wire.ask(request(target, b"", method=method), method=method)
            assert (answer.status, answer.body) == (status, body)
            assert answer["connection"] is None


@pytest.mark.parametrize("target", ["/gone", "/garbage"])
def test_api_that_answers_nothing_is_a_503(node: Node, target: str) -> None:
    """The client may try again; its connection is still good."""
    with node.connect() as wire:
        answer = wire.ask(request(target, b"", method="GET"), method="GET")
        assert (answer.status, answer["retry-after"]) == (503, "1")
        assert answer.json["error"] == "unavailable"
        assert wire.ask(HELLO, method="GET").status == 200


def test_api_that_dies_midway_breaks_the_answer_visibly(node: Node) -> None:
    """A torn body is never ended as if it were whole."""
    with node.connect() as wire:
        wire.send(request("/torn", b"", method="GET"))
        with pytest.raises(Closed):
            wire.read("GET")


def test_without_api_events_are_still_taken(tmp_path: Path) -> None:
    """Ingest does not need the api process."""
    with running_node(tmp_path / "node", with_api=False) as node, node.connect() as wire:
        assert wire.ask(request("/v1/query", b"", method="GET"), method="GET").status == 503
        assert wire.ask(request(key=INGEST)).status == 202


def test_api_that_says_nothing_is_a_503_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stuck api process keeps nobody for ever; a slow answer that has begun is let run."""
    monkeypatch.setattr(relay, "SLACK_S", 1.0)
    with (
        running_node(tmp_path / "node", query_timeout_s=0.05, query_queue_wait_s=0.0) as node,
        node.connect() as wire,
        node.connect(receive_bytes=65536) as slow,
    ):
        slow.send(request("/flood", b"", method="GET"))
        answer = wire.ask(request("/hang", b"", method="GET"), method="GET")
        assert (answer.status, answer["retry-after"]) == (503, "1")
        assert node.upstream.lost.acquire(timeout=120)
        assert wire.ask(HELLO, method="GET").status == 200
        slow.read_bytes(64 * len(FLOOD_PIECE))
        slow.reset()


def test_bodies_of_unknown_senders_leave_budget_for_events(tmp_path: Path) -> None:
    """Without a known key they share a sixteenth of the budget; beyond it they get 503."""
    in_flight_bytes_max = 1 << 20
    body = b"x" * 40_000
    with running_node(tmp_path / "node", in_flight_bytes_max=in_flight_bytes_max) as node:
        unknown_senders = {
            "no key": request("/hang", body),
            "chunked": chunked(body, target="/hang"),
            "unknown key": request("/hang", body, key="unknown-key-0123456789"),
            "expired key": request("/hang", body, key=EXPIRED),
            "other method": request("/v1/events", body, method="PUT", length=50_000),
            "health": request("/livez", body, length=50_000),
        }
        with node.connect() as first, node.connect() as known:
            first.send(request("/hang", body))
            wait_for(lambda: node.upstream.requests)
            for name, sent in unknown_senders.items():
                with node.connect() as wire:
                    answer = wire.ask(sent)
                    assert (answer.status, answer["connection"]) == (503, "close"), name
            known.send(request("/hang", body, key=QUERY))
            wait_for(lambda: len(node.upstream.requests) == 2)
            with node.connect() as wire:
                assert wire.ask(request(key=INGEST)).status == 202
            node.call(node.upstream.let_go)
            assert [first.read().status, known.read().status] == [418, 418]
            assert first.ask(request("/echo", body)).status == 200


def test_unknown_senders_that_ask_again_find_their_budget(tmp_path: Path) -> None:
    """What one request held is given back, on one connection or when it leaves midway."""
    body = b"x" * 40_000
    with running_node(tmp_path / "node", in_flight_bytes_max=1 << 20) as node:
        with node.connect() as wire:
            for _ in range(5):
                assert wire.ask(request("/echo", body)).status == 200
        for _ in range(5):
            with node.connect() as wire:
                wire.send(request("/echo", body, length=60_000))
                wait_for(lambda: node.door.bytes_in_flight == len(body))
                wire.reset()
            wait_for(lambda: not node.door.connections)


def test_client_that_leaves_ends_its_request_at_the_api(node: Node) -> None:
    """A query whose client has gone away does not go on for nobody, however it went."""
    for leave in ("close", "reset", "shutdown"):
        with node.connect() as wire:
            wire.send(request("/hang", b"", method="GET"))
            wait_for(lambda: node.upstream.requests)
            getattr(wire if leave != "close" else wire.socket, leave)()
            assert node.upstream.lost.acquire(timeout=120), leave
        node.upstream.requests.clear()
    wait_for(lambda: not node.door.connections)


def test_client_that_leaves_before_its_turn_starts_nothing(node: Node) -> None:
    """A relayed request still behind another one is forgotten with its connection."""
    with node.connect() as wire:
        wire.send(request("/hang", b"", method="GET") + request("/echo", b"", method="GET"))
        wait_for(lambda: node.upstream.requests)
        wire.reset()
        assert node.upstream.lost.acquire(timeout=120)
    wait_for(lambda: not node.door.connections)
    assert [seen.target for seen in node.upstream.requests] == ["/hang"]


def test_many_clients_that_leave_at_once_leave_nothing_behind(node: Node) -> None:
    """Leaving while the connection to the api is being made is harmless too."""
    for _ in range(100):
        with node.connect() as wire:
            wire.send(request("/hang", b"x" * 100))
            wire.reset()
    wait_for(lambda: not node.door.connections)
    assert node.door.bytes_in_flight == 0


def test_slow_reader_slows_the_api_down(node: Node) -> None:
    """What the client does not read is not read from the api: memory stays bounded."""
    with node.connect(receive_bytes=65536) as wire:
        wire.send(request("/flood", b"", method="GET"))
        wait_for(lambda: node.call(lambda: any(c._is_paused for c in connections_of(node))))
        before = -1
        while before != node.upstream.flooded_bytes:
            before = node.upstream.flooded_bytes
            for _ in range(100):  # turns of the loop in which a source that is read would be
                node.call(lambda: None)
        assert node.call(lambda: unsent_bytes(node)) < 16 * len(FLOOD_PIECE)
        wire.read_bytes(before + 4 * len(FLOOD_PIECE))
        assert node.upstream.flooded_bytes > before
        wire.reset()
        assert node.upstream.lost.acquire(timeout=120)


def test_request_behind_a_stream_waits_for_its_end(node: Node) -> None:
    """An answer that is complete earlier is written later."""
    with node.connect() as wire:
        wire.send(request("/hang", b"", method="GET") + request(key=INGEST) + HELLO)
        wait_for(node.frames)
        assert not wire.poll()
        node.call(node.upstream.let_go)
        assert [wire.read("GET").status for _ in range(3)] == [418, 202, 200]
