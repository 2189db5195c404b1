"""Delivery: repeated until answered, never more claimed than happened."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.cli.send.delivery import Answer, Patience, SendCounts, backoff_s, deliver
from weir.cli.send.lines import Line, prepare_line
from weir.dialects.native.events import admit
from weir.dialects.port import AdmissionLimits, Submission
from weir.dialects.replies import render_error
from weir.errors import Corrupt, LimitExceeded, Unauthenticated, Unavailable, WeirError


@dataclass
class World:
    """A clock that only sleeping moves, and what was posted."""

    now_s: float = 0.0
    sleeps: list[float] = field(default_factory=list)
    posted: list[list[str]] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Moves the clock."""
        self.sleeps.append(seconds)
        self.now_s += seconds

    def patience(self, total_s: float = 100) -> Patience:
        """Patience that lives in this world; the random number is always 1."""
        return Patience(total_s, self.sleep, lambda: self.now_s, lambda: 1.0)


def _lines(*names: str) -> list[Line]:
    return [Line(number, b'"%s"' % name.encode()) for number, name in enumerate(names, 1)]


def _taken(accepted: int, *refused: int) -> Answer:
    results = [
        {"index": index, "status": "rejected", "code": "c", "field": "f", "message": "m"}
        for index in refused
    ]
    reply = {"accepted": accepted, "rejected": len(refused), "results": results}
    return Answer(202, json.dumps(reply).encode())


def _deliver(
    world: World, lines: list[Line], answer: Callable[[list[str]], Answer], total_s: float = 100
) -> SendCounts:
    def post(body: bytes) -> Answer:
        world.posted.append(json.loads(body))
        return answer(world.posted[-1])

    counts = SendCounts()
    deliver(lines, post=post, patience=world.patience(total_s), counts=counts)
    return counts


def test_rejected_events_are_told_by_their_lines() -> None:
    """The node's index becomes the line of the file; two reasons are one event."""
    lines = [Line(10, b"1"), Line(20, b"2"), Line(30, b"3")]
    reply = {"accepted": 2, "rejected": 1, "results": [{"index": 1, "code": "a"}, {"index": 1}]}
    counts = _deliver(World(), lines, lambda _: Answer(202, json.dumps(reply).encode()))
    assert (counts.accepted, counts.rejected) == (2, 1)
    assert [reject.line for reject in counts.rejects] == [20, 20]


def test_batch_refused_whole_with_results_is_settled() -> None:
    """A 400 that tells of every event is an answer, not a failure."""
    answer = Answer(400, _taken(0, 0, 1).body)
    counts = _deliver(World(), _lines("a", "b"), lambda _: answer)
    assert (counts.accepted, counts.rejected, counts.requests) == (0, 2, 1)


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504])
def test_repetition_is_the_same_request(status: int) -> None:
    """Whatever was lost, the second request has the same bytes, so the same event ids."""
    world = World()
    answers = iter([Answer(status, b""), Answer(status, b"", 7), _taken(2)])
    counts = _deliver(world, _lines("a", "b"), lambda _: next(answers))
    assert world.posted == [["a", "b"]] * 3
    assert (counts.accepted, counts.retries) == (2, 2)
    assert world.sleeps == [0.25, 7.5]


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 600))
def test_wait_is_bounded_and_never_shorter_than_asked(
    attempt: int, random: float, retry_after_s: float
) -> None:
    """What the node asks for is respected; the rest is at most half a minute."""
    wait_s = backoff_s(attempt, retry_after_s=retry_after_s, random=random)
    assert retry_after_s <= wait_s <= retry_after_s + 30


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(0, b"Connection refused."), Unavailable),
        (Answer(503, b'{"error":"disk_full","message":"Full."}'), Unavailable),
        (Answer(429, b'{"error":"quota_exceeded","message":"Month."}', 86400), LimitExceeded),
    ],
)
def test_patience_ends(answer: Answer, kind: type[Exception]) -> None:
    """After the given time the last answer is the error; a far Retry-After is not waited for."""
    world = World()
    with pytest.raises(kind):
        _deliver(world, _lines("a"), lambda _: answer)
    assert world.now_s <= 100


def test_refused_key_is_not_repeated() -> None:
    """What no repetition changes ends at once."""
    world = World()
    with pytest.raises(Unauthenticated):
        _deliver(world, _lines("a", "b"), lambda _: Answer(401, b"{}"))
    assert len(world.posted) == 1


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_bad_event_never_takes_good_ones_with_it(good: list[bool]) -> None:
    """A body refused as a whole is halved until only the events at fault are rejected."""
    lines = _lines(*("good" if is_good else "bad" for is_good in good))

    def answer(events: list[str]) -> Answer:
        if "bad" in events:
            return Answer(400, b'{"error":"invalid_json","message":"Bad bytes."}')
        return _taken(len(events))

    counts = _deliver(World(), lines, answer)
    assert counts.accepted == sum(good)
    told = [reject.line for reject in counts.rejects]
    assert told == [number for number, is_good in enumerate(good, 1) if not is_good]
    assert counts.rejected == len(told)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>welcome</html>"),
        Answer(202, b'{"accepted":1,"rejected":0}'),
        _taken(1, 5),
        _taken(0, 0, 0),
    ],
)
def test_answer_that_does_not_account_for_all_is_an_error(answer: Answer) -> None:
    """Nothing is called accepted on the word of a server that is not a node."""
    counts = SendCounts()
    with pytest.raises(Corrupt):
        deliver(_lines("a", "b"), post=lambda _: answer, patience=World().patience(), counts=counts)
    assert counts.accepted == 0


def test_native_dialect_s_own_answers_are_understood() -> None:
    """Against the real admission: bad bytes, bad events and good ones, each told by its line."""
    texts = [
        b'{"event":"a"}',
        b'{"event":"b","properties":{"x":"\xff"}}',
        b'{"properties":{}}',
        b'{"event":"c","event_id":"own"}',
        b'{"event":"d","properties":{"x":"\\u0000"}}',
        b'{"event":7,"ts":"never"}',
    ]
    prepared = [prepare_line(number, text, run="r") for number, text in enumerate(texts, 1)]
    lines = [line for line in prepared if isinstance(line, Line)]
    taken: list[bytes] = []

    def post(body: bytes) -> Answer:
        submission = Submission(body, AdmissionLimits(1 << 20, 64, 20 << 20), "w", 1)
        try:
            admission = admit(submission)
        except WeirError as error:
            reply = render_error(error)
        else:
            reply = admission.reply
            taken.append(body)
        return Answer(reply.status, reply.body)

    counts = SendCounts()
    deliver(lines, post=post, patience=World().patience(), counts=counts)
    assert len(lines) == len(texts)
    assert (counts.accepted, counts.rejected) == (2, 4)
    assert sorted({reject.line for reject in counts.rejects}) == [2, 3, 5, 6]
    assert b'"event_id":"r-1"' in b"".join(taken)
