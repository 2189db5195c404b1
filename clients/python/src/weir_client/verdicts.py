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

_ABOUT_CONTENT = {400, 422}
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_PERHAPS_TOO_MUCH = {408, 429}
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Answer(NamedTuple):
    """What came back. Status 0: no answer, and ``body`` says why in words."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


class Refusal(NamedTuple):
    """An event that the node did not take; ``place`` is its number in the request, from 0."""

    place: int
    code: str
    message: str


class Step(Enum):
    """What to do with the events of a request."""

    DONE = "each is on the node's disk or refused"
    SPLIT = "send them in halves"
    WAIT = "send them again later"
    HOLD = "send them again when somebody has mended key, address or node"


class Verdict(NamedTuple):
    """The step to take; ``words`` say why it is not DONE, and are safe to log."""

    step: Step
    refusals: tuple[Refusal, ...] = ()
    words: str = ""


def judge(answer: Answer, *, events: int, attempt: int, proven: bool) -> Verdict:
    """The verdict on a request of so many events, which failed ``attempt`` times before.

    ``proven`` says that the node has taken events before. Of one that has not, a 400 that says
    nothing about the events is no reason to give them up: it may be the wrong port.
    """
    status = answer.status
    if status == 0:
        return Verdict(Step.WAIT, words=answer.body.decode(errors="replace"))
    found = _json(answer.body)
    if 200 <= status < 300 or status == 400:
        refusals = _refusals(found, events)
        if refusals is not None:
            return Verdict(Step.DONE, refusals)
    code, message = _error(found)
    words = f"status {status} {code}".rstrip()
    if 200 <= status < 300:
        return Verdict(Step.WAIT, words=f"status {status}, but no answer of a Weir node")
    about_content = status == 413 or (status in _ABOUT_CONTENT and (proven or "details" in found))
    if events > 1 and (about_content or (status in _PERHAPS_TOO_MUCH and attempt)):
        return Verdict(Step.SPLIT, words=words)
    if about_content:
        return Verdict(Step.DONE, (Refusal(0, code or f"status_{status}", message),))
    return Verdict(Step.WAIT if status in _AGAIN else Step.HOLD, words=words)


def retry_after_s(text: str, *, now_s: float) -> float:
    """``Retry-After`` in seconds from now, from either form (RFC 9110, 10.2.3); else 0."""
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return min(float(text), RETRY_AFTER_S_MAX)
    try:
        moment = parsedate_to_datetime(text)
        wait_s = moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp() - now_s
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
    return min(max(0.0, wait_s), RETRY_AFTER_S_MAX)


class Pace:
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
    refused: dict[int, Refusal] = {}
    for result in results:
        index = result.get("index") if isinstance(result, dict) else None
        if not isinstance(index, int) or not 0 <= index < events:
            return None
        message = f"{result.get('field') or ''} {result.get('message') or ''}".strip()
        refused.setdefault(
            index,
            Refusal(index, _code(result.get("code")) or "refused", message[:MESSAGE_CHARS_MAX]),
        )
    complete = accepted + rejected == events and len(refused) == rejected
    return tuple(refused.values()) if complete else None


def _error(found: dict[str, object]) -> tuple[str, str]:
    return _code(found.get("error")), str(found.get("message") or "")[:MESSAGE_CHARS_MAX]


def _code(value: object) -> str:
    """A code is a short word; anything else could be something that no log should hold."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""
