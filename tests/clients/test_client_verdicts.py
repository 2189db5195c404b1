"""What the client makes of an answer, and when it tries again."""

import itertools
import json
from datetime import UTC, datetime

import pytest

from weir_client.options import Options
from weir_client.verdicts import RETRY_AFTER_S_MAX, Answer, Pace, Step, judge, retry_after_s


def _judge(
    status: int, body: object = None, *, events: int = 4, attempt: int = 0, proven: bool = True
) -> Step:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = Answer(status, text)
    return judge(answer, events=events, attempt=attempt, proven=proven).step


def _results(accepted: int, *refused: object) -> dict[str, object]:
    results = [
        {"index": place, "code": "validation.type", "field": "f", "message": "m"}
        for place in refused
    ]
    return {"accepted": accepted, "rejected": len(set(refused)), "results": results}


def test_each_refused_event_is_told_once_whatever_its_reasons() -> None:
    """An event with two problems is one refusal, under its place in the request."""
    body = json.dumps(_results(2, 1, 1, 3)).encode()
    verdict = judge(Answer(202, body), events=4, attempt=0, proven=False)
    assert verdict.step is Step.DONE
    assert [refusal.place for refusal in verdict.refusals] == [1, 3]
    assert verdict.refusals[0].code == "validation.type"
    assert verdict.refusals[0].message == "f m"


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


@pytest.mark.parametrize(("status", "body"), [(413, b"<html>"), (400, {"error": "x"})])
def test_what_is_too_much_together_is_sent_in_halves_and_alone_refused(
    status: int, body: object
) -> None:
    """Down to one event, which is then the one at fault."""
    assert _judge(status, body, events=2) is Step.SPLIT
    assert _judge(status, body, events=1) is Step.DONE


@pytest.mark.parametrize("status", [408, 429])
def test_what_fails_again_after_its_wait_is_sent_in_halves(status: int) -> None:
    """A batch larger than the minute's limit, or than a slow line carries, never fits."""
    assert _judge(status, attempt=1) is Step.SPLIT
    assert _judge(status, attempt=1, events=1) is Step.WAIT


def test_a_400_about_no_event_counts_only_from_a_node_that_took_some() -> None:
    """The wrong port says 400 to everything; that must cost nothing."""
    assert _judge(400, {"error": "invalid_request"}, proven=False) is Step.HOLD
    assert _judge(400, {"error": "x", "details": []}, proven=False) is Step.SPLIT


def test_words_for_the_log_hold_codes_only() -> None:
    """Whatever a server puts into its error, no more than a short word is logged."""
    body = json.dumps({"error": "the key is s3cr3t", "message": "s3cr3t"}).encode()
    assert judge(Answer(401, body), events=1, attempt=0, proven=True).words == "status 401"


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
        pace = Pace(Options(backoff_s=0.5, backoff_s_max=3), chances.__next__)
        for _ in range(5):
            pace.failed(now_s=100, asked_s=0)
            waits.append(pace.wait_s(100))
    assert waits == [0, 0, 0, 0, 0, 0.5, 1, 2, 3, 3]


def test_no_request_leaves_before_the_node_wants_it() -> None:
    """``Retry-After`` is the least wait, whatever the jitter, and whoever is in a hurry."""
    pace = Pace(Options(backoff_s=2), lambda: 0.5)
    pace.failed(now_s=100, asked_s=30)
    assert pace.wait_s(100) == 31
    pace.hurry()
    assert pace.wait_s(100) == 30
    assert pace.wait_s(130) == 0
    pace.succeeded()
    assert pace.wait_s(100) < 0


def test_a_failure_after_a_success_is_a_first_one() -> None:
    """The doubling begins anew."""
    pace = Pace(Options(backoff_s=1), lambda: 1.0)
    for _ in range(4):
        pace.failed(now_s=0, asked_s=0)
    pace.succeeded()
    pace.failed(now_s=0, asked_s=0)
    assert pace.wait_s(0) == 1
