"""The clickstream reference, its curl example as printed (host and key replaced)."""

from datetime import datetime

from tests.end_to_end.running_node import Node, wait_until
from tests.end_to_end.test_vendor_novamesh import curl

EVENT = """{
    "event_id": "evt_123456789",
    "event_type": "click",
    "event_name": "button_click",
    "event_time": "2025-09-17T10:00:00Z",
    "user_id": "usr_987654321",
    "session_id": "sess_123456789",
    "page_name": "checkout",
    "element_id": "submit_button",
    "device_type": "mobile",
    "platform": "ios",
    "app_version": "2.1.0",
    "network_type": "wifi"
  }"""
AROUND = '{"batchId":"batch_1","sentAt":"2025-09-17T10:00:01Z","clientInfo":%s,"events":[%s]}'
CLIENT = '{"sdkVersion":"1.0.0","deviceId":"dev_1","appBuild":"77"}'


def _send(node: Node, path: str, body: str) -> tuple[int, dict[str, object]]:
    return curl(
        *("-X", "POST", f"{node.url}{path}", "-H", "Content-Type: application/json"),
        *("-H", f"X-API-Key: {node.key}", "-d", body),
    )


def test_the_example_answers_as_printed_and_is_stored_once(own_project: Node) -> None:
    """The same event again, alone or in a batch, is answered like the first."""
    success = (200, {"status": "success", "eventId": "evt_123456789"})
    assert _send(own_project, "/ingest", EVENT) == success
    assert _send(own_project, "/ingest", EVENT) == success
    other = EVENT.replace("evt_123456789", "evt_2")
    status, body = _send(own_project, "/ingest/batch", AROUND % (CLIENT, f"{EVENT},{other}"))
    assert (status, body) == (
        200,
        {"status": "success", "batchId": "batch_1", "eventsProcessed": 2},
    )
    sql = (
        "SELECT event_id, event, session_id, properties->>'event_type', properties->>'page_name',"
        " properties->>'platform', context->>'batchId' FROM events"
        " WHERE user_id = 'usr_987654321' ORDER BY event_id"
    )
    wait_until(lambda: len(own_project.query(sql)) == 2, within_s=10, what="two rows")
    rest = ["button_click", "sess_123456789", "click", "checkout", "ios"]
    assert own_project.query(sql) == [
        ["evt_123456789", *rest, None],
        ["evt_2", *rest, "batch_1"],
    ]


def test_the_error_example_answers_as_printed(own_project: Node) -> None:
    """400 with field, message and code."""
    body = EVENT.replace("2025-09-17T10:00:00Z", "half past nine")
    assert _send(own_project, "/ingest", body) == (
        400,
        {
            "error": "Invalid event",
            "details": [
                {
                    "field": "event_time",
                    "message": "must be a valid ISO 8601 datetime",
                    "code": "validation.format",
                }
            ],
        },
    )


def test_health_tells_its_parts(own_project: Node) -> None:
    """200 without a key, with the time."""
    status, body = curl(f"{own_project.url}/health")
    assert status == 200
    assert datetime.fromisoformat(str(body.pop("timestamp"))).tzinfo is not None
    assert body == {"status": "healthy", "registry": True, "api": True, "loader": True}
