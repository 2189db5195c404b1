"""A disk that fails or fills: refused, never acknowledged and lost."""

from pathlib import Path

import httpx

from tests.end_to_end.running_node import StartNode, wait_until
from tests.end_to_end.tracing import injected, needs_strace


@needs_strace
def test_a_failed_sync_is_never_acknowledged_and_the_worker_ends(
    start_node: StartNode, tmp_path: Path
) -> None:
    """EIO from the journal's fdatasync: 503, a new worker on a new file, and earlier events."""
    node = start_node(workers=1)
    assert node.send("/v1/ingest", {"event": "before"}).status_code == 202
    [worker] = node.pids("edge")
    with injected(worker, "fdatasync", "error=EIO:when=1", tmp_path / "strace.log"):
        try:
            answer = node.send("/v1/ingest", {"event": "during", "event_id": "during"})
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
        except httpx.TransportError:
            pass  # a reset is no acknowledgement either
    wait_until(lambda: node.pids("edge") not in ([], [worker]), within_s=20, what="another worker")
    wait_until(lambda: _takes_events(node.url, node.headers), within_s=20, what="events taken")
    assert "journal_sync_failed" in node.log.read_text()
    before = "SELECT count() FROM events WHERE event = 'before'"
    wait_until(lambda: node.query(before) == [[1]], within_s=20, what="the event of before")
    assert node.send("/v1/ingest", {"event": "during", "event_id": "during"}).status_code == 202
    wait_until(
        lambda: node.query("SELECT count() FROM events WHERE event = 'during'") == [[1]],
        within_s=10,
        what="the retried event, once",
    )


def test_below_the_disk_reserve_events_are_refused_and_queries_answered(
    start_node: StartNode,
) -> None:
    """The reserve is larger than the disk: 503 with Retry-After, and the node lives."""
    node = start_node(disk_reserve_bytes="900TiB")
    answer = node.send("/v1/ingest", {"event": "a"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "disk" in answer.json()["message"]
    assert node.query("SELECT count() FROM events") == [[0]]


def _takes_events(url: str, headers: dict[str, str]) -> bool:
    try:
        answer = httpx.post(
            url + "/v1/ingest", json={"event": "probe"}, headers=headers, timeout=60
        )
    except httpx.TransportError:
        return False
    return answer.status_code == 202
