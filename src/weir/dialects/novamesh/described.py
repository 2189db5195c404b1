"""The NovaMesh dialect in the OpenAPI description."""

from weir.dialects.described import INGEST_ERRORS
from weir.dialects.event_schema import list_schema, object_schema
from weir.dialects.novamesh.events import BATCH_EVENTS_MAX, FIELDS
from weir.domain.described import OBJECT, Body, DescribedOperation
from weir.domain.keys import Scope

_EVENT = object_schema(FIELDS)
_PAGE_VIEW = {"event": "page_view", "user_id": "u_42", "properties": {"page": "/pricing"}}
_CLICK = {"event": "click", "user_id": "u_42", "timestamp": "2026-11-20T12:00:01Z"}

_REFUSALS = {
    400: Body(
        examples={
            "invalid": {
                "error": "invalid_request",
                "message": "1 of 1 events are not valid; nothing was stored.",
                "details": [{"index": 0, "field": "event", "message": "is required"}],
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
}

_SINGLE = DescribedOperation(
    method="POST",
    path="/v1/ingest",
    name="ingest",
    summary="Send one event in the NovaMesh dialect.",
    scope=Scope.INGEST,
    body=Body(schema=_EVENT, examples={"one": _PAGE_VIEW}),
    status=202,
    reply_words="Taken and on disk.",
    reply=Body(examples={"taken": {"accepted": True, "queued": 1}}),
    errors=INGEST_ERRORS,
    refusals=_REFUSALS,
)

_BATCH = DescribedOperation(
    method="POST",
    path="/v1/batch",
    name="ingest_batch",
    summary="Send up to 500 events in the NovaMesh dialect, taken whole or refused whole.",
    scope=Scope.INGEST,
    body=Body(
        schema={
            "type": "object",
            "required": ["events"],
            "properties": {
                "events": list_schema(_EVENT, items_max=BATCH_EVENTS_MAX),
                "context": OBJECT,
            },
        },
        examples={"two": {"events": [_PAGE_VIEW, _CLICK], "context": {"app": "web"}}},
    ),
    status=202,
    reply_words="All taken and on disk.",
    reply=Body(
        examples={"taken": {"accepted": True, "events": 2, "batch_id": "b_0193f3c27a107001"}}
    ),
    errors=INGEST_ERRORS,
    refusals=_REFUSALS,
)

OPERATIONS = (_SINGLE, _BATCH)
