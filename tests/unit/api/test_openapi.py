"""The description of the API is whole and true."""

import re
from typing import Any

import msgspec
import pytest

from weir.api.openapi import describe_api
from weir.api.operations import OPERATIONS
from weir.api.query_fields import FIELDS
from weir.dialects.described import Operation
from weir.query.request import CONTENT_TYPES, Format

BEACONS = {"tapemetric_beacon", "tapemetric_pixel"}
"""Answered 200 whatever happens; only what is no beacon at all is refused."""

DOCUMENT: Any = msgspec.json.decode(msgspec.json.encode(describe_api()))


def fits(value: Any, schema: Any) -> bool:
    """Whether a value fits a schema of the few kinds that the table uses."""
    if "oneOf" in schema:
        return sum(fits(value, option) for option in schema["oneOf"]) == 1
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
    }
    if not isinstance(value, kinds[schema["type"]]):
        return False
    if isinstance(value, list):
        return all(fits(item, schema["items"]) for item in value)
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    required = all(name in value for name in schema.get("required", ()))
    return required and all(fits(value[name], known[name]) for name in value if name in known)


def test_document_is_openapi_3_1() -> None:
    """The fields that the format demands are there, and names are used once."""
    assert DOCUMENT["openapi"] == "3.1.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names))
    references = re.findall(
        r'"\$ref":"#/components/schemas/(\w+)"', msgspec.json.encode(DOCUMENT).decode()
    )
    assert set(references) == DOCUMENT["components"]["schemas"].keys()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operation_is_described_with_examples(operation: Operation) -> None:
    """Its path and method are there; examples of bodies fit their schema; keys name their scope."""
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]
    assert str(operation.status) in described["responses"]
    assert bool(described["security"]) == (operation.scope is not None)
    if operation.scope is not None:
        assert operation.scope in described["description"]
        assert operation.name in BEACONS or {"401", "403"} <= described["responses"].keys()
    if operation.body is not None:
        assert operation.body.examples
        for example in operation.body.examples.values():
            assert fits(example, operation.body.schema)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_parameters_are_those_of_the_path_and_of_every_ingest_route(operation: Operation) -> None:
    """Each name in the path is a required parameter there; names are told once."""
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]
    told = described.get("parameters", [])
    names = [item["name"] for item in told]
    assert len(names) == len(set(names))
    in_path = {item["name"] for item in told if item["in"] == "path" and item["required"]}
    assert in_path == set(re.findall(r"{(\w+)}", operation.path))
    assert (operation.scope == "ingest") == ({"server_ts", "lane"} <= set(names))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_refusals_have_examples(operation: Operation) -> None:
    """Of the node's own shape all; of a dialect's at least those that its reference prints."""
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]
    for status in operation.errors:
        content = described["responses"][str(status)]["content"]["application/json"]
        if operation.error_schema is None or status in operation.refusals:
            assert content["examples"], status


def test_ingest_and_query_are_described() -> None:
    """What a new client needs first."""
    assert {"/v1/events", "/v1/ingest", "/v1/batch", "/v1/query", "/v1/ledger", "/v1/health"} <= (
        DOCUMENT["paths"].keys()
    )


def test_query_is_described_with_all_its_fields_and_formats() -> None:
    """Each field that the route takes and each format that it writes, in both methods."""
    path = DOCUMENT["paths"]["/v1/query"]
    body = path["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {item["name"] for item in path["get"]["parameters"]} == set(FIELDS)
    assert body["properties"].keys() == set(FIELDS)
    assert body["properties"]["format"]["enum"] == [kind.value for kind in Format]
    media_types = {words.partition(";")[0] for words in CONTENT_TYPES.values()}
    for method in path.values():
        assert method["responses"]["200"]["content"].keys() == media_types


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_refusals_of_the_protocol_are_described(operation: Operation) -> None:
    """Of every route with a key: methods and heads; of bodies: time and size; encodings."""
    told = set(operation.errors)
    if operation.name in BEACONS:
        assert told == {405, 431}
        return
    assert (operation.scope is not None) == ({405, 431} <= told)
    assert (operation.body is not None) == ({408, 413} <= told)
    assert (operation.scope == "ingest") == (415 in told)
    assert list(operation.errors) == sorted(told)
