"""The description of the API is whole and true."""

import re
from typing import Any

import msgspec
import pytest

from weir.api.openapi import describe_api
from weir.api.query_fields import QueryFields
from weir.api.table import OPERATIONS
from weir.domain.described import DescribedOperation
from weir.query.request import CONTENT_TYPES, Format

BEACONS = {"tapemetric_beacon", "tapemetric_pixel"}
"""Answered 200 whatever happens; only what is no beacon at all is refused."""

DOCUMENT: Any = msgspec.json.decode(msgspec.json.encode(describe_api(OPERATIONS)))


def fits(value: Any, schema: Any) -> bool:
    """Whether a value fits a schema of the few kinds that the table uses."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        return sum(fits(value, option) for option in schema["oneOf"]) == 1
    if "anyOf" in schema:
        return any(fits(value, option) for option in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
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
def test_operation_is_described_with_examples(operation: DescribedOperation) -> None:
    """Its path and method are there; examples fit their schema; keys name their scope."""
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]
    assert str(operation.status) in described["responses"]
    assert bool(described["security"]) == (operation.scope is not None)
    if operation.scope is not None:
        assert operation.scope in described["description"]
        assert operation.name in BEACONS or {"401", "403"} <= described["responses"].keys()
    contents = [described["responses"][str(operation.status)]["content"]]
    if operation.body is not None:
        assert operation.body.examples
        contents.append(described["requestBody"]["content"])
    for content in contents:
        told = content.get("application/json", {"examples": {}})
        for example in told["examples"].values():
            assert fits(example["value"], told["schema"])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_parameters_are_those_of_the_path_and_of_every_ingest_route(
    operation: DescribedOperation,
) -> None:
    """Each name in the path is a required parameter there; names are told once."""
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]
    told = described.get("parameters", [])
    names = [item["name"] for item in told]
    assert len(names) == len(set(names))
    in_path = {item["name"] for item in told if item["in"] == "path" and item["required"]}
    assert in_path == set(re.findall(r"{(\w+)}", operation.path))
    assert (operation.scope == "ingest") == ({"server_ts", "lane"} <= set(names))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_refusals_have_examples(operation: DescribedOperation) -> None:
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
    reference = path["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert reference == "#/components/schemas/QueryFields"
    schemas = DOCUMENT["components"]["schemas"]
    fields = list(QueryFields.__struct_fields__)
    assert [item["name"] for item in path["get"]["parameters"]] == fields
    assert list(schemas["QueryFields"]["properties"]) == fields
    assert set(schemas["Format"]["enum"]) == {kind.value for kind in Format}
    media_types = {words.partition(";")[0] for words in CONTENT_TYPES.values()}
    for method in path.values():
        assert method["responses"]["200"]["content"].keys() == media_types


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_refusals_of_the_protocol_are_described(operation: DescribedOperation) -> None:
    """Of every route with a key: methods and heads; of bodies: time and size; encodings."""
    told = set(operation.errors)
    if operation.name in BEACONS:
        assert told == {405, 431}
        return
    assert (operation.scope is not None) == ({405, 431} <= told)
    assert (operation.body is not None) == ({408, 413} <= told)
    assert (operation.scope == "ingest") == (415 in told)
    assert list(operation.errors) == sorted(told)
