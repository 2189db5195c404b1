"""What an answer means for the events of its request, and when the next request may leave.

Decides and touches nothing. The statuses are those of the guide "Sending events".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import NamedTuple

from weir_client.options import Options

MESSAGE_CHARS_MAX = 500
RETRY_AFTER_S_MAX = 32 * 86400.0
"""A month's quota comes back sooner."""

_ABOUT_CONTENT = {400, 413, 422}
_CODES_OF_A_BODY = {"batch_too_large", "payload_too_large"}
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Answer(NamedTuple):
    """What came back. Status 0: no answer, and ``body`` says why in words."""

    status: int
    body: bytes
    retry_after_s: float = 0.0
    events_max: int = 0
    """Events that the node takes in a minute, where the answer says so."""


class Refusal(NamedTuple):
    """An event that the node did not take; ``place`` is its number in the request, from 0."""

    place: int
    code: str
    message: str
    field: str = ""


class Step(Enum):
    """What to do with the events of a request."""

    DONE = "each is on the node's disk or refused"
    SPLIT = "send them in parts"
    WAIT = "send them again later"
    HOLD = "send them again when somebody has mended key, address or node"


class Verdict(NamedTuple):
    """The step to take; ``words`` say why it is not DONE, in one line, with the server's own."""

    step: Step
    refusals: tuple[Refusal, ...] = ()
    words: str = ""
    part_events: int = 0
    """How many events a part has at most, after SPLIT."""


def judge(answer: Answer, *, events: int, attempt: int) -> Verdict:
    """The verdict on a request of so many events, which failed ``attempt`` times before.

    An event is given up only for a node's word about it: an intermediary, or the wrong port, may
    answer anything with 400 or 413, and that must cost nothing.
    """
    status = answer.status
    if status == 0:
        return Verdict(Step.WAIT, words=_line(answer.body.decode(errors="replace")))
    found = _json(answer.body)
    if 200 <= status < 300 or status == 400:
        refusals = _refusals(found, events)
        if refusals is not None:
            return Verdict(Step.DONE, refusals)
    if 200 <= status < 300:
        return Verdict(Step.WAIT, words=f"status {status}, but no answer of a Weir node")
    code, message = _code(found.get("error")), _line(found.get("message"))
    words = f"status {status}" + (f" {code}: {message}" if code else "")
    about_content = code in _CODES_OF_A_BODY or (
        code and status in _ABOUT_CONTENT and _has_details(found)
    )
    if about_content and events == 1:
        return Verdict(Step.DONE, (_refusal_of_one(code, message, found),))
    if 0 < answer.events_max < events:
        return Verdict(Step.SPLIT, words=words, part_events=(answer.events_max + 1) // 2)
    if events > 1 and (about_content or status == 413 or (status == 408 and attempt)):
        return Verdict(Step.SPLIT, words=words, part_events=(events + 1) // 2)
    return Verdict(Step.WAIT if status in _AGAIN else Step.HOLD, words=words)


def events_max(limit: str, remaining: str) -> int:
    """Events that a whole window takes, from the headers of a 429; 0: they do not say.

    Of its two limits a node tells the one that was passed. Only that of events can be passed
    while something remains of it: the batch alone is too large for it.
    """
    return _count(limit) if _count(remaining) else 0


def retry_after_s(text: str, *, now_s: float) -> float:
    """``Retry-After`` in seconds from now, from either form (RFC 9110, 10.2.3); else 0."""
    if seconds := _count(text):
        return min(float(seconds), RETRY_AFTER_S_MAX)
    try:
        moment = parsedate_to_datetime(text)
        wait_s = moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp() - now_s
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
    return min(max(0.0, wait_s), RETRY_AFTER_S_MAX)


class Backoff:
    """When the next request may leave: a wait with full jitter, never before the node wants it."""

    def __init__(self, options: Options, random: Callable[[], float]) -> None:
        """``random`` gives numbers spread evenly between 0 and 1."""
        self.attempt = 0
        self._options = options
        self._random = random
        self._asked_s = float("-inf")
        self._backoff_s = float("-inf")

    def failed(self, *, now_s: float, asked_s: float) -> None:
        """A request failed, and the node asks for ``asked_s`` of peace."""
        bound_s = min(
            self._options.backoff_s_max, self._options.backoff_s * 2 ** min(self.attempt, 32)
        )
        self.attempt += 1
        self._asked_s = now_s + asked_s
        self._backoff_s = self._asked_s + self._random() * bound_s

    def succeeded(self) -> None:
        """The next failure is a first one again."""
        self.attempt = 0
        self._asked_s = self._backoff_s = float("-inf")

    def hurry(self) -> None:
        """Somebody waits: only what the node asked for is waited for."""
        self._backoff_s = self._asked_s

    def wait_s(self, now_s: float) -> float:
        """How long from now the next request has to wait; 0 or less: not at all."""
        return self._backoff_s - now_s


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _json(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refusals(found: dict[str, object], events: int) -> tuple[Refusal, ...] | None:
    """What was refused, one entry an event; None unless the answer accounts for every event."""
    results = found.get("results")
    accepted, rejected = found.get("accepted"), found.get("rejected")
    if not (isinstance(results, list) and isinstance(accepted, int) and isinstance(rejected, int)):
        return None
    refused: dict[int, list[dict[str, object]]] = {}
    for result in results:
        index = result.get("index") if isinstance(result, dict) else None
        if not isinstance(index, int) or not 0 <= index < events:
            return None
        refused.setdefault(index, []).append(result)
    complete = accepted + rejected == events and len(refused) == rejected
    return tuple(_refusal(at, told) for at, told in refused.items()) if complete else None


def _refusal(place: int, told: list[dict[str, object]]) -> Refusal:
    """An event's refusal with all that is wrong with it; code and field are those of the first."""
    words = [f"{each.get('field') or ''} {each.get('message') or ''}".strip() for each in told]
    code, field = _code(told[0].get("code")), _line(told[0].get("field"))
    return Refusal(place, code or "refused", _line("; ".join(filter(None, words))), field)


def _refusal_of_one(code: str, message: str, found: dict[str, object]) -> Refusal:
    """What is said of the only event of a request: by ``details``, where there are some."""
    if not _has_details(found):
        return Refusal(0, code, message)
    details = found["details"]
    assert isinstance(details, list)
    told = _refusal(0, [detail for detail in details if isinstance(detail, dict)])
    return told._replace(code=code, message=told.message or message)


def _has_details(found: dict[str, object]) -> bool:
    """Whether it names what is wrong in the body, as a node does."""
    details = found.get("details")
    return isinstance(details, list) and any(
        isinstance(detail, dict) and {"field", "message"} <= detail.keys() for detail in details
    )


def _line(value: object) -> str:
    """A server's words as one line for a log."""
    text = value[:MESSAGE_CHARS_MAX] if isinstance(value, str) else ""
    return "".join(char if char.isprintable() else " " for char in text)


def _code(value: object) -> str:
    """A code is a short word; anything else could be something that no log should hold."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""
