"""Tapemetric's reference, its examples as printed (host and key replaced)."""

import json
import subprocess
import sys
from urllib.parse import quote

import httpx

from tests.end_to_end.running_node import Node, wait_until
from tests.end_to_end.test_vendor_novamesh import curl

EXAMPLE = """{
  "events": [
    {
      "event_type": "play_start",
      "ts": "2026-04-23T18:30:12.456Z",
      "anonymous_id": "a8f3c2d0-1e5b-4a9c-8d4e-7f2a1b3c4d5e",
      "session_id": "sess_a1b2c3d4",
      "content_id": "aashiqana_s04e12",
      "content_type": "series",
      "content_title": "Aashiqana S4 E12",
      "position_sec": 0,
      "bitrate_kbps": 4500,
      "context": { "device_type": "tv", "app_version": "4.12.0" }
    }
  ]
}"""

NODE_JS = """
const { randomUUID } = require('crypto');
async function track(userId, eventType, props) {
  const answer = await fetch(process.env.TAPEMETRIC_URL + '/v1/ingest/events', {
    method: 'POST',
    headers: {
      'X-API-Key': process.env.TAPEMETRIC_INGEST_KEY,
      'Content-Type': 'application/json',
    },
    body: JSON.stringify({
      events: [{
        event_id: randomUUID(),
        event_type: eventType,
        ts: new Date().toISOString(),
        anonymous_id: userId,
        user_id: userId,
        session_id: `server-${userId}`,
        properties: props,
      }],
    }),
  });
  console.log(await answer.text());
}
track('js-user', 'js_event', { n: 1 });
"""


def _public_key(node: Node) -> str:
    return node.first_run["public_key"]


def _wait_for(node: Node, event: str, count: int) -> None:
    sql = f"SELECT count(*) FROM events WHERE event = '{event}'"
    wait_until(lambda: node.query(sql) == [[count]], within_s=10, what=f"{count} of {event}")


def test_events_example_answers_as_printed(shared_node: Node) -> None:
    """200 with the three fields, and every value is in SQL."""
    status, body = curl(
        *("-X", "POST", f"{shared_node.url}/v1/ingest/events"),
        *("-H", f"X-API-Key: {shared_node.key}", "-H", "Content-Type: application/json"),
        *("-d", EXAMPLE),
    )
    assert (status, body) == (200, {"accepted": 1, "rejected": 0, "queued": True})
    _wait_for(shared_node, "play_start", 1)
    rows = shared_node.query(
        "SELECT anonymous_id, session_id, dialect, properties->>'content_id',"
        " properties->>'content_type', properties->>'content_title',"
        " properties->>'position_sec', properties->>'bitrate_kbps', context->>'device_type'"
        " FROM events WHERE event = 'play_start'"
    )
    assert rows == [
        [
            *("a8f3c2d0-1e5b-4a9c-8d4e-7f2a1b3c4d5e", "sess_a1b2c3d4", "tapemetric"),
            *("aashiqana_s04e12", "series", "Aashiqana S4 E12", "0", "4500", "tv"),
        ]
    ]


def test_event_id_makes_a_retry_harmless(shared_node: Node) -> None:
    """The example of idempotency, sent twice, is answered alike and stored once."""
    event = {
        "event_id": "a1b2c3d4-e5f6-7890-a1b2-c3d4e5f67890",
        "event_type": "retried",
        "ts": "2026-04-23T18:30:12Z",
        "anonymous_id": "...",
        "session_id": "...",
    }
    for _ in range(2):
        answer = shared_node.send("/v1/ingest/events?server_ts=1", {"events": [event]})
        assert answer.json() == {"accepted": 1, "rejected": 0, "queued": True}
    shared_node.send("/v1/ingest/events", {"events": [{**event, "event_id": "another"}]})
    _wait_for(shared_node, "retried", 2)
    [[source]] = shared_node.query(
        f"SELECT ts_source FROM events WHERE event_id = '{event['event_id']}'"
    )
    assert source == "server"


def test_beacon_example_is_taken(shared_node: Node) -> None:
    """What sendBeacon sends: a POST with the key in the URL, a Blob, cookies and an origin."""
    payload = json.dumps({"events": [{**json.loads(EXAMPLE)["events"][0], "event_type": "left"}]})
    for content_type in ("application/json", "text/plain;charset=UTF-8", ""):
        answer = httpx.post(
            f"{shared_node.url}/v1/ingest/beacon?api_key={_public_key(shared_node)}",
            content=payload,
            headers={"Content-Type": content_type, "Origin": "https://a.example", "Cookie": "a=b"},
            timeout=60,
        )
        assert answer.status_code == 200
        assert answer.json() == {"accepted": 1, "rejected": 0, "queued": True}
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
    _wait_for(shared_node, "left", 3)


