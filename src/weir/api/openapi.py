"""The OpenAPI 3.1 description of the node, put together from the table of its operations.

Source: spec.openapis.org/oas/v3.1.0.
"""

from weir import __version__
from weir.api.operations import OPERATIONS
from weir.dialects.described import ON_INGEST, Body, Operation, Parameter

_ERROR = {
    "type": "object",
    "required": ["error", "message"],
    "properties": {
        "error": {"type": "string", "description": "A stable code."},
        "message": {"type": "string"},
        "details": {"type": "array", "items": {"type": "object"}},
    },
}
_ERROR_REFERENCE = {"$ref": "#/components/schemas/Error"}
_ERROR_WORDS = {
    400: "The request cannot be taken as it is.",
    401: "No API key, or one that is unknown, revoked or expired.",
    403: "The key lacks the scope, or may not be used from here, or the account is not active.",
    404: "There is no such thing in the project of the key.",
    405: "The path does not take this method; Allow lists those it takes.",
    408: "The request did not arrive whole in time.",
    413: "The body is too large.",
    415: "The Content-Encoding is not known.",
    422: "A parameter is out of its range.",
    429: "Over a limit; Retry-After says when to come back.",
    431: "The request's headers are too large.",
    503: "Not now; Retry-After says when to try again.",
    504: "The query ran past its deadline.",
}


_ERROR_EXAMPLES = {
    400: ("invalid_request", "from must be an ISO 8601 time or Unix seconds."),
    401: ("unauthorized", "The API key is unknown or revoked."),
    403: ("tenant_inactive", "This account is not active."),
    404: ("event_not_found", "No event with this id is known in the project of this API key."),
    405: ("method_not_allowed", "The path does not take this method."),
    408: ("request_timeout", "The body did not arrive in time."),
    413: ("payload_too_large", "The body is larger than 5242880 bytes."),
    415: ("unsupported_encoding", "This Content-Encoding is not supported."),
    422: ("limit_out_of_range", "limit must be from 1 to 50000."),
    429: ("rate_limited", "The limit of 600 requests per minute of this API key is reached."),
    431: ("headers_too_large", "The request's headers are too large."),
    503: ("unavailable", "The node is not ready yet."),
    504: ("query_timeout", "The query ran past its time."),
}


def describe_api() -> dict[str, object]:
    """The document that ``/openapi.json`` serves."""
    paths: dict[str, dict[str, object]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Weir",
            "version": __version__,
            "summary": "Event ingestion and analytics.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(operation: Operation) -> dict[str, object]:
    described: dict[str, object] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": _security(operation),
        "responses": _responses(operation),
    }
    if operation.scope is not None:
        described["description"] = (
            f"Needs an API key or an access token with the scope `{operation.scope}`."
        )
    parameters = operation.parameters + (ON_INGEST if operation.scope == "ingest" else ())
    if parameters:
        described["parameters"] = [_parameter(item) for item in parameters]
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    return described


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    return [] if operation.scope is None else [{"bearer": []}, {"apiKey": []}]


def _responses(operation: Operation) -> dict[str, object]:
    responses: dict[str, object] = {
        str(operation.status): {
            "description": operation.reply_words,
            "content": _content(operation.reply),
        }
    }
    for status in operation.errors:
        responses[str(status)] = {
            "description": _ERROR_WORDS[status],
            "content": _refusal(operation, status),
        }
    return responses


def _refusal(operation: Operation, status: int) -> dict[str, object]:
    own = operation.refusals.get(status)
    if own is not None:
        return _content(own)
    if operation.error_schema is not None:
        return {"application/json": {"schema": operation.error_schema}}
    code, message = _ERROR_EXAMPLES[status]
    example = {"value": {"error": code, "message": message}}
    return {"application/json": {"schema": _ERROR_REFERENCE, "examples": {code: example}}}


def _parameter(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.words,
        "schema": parameter.schema,
    }


def _content(body: Body) -> dict[str, object]:
    examples = {name: {"value": value} for name, value in body.examples.items()}
    content: dict[str, object] = {
        body.media_type: {"schema": body.schema, "examples": examples},
    }
    for media_type, example in body.other_types.items():
        texts = {"text": {"value": example}} if example else {}
        content[media_type] = {"schema": {"type": "string"}, "examples": texts}
    return content
