"""Answers in the shape that the native and the NovaMesh dialect share."""

import msgspec

from weir.errors import WeirError
from weir.ingest.admission import Reply

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
