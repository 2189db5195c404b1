"""Members that events make us take apart: bounded for one event and for a request."""

import pytest

from tests.unit.dialects.making import admit, stored
from weir.dialects.decoding import MEMBERS_MAX
from weir.dialects.fields import FIELDS_MAX
from weir.dialects.native import events as native
from weir.dialects.novamesh import events as novamesh
from weir.errors import InvalidInput

EVENTS_MAX = {"/v1/events": native.EVENTS_MAX, "/v1/batch": novamesh.BATCH_EVENTS_MAX}
PATHS = ["/v1/events", "/v1/ingest", "/v1/batch"]


def _members(count: int, *, repeated: bool = False) -> bytes:
    return b",".join(b'"a%d":1' % (0 if repeated else number) for number in range(count))


def _body(path: str, *events: bytes) -> bytes:
    if path == "/v1/batch":
        return b'{"events":[%s]}' % b",".join(events)
    return events[0] if path == "/v1/ingest" else b"[%s]" % b",".join(events)


def _refused(path: str, body: bytes) -> bool:
    try:
        admission = admit(path, body)
    except InvalidInput:
        return True
    return admission.event_count == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("repeated", [False, True])
def test_fields_of_an_event_are_bounded(path: str, *, repeated: bool) -> None:
    """Known and unknown, repeated names too; at the limit they are all kept."""
    at_limit = b'{"event":"a",%s}' % _members(FIELDS_MAX - 1, repeated=repeated)
    above = b'{"event":"a",%s}' % _members(FIELDS_MAX, repeated=repeated)
    (event,) = stored(path, _body(path, at_limit))
    assert bytes(event.properties).count(b":") == (1 if repeated else FIELDS_MAX - 1)
    assert _refused(path, _body(path, above))


@pytest.mark.parametrize("path", PATHS)
def test_what_stands_inside_a_field_does_not_count(path: str) -> None:
    """Neither properties nor a list make many fields."""
    inner = _members(2 * FIELDS_MAX)
    body = _body(path, b'{"event":"a","x":[{%s}],"properties":{%s}}' % (inner, inner))
    (event,) = stored(path, body)
    assert bytes(event.properties) == b'{%s,"x":[{%s}]}' % (inner, inner)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1/events", b'{"event":"a",%s}'),
        ("/v1/events", b'{"event":"a","x":1,"properties":{%s}}'),
        ("/v1/events", b'{"event":"a","context":{%s}}'),
        ("/v1/batch", b'{"event":"a","x":1,"properties":{%s}}'),
        ("/v1/batch", b'{"event":"a","context":{%s}}'),
    ],
)
def test_members_of_a_request_are_bounded(path: str, form: bytes) -> None:
    """Of fields, of properties that fields are put behind, and of contexts over a shared one."""
    event = form % _members(MEMBERS_MAX // EVENTS_MAX[path] + 1)

    def body(count: int) -> bytes:
        return b'{"events":[%s],"context":{"z":1}}' % b",".join([event] * count)

    half = EVENTS_MAX[path] // 2
    assert admit(path, body(half)).event_count == half
    with pytest.raises(InvalidInput, match="members") as caught:
        admit(path, body(EVENTS_MAX[path]))
    assert caught.value.context["refused_count"] == EVENTS_MAX[path]
