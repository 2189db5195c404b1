"""The beacon: events from a page that is being left, or from a pixel.

Nobody reads its answer: it is 200 whatever happens, and its body tells what did. Sources:
docs/guide/coming-from-tapemetric.md, and the W3C's Beacon (``navigator.sendBeacon`` sends a body of
any type, and no headers of ours).
"""

import re
from urllib.parse import parse_qs

from weir.dialects.port import BodyTooLarge, Reply
from weir.dialects.replies import encode_reply
from weir.errors import InvalidInput, WeirError

FORM_BYTES_MAX = 65536
"""What browsers let a beacon have. Forms are taken apart on the event loop: no larger ones."""

FIELDS_MAX = 32
"""Fields of a form."""

_JSON_STARTS = (b"{", b"[", b" ", b"\t", b"\r", b"\n", b"")
_DATA_FIELD = re.compile(rb"(?:\A|&)data=")

_BOUNDARY = re.compile(rb"--[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]\r\n")
"""The first line of a multipart form (RFC 2046 section 5.1.1)."""

_IS_DATA = re.compile(
    rb'^Content-Disposition:[ \t]*form-data;(?:[^\r\n]*;)?[ \t]*name="?data"?[ \t]*(?:;|\r?$)',
    re.IGNORECASE | re.MULTILINE,
)


def read_beacon(target: bytes, body: bytes) -> bytes:
    """The events of a beacon: its body, else the query parameter ``data``.

    A body of form fields (``URLSearchParams``, ``FormData``) has them in its field ``data``.
    """
    boundary = _BOUNDARY.match(body)
    is_form = (
        body[:1] not in _JSON_STARTS and _DATA_FIELD.search(body, 0, FORM_BYTES_MAX) is not None
    )
    if body and boundary is None and not is_form:
        return body
    fields = body or target.partition(b"?")[2]
    if len(fields) > FORM_BYTES_MAX:
        raise BodyTooLarge(f"A form has at most {FORM_BYTES_MAX} bytes; send JSON.")
    if boundary is not None:
        return _field_of_form(body, boundary[0][:-2])
    try:
        # Bytes, not text: what is no UTF-8 is refused later, not replaced here.
        found = parse_qs(fields.decode("latin-1"), encoding="latin-1", max_num_fields=FIELDS_MAX)
    except ValueError:
        raise InvalidInput(f"The form has more than {FIELDS_MAX} fields.") from None
    events = found.get("data", [""])[-1]
    if not events:
        raise InvalidInput("A beacon has its events in its body or in the parameter 'data'.")
    return events.encode("latin-1")


def _field_of_form(body: bytes, boundary: bytes) -> bytes:
    """The field ``data`` of ``multipart/form-data`` (RFC 7578), which begins with its boundary.

    As browsers write it: the standard library's parser for mail goes line by line, which takes
    seconds of a body that is all line breaks.
    """
    parts = (b"\r\n" + body).split(b"\r\n" + boundary, FIELDS_MAX + 2)
    if len(parts) > FIELDS_MAX + 2 or not parts[-1].startswith(b"--"):
        raise InvalidInput(
            f"The multipart form is broken off, or has more than {FIELDS_MAX} fields."
        )
    for part in parts[1:-1]:
        head, blank, value = part.partition(b"\r\n\r\n")
        if blank and _IS_DATA.search(head):
            return value
    raise InvalidInput("The multipart form has no field 'data'.")


def render_beacon_error(error: WeirError) -> Reply:
    """200: what the beacon's contract demands. The body tells that nothing was taken."""
    refused = error.context.get("refused_count", 1)
    value: dict[str, object] = {"accepted": 0, "rejected": refused, "queued": False}
    return encode_reply(200, {**value, "error": error.code, "message": str(error)})
