"""The Tapemetric dialect in the OpenAPI description."""

from collections.abc import Mapping

import msgspec

from weir.dialects.described import INGEST_ERRORS, URL_KEY
from weir.dialects.event_schema import list_schema, object_schema
from weir.dialects.tapemetric.events import EVENTS_MAX
from weir.dialects.tapemetric.fields import FIELDS
from weir.domain.described import Body, DescribedOperation, Parameter
from weir.domain.keys import Scope

_PLAY_START = {
    "event_type": "play_start",
    "ts": "2026-04-23T18:30:12.456Z",
    "anonymous_id": "a8f3c2d0-1e5b-4a9c-8d4e-7f2a1b3c4d5e",
    "session_id": "sess_a1b2c3d4",
    "content_id": "aashiqana_s04e12",
    "content_type": "series",
    "content_title": "Aashiqana S4 E12",
    "position_sec": 0,
    "bitrate_kbps": 4500,
    "context": {"device_type": "tv", "app_version": "4.12.0"},
}
_BODY = Body(
    schema={
        "type": "object",
        "required": ["events"],
        "properties": {"events": list_schema(object_schema(FIELDS), items_max=EVENTS_MAX)},
    },
    examples={"one": {"events": [_PLAY_START]}},
)
_REPLIES: Mapping[str, object] = {
    "taken": {"accepted": 1, "rejected": 0, "queued": True},
    "mixed": {
        "accepted": 1,
        "rejected": 1,
        "queued": True,
        "errors": [{"index": 1, "field": "event_type", "message": "is required"}],
    },
}

_EVENTS = DescribedOperation(
    method="POST",
    path="/v1/ingest/events",
    name="tapemetric_events",
    summary="Send up to 500 events in the Tapemetric dialect; the good ones are taken.",
    scope=Scope.INGEST,
    body=_BODY,
    reply_words="Taken and on disk. `errors` stands there only where events were not taken.",
    reply=Body(examples=_REPLIES),
    errors=INGEST_ERRORS,
    refusals={
        400: Body(
            examples={
                "nothing good": {
                    "error": "invalid_request",
                    "message": "No event of the request is valid; nothing was stored.",
                    "details": [{"index": 0, "field": "ts", "message": "is required"}],
                },
                "no batch": {
                    "error": "invalid_request",
                    "message": "'events' must be an array of events.",
                    "details": [
                        {"index": None, "field": "events", "message": "must be an array of events"}
                    ],
                },
            }
        )
    },
)

_BEACON_REPLY = Body(
    examples={
        **_REPLIES,
        "refused": {
            "accepted": 0,
            "rejected": 1,
            "queued": False,
            "error": "unauthorized",
            "message": "The API key is unknown or revoked.",
        },
    }
)
_BEACON_WORDS = "Always, whatever happened: the counts tell, and `error` why nothing was taken."

_BEACON = DescribedOperation(
    method="POST",
    path="/v1/ingest/beacon",
    name="tapemetric_beacon",
    summary="Send events as `navigator.sendBeacon` does, with any Content-Type.",
    scope=Scope.INGEST,
    parameters=(URL_KEY,),
    body=msgspec.structs.replace(_BODY, other_types={"text/plain": '{"events":[]}'}),
    reply_words=_BEACON_WORDS,
    reply=_BEACON_REPLY,
    errors=(405, 431),
)

_PIXEL = DescribedOperation(
    method="GET",
    path="/v1/ingest/beacon",
    name="tapemetric_pixel",
    summary="Send events in the URL, as a pixel does.",
    scope=Scope.INGEST,
    parameters=(
        URL_KEY,
        Parameter(name="data", words="The body of a beacon, URL-encoded.", required=True),
    ),
    reply_words=_BEACON_WORDS,
    reply=_BEACON_REPLY,
    errors=(405, 431),
)

OPERATIONS = (_EVENTS, _BEACON, _PIXEL)
