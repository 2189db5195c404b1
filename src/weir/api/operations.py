"""The table of the node's HTTP operations, with an example of each: what ``/openapi.json`` tells.

The door serves health and ingest, the api process the rest; a client sees one server.
"""

from collections.abc import Mapping

from weir.api.token_operations import TOKENS
from weir.dialects.clickstream.described import CLICKSTREAM
from weir.dialects.described import (
    INGEST_ERRORS,
    OBJECT,
    TEXT,
    URL_KEY,
    Body,
    Operation,
    Parameter,
)
from weir.dialects.edgemq.described import EDGEMQ
from weir.dialects.event_schema import list_schema, object_schema
from weir.dialects.native import events as native
from weir.dialects.novamesh import events as novamesh
from weir.dialects.realanalytics.described import REALANALYTICS
from weir.dialects.tapemetric.described import TAPEMETRIC
from weir.query.request import CONTENT_TYPES, ROWS_DEFAULT, Format

_NATIVE_EVENT = object_schema(native.FIELDS)
_NATIVE_EVENTS = list_schema(_NATIVE_EVENT, items_max=native.EVENTS_MAX)
_NOVAMESH_EVENT = object_schema(novamesh.FIELDS)

_SIGNUP = {
    "event": "signup",
    "event_id": "0193f3c2-7a10-7000-8000-5f2c6d1e9a01",
    "user_id": "u_42",
    "ts": "2026-11-20T12:00:00Z",
    "properties": {"plan": "pro", "price": 29.5},
}
_PAGE_VIEW = {"event": "page_view", "user_id": "u_42", "properties": {"page": "/pricing"}}
_CLICK = {"event": "click", "user_id": "u_42", "timestamp": "2026-11-20T12:00:01Z"}

HEALTH = Operation(
    method="GET",
    path="/v1/health",
    name="health",
    summary="Whether the node is up.",
    reply_words="The node is up. `uptime` is a percentage of the last 30 days.",
    reply=Body(
        examples={
            "up": {
                "status": "ok",
                "node": "weir-1",
                "region": "local",
                "version": "0.1.0",
                "uptime": 99.98,
            }
        }
    ),
)

LIVEZ = Operation(
    method="GET",
    path="/livez",
    name="live",
    summary="Whether the process answers at all, for a supervisor of processes.",
    reply_words="It does.",
    reply=Body(examples={"alive": {"alive": True}}),
)

READYZ = Operation(
    method="GET",
    path="/readyz",
    name="ready",
    summary="Whether the node takes events and answers queries, for a load balancer.",
    reply_words="It does. 503 with the same body while a part does not, or the node is stopping.",
    reply=Body(examples={"ready": {"ready": True, "registry": True, "api": True, "loader": True}}),
    errors=(503,),
)

