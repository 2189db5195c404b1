"""The RealAnalytics dialect in the OpenAPI description."""

from collections.abc import Mapping

from weir.dialects.described import INGEST_ERRORS
from weir.dialects.event_schema import list_schema, object_schema
from weir.dialects.realanalytics.events import EVENTS_MAX, FIELDS
from weir.domain.described import OBJECT, TEXT, Body, DescribedOperation
from weir.domain.keys import Scope

_EVENT = object_schema(FIELDS)
_EVENTS = list_schema(_EVENT, items_max=EVENTS_MAX)
_ERROR: Mapping[str, object] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": TEXT, "details": {"type": "array", "items": OBJECT}},
}
_SIGNUP = {
    "event": "signup_completed",
    "timestamp": "2026-02-03T15:30:00.000Z",
    "distinctId": "user_123",
    "sessionId": "sess_abc",
    "properties": {"plan": "pro", "source": "pricing_page"},
}
_PROBLEM = {"path": ["0", "timestamp"], "code": "validation.required", "message": "is required"}

OPERATIONS = (
    DescribedOperation(
        method="POST",
        path="/",
        name="realanalytics_ingest",
        summary="Send up to 100 events in the RealAnalytics dialect, taken whole or refused whole.",
        scope=Scope.INGEST,
        body=Body(
            schema={
                "oneOf": [
                    _EVENT,
                    _EVENTS,
                    {
                        "type": "object",
                        "required": ["events"],
                        "properties": {"apiKey": TEXT, "events": _EVENTS},
                    },
                ]
            },
            examples={
                "one": _SIGNUP,
                "array": [_SIGNUP],
                "envelope": {"apiKey": "pk_live_xxx", "events": [_SIGNUP]},
            },
        ),
        reply_words="All taken and on disk.",
        reply=Body(examples={"taken": {"success": True, "events": 1}}),
        errors=INGEST_ERRORS,
        error_schema=_ERROR,
        refusals={
            400: Body(
                schema=_ERROR,
                examples={"invalid": {"error": "Validation failed", "details": [_PROBLEM]}},
            ),
            401: Body(schema=_ERROR, examples={"unknown": {"error": "Invalid API key"}}),
            429: Body(
                schema=_ERROR,
                examples={
                    "rate": {"error": "Rate limit exceeded"},
                    "plan": {
                        "error": "Monthly event limit exceeded",
                        "code": "EVENT_LIMIT_EXCEEDED",
                        "limit": 10000,
                        "used": 10000,
                        "remaining": 0,
                    },
                },
            ),
            503: Body(schema=_ERROR, examples={"overload": {"error": "Service unavailable"}}),
        },
    ),
)
