"""The clickstream dialect in the OpenAPI description."""

from collections.abc import Mapping

from weir.dialects.clickstream.fields import BATCH_FIELDS, CLIENT_FIELDS, FIELDS
from weir.dialects.clickstream.replies import BATCH_EVENTS_MAX
from weir.dialects.described import INGEST_ERRORS
from weir.dialects.event_schema import list_schema, object_schema, value_schema
from weir.domain.described import OBJECT, TEXT, Body, DescribedOperation
from weir.domain.keys import Scope

_EVENT = object_schema(FIELDS)
_BATCH: Mapping[str, object] = {
    "type": "object",
    "required": [*BATCH_FIELDS, "events"],
    "properties": {
        **{name: value_schema(field) for name, field in BATCH_FIELDS.items()},
        "clientInfo": object_schema(CLIENT_FIELDS),
        "events": list_schema(_EVENT, items_max=BATCH_EVENTS_MAX),
    },
}
_ERROR: Mapping[str, object] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": TEXT,
        "message": TEXT,
        "details": {"type": "array", "items": OBJECT},
    },
}
_CLICK = {
    "event_id": "evt_123456789",
    "event_type": "click",
    "event_name": "button_click",
    "event_time": "2025-09-17T10:00:00Z",
    "user_id": "usr_987654321",
    "session_id": "sess_123456789",
    "page_name": "checkout",
    "device_type": "mobile",
    "platform": "ios",
}


def _problem(field: str) -> dict[str, object]:
    return {
        "field": field,
        "message": "must be a valid ISO 8601 datetime",
        "code": "validation.format",
    }


def _refusal(name: str, error: str, message: str) -> Body:
    return Body(schema=_ERROR, examples={name: {"error": error, "message": message}})


_REFUSALS: Mapping[int, Body] = {
    401: Body(
        schema=_ERROR,
        examples={
            "missing": {"error": "Unauthorized", "message": "Missing or invalid API key"},
            "unknown": {"error": "Unauthorized", "message": "Invalid API key"},
        },
    ),
    403: _refusal("address", "Forbidden", "IP address not allowed"),
    429: _refusal("rate", "Too Many Requests", "Rate limit exceeded"),
    503: _refusal("overload", "Service unavailable", "Failed to process event"),
}
_HEALTH = {"status": "healthy", "timestamp": "2026-11-20T12:00:00Z"}
_PARTS = {"registry": True, "api": True, "loader": True}

OPERATIONS = (
    DescribedOperation(
        method="GET",
        path="/health",
        name="clickstream_health",
        summary="Whether the node takes events and answers queries, as clickstream clients ask.",
        reply_words="It does.",
        reply=Body(examples={"healthy": {**_HEALTH, **_PARTS}}),
        errors=(503,),
        refusals={
            503: Body(examples={"ill": {**_HEALTH, "status": "unhealthy", **_PARTS, "api": False}})
        },
    ),
    DescribedOperation(
        method="POST",
        path="/ingest",
        name="clickstream_event",
        summary="Send one event in the clickstream dialect.",
        scope=Scope.INGEST,
        body=Body(schema=_EVENT, examples={"click": _CLICK}),
        reply_words="Taken and on disk.",
        reply=Body(examples={"taken": {"status": "success", "eventId": "evt_123456789"}}),
        errors=INGEST_ERRORS,
        error_schema=_ERROR,
        refusals={
            400: Body(
                schema=_ERROR,
                examples={
                    "invalid": {"error": "Invalid event", "details": [_problem("event_time")]}
                },
            ),
            **_REFUSALS,
        },
    ),
    DescribedOperation(
        method="POST",
        path="/ingest/batch",
        name="clickstream_batch",
        summary="Send up to 50 events in the clickstream dialect, taken whole or refused whole.",
        scope=Scope.INGEST,
        body=Body(
            schema=_BATCH,
            examples={
                "one": {
                    "batchId": "batch_1",
                    "sentAt": "2025-09-17T10:00:01Z",
                    "clientInfo": {"sdkVersion": "1.0.0", "deviceId": "dev_1", "appBuild": "77"},
                    "events": [_CLICK],
                }
            },
        ),
        reply_words="All taken and on disk. `eventsProcessed` counts what was received.",
        reply=Body(
            examples={"taken": {"status": "success", "batchId": "batch_1", "eventsProcessed": 1}}
        ),
        errors=INGEST_ERRORS,
        error_schema=_ERROR,
        refusals={
            400: Body(
                schema=_ERROR,
                examples={
                    "invalid": {
                        "error": "Invalid batch",
                        "details": [_problem("events.3.event_time")],
                    },
                    "too_large": {
                        "error": "Batch too large",
                        "message": "Maximum batch size is 50 events",
                    },
                },
            ),
            **_REFUSALS,
        },
    ),
)
