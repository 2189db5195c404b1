"""Records for an endpoint: who may write to it, in what order, and what a full node says."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.contract.http.ways import Way
from tests.unit.ingest.node import (
    FEW_EVENTS,
    INGEST,
    QUERY,
    Node,
    make_registry,
    wait_for,
)
from tests.unit.ingest.wire import Answer, request
from weir.domain.frame import decode_meta
from weir.domain.registry import Endpoint, Project

OWN = "11111111-1111-4111-8111-111111111111"
SECOND = "22222222-2222-4222-8222-222222222222"
FOREIGN = "33333333-3333-4333-8333-333333333333"
NDJSON = "Content-Type: application/x-ndjson"


@pytest.fixture
def edge(tmp_path: Path, way: Way) -> Iterator[Node]:
    """A worker that knows two endpoints of one project and one of another."""
    with way.node(tmp_path / "node", ingest_domain="edge.example") as node:
        registry = msgspec.structs.replace(
            make_registry(2),
            projects={1: Project(1, 1, "shop", 1), 2: Project(2, 2, "theirs", 3)},
            endpoints={
                1: Endpoint(1, 1, OWN),
                2: Endpoint(2, 1, SECOND),
                3: Endpoint(3, 2, FOREIGN),
            },
        )
        node.publish(registry)
        wait_for(lambda: node.door._credentials._registry.current().epoch == 2, what="the registry")
        yield node


def _path(endpoint: str) -> str:
    return f"/v1/endpoints/{endpoint}/ingest"


def _on_host(endpoint: str, body: bytes, *lines: str, key: str = INGEST) -> bytes:
    sent = request("/ingest", body, *lines, key=key)
    return sent.replace(b"door.example", f"{endpoint}.ingest.edge.example".encode())


def _ask(node: Node, sent: bytes, *, method: str = "POST") -> Answer:
    with node.connect() as wire:
        return wire.ask(sent, method=method)


def test_records_go_to_the_endpoint_that_is_named(edge: Node) -> None:
    """By path or host; without a name to the key's own. One key writes to all of its project."""
    for sent in (
        request(_path(OWN), b"1", key=INGEST),
        request(_path(SECOND.upper()), b"2", key=INGEST),
        _on_host(SECOND, b"3"),
        request("/ingest", b"4", NDJSON, key=INGEST),
        request(_path(SECOND), b"5", f"X-API-Key: {INGEST}"),
    ):
        assert _ask(edge, sent).status == 202
    places = [frame.place for frame in edge.frames()]
    assert [place.endpoint_id for place in places] == [1, 2, 2, 1, 2]
    assert {(place.tenant_id, place.project_id, place.key_id) for place in places} == {(1, 1, 1)}
    assert edge.bodies() == [b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize("endpoint", [FOREIGN, OWN[:-1], "x", "%2e%2e", "*", "%ff"])
def test_other_endpoints_are_not_there(edge: Node, endpoint: str) -> None:
    """A foreign id and one that is none are told alike, by the head alone."""
    answer = _ask(edge, request(_path(endpoint), b"{}", key=INGEST))
    assert answer.status == 404
    assert answer.json == {
        "error": "endpoint_not_found",
        "message": "The API key's project has no such endpoint.",
    }
    assert edge.frames() == []


def test_foreign_endpoint_in_the_host_is_not_there(edge: Node) -> None:
    """The name that a client connects to decides nothing about its tenant."""
    assert _ask(edge, _on_host(FOREIGN, b"{}", NDJSON)).status == 404
    assert _ask(edge, _on_host("nobody", b"{}", NDJSON)).status == 404


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("", 401, "unauthorized"),
        (QUERY, 403, "forbidden"),
        ("unknown-key-0123", 401, "unauthorized"),
    ],
)
def test_bad_key_is_refused_before_the_endpoint_is_looked_up(
    edge: Node, key: str, status: int, code: str
) -> None:
    """Whether an endpoint exists is told to nobody."""
    for endpoint in (OWN, FOREIGN):
        answer = _ask(edge, request(_path(endpoint), b"{}", key=key))
        assert (answer.status, answer.json["error"]) == (status, code)