def test_beacon_in_the_url_is_taken(shared_node: Node) -> None:
    """URL-encoded JSON in ``data``, by GET as from a pixel and by POST without a body."""
    event = {**json.loads(EXAMPLE)["events"][0], "event_type": "pixel", "content_title": "é & +"}
    url = (
        f"{shared_node.url}/v1/ingest/beacon?api_key={_public_key(shared_node)}"
        f"&data={quote(json.dumps({'events': [event]}, ensure_ascii=False))}"
    )
    assert curl(url) == (200, {"accepted": 1, "rejected": 0, "queued": True})
    assert curl("-X", "POST", url) == (200, {"accepted": 1, "rejected": 0, "queued": True})
    _wait_for(shared_node, "pixel", 2)
    titles = shared_node.query(
        "SELECT properties->>'content_title' FROM events WHERE event='pixel'"
    )
    assert titles == [["é & +"], ["é & +"]]


def test_node_example_is_taken(shared_node: Node) -> None:
    """The printed TypeScript, without its types, in Node.js."""
    environment = {
        "TAPEMETRIC_URL": shared_node.url,
        "TAPEMETRIC_INGEST_KEY": _public_key(shared_node),
    }
    done = subprocess.run(
        ["node", "-e", NODE_JS],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=120,
    )
    assert json.loads(done.stdout) == {"accepted": 1, "rejected": 0, "queued": True}
    _wait_for(shared_node, "js_event", 1)


def test_python_example_is_taken(shared_node: Node) -> None:
    """The printed client's request: ISO times with an offset, a user id as anonymous id."""
    event = {
        "event_id": "0b5b1a1e-7a44-4d0a-9a6e-0a4d5f3f8d11",
        "event_type": "py_event",
        "ts": "2026-04-23T18:30:12.456789+00:00",
        "anonymous_id": "u_1",
        "user_id": "u_1",
        "session_id": "server-u_1",
        "properties": {"plan": "avod", "n": 1.50},
    }
    answer = httpx.post(
        f"{shared_node.url}/v1/ingest/events",
        json={"events": [event]},
        headers={"X-API-Key": _public_key(shared_node)},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    _wait_for(shared_node, "py_event", 1)


def test_refusals_are_those_of_the_table(shared_node: Node) -> None:
    """400 for malformed JSON and for bad events, 401 without a good key; a beacon is told 200."""
    url = f"{shared_node.url}/v1/ingest"
    key = ("-H", f"X-API-Key: {shared_node.key}")
    status, body = curl(f"{url}/events", *key, "-d", "{")
    assert (status, body["error"]) == (400, "invalid_request")
    status, body = curl(f"{url}/events", *key, "-d", '{"events":[{}]}')
    assert (status, body["error"]) == (400, "invalid_request")
    assert body["details"] == [
        {"index": 0, "field": name, "message": "is required"}
        for name in ("event_type", "ts", "anonymous_id", "session_id")
    ]
    assert curl(f"{url}/events", "-d", EXAMPLE)[0] == 401
    assert curl(f"{url}/events", "-H", "X-API-Key: tm_live_unknown", "-d", EXAMPLE)[0] == 401
    status, body = curl(f"{url}/beacon", "-d", EXAMPLE)
    assert (status, body["accepted"], body["queued"]) == (200, 0, False)
    assert body["error"] == "unauthorized"


def test_text_that_cannot_be_stored_costs_its_event_alone(shared_node: Node) -> None:
    """The loader makes rows of the others, though the decoder refuses such a body as it is."""
    good = b'{"event_type":"beside","ts":"2026-01-02","anonymous_id":"n","session_id":"s"}'
    bad = rb'{"event_type":"\ud83c","ts":"2026-01-02","anonymous_id":"n","session_id":"s"}'
    answer = httpx.post(
        f"{shared_node.url}/v1/ingest/events",
        content=b'{"events":[%s,%s,%s]}' % (good, bad, good),
        headers=shared_node.headers,
        timeout=60,
    )
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["rejected"]) == (200, 2, 1)
    assert [(each["index"], each["field"]) for each in told["errors"]] == [(1, "event_type")]
    _wait_for(shared_node, "beside", 2)


def test_imported_key_goes_on_working(shared_node: Node) -> None:
    """A key of the vendor's, imported, is taken in the header and in the URL of a beacon."""
    text = "tm_live_0123456789abcdef"
    folder = str(shared_node.directory)
    subprocess.run(
        [sys.executable, "-m", "weir", "keys", "import", "--data", folder],
        input=text,
        text=True,
        check=True,
        capture_output=True,
        timeout=300,
    )
    body = EXAMPLE.replace("play_start", "imported")
    key = {"X-API-Key": text}
    url = f"{shared_node.url}/v1/ingest"
    with httpx.Client(timeout=60) as client:
        assert client.post(f"{url}/events", content=body, headers=key).status_code == 200
        assert client.post(f"{url}/beacon?api_key={text}", content=body).json()["accepted"] == 1
    _wait_for(shared_node, "imported", 2)
