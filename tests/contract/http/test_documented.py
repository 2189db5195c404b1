"""Every ingest operation of the OpenAPI document answers as it says, with its own examples.

408 is left to ``test_connections.py`` and ``test_receiving.py``: a proxy has deadlines of its own.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.contract.http.ways import Way
from tests.unit.ingest.node import INGEST, LIMITED, QUERY, REQUESTS_PER_MINUTE, Node, wait_for
from tests.unit.ingest.wire import Answer, request
from weir.api.table import OPERATIONS
from weir.domain.described import Body, DescribedOperation

INGESTING = {each.name: each for each in OPERATIONS if each.scope == "ingest"}
ENDPOINT = "11111111-1111-4111-8111-111111111111"
BODY_BYTES_MAX = 4096


def _target(operation: DescribedOperation, endpoint: str = ENDPOINT) -> str:
    return operation.path.replace("{id}", endpoint)


def _example(operation: DescribedOperation) -> bytes:
    assert operation.body is not None
    return json.dumps(next(iter(operation.body.examples.values()))).encode()


def _ask(node: Node, operation: DescribedOperation, sent: bytes) -> Answer:
    with node.connect() as wire:
        return wire.ask(sent, method=operation.method)


def _invalid(node: Node, operation: DescribedOperation) -> Answer:
    body = b"" if operation.name == "edgemq_ingest" else b"{}"
    return _ask(node, operation, request(_target(operation), body, key=INGEST))


def _keyless(node: Node, operation: DescribedOperation) -> Answer:
    return _ask(node, operation, request(_target(operation), _example(operation), key="unknown"))


def _forbidden(node: Node, operation: DescribedOperation) -> Answer:
    return _ask(node, operation, request(_target(operation), _example(operation), key=QUERY))


def _misplaced(node: Node, operation: DescribedOperation) -> Answer:
    return _ask(node, operation, request(_target(operation, "none"), b"{}", key=INGEST))


def _wrong_method(node: Node, operation: DescribedOperation) -> Answer:
    target = "/ingest" if operation.path == "/" else _target(operation)
    return _ask(node, operation, request(target, b"", method="PUT"))


def _large(node: Node, operation: DescribedOperation) -> Answer:
    body = b" " * (BODY_BYTES_MAX + 1)
    return _ask(node, operation, request(_target(operation), body, key=INGEST))


def _encoded(node: Node, operation: DescribedOperation) -> Answer:
    line = "Content-Encoding: compress"
    return _ask(node, operation, request(_target(operation), b"x", line, key=INGEST))


def _too_often(node: Node, operation: DescribedOperation) -> Answer:
    sent = request(_target(operation), _example(operation), key=LIMITED)
    for _ in range(REQUESTS_PER_MINUTE):
        assert _ask(node, operation, sent).status == operation.status
    return _ask(node, operation, sent)


def _many_headers(node: Node, operation: DescribedOperation) -> Answer:
    lines = [f"X-{number}: a" for number in range(node.settings.header_count_max + 1)]
    sent = request(_target(operation), b"", *lines, method=operation.method)
    return _ask(node, operation, sent)


def _overloaded(node: Node, operation: DescribedOperation) -> Answer:
    node.backlog[0] = 1 << 50
    node.call(node.overload.tick)
    answer = _ask(node, operation, request(_target(operation), _example(operation), key=INGEST))
    node.backlog[0] = 0
    node.call(node.overload.tick)
    return answer


REFUSALS: Mapping[int, Callable[[Node, DescribedOperation], Answer]] = {
    400: _invalid,
    401: _keyless,
    403: _forbidden,
    404: _misplaced,
    405: _wrong_method,
    413: _large,
    415: _encoded,
    429: _too_often,
    431: _many_headers,
    503: _overloaded,
}


def _has_a_shape_of(told: object, body: Body) -> bool:
    """The fields of one of the examples, each of its type."""
    return any(_shape(told) == _shape(example) for example in body.examples.values())


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return {name: _shape(part) for name, part in value.items()}
    return [_shape(part) for part in value[:1]] if isinstance(value, list) else type(value)


def _taken(operation: DescribedOperation) -> list[object]:
    """The replies shown; a list of what was not taken is empty when all was."""
    shown = [each for each in operation.reply.examples.values() if isinstance(each, dict)]
    return [*shown, *({**each, "results": []} for each in shown if "results" in each)]


@pytest.mark.parametrize("name", [name for name, each in INGESTING.items() if each.body])
def test_documented_examples_are_taken(node: Node, name: str) -> None:
    """Each example of a body gets the documented status, and a reply like an example's."""
    operation = INGESTING[name]
    assert operation.body is not None
    for example in operation.body.examples.values():
        body = json.dumps(example).replace("pk_live_xxx", INGEST).encode()
        answer = _ask(node, operation, request(_target(operation), body, key=INGEST))
        assert answer.status == operation.status, example
        assert any(_shape(answer.json) == _shape(each) for each in _taken(operation)), answer
    assert len(node.frames()) == len(operation.body.examples)


@pytest.mark.parametrize("name", INGESTING)
def test_documented_refusals_answer_as_described(tmp_path: Path, way: Way, name: str) -> None:
    """Each status of each operation, in the shape that is shown for it; the node goes on."""
    operation = INGESTING[name]
    with way.node(tmp_path / "node", body_bytes_max=BODY_BYTES_MAX) as node:
        for status in sorted(set(operation.errors) - {408}):
            answer = REFUSALS[status](node, operation)
            assert answer.status == status, (status, answer)
            if status in (429, 503):
                assert int(answer["retry-after"] or 0) > 0
            if status in operation.refusals:
                assert _has_a_shape_of(answer.json, operation.refusals[status]), answer
            elif operation.error_schema is None or status in (405, 431):
                assert isinstance(answer.json["error"], str), answer
                assert isinstance(answer.json["message"], str), answer
            else:
                assert isinstance(answer.json["error"], str), answer
        wait_for(lambda: not node.call(lambda: node.door.bytes_in_flight), what="all is answered")


def test_pixel_is_taken(node: Node) -> None:
    """The example of a beacon in the URL."""
    beacon = INGESTING["tapemetric_beacon"]
    pixel = INGESTING["tapemetric_pixel"]
    target = f"{pixel.path}?api_key={INGEST}&data={quote(_example(beacon))}"
    answer = _ask(node, pixel, request(target, b"", method="GET"))
    assert (answer.status, answer.json) == (200, beacon.reply.examples["taken"])
