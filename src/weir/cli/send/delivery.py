"""Delivers batches until each event is acknowledged or rejected, whatever the network does.

A batch is repeated as it was, so every repetition carries the same event ids. A batch that is
refused as a whole for its content is halved until the events at fault stand alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from weir.cli.http import error_of
from weir.cli.send.lines import Line, Reject
from weir.errors import Corrupt, Unavailable, WeirError

REJECTS_KEPT = 1000
"""Rejected events that are told one by one; the rest are counted."""

BACKOFF_S = 0.25
BACKOFF_S_MAX = 30.0

_AGAIN = {0, 408, 425, 429, 500, 502, 503, 504}
_ABOUT_CONTENT = {400, 413, 422}


class Answer(NamedTuple):
    """What came back. Status 0: no answer, and ``body`` says why in words."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


Post = Callable[[bytes], Answer]


class Patience(NamedTuple):
    """How long a batch is repeated, and the world that waiting needs."""

    total_s: float
    sleep: Callable[[float], None]
    monotonic_s: Callable[[], float]
    random: Callable[[], float]
    """Evenly spread between 0 and 1."""


@dataclass(slots=True)
class SendCounts:
    """What happened so far."""

    accepted: int = 0
    rejected: int = 0
    requests: int = 0
    retries: int = 0
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Counts rejected events; an event may have several reasons."""
        self.rejected += len({reject.line for reject in rejects})
        self.rejects.extend(rejects[: REJECTS_KEPT - len(self.rejects)])


class _Result(msgspec.Struct):
    index: int
    code: str = ""
    field: str = ""
    message: str = ""


class _Verdict(msgspec.Struct):
    accepted: int
    rejected: int
    results: list[_Result] = []


def deliver(lines: Sequence[Line], *, post: Post, patience: Patience, counts: SendCounts) -> None:
    """Returns when every line is acknowledged or rejected.

    Raises ``Unavailable`` or ``LimitExceeded`` when patience ends, and at once the error of an
    answer that no repetition would change, such as a refused key.
    """
    waiting = [lines]
    while waiting:
        part = waiting.pop()
        answer = _post_patiently(part, post=post, patience=patience, counts=counts)
        verdict = _verdict_of(answer)
        if verdict is not None:
            _settle(part, verdict, counts)
        elif answer.status not in _ABOUT_CONTENT:
            raise error_of(answer.status, answer.body)
        elif len(part) == 1:
            error = error_of(answer.status, answer.body)
            counts.reject([Reject(part[0].number, error.code, "", error.message)])
        else:
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]


def backoff_s(attempt: int, *, retry_after_s: float, random: float) -> float:
    """Time before the next attempt: what the node asks for, and a random part that grows."""
    return retry_after_s + random * min(BACKOFF_S_MAX, BACKOFF_S * (1 << min(attempt, 16)))


def _post_patiently(
    part: Sequence[Line], *, post: Post, patience: Patience, counts: SendCounts
) -> Answer:
    body = b"[" + b",".join(line.event for line in part) + b"]"
    deadline_s = patience.monotonic_s() + patience.total_s
    attempt = 0
    while True:
        answer = post(body)
        counts.requests += 1
        if answer.status not in _AGAIN:
            return answer
        wait_s = backoff_s(attempt, retry_after_s=answer.retry_after_s, random=patience.random())
        if patience.monotonic_s() + wait_s > deadline_s:
            raise _gave_up(answer)
        patience.sleep(wait_s)
        counts.retries += 1
        attempt += 1


def _gave_up(answer: Answer) -> WeirError:
    if answer.status:
        error = error_of(answer.status, answer.body)
        if error.code == "quota_exceeded":
            error.hint = (
                f"The month ends in {_span(answer.retry_after_s)}. More at once: "
                "weir tenants change SLUG --events-per-month N, or --plan PLAN."
            )
        return error
    return Unavailable(answer.body.decode(errors="replace"), code="node_unreachable")


def _span(seconds: float) -> str:
    hours = int(seconds // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"


def _verdict_of(answer: Answer) -> _Verdict | None:
    """The node's word on each event; None when the answer holds none."""
    try:
        return msgspec.json.decode(answer.body, type=_Verdict)
    except msgspec.MsgspecError:
        if 200 <= answer.status < 300:
            raise Corrupt(
                "The answer is not one of a Weir node.",
                code="not_weir",
                hint="Look at --url or WEIR_URL.",
            ) from None
        return None


def _settle(part: Sequence[Line], verdict: _Verdict, counts: SendCounts) -> None:
    indices = {result.index for result in verdict.results}
    complete = verdict.accepted + verdict.rejected == len(part)
    if not complete or len(indices) != verdict.rejected or not indices <= set(range(len(part))):
        raise Corrupt("The node's answer does not account for every event.", code="not_weir")
    counts.accepted += verdict.accepted
    counts.reject(
        [
            Reject(part[result.index].number, result.code, result.field, result.message)
            for result in verdict.results
        ]
    )
