"""What the client makes of an answer, and when it tries again."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from weir.dialects.port import RateLimits, RateWindow
from weir.domain.registry import Principal, Tenant
from weir.errors import LimitExceeded
from weir.ingest.http.responses import window_headers
from weir.ingest.limits import LimitTable, create_limit_table
from weir_client.options import Options
from weir_client.verdicts import (
    RETRY_AFTER_S_MAX,
    Answer,
    Backoff,
    Step,
    events_max,
    judge,
    retry_after_s,
)


def _judge(status: int, body: object = None, *, events: int = 4, attempt: int = 0) -> Step:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge(Answer(status, text), events=events, attempt=attempt).step


def _results(accepted: int, *refused: object) -> dict[str, object]:
    results = [
        {"index": place, "code": "validation.type", "field": "f", "message": "m"}
        for place in refused
    ]
    return {"accepted": accepted, "rejected": len(set(refused)), "results": results}


def test_each_refused_event_is_told_once_whatever_its_reasons() -> None:
    """An event with two problems is one refusal, under its place, which names both."""
    body = json.dumps(_results(2, 1, 1, 3)).encode()
    verdict = judge(Answer(202, body), events=4, attempt=0)
    assert verdict.step is Step.DONE
    assert [refusal.place for refusal in verdict.refusals] == [1, 3]
    assert verdict.refusals[0].code == "validation.type"
    assert verdict.refusals[0].message == "f m; f m"
    assert verdict.refusals[0].field == "f"
    assert verdict.refusals[1].message == "f m"


@pytest.mark.parametrize(
    "body",
    [
        _results(3),
        _results(5),
        _results(3, 4),
        _results(3, -1),
        _results(3, True) | {"rejected": 2},
        {"accepted": 4},
        {"accepted": 4, "rejected": 0, "results": [7]},
        [],
        b"<html>welcome</html>",
        b"",
        b"[" * 100_000,
    ],
)
def test_an_answer_that_does_not_account_for_every_event_is_none(body: object) -> None:
    """A 202 of some other server, or half of one, settles nothing."""
    assert _judge(202, body) is Step.WAIT


@pytest.mark.parametrize("status", [0, 408, 425, 429, 500, 502, 503, 504])
def test_passing_trouble_is_waited_out(status: int) -> None:
    """The same events are sent again later."""
    assert _judge(status, {"error": "unavailable"}) is Step.WAIT


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 415, 431])
def test_trouble_with_the_sender_gives_no_event_up(status: int) -> None:
    """A wrong key or address is somebody's to mend; the events stay."""
    assert _judge(status, {"error": "unauthorized"}, events=1) is Step.HOLD


_WRONG = {"error": "invalid_request", "message": "m", "details": [{"field": "f", "message": "m"}]}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (413, {"error": "payload_too_large", "message": "m"}),
        (429, {"error": "payload_too_large", "message": "m"}),
        (400, {"error": "batch_too_large", "message": "m"}),
        (400, _WRONG),
    ],
)
def test_what_is_too_much_together_is_sent_in_halves_and_alone_refused(
    status: int, body: object
) -> None:
    """Down to one event, which is then the one at fault."""
    assert _judge(status, body, events=2) is Step.SPLIT
    assert _judge(status, body, events=1) is Step.DONE


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize(
    "body",
    [
        b"<html>Bad Request</html>",
        b"",
        {"error": "invalid_request", "message": "The Host header is malformed."},
        {"error": "bad_request", "details": []},
        {"error": "bad_request", "details": ["no such tenant"]},
        {"message": "Request Too Long", "details": [{"field": "f", "message": "m"}]},
    ],
)
def test_an_answer_that_says_nothing_of_events_gives_none_up(status: int, body: object) -> None:
    """An intermediary, or the wrong port, may say anything; what is too long for it is parted."""
    assert _judge(status, body, events=1) is Step.HOLD
    assert _judge(status, body, events=2) is (Step.SPLIT if status == 413 else Step.HOLD)


def test_what_was_too_slow_twice_is_sent_in_halves() -> None:
    """A line may be too slow for a whole batch."""
    assert _judge(408) is Step.WAIT
    assert _judge(408, attempt=1) is Step.SPLIT
    assert _judge(408, attempt=1, events=1) is Step.WAIT


