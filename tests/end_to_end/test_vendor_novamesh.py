"""NovaMesh's reference, its curl examples as printed (host and key replaced)."""

import json
import subprocess

from tests.end_to_end.running_node import Node, wait_until


def curl(*arguments: str) -> tuple[int, dict[str, object]]:
    """Status and JSON body of a curl call."""
    done = subprocess.run(
        ["curl", "-s", "-m", "120", "-w", "\n%{http_code}", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def test_health_answers_without_a_key(shared_node: Node) -> None:
    """The health example: 200 with the documented fields."""
    status, body = curl(f"{shared_node.url}/v1/health")
    assert status == 200
    assert body.keys() == {"status", "node", "region", "version", "uptime"}
    assert body["status"] == "ok"
    assert isinstance(body["uptime"], float)


def test_the_three_authenticated_examples_answer_as_printed(own_project: Node) -> None:
    """Ingest, batch and query: documented replies, and the rows are there at once."""
    bearer = f"Authorization: Bearer {own_project.key}"
    json_type = ("-H", bearer, "-H", "Content-Type: application/json")
    status, body = curl(
        *("-X", "POST", f"{own_project.url}/v1/ingest", *json_type),
        *("-d", '{"event":"page_view","user_id":"usr_28f","properties":{"page":"/home"}}'),
    )
    assert (status, body) == (202, {"accepted": True, "queued": 1})
    status, body = curl(
        *("-X", "POST", f"{own_project.url}/v1/batch", *json_type),
        *("-d", '{"events":[{"event":"click","user_id":"u1"},{"event":"scroll","user_id":"u1"}]}'),
    )
    assert status == 202
    assert body.keys() == {"accepted", "events", "batch_id"}
    assert (body["accepted"], body["events"]) == (True, 2)
    assert str(body["batch_id"]).startswith("b_")
    int(str(body["batch_id"]).removeprefix("b_"), 16)
    asked = (
        *("-G", f"{own_project.url}/v1/query", "-H", bearer, "--data-urlencode"),
        "q=SELECT event, count() FROM events GROUP BY event LIMIT 10",
    )
    # That it takes less than a second is held by `make bench`.
    wait_until(lambda: len(_rows(curl(*asked))) == 3, within_s=10, what="three rows")
    status, body = curl(*asked)
    rows = _rows((status, body))
    assert body["columns"] == ["event", "count"]
    assert sorted(rows) == [["click", 1], ["page_view", 1], ["scroll", 1]]
    meta = body["meta"]
    assert isinstance(meta, dict)
    assert isinstance(meta["elapsed_ms"], int | float)


def test_a_missing_key_is_answered_as_printed(shared_node: Node) -> None:
    """The 401 example: its code, and a message that says where to look."""
    status, body = curl("-X", "POST", f"{shared_node.url}/v1/ingest", "-d", '{"event":"a"}')
    assert status == 401
    assert body["error"] == "unauthorized"
    assert str(body["message"]).startswith("API key required. See http")


def _rows(answer: tuple[int, dict[str, object]]) -> list[list[object]]:
    status, body = answer
    assert status == 200, body
    rows = body["rows"]
    assert isinstance(rows, list)
    return rows
