"""The native dialect in the OpenAPI description."""

from weir.dialects.described import INGEST_ERRORS, URL_KEY
from weir.dialects.event_schema import list_schema, object_schema
from weir.dialects.native.events import EVENTS_MAX, FIELDS
from weir.domain.described import OBJECT, Body, DescribedOperation
from weir.domain.keys import Scope

_EVENT = object_schema(FIELDS)
_EVENTS = list_schema(_EVENT, items_max=EVENTS_MAX)
_SIGNUP = {
    "event": "signup",
    "event_id": "0193f3c2-7a10-7000-8000-5f2c6d1e9a01",
    "user_id": "u_42",
    "ts": "2026-11-20T12:00:00Z",
    "properties": {"plan": "pro", "price": 29.5},
}
_PAGE_VIEW = {"event": "page_view", "user_id": "u_42", "properties": {"page": "/pricing"}}

_SEND = DescribedOperation(
    method="POST",
    path="/v1/events",
    name="send_events",
    summary="Send up to 1000 events. The reply comes when they are on disk.",
    scope=Scope.INGEST,
    parameters=(URL_KEY,),
    body=Body(
        schema={
            "oneOf": [
                _EVENT,
                _EVENTS,
                {
                    "type": "object",
                    "required": ["events"],
                    "properties": {"events": _EVENTS, "context": OBJECT},
                },
            ]
        },
        examples={
            "one": _SIGNUP,
            "array": [_SIGNUP, _PAGE_VIEW],
            "envelope": {"events": [_SIGNUP, _PAGE_VIEW], "context": {"app": "web"}},
        },
        other_types={
            "application/x-ndjson": '{"event":"signup","user_id":"u_42"}\n{"event":"page_view"}\n'
        },
    ),
    status=202,
    reply_words="Taken and on disk. `results` lists only the events that were not taken.",
    reply=Body(
        examples={
            "mixed": {
                "accepted": 1,
                "rejected": 1,
                "batch_id": "b_0193f3c27a107000",
                "results": [
                    {
                        "index": 1,
                        "status": "rejected",
                        "code": "validation.required",
                        "field": "event",
                        "message": "event is required",
                    }
                ],
            }
        }
    ),
    errors=INGEST_ERRORS,
    refusals={
        400: Body(
            examples={
                "nothing taken": {
                    "accepted": 0,
                    "rejected": 1,
                    "batch_id": "b_0193f3c27a107000",
                    "results": [
                        {
                            "index": 0,
                            "status": "rejected",
                            "code": "validation.length",
                            "field": "event",
                            "message": "must not be empty",
                        }
                    ],
                },
                "no events at all": {
                    "error": "invalid_request",
                    "message": "The body must be an event, an array of events or NDJSON.",
                },
            }
        )
    },
)

OPERATIONS = (_SEND,)