def test_of_a_limit_only_a_batch_that_never_fits_is_parted() -> None:
    """A limit that others used up is waited for, however often: parts would be more requests."""
    for attempt in range(9):
        assert _judge(429, attempt=attempt, events=500) is Step.WAIT
    never = Answer(429, b"", events_max=100)
    assert judge(never, events=101, attempt=0)[::3] == (Step.SPLIT, 50)
    assert judge(never, events=100, attempt=0).step is Step.WAIT
    assert judge(never._replace(events_max=1), events=2, attempt=0).part_events == 1


def test_the_two_limits_of_a_node_are_told_apart(tmp_path: Path) -> None:
    """By the headers that the node's own table makes when either is passed."""
    create_limit_table(tmp_path / "limits", workers=1)
    limits = LimitTable(tmp_path / "limits", worker=0, defaults=RateLimits(requests=2, events=100))
    principal = Principal(*(1, "key_1", 1, 1, 1), scopes=frozenset({"ingest"}), slot=0)
    tenant = Tenant(1, "a")

    def told(count: Callable[[], RateWindow | None]) -> int:
        with pytest.raises(LimitExceeded) as caught:
            count()
        window = caught.value.context["window"]
        assert isinstance(window, RateWindow)
        lines = window_headers(window).decode().split("\r\n")
        limit, remaining = (line.split(": ")[1] for line in lines[:2])
        return events_max(limit, remaining)

    def ask(events: int) -> RateWindow | None:
        return limits.count_events(principal, tenant, events, now_us=0)

    assert told(lambda: ask(101)) == 100
    ask(100)
    assert told(lambda: ask(101)) == 0
    for _ in range(2):
        limits.count_request(principal, now_us=0)
    assert told(lambda: limits.count_request(principal, now_us=0)) == 0
    assert events_max("", "") == events_max("x", "1") == 0


def test_words_for_the_log_are_a_nodes_code_and_message_in_one_line() -> None:
    """So that a mistyped key is told as that; what has no short code is no node's."""
    body = {"error": "unauthorized", "message": "The key is mistyped:\n" + "x" * 9999}
    words = judge(Answer(401, json.dumps(body).encode()), events=1, attempt=0).words
    assert words.startswith("status 401 unauthorized: The key is mistyped: x")
    assert len(words) < 600
    body = {"error": "the key is s3cr3t", "message": "s3cr3t"}
    assert judge(Answer(401, json.dumps(body).encode()), events=1, attempt=0).words == "status 401"


def test_retry_after_is_read_in_both_forms() -> None:
    """Seconds, a date of HTTP, and nothing from what is neither."""
    now_s = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert retry_after_s("7", now_s=now_s) == 7
    assert retry_after_s("Thu, 01 Jan 2026 00:01:00 GMT", now_s=now_s) == 60
    assert retry_after_s("Wed, 31 Dec 2025 00:00:00 GMT", now_s=now_s) == 0
    assert retry_after_s("Fri, 31 Dec 9999 23:59:59 GMT", now_s=now_s) == RETRY_AFTER_S_MAX
    for text in ("", "soon", "-1", "1.5", "9" * 400, "²"):
        assert retry_after_s(text, now_s=now_s) == 0


def test_the_wait_doubles_up_to_its_bound_and_is_spread_evenly() -> None:
    """Full jitter: the random part is between nothing and the bound."""
    waits = []
    for chance in (0.0, 1.0):
        chances = itertools.repeat(chance)
        backoff = Backoff(Options(backoff_s=0.5, backoff_s_max=3), chances.__next__)
        for _ in range(5):
            backoff.failed(now_s=100, asked_s=0)
            waits.append(backoff.wait_s(100))
    assert waits == [0, 0, 0, 0, 0, 0.5, 1, 2, 3, 3]


def test_no_request_leaves_before_the_node_wants_it() -> None:
    """``Retry-After`` is the least wait, whatever the jitter, and whoever is in a hurry."""
    backoff = Backoff(Options(backoff_s=2), lambda: 0.5)
    backoff.failed(now_s=100, asked_s=30)
    assert backoff.wait_s(100) == 31
    backoff.hurry()
    assert backoff.wait_s(100) == 30
    assert backoff.wait_s(130) == 0
    backoff.succeeded()
    assert backoff.wait_s(100) < 0


def test_a_failure_after_a_success_is_a_first_one() -> None:
    """The doubling begins anew."""
    backoff = Backoff(Options(backoff_s=1), lambda: 1.0)
    for _ in range(4):
        backoff.failed(now_s=0, asked_s=0)
    backoff.succeeded()
    backoff.failed(now_s=0, asked_s=0)
    assert backoff.wait_s(0) == 1
