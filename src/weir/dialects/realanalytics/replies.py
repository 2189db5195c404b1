"""What the RealAnalytics dialect answers when it refuses.

Source: docs/guide/coming-from-realanalytics.md.
"""

from weir.dialects.fields import Problem
from weir.dialects.port import RateWindow, Reply
from weir.dialects.replies import encode_reply
from weir.errors import WeirError

_WORDS = {401: "Invalid API key", 429: "Rate limit exceeded", 503: "Service unavailable"}


def render_error(error: WeirError) -> Reply:
    """``{"error": text}``, with ``details`` for a body that is not valid."""
    window = error.context.get("window")
    if error.status == 400:
        details = error.details or [{"path": [], "code": error.code, "message": str(error)}]
        return encode_reply(400, {"error": "Validation failed", "details": details})
    if error.code == "quota_exceeded" and isinstance(window, RateWindow):
        return encode_reply(429, _quota_reply(window))
    return encode_reply(error.status, {"error": _WORDS.get(error.status) or str(error)})


def tell(levels_around: int, index: int, problem: Problem) -> dict[str, object]:
    """A problem of the event with that index; its path as names and numbers, all texts."""
    place = [str(index)] if levels_around else []
    if levels_around > 1:
        place.insert(0, "events")
    if problem.field:
        place.append(problem.field)
    return {"path": place, "code": problem.code, "message": problem.message}


def _quota_reply(window: RateWindow) -> dict[str, object]:
    return {
        "error": "Monthly event limit exceeded",
        "code": "EVENT_LIMIT_EXCEEDED",
        "limit": window.limit,
        "used": window.limit - window.remaining,
        "remaining": window.remaining,
    }
