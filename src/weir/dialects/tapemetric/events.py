"""The Tapemetric dialect: ``POST /v1/ingest/events`` and the beacon, ``/v1/ingest/beacon``.

The body is ``{"events": […]}``; good events of a mixed batch are taken, and the reply lists what is
wrong with the others. Fields beyond the canonical ones go into ``properties`` under their own
names, those that the vendor knows first. A beacon is answered 200 whatever happens, because its
sender cannot read an answer; the body of the answer, and the ledger, say what happened. Source:
docs/guide/coming-from-tapemetric.md.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from weir.dialects.batches import GoodEvents
from weir.dialects.credential_finders import ANY_ROUTE, query_parameter
from weir.dialects.decoding import check_count, check_item_count, check_json, count_envelope
from weir.dialects.fields import Problem
from weir.dialects.frame_reader import FrameReader
from weir.dialects.port import Admission, IngestRoute, RateLimits, Reply, Submission
from weir.dialects.replies import encode_reply, tell_details
from weir.dialects.shapes import BodyFormat, Items, envelope_splitter
from weir.dialects.tapemetric.beacon import read_beacon, render_beacon_error
from weir.dialects.tapemetric.fields import FIELDS
from weir.domain.event import Dialect
from weir.domain.frame import FrameMeta, encode_meta
from weir.errors import InvalidInput, WeirError

NAME = "tapemetric"
VERSION = 1
EVENTS_MAX = 500

_split_members = envelope_splitter()


def admit(submission: Submission) -> Admission:
    """Takes the good events of a batch and tells what is wrong with each of the others."""
    selection = _decide(submission)
    return (
        _mixed(selection.taken, selection.refused) if selection.refused else _taken(selection.taken)
    )


def render_refusal(error: WeirError) -> Reply:
    """``{"error": code, "message": text, "details": […]}``, of every refusal."""
    value = {"error": error.code, "message": str(error), "details": tell_details(error)}
    return encode_reply(error.status, value)


@lru_cache(maxsize=EVENTS_MAX)
def _taken(count: int) -> Admission:
    """The admission of a batch without anything to refuse; such are all alike."""
    reply = encode_reply(200, {"accepted": count, "rejected": 0, "queued": True})
    return Admission(count, 0, b"", reply)


def _mixed(taken: int, refused: Mapping[int, list[Problem]]) -> Admission:
    errors: list[dict[str, object]] = [
        {"index": index, "field": problem.field, "message": problem.message}
        for index, problems in refused.items()
        for problem in problems
    ]
    if not taken:
        raise InvalidInput(
            "No event of the request is valid; nothing was stored.",
            details=errors,
            refused_count=len(refused),
        )
    reply = {"accepted": taken, "rejected": len(refused), "queued": True, "errors": errors}
    meta = encode_meta(FrameMeta(refused=tuple(refused)))
    return Admission(taken, len(refused), meta, encode_reply(200, reply))


def _check_count(count: int) -> None:
    if count == 0:
        raise _shape_problem("must hold at least one event")
    check_count(count, EVENTS_MAX)


def _shape_problem(message: str) -> InvalidInput:
    details: list[dict[str, object]] = [{"field": "events", "message": message}]
    return InvalidInput(f"'events' {message}.", details=details)


def _split(body: bytes) -> Items:
    check_json(body)
    check_item_count(count_envelope, body, EVENTS_MAX)
    try:
        return _split_members(body)
    except msgspec.ValidationError:
        raise _shape_problem("must be an array of events") from None


BODIES = BodyFormat(
    fields=FIELDS,
    policy="good events",
    shapes=("envelope",),
    events_max=EVENTS_MAX,
    split=_split,
    check_count=_check_count,
    has_fields_in_order=True,
)
_decide = GoodEvents(BODIES).decide

_RATES = RateLimits(events=120_000)


def make_routes(code: int) -> tuple[IngestRoute, ...]:
    """The routes of the dialect; ``code`` is what their frames carry."""
    dialect = Dialect(code=code, name=NAME, decode=FrameReader(BODIES).decode)
    return (
        IngestRoute(
            path="/v1/ingest/events",
            dialect=dialect,
            dialect_version=VERSION,
            bodies=BODIES,
            admit=admit,
            render_error=render_refusal,
            rates=_RATES,
        ),
        IngestRoute(
            path="/v1/ingest/beacon",
            dialect=dialect,
            dialect_version=VERSION,
            bodies=BODIES,
            admit=admit,
            render_error=render_beacon_error,
            methods=(b"POST", b"GET"),
            credentials=(*ANY_ROUTE, query_parameter("api_key")),
            read_body=read_beacon,
            rates=_RATES,
        ),
    )
