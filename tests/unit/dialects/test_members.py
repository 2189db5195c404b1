"""Members that events make us take apart: bounded for one event and for a request."""

import pytest

from tests.unit.dialects.making import admit
from weir.dialects.decoding import MEMBERS_MAX
from weir.dialects.native import events as native
from weir.dialects.novamesh import events as novamesh
from weir.errors import InvalidInput

EVENTS_MAX = {"/v1/events": native.EVENTS_MAX, "/v1/batch": novamesh.BATCH_EVENTS_MAX}


def _members(count: int, *, repeated: bool = False) -> bytes:
    return b",".join(b'"a%d":1' % (0 if repeated else number) for number in range(count))


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
