"""What the clickstream dialect answers when it refuses.

``{"error", "message"}``; a body that is not valid gets ``details`` of ``{"field", "message",
"code"}`` instead, ``field`` being a dotted path. Source: docs/guide/coming-from-clickstream.md.
"""

from functools import partial
from http import HTTPStatus

from weir.dialects.fields import Problem
from weir.dialects.port import Reply
from weir.dialects.replies import encode_reply
from weir.errors import InvalidInput, WeirError

BATCH_EVENTS_MAX = 50

_TOO_MANY = f"Maximum batch size is {BATCH_EVENTS_MAX} events"


def tell_event(levels_around: int, index: int, problem: Problem) -> dict[str, object]:
    """A problem of the event that is the body, or of one event of a batch."""
    return tell(f"events.{index}" if levels_around else "", problem)


def tell(place: str, problem: Problem) -> dict[str, object]:
    """A problem of the object at ``place``, in the codes that the vendor has."""
    field = ".".join(part for part in (place, problem.field) if part)
    return {"field": field, "message": problem.message, "code": _code_of(problem)}


def too_many_events(count: int) -> InvalidInput:
    """The error for a batch of more than ``BATCH_EVENTS_MAX`` events."""
    return InvalidInput(_TOO_MANY, code="batch_too_large", refused_count=count)


def _code_of(problem: Problem) -> str:
    if problem.code == "validation.length":
        return "validation.format" if problem.field else "validation.maxItems"
    return problem.code if problem.code.startswith("validation.") else "validation.format"


def _render_error(invalid: str, error: WeirError) -> Reply:
    if error.status != 400:
        return encode_reply(error.status, _refusal(error))
    if error.code == "batch_too_large":
        count = error.context.get("refused_count")
        is_count = isinstance(count, int) and count > BATCH_EVENTS_MAX
        message = _TOO_MANY if is_count else str(error)
        return encode_reply(400, {"error": "Batch too large", "message": message})
    problem = {"field": "", "message": str(error), "code": "validation.format"}
    return encode_reply(400, {"error": invalid, "details": error.details or [problem]})


def _refusal(error: WeirError) -> dict[str, object]:
    words = HTTPStatus(error.status).phrase
    if error.status == 401:
        is_missing = bool(error.context.get("is_missing"))
        message = "Missing or invalid API key" if is_missing else "Invalid API key"
    elif error.status == 403 and error.context.get("bound") == "address":
        message = "IP address not allowed"
    elif error.code == "rate_limited":
        message = "Rate limit exceeded"
    elif error.status == 503:
        words, message = "Service unavailable", "Failed to process event"
    else:
        message = str(error)
    return {"error": words, "message": message}


render_event_error = partial(_render_error, "Invalid event")
render_batch_error = partial(_render_error, "Invalid batch")