NATIVE = Operation(
    method="POST",
    path="/v1/events",
    name="send_events",
    summary="Send up to 1000 events. The reply comes when they are on disk.",
    scope="ingest",
    parameters=(URL_KEY,),
    body=Body(
        schema={
            "oneOf": [
                _NATIVE_EVENT,
                _NATIVE_EVENTS,
                {
                    "type": "object",
                    "required": ["events"],
                    "properties": {"events": _NATIVE_EVENTS, "context": OBJECT},
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

_NOVAMESH_REFUSALS = {
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

NOVAMESH_SINGLE = Operation(
    method="POST",
    path="/v1/ingest",
    name="ingest",
    summary="Send one event in the NovaMesh dialect.",
    scope="ingest",
    body=Body(schema=_NOVAMESH_EVENT, examples={"one": _PAGE_VIEW}),
    status=202,
    reply_words="Taken and on disk.",
    reply=Body(examples={"taken": {"accepted": True, "queued": 1}}),
    errors=INGEST_ERRORS,
    refusals=_NOVAMESH_REFUSALS,
)

NOVAMESH_BATCH = Operation(
    method="POST",
    path="/v1/batch",
    name="ingest_batch",
    summary="Send up to 500 events in the NovaMesh dialect, taken whole or refused whole.",
    scope="ingest",
    body=Body(
        schema={
            "type": "object",
            "required": ["events"],
            "properties": {
                "events": list_schema(_NOVAMESH_EVENT, items_max=novamesh.BATCH_EVENTS_MAX),
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
    refusals=_NOVAMESH_REFUSALS,
)

_QUERY_TEXTS = {
    Format.NDJSON: '{"event":"page_view","count":142857}\n{"event":"click","count":98204}\n',
    Format.CSV: "event,count\r\npage_view,142857\r\nclick,98204\r\n",
}
_QUERY_REPLY = Body(
    examples={
        "rows": {
            "columns": ["event", "count"],
            "rows": [["page_view", 142857], ["click", 98204]],
            "meta": {
                "elapsed_ms": 42,
                "rows": 2,
                "truncated": False,
                "rows_scanned": 241061,
                "bytes_scanned": 1893412,
                "watermark": "2026-11-20T12:00:01Z",
            },
        }
    },
    other_types={
        words.partition(";")[0]: _QUERY_TEXTS.get(kind, "")
        for kind, words in CONTENT_TYPES.items()
        if kind != Format.JSON
    },
)
_QUERY_REFUSALS = {
    400: Body(
        examples={
            "no statement": {
                "error": "invalid_query",
                "message": "This is not a SELECT statement.",
                "position": 0,
            }
        }
    )
}
_QUERY_ERRORS = (400, 401, 403, 405, 422, 429, 431, 503, 504)
_QUERY_BY_BODY_ERRORS = (400, 401, 403, 405, 408, 413, 422, 429, 431, 503, 504)
_SQL = "SELECT event, count() FROM events GROUP BY event LIMIT 10"
_FORMATS: Mapping[str, object] = {"type": "string", "enum": list(Format)}
_LIMIT: Mapping[str, object] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 50000,
    "default": ROWS_DEFAULT,
}
_FLAG: Mapping[str, object] = {"type": "integer", "enum": [0, 1], "default": 0}

QUERY = Operation(
    method="GET",
    path="/v1/query",
    name="query",
    summary="Run one SELECT over the project's events.",
    scope="query",
    parameters=(
        Parameter(name="q", words=f"The SQL, for example: {_SQL}", required=True),
        Parameter(
            name="format",
            words="The form of the result; without it the `Accept` header decides.",
            schema=_FORMATS,
        ),
        Parameter(name="limit", words="Most rows of the result.", schema=_LIMIT),
        Parameter(name="safe", words="1: CSV without what a sheet runs as formula.", schema=_FLAG),
        Parameter(name="meta", words="1: NDJSON ends with a line of meta.", schema=_FLAG),
    ),
    reply_words="The result.",
    reply=_QUERY_REPLY,
    errors=_QUERY_ERRORS,
    refusals=_QUERY_REFUSALS,
)

QUERY_BY_BODY = Operation(
    method="POST",
    path="/v1/query",
    name="query_by_body",
    summary="Run one SELECT over the project's events; the parameters stand in the body.",
    scope="query",
    body=Body(
        schema={
            "type": "object",
            "required": ["q"],
            "properties": {
                "q": TEXT,
                "format": _FORMATS,
                "limit": _LIMIT,
                "safe": _FLAG,
                "meta": _FLAG,
            },
        },
        examples={"count": {"q": _SQL, "format": "json", "limit": 10}},
    ),
    reply_words="The result.",
    reply=_QUERY_REPLY,
    errors=_QUERY_BY_BODY_ERRORS,
    refusals=_QUERY_REFUSALS,
)

LEDGER = Operation(
    method="GET",
    path="/v1/ledger",
    name="ledger",
    summary="What became of the project's events, per key and minute.",
    scope="metrics",
    parameters=(
        Parameter(name="from", words="ISO 8601 or Unix seconds; an hour before `to` if absent."),
        Parameter(name="to", words="ISO 8601 or Unix seconds, not included; now if absent."),
        Parameter(
            name="by",
            words="A row per key and minute, or one per key.",
            schema={"type": "string", "enum": ["minute", "total"], "default": "minute"},
        ),
    ),
    reply_words="The counts. `balance` is 0 when every accepted event has an outcome.",
    reply=Body(
        examples={
            "minute": {
                "items": [
                    {
                        "key_id": "key_4fT0hJc2LxW9aQ7b",
                        "minute": "2026-11-20T12:00:00Z",
                        "received": 101,
                        "rejected": 1,
                        "accepted": 100,
                        "stored": 90,
                        "duplicate": 4,
                        "duplicate_conflict": 0,
                        "dead_lettered": 0,
                        "quarantined": 0,
                        "lost": 0,
                        "in_flight": 6,
                    }
                ],
                "balance": 0,
            }
        }
    ),
    errors=(400, 401, 403, 405, 431, 503),
)

TRACE = Operation(
    method="GET",
    path="/v1/events/{event_id}/trace",
    name="trace",
    summary="What became of one event, and every time it was sent.",
    scope="metrics",
    parameters=(Parameter(name="event_id", words="As it was sent.", required=True, place="path"),),
    reply_words=(
        "Its story. `outcome` is `in_flight` until the event is in the lake. `duplicates` are the"
        " copies that were not stored, as far as raw payloads are kept; `complete` is false when"
        " there was no time to search them all. `visible_at` is not recorded."
    ),
    reply=Body(
        examples={
            "stored": {
                "event_id": "0193f3c2-7a10-7000-8000-5f2c6d1e9a01",
                "found": True,
                "received_at": "2026-11-20T12:00:00.000123Z",
                "dialect": "native",
                "key_id": "key_4fT0hJc2LxW9aQ7b",
                "journal": {"id": "00", "position": 4096},
                "outcome": "stored",
                "reason": None,
                "visible_at": None,
                "segments": [],
                "duplicates": [{"received_at": "2026-11-20T12:00:07.5Z", "same_body": True}],
                "complete": True,
                "project": "default",
                "lake_file": "lake/1/1/dt=2026-11-20/00000007-0123456789abcdef.parquet",
            }
        }
    ),
    errors=(401, 403, 404, 405, 429, 431, 503, 504),
)

DESCRIPTION = Operation(
    method="GET",
    path="/openapi.json",
    name="describe",
    summary="This description.",
    reply_words="An OpenAPI 3.1 document.",
    reply=Body(examples={}),
)

SCRIPT = Operation(
    method="GET",
    path="/weir.js",
    name="browser_client",
    summary="The client for web pages, for pages of any origin.",
    reply_words="The script; 304 when the one that the client has is still this one.",
    reply=Body(examples={}, schema=TEXT, media_type="text/javascript"),
)

OPERATIONS = (
    HEALTH,
    LIVEZ,
    READYZ,
    NATIVE,
    NOVAMESH_SINGLE,
    NOVAMESH_BATCH,
    *REALANALYTICS,
    EDGEMQ,
    *CLICKSTREAM,
    *TAPEMETRIC,
    QUERY,
    QUERY_BY_BODY,
    LEDGER,
    TRACE,
    *TOKENS,
    SCRIPT,
    DESCRIPTION,
)
