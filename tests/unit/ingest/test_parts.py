"""Small parts of the door: answers, tallies, the overload gate, health, heads."""

from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec
import pytest

from weir.clock import SystemClock
from weir.dialects.replies import render_error
from weir.dialects.table import ROUTES, dialects_by_code
from weir.domain.frame import Draft
from weir.errors import Unavailable
from weir.ingest.counters import Counters
from weir.ingest.http.head import HEAD_BYTES_MAX, HEADS_MAX, Head, HeadMemory, origin_form
from weir.ingest.http.local import local_routes
from weir.ingest.http.responses import CLOSE, date_line, render_empty, render_json, status_line
from weir.node.board import Board, Slot

NOW_S = 1_800_000_000


# Answers.


def test_answer_is_whole() -> None:
    """Status, type, length of the bytes, date, further headers, body."""
    answer = render_json(
        202, '{"é":1}'.encode(), date=date_line(NOW_S), headers=CLOSE, is_head=False
    )
    assert answer == (
        b"HTTP/1.1 202 Accepted\r\n"
        b"Content-Type: application/json\r\n"
        b"X-Content-Type-Options: nosniff\r\n"
        b"Content-Length: 8\r\n"
        b"Date: Fri, 15 Jan 2027 08:00:00 GMT\r\n"
        b"Connection: close\r\n"
        b"\r\n" + '{"é":1}'.encode()
    )


def test_answer_to_head_has_the_length_but_no_body() -> None:
    """As RFC 9110 section 9.3.2 asks."""
    answer = render_json(200, b"{}", date=b"", headers=b"", is_head=True)
    assert answer.endswith(b"Content-Length: 2\r\n\r\n")


def test_empty_answer_has_no_length() -> None:
    """A 204 must not have one."""
    assert render_empty(204, date=b"", headers=b"") == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_unknown_status_gets_an_empty_phrase() -> None:
    """What the api answers is passed on, whatever it is."""
    assert status_line(599) == b"HTTP/1.1 599 \r\n"
    assert status_line(404) == b"HTTP/1.1 404 Not Found\r\n"


def test_date_is_the_second_it_is_told() -> None:
    """In the format of HTTP."""
    line = date_line(NOW_S).decode().removeprefix("Date: ").strip()
    assert parsedate_to_datetime(line).timestamp() == NOW_S


def test_error_has_no_details_unless_there_are_some() -> None:
    """Two fields, or three."""
    assert msgspec.json.decode(render_error(Unavailable("No.")).body) == {
        "error": "unavailable",
        "message": "No.",
    }


# Tallies.


def _drafts(tally: Counters) -> list[list[list[int]]]:
    drafts: list[Draft] = []
    tally.hand_on(drafts.append)
    return [msgspec.msgpack.decode(draft.body) for draft in drafts]


def test_refusals_are_summed_by_key_and_minute() -> None:
    """One frame for all of them; received and rejected are the same number."""
    tally = Counters()
    for key_id, minute, events in [(1, 5, 1), (1, 5, 10), (1, 6, 2), (2, 5, 3)]:
        tally.count_refused("native", key_id=key_id, events=events, now_us=minute * 60_000_000 + 7)
    assert sorted(_drafts(tally)[0]) == [[1, 5, 11, 11], [1, 6, 2, 2], [2, 5, 3, 3]]
    assert _drafts(tally) == []


def test_nothing_is_handed_on_when_nothing_was_refused() -> None:
    """What was taken is in frames of its own."""
    tally = Counters()
    tally.count_taken("native", 5, 2, body_bytes=100)
    tally.count_status(202)
    assert _drafts(tally) == []


def test_tally_frame_holds_no_events() -> None:
    """It belongs to nobody and moves no offset."""
    tally = Counters()
    tally.count_refused("native", key_id=1, events=1, now_us=0)
    drafts: list[Draft] = []
    tally.hand_on(drafts.append)
    assert (drafts[0].event_count, drafts[0].flags, drafts[0].place.tenant_id) == (0, 2, 0)


# Health.


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board.create(tmp_path / "board")


def _local(board: Board, path: bytes) -> tuple[int, dict[str, object]]:
    reply = local_routes(board, SystemClock(), node="n", region="r")[path]()
    return reply.status, msgspec.json.decode(reply.body)


