"""A body on its way to its dialect: inflated, on the loop if that is little work, else aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from weir.dialects.hygiene import BYTE_ORDER_MARK
from weir.dialects.port import BodyTooLarge
from weir.errors import WeirError
from weir.ingest.encodings import (
    ADMIT_ON_LOOP_BYTES_MAX,
    INFLATE_ON_LOOP_BYTES_MAX,
    inflate,
)

if TYPE_CHECKING:
    from weir.dialects.port import Admission, IngestRoute, Submission


class Judged(NamedTuple):
    """A body that was worked on in another thread: inflated, and what its dialect decided."""

    body: bytes
    admission: Admission


def inflate_small(encoding: str, body: bytes) -> bytes | None:
    """The inflated body, when that is little work; else None."""
    if len(body) > INFLATE_ON_LOOP_BYTES_MAX:
        return None
    try:
        return inflate(encoding, body, bytes_max=ADMIT_ON_LOOP_BYTES_MAX)
    except BodyTooLarge:
        return None


def text_of(route: IngestRoute, body: bytes) -> bytes:
    """The body without a byte order mark, which is no part of JSON; a reader may pass over it.

    (RFC 8259 section 8.1; .NET and PowerShell write one.) Opaque bodies are left as they are.
    """
    return body if route.is_opaque else body.removeprefix(BYTE_ORDER_MARK)


def judge(
    route: IngestRoute, submission: Submission, encoding: str, bytes_max: int
) -> Judged | WeirError:
    """Inflates a body and has its dialect decide; an error is given back, not raised."""
    try:
        body = text_of(route, inflate(encoding, submission.body, bytes_max=bytes_max))
        return Judged(body, route.admit(msgspec.structs.replace(submission, body=body)))
    except WeirError as error:
        # Raised across threads it would keep what was inflated until the collector comes.
        return error.without_frames()
