"""JSON that parsers disagree about: each text is refused, or comes out exactly as it went in."""

import msgspec
import pytest

from tests.unit.dialects.corpus import REFUSED_BODIES, REFUSED_VALUES, TAKEN_VALUES
from tests.unit.dialects.making import admit, stored
from tests.unit.ingest.node import INGEST, Node
from tests.unit.ingest.wire import request
from weir.dialects.hygiene import BYTE_ORDER_MARK
from weir.errors import InvalidInput

PATHS = ["/v1/events", "/v1/ingest", "/v1/batch", "/v1/ingest/events"]
BATCHES = ["/v1/batch", "/v1/ingest/events"]
TAPE = b'"event_type":"a","ts":"2026-01-02","anonymous_id":"n","session_id":"s"'


def _with_value(path: str, value: bytes, *, unknown: bytes = b"") -> bytes:
    needed = TAPE if path == "/v1/ingest/events" else b'"event":"a"'
    event = b'{%s,%s"properties":{"v":%s}}' % (needed, unknown, value)
    return b'{"events":[%s]}' % event if path in BATCHES else event


def _is_refused(path: str, body: bytes) -> bool:
    try:
        return admit(path, body).event_count == 0
    except InvalidInput as error:
        return error.status == 400


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", REFUSED_VALUES)
def test_bad_value_is_refused(path: str, name: str) -> None:
    """Alone, beside an unknown field, and in an array of events."""
    value = REFUSED_VALUES[name]
    assert _is_refused(path, _with_value(path, value))
    assert _is_refused(path, _with_value(path, value, unknown=b'"x":1,'))
    if path == "/v1/events":
        assert _is_refused(path, b"[%s]" % _with_value(path, value))
        assert _is_refused(path, b'{"events":[%s]}' % _with_value(path, value))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", TAKEN_VALUES)
def test_good_value_is_kept_byte_for_byte(path: str, name: str) -> None:
    """As the whole of a property, and with the unknown fields folded in."""
    value = TAKEN_VALUES[name]
    if path in BATCHES and name == "deepest":
        value = value[2:-2]  # the envelope has two levels of its own
    (event,) = stored(path, _with_value(path, value))
    assert bytes(event.properties) == b'{"v":%s}' % value
    (event,) = stored(path, _with_value(path, value, unknown=b'"x":%s,' % value))
    assert bytes(event.properties).startswith(b'{"v":%s' % value)
    assert bytes(event.properties).endswith(b',"x":%s}' % value.strip())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", REFUSED_BODIES)
def test_bad_body_is_refused(path: str, name: str) -> None:
    """Whatever it is instead of events."""
    assert _is_refused(path, REFUSED_BODIES[name])


@pytest.mark.parametrize("path", PATHS)
def test_every_truncation_is_refused(path: str) -> None:
    """No part of a body from its start is taken for a smaller body."""
    value = b'{"a":[1.5e3,"\\ud83c\\udf89\xc3\xa9",true,null,{"b":-0}]}'
    body = _with_value(path, value, unknown=b'"user_id":"u",')
    assert admit(path, body).event_count == 1
    for cut in range(len(body)):
        assert _is_refused(path, body[:cut]), body[:cut]


@pytest.mark.parametrize("path", PATHS)
def test_every_flipped_byte_is_refused_or_kept(path: str) -> None:
    """Damage never ends in another error, nor in something else being stored."""
    body = _with_value(path, b'{"a":[1,"\xc3\xa9\\n"]}')
    for at in range(len(body)):
        for flip in (0x01, 0x20, 0x80):
            damaged = body[:at] + bytes([body[at] ^ flip]) + body[at + 1 :]
            if not _is_refused(path, damaged):
                stored(path, damaged)


def test_corpus_over_the_wire_is_refused_in_shape_or_stored(node: Node) -> None:
    """Every text on every route of a running door: 400 and nothing stored, or 202 and all of it."""
    bodies = [
        *(_with_value("/v1/ingest", value) for value in REFUSED_VALUES.values()),
        *(_with_value("/v1/ingest", value) for value in TAKEN_VALUES.values()),
        *REFUSED_BODIES.values(),
    ]
    taken = []
    with node.connect() as wire:
        for path in PATHS:
            for body in bodies:
                answer = wire.ask(request(path, body, key=INGEST))
                assert answer["connection"] is None
                if answer.status == 202:
                    taken.append(body.removeprefix(BYTE_ORDER_MARK))
                    continue
                assert answer.status == 400, body[:80]
                _check_shape(path, answer.json)
    assert node.bodies() == taken
    # A body with a byte order mark is taken where one event is a body.
    assert len(taken) == 2 * (len(TAKEN_VALUES) + 1)
    assert len(node.events()) == len(taken)


def _check_shape(path: str, told: dict[str, object]) -> None:
    if path == "/v1/events" and "accepted" in told:
        assert told["accepted"] == 0
        results = msgspec.convert(told["results"], list[dict[str, object]])
        assert results
        assert all(set(r) == {"index", "status", "code", "field", "message"} for r in results)
        return
    assert told["error"] == "invalid_request"
    assert isinstance(told["message"], str)
    assert set(told) <= {"error", "message", "details"}
