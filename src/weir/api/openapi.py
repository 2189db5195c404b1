"""The OpenAPI 3.1 description of a node, from the rows of its operations.

Source: spec.openapis.org/oas/v3.1.0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from weir import __version__
from weir.api.operation import Operation
from weir.api.replies import Error
from weir.dialects.described import ON_INGEST
from weir.domain.described import TEXT, Body, DescribedOperation, Parameter
from weir.domain.keys import Scope
from weir.ingest.http.refusals import MethodNotAllowed

_NOTHING = (msgspec.NODEFAULT, msgspec.UNSET, None)
"""Defaults that stand for a parameter that is left out."""


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
    405: (MethodNotAllowed.default_code, MethodNotAllowed().message),
    408: ("request_timeout", "The body did not arrive in time."),
    413: ("payload_too_large", "The body is larger than 5242880 bytes."),
    415: ("unsupported_encoding", "This Content-Encoding is not supported."),
    422: ("limit_out_of_range", "limit must be from 1 to 50000."),
    429: ("rate_limited", "The limit of 600 requests per minute of this API key is reached."),
    431: ("headers_too_large", "The request's headers are too large."),
    503: ("unavailable", "The node is not ready yet."),
    504: ("query_timeout", "The query ran past its time."),
}


def describe_api(operations: Sequence[DescribedOperation]) -> dict[str, object]:
    """The document that ``/openapi.json`` serves, of these operations."""
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, object]] = {}
    for operation in operations:
        described = _operation(operation, schemas)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
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
            "schemas": schemas.components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


class _Schemas:
    """The JSON Schemas of the types that rows name; each Struct stands among the components."""

    def __init__(self, operations: Sequence[DescribedOperation]) -> None:
        typed = [row for row in operations if isinstance(row, Operation)]
        kinds: list[Any] = [Error]
        for row in typed:
            kinds += [row.returns, *((row.request,) if row.has_body else _kinds_in_url(row))]
        found, self.components = msgspec.json.schema_components(
            kinds, schema_hook=_own_schema, ref_template="#/components/schemas/{name}"
        )
        self._found = list(zip(kinds, found, strict=True))

    def of(self, kind: object) -> dict[str, object]:
        """The schema of one of the types, or a reference to it."""
        return next(schema for known, schema in self._found if known == kind)


def _kinds_in_url(operation: Operation[Any, Any]) -> list[Any]:
    return [field.type for field in operation.request_fields]


def _own_schema(kind: Any) -> dict[str, object]:
    """What a type that reads itself says of its form."""
    schema: dict[str, object] = kind.SCHEMA
    return schema


def _operation(operation: DescribedOperation, schemas: _Schemas) -> dict[str, object]:
    described: dict[str, object] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": _security(operation),
        "responses": _responses(operation, schemas),
    }
    if operation.scope is not None:
        described["description"] = (
            f"Needs an API key or an access token with the scope `{operation.scope}`."
        )
    parameters = [_parameter(item) for item in operation.parameters]
    if operation.scope is Scope.INGEST:
        parameters += [_parameter(item) for item in ON_INGEST]
    if isinstance(operation, Operation) and not operation.has_body:
        parameters += _parameters_in_url(operation, schemas)
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        schema = operation.body.schema
        if isinstance(operation, Operation):
            schema = schemas.of(operation.request)
        described["requestBody"] = {"required": True, "content": _content(operation.body, schema)}
    return described


def _security(operation: DescribedOperation) -> list[dict[str, list[str]]]:
    return [] if operation.scope is None else [{"bearer": []}, {"apiKey": []}]


def _responses(operation: DescribedOperation, schemas: _Schemas) -> dict[str, object]:
    schema = operation.reply.schema
    if isinstance(operation, Operation):
        schema = schemas.of(operation.returns)
    reply: dict[str, object] = {
        "description": operation.reply_words,
        "content": _content(operation.reply, schema),
    }
    if operation.reply_headers:
        reply["headers"] = {
            name: {"description": words, "schema": TEXT}
            for name, words in operation.reply_headers.items()
        }
    responses: dict[str, object] = {str(operation.status): reply}
    for status in operation.errors:
        responses[str(status)] = {
            "description": _ERROR_WORDS[status],
            "content": _refusal(operation, status, schemas),
        }
    return responses


def _refusal(operation: DescribedOperation, status: int, schemas: _Schemas) -> dict[str, object]:
    own = operation.refusals.get(status)
    if own is not None:
        return _content(own, own.schema)
    if operation.error_schema is not None:
        return {"application/json": {"schema": operation.error_schema}}
    code, message = _ERROR_EXAMPLES[status]
    example = {"value": {"error": code, "message": message}}
    return {"application/json": {"schema": schemas.of(Error), "examples": {code: example}}}


def _parameter(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.words,
        "schema": parameter.schema,
    }


def _parameters_in_url(
    operation: Operation[Any, Any], schemas: _Schemas
) -> list[dict[str, object]]:
    """The parameters of a request without a body, from the fields of its Struct."""
    told = []
    for field in operation.request_fields:
        schema = dict(schemas.of(field.type))
        parameter = Parameter(
            name=field.encode_name,
            words=str(schema.pop("description")),
            schema=schema if field.default in _NOTHING else schema | {"default": field.default},
            required=field.required,
            place="path" if field.encode_name in operation.path_names else "query",
        )
        told.append(_parameter(parameter))
    return told


def _content(body: Body, schema: Mapping[str, object]) -> dict[str, object]:
    examples = {name: {"value": value} for name, value in body.examples.items()}
    content: dict[str, object] = {body.media_type: {"schema": schema, "examples": examples}}
    for media_type, example in body.other_types.items():
        texts = {"text": {"value": example}} if example else {}
        content[media_type] = {"schema": {"type": "string"}, "examples": texts}
    return content