def test_key_in_the_url_is_not_taken(edge: Node) -> None:
    """The data plane reads headers."""
    assert _ask(edge, request(f"{_path(OWN)}?api_key={INGEST}", b"{}")).status == 401


def test_pipelined_records_are_stored_in_order(edge: Node) -> None:
    """Small and large ones of one connection, which are decided in different threads."""
    bodies = [b"%d" % n + b" " * (400_000 if n % 5 == 3 else n) for n in range(20)]
    with edge.connect() as wire:
        wire.send(*[request(_path(SECOND), body, NDJSON, key=INGEST) for body in bodies])
        answers = [wire.read() for _ in bodies]
    assert [answer.json["bytes"] for answer in answers] == [len(body) for body in bodies]
    assert edge.bodies() == bodies


def test_answer_waits_for_the_sync(edge: Node) -> None:
    """No 202 before the records are on disk; 503 when they may not be."""
    edge.disk.may_sync.clear()
    with edge.connect() as wire:
        wire.send(request(_path(OWN), b"\xff\0", key=INGEST))
        assert not wire.poll(0.2)
        edge.disk.may_sync.set()
        assert wire.read().json == {"accepted": 1, "bytes": 2}


def test_full_node_says_when_to_come_back(edge: Node) -> None:
    """503 with Retry-After; nothing is stored, and then it goes on by itself."""
    edge.backlog[0] = 1 << 50
    edge.call(edge.overload.tick)
    answer = _ask(edge, request(_path(OWN), b"{}", key=INGEST))
    assert (answer.status, answer.json["error"]) == (503, "unavailable")
    assert int(answer["retry-after"] or 0) > 0
    edge.backlog[0] = 0
    edge.call(edge.overload.tick)
    assert _ask(edge, request(_path(OWN), b"{}", key=INGEST)).status == 202


def test_records_count_as_events(edge: Node) -> None:
    """Limits per minute hold for them; another tenant's key writes to its own project."""
    registry = msgspec.structs.replace(
        make_registry(3), endpoints={1: Endpoint(1, 1, OWN), 3: Endpoint(3, 2, FOREIGN)}
    )
    edge.publish(registry)
    wait_for(lambda: edge.door._credentials._registry.current().epoch == 3, what="the registry")
    body = b"\n".join([b"{}"] * 6)
    answer = _ask(edge, request(_path(OWN), body, NDJSON, key=FEW_EVENTS))
    assert (answer.status, answer.json["error"]) == (429, "rate_limited")
    assert _ask(edge, request(_path(OWN), b"{}\n{}", NDJSON, key=FEW_EVENTS)).status == 202


def test_compressed_records_are_stored_inflated(edge: Node) -> None:
    """The bytes of the answer are those that are stored."""
    packed = gzip.compress(b"{}\n" * 100)
    answer = _ask(edge, request(_path(OWN), packed, NDJSON, "Content-Encoding: gzip", key=INGEST))
    assert answer.json == {"accepted": 100, "bytes": 300}
    assert edge.bodies() == [b"{}\n" * 100]


def test_content_type_is_kept(edge: Node) -> None:
    """For whoever exports the payload later."""
    _ask(edge, request(_path(OWN), b"a,b", "Content-Type: text/csv", key=INGEST))
    assert [decode_meta(frame.meta).content_type for frame in edge.frames()] == ["text/csv"]


def test_plain_path_with_json_is_not_the_data_planes(edge: Node) -> None:
    """Only NDJSON is, on a host that is no endpoint's."""
    _ask(edge, request("/ingest", b"{}", "Content-Type: application/json", key=INGEST))
    assert edge.frames() == []


def test_preflights_pass_everywhere(edge: Node) -> None:
    """On the path, the endpoint's host, and the plain host."""
    lines = ("Origin: https://a.example", "Access-Control-Request-Headers: content-type")
    for target in (_path(OWN), "/ingest"):
        sent = request(target, b"", *lines, method="OPTIONS")
        answer = _ask(edge, sent, method="OPTIONS")
        assert answer.status == 204
        assert answer["access-control-allow-origin"] == "https://a.example"
