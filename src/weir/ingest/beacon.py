"""The beacon: events from a page that is being left, or from a pixel.

Nobody reads its answer: it is 200 whatever happens, and its body tells what did. Sources: seed 004
and the W3C's Beacon (``navigator.sendBeacon`` sends a body of any type, and no headers of ours).
"""

from urllib.parse import parse_qs

from weir.errors import InvalidInput, WeirError
from weir.ingest.admission import Reply
from weir.ingest.replies import encode_reply


def read_beacon(target: bytes, body: bytes) -> bytes:
    """The events of a beacon: its body, else the query parameter ``data``.

    A body of form fields (``URLSearchParams``) has them in its field ``data``.
    """
    if body and not body.startswith(b"data="):
        return body
    fields = body or target.partition(b"?")[2]
    # Bytes, not text: what is no UTF-8 is refused later, not replaced here.
    found = parse_qs(fields.decode("latin-1"), encoding="latin-1").get("data", [""])[-1]
    if not found:
        raise InvalidInput("A beacon has its events in its body or in the parameter 'data'.")
    return found.encode("latin-1")


def render_beacon_error(error: WeirError) -> Reply:
    """200: what the beacon's contract demands. The body tells that nothing was taken."""
    refused = error.context.get("refused_count", 1)
    value: dict[str, object] = {"accepted": 0, "rejected": refused, "queued": False}
    return encode_reply(200, {**value, "error": error.code, "message": str(error)})
