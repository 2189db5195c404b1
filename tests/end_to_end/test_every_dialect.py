"""Whatever a dialect accepts comes out of SQL with the same values."""

import json
from datetime import UTC, datetime, timedelta

import httpx

from tests.end_to_end.drawn_requests import (
    COLUMNS,
    ENDPOINT,
    PUBLIC_KEY,
    Drawn,
    Row,
    draw_requests,
    exactly,
)
from tests.end_to_end.running_node import Node, StartNode, wait_until

REQUESTS = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SQL = (
    "SELECT event, event_id, user_id, anonymous_id, session_id, epoch_us(client_ts),"
    " properties::TEXT, context::TEXT FROM events ORDER BY received_at, seq"
)


def _send(node: Node, client: httpx.Client, endpoint: str, drawn: Drawn) -> None:
    headers = {"Content-Type": drawn.content_type}
    if drawn.has_key:
        headers["X-API-Key"] = node.key
    path = drawn.path.replace(ENDPOINT, endpoint).replace(PUBLIC_KEY, node.public_key)
    body = drawn.body.replace(PUBLIC_KEY.encode(), node.public_key.encode())
    answer = client.post(node.url + path, content=body, headers=headers)
    assert answer.status_code in (200, 202), (drawn, answer.text)
    assert answer.json().get("rejected", 0) == 0, (drawn, answer.text)


def _endpoint(node: Node) -> str:
    listed = node.weir("projects", "list", "--json", "--data", str(node.directory))
    [project] = json.loads(listed.stdout)
    return str(project["endpoint"])


def _check(found: list[object], expected: Row, sent: Drawn) -> None:
    *columns, properties, context = found
    wanted = {name: _stored(value) for name, value in expected.columns.items()}
    told = dict(zip(COLUMNS, columns, strict=True))
    if wanted["event_id"] is None:
        assert told["event_id"]
        wanted["event_id"] = told["event_id"]
    assert told == wanted, sent
    assert exactly(str(properties or "{}")) == exactly(json.dumps(expected.properties)), sent
    assert exactly(str(context or "{}")) == exactly(json.dumps(expected.context)), sent


def _stored(value: object) -> object:
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(microseconds=1)
    return value


def test_what_is_accepted_comes_out_of_sql_with_the_same_values(start_node: StartNode) -> None:
    """Of all dialects in turn: every column, every property to its last digit, in order."""
    node = start_node()
    drawn = draw_requests(REQUESTS)
    endpoint = _endpoint(node)
    with httpx.Client(timeout=20) as client:
        for each in drawn:
            _send(node, client, endpoint, each)
    expected = [(row, each) for each in drawn for row in each.rows]
    count = "SELECT count() FROM events"
    wait_until(lambda: node.query(count) == [[len(expected)]], within_s=10, what="all events")
    answer = node.ask(_SQL, limit="50000")
    for row, (wanted, sent) in zip(answer.json()["rows"], expected, strict=True):
        _check(row, wanted, sent)
