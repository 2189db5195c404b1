"""Answers in the shape that most dialects share."""

import msgspec

from weir.dialects.port import Reply
from weir.errors import WeirError

_encode = msgspec.json.Encoder().encode


def encode_reply(status: int, value: object) -> Reply:
    """A reply with a JSON body."""
    return Reply(status, _encode(value))


def render_error(error: WeirError) -> Reply:
    """``{"error": code, "message": text, "details": […]}``, details only where there are some."""
    value: dict[str, object] = {"error": error.code, "message": str(error)}
    if error.details:
        value["details"] = error.details
    return encode_reply(error.status, value)


def tell_details(error: WeirError) -> list[dict[str, object]]:
    """``{"index", "field", "message"}`` of each problem; index null: it is no single event's.

    Empty for an error other than 400 that names no problem.
    """
    if not error.details:
        if error.status != 400:
            return []
        return [{"index": None, "field": "", "message": error.message}]
    return [
        {"index": each.get("index"), "field": each["field"], "message": each["message"]}
        for each in error.details
    ]