def test_health_tells_the_node_and_never_fails(board: Board) -> None:
    """Seed 000: uptime is a number; degraded until all parts are there."""
    status, told = _local(board, b"/v1/health")
    assert (status, told["status"], told["uptime"]) == (200, "degraded", 0.0)
    for slot in (Slot.REGISTRY_EPOCH, Slot.API_READY, Slot.LOADER_READY):
        board.set(slot, 1)
    board.set(Slot.UPTIME_PPM, 999_812)
    status, told = _local(board, b"/v1/health")
    assert (told["status"], told["node"], told["region"]) == ("ok", "n", "r")
    assert told["uptime"] == 99.98


def test_readiness_needs_every_part_and_ends_with_draining(board: Board) -> None:
    """503 says which part is missing."""
    for slot in (Slot.REGISTRY_EPOCH, Slot.API_READY, Slot.LOADER_READY):
        assert _local(board, b"/readyz")[0] == 503
        board.set(slot, 1)
    assert _local(board, b"/readyz") == (
        200,
        {"ready": True, "registry": True, "api": True, "loader": True},
    )
    board.set(Slot.DRAINING, 1)
    assert _local(board, b"/readyz")[0] == 503
    assert _local(board, b"/livez") == (200, {"alive": True})


def test_clickstream_health_needs_every_part_and_ends_with_draining(board: Board) -> None:
    """503 says which part is missing; the time is the node's."""
    status, told = _local(board, b"/health")
    assert (status, told["status"]) == (503, "unhealthy")
    assert (told["registry"], told["api"], told["loader"]) == (False, False, False)
    for slot in (Slot.REGISTRY_EPOCH, Slot.API_READY, Slot.LOADER_READY):
        board.set(slot, 1)
    status, told = _local(board, b"/health")
    assert (status, told["status"]) == (200, "healthy")
    assert str(told["timestamp"]).endswith("Z")
    board.set(Slot.DRAINING, 1)
    assert _local(board, b"/health")[0] == 503


# Routes and heads.


def test_routes_and_codes_are_unique() -> None:
    """A frame's code means one dialect for ever; of a path's routes one takes what is left."""
    paths = [route.path for route in ROUTES if route.takes is None]
    assert len(paths) == len(set(paths))
    assert set(paths) == {route.path for route in ROUTES}
    assert {id(route.dialect) for route in ROUTES} == set(map(id, dialects_by_code().values()))
    assert sorted(dialects_by_code()) == [1, 2, 3, 4, 5, 10, 11, 12]


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/v1/events?a=b", b"/v1/events?a=b"),
        (b"http://a.example/v1/events?a=b", b"/v1/events?a=b"),
        (b"https://a.example:80/", b"/"),
        (b"http://a.example", b"/"),
        (b"*", b"*"),
        (b"/a?b=http://c/d", b"/a?b=http://c/d"),
        (b"//a/b", b"//a/b"),
    ],
)
def test_target_is_brought_to_path_and_query(target: bytes, found: bytes) -> None:
    """Only what names a server is cut."""
    assert origin_form(target) == found


def _head(**headers: bytes) -> Head:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Head(b"POST", b"/", b"/", named)


@pytest.mark.parametrize(
    "head",
    [
        _head(),
        _head(content_length=b"5", expect=b"100-continue"),
        _head(content_length=b"5", connection=b"close"),
        _head(content_length=b"5", upgrade=b"h2c"),
        _head(transfer_encoding=b"chunked"),
        Head(b"POST", b"/", b"/", {b"content-length": b"5"}, is_old=True),
    ],
)
def test_heads_that_mean_more_than_they_say_are_not_remembered(head: Head) -> None:
    """Only plain ones with a length."""
    memory = HeadMemory()
    memory.remember(b"bytes", head)
    assert memory.recall(b"bytes") is None


def test_memory_of_heads_is_bounded() -> None:
    """In number and in size."""
    memory = HeadMemory()
    plain = _head(content_length=b"5")
    memory.remember(b"x" * (HEAD_BYTES_MAX + 1), plain)
    assert memory.recall(b"x" * (HEAD_BYTES_MAX + 1)) is None
    for number in range(HEADS_MAX + 1):
        memory.remember(b"%d" % number, plain)
    assert memory.recall(b"0") is None
    found = memory.recall(b"%d" % HEADS_MAX)
    assert found is not None
    assert found.body_bytes == 5
