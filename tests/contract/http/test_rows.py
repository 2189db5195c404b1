"""What the door lets in, the loader can process: no accepted body ends as a dead letter."""

from tests.unit.dialects.corpus import TAKEN_VALUES
from tests.unit.ingest.node import INGEST, Node
from tests.unit.ingest.wire import request
from weir.dialects.table import dialects_by_code
from weir.loader.read.rows import build_block, decode_frames

TIMES = [
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "0001-01-01",
    "9999-12-31",
    "1969-12-31T23:59:59.999999Z",
    "2026-W01-5",
]
TEXTS = ["\U0010ffff", "\u202e", "\ufeff", "x" * 100_000, "\u0001", ""]


ENDPOINT = "/v1/endpoints/11111111-1111-4111-8111-111111111111/ingest"


def _played(event: bytes) -> bytes:
    """The same event in the Tapemetric dialect."""
    needed = b'"event_type":"a","ts":"2026-01-02","anonymous_id":"n","session_id":"s"'
    return b"{" + needed + event.removeprefix(b'{"event":"a"')


def _bodies() -> list[tuple[str, bytes]]:
    values = [value for name, value in TAKEN_VALUES.items() if name != "deepest"]
    events = [b'{"event":"a","properties":{"v":%s}}' % value for value in values]
    events += [b'{"event":"a","x":%s,"context":{"v":%s}}' % (value, value) for value in values]
    for text in TEXTS:
        quoted = b'"%s"' % text.encode().replace(b"\x01", b"\\u0001")
        events.append(b'{"event":"a","user_id":%s,"session_id":%s}' % (quoted, quoted))
    found = [("/v1/ingest", event) for event in events]
    found += [("/v1/batch", b'{"events":[%s],"context":{"c":1}}' % event) for event in events]
    found += [("/v1/events", event) for event in events]
    bodies = [event for _, event in found]
    played = [_played(event) for event in events if b'"user_id"' not in event]
    found += [("/v1/ingest/events", b'{"events":[%s]}' % event) for event in played]
    found += [(ENDPOINT, body) for body in [*bodies, b"\xff\0", b"[]", b'{"event":5,']]
    for time in TIMES:
        line = f'{{"event":"a","ts":"{time}","sent_at":"{time}"}}\n{{}}\n{{"event":"b"}}'
        found.append(("/v1/events", line.encode()))
        found.append(("/v1/ingest?server_ts=1", f'{{"event":"a","timestamp":"{time}"}}'.encode()))
    return found


def test_every_accepted_body_becomes_rows(node: Node) -> None:
    """As many rows as events were accepted, each with its JSON as it was sent."""
    with node.connect() as wire:
        for path, body in _bodies():
            assert wire.ask(request(path, body, key=INGEST)).status in (200, 202), body[:100]
    frames = node.frames()
    dialects = dialects_by_code()
    block = build_block(decode_frames(frames, dialects), dialects, {1: "endpoint"})
    assert block.dead == ()
    assert block.rows.num_rows == sum(frame.event_count for frame in frames)
    properties = block.rows.column("properties").to_pylist()
    for value in TAKEN_VALUES.values():
        assert value.startswith(b"[[[") or f'{{"v":{value.decode()}}}' in properties
