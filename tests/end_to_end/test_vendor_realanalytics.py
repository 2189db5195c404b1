"""RealAnalytics' reference, its curl example as printed (host and key replaced)."""

from tests.end_to_end.running_node import Node, wait_until
from tests.end_to_end.test_vendor_novamesh import curl

BATCH = """[
    {
      "event": "signup_completed",
      "timestamp": "2026-02-03T15:30:00.000Z",
      "distinctId": "user_123",
      "sessionId": "sess_abc",
      "properties": {
        "plan": "pro",
        "source": "pricing_page"
      }
    }
  ]"""
BEACON = (
    '{"apiKey":"%s","events":[{"event":"$pageview","timestamp":"2026-02-03T15:30:00.000Z",'
    '"distinctId":"user_123","sessionId":"sess_abc","properties":{"$pathname":"/pricing"}}]}'
)


def _public_key(node: Node) -> str:
    """A key as a page has it."""
    made = node.weir("keys", "create", "--data", str(node.directory), "--public")
    assert made.returncode == 0, made.stderr
    (key,) = [word for word in made.stdout.split() if word.startswith("pk_live_")]
    return key


def test_the_ingest_example_answers_as_printed_and_can_be_asked_for(shared_node: Node) -> None:
    """``POST`` to the host alone, the key in X-API-Key; a beacon has its key in the body."""
    key = _public_key(shared_node)
    status, body = curl(
        *("-X", "POST", shared_node.url, "-H", "Content-Type: application/json"),
        *("-H", f"X-API-Key: {key}", "-d", BATCH),
    )
    assert (status, body) == (200, {"success": True, "events": 1})
    status, body = curl("-X", "POST", shared_node.url, "-d", BEACON % key)
    assert (status, body) == (200, {"success": True, "events": 1})
    sql = (
        "SELECT event, user_id, session_id, ts, properties->>'plan', properties->>'$pathname'"
        " FROM events WHERE user_id = 'user_123' ORDER BY event"
    )
    wait_until(lambda: len(shared_node.query(sql)) == 2, within_s=10, what="two rows")
    page, signup = shared_node.query(sql)
    assert page[:3] == ["$pageview", "user_123", "sess_abc"]
    assert page[4:] == [None, "/pricing"]
    assert signup[:3] == ["signup_completed", "user_123", "sess_abc"]
    assert str(signup[3]).startswith("2026-02-03T15:30:00")
    assert signup[4:] == ["pro", None]


def test_refusals_answer_as_printed(shared_node: Node) -> None:
    """The validation example, and an unknown key."""
    key = ("-H", f"X-API-Key: {shared_node.key}")
    status, body = curl(
        "-X", "POST", shared_node.url, *key, "-d", BATCH.replace("timestamp", "time")
    )
    assert (status, body) == (
        400,
        {
            "error": "Validation failed",
            "details": [
                {
                    "path": ["0", "timestamp"],
                    "code": "validation.required",
                    "message": "is required",
                }
            ],
        },
    )
    status, body = curl("-X", "POST", shared_node.url, "-H", "X-API-Key: pk_live_xxx", "-d", BATCH)
    assert (status, body) == (401, {"error": "Invalid API key"})
