"""An event id is one event, over dialects, workers, projects and restarts of a real node."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.end_to_end.running_node import Node, StartNode, wait_until

SENT: tuple[tuple[str, object], ...] = (
    ("/v1/events", {"event": "a", "event_id": "once"}),
    ("/v1/ingest", {"event": "a", "event_id": "once"}),
    ("/v1/batch", {"events": [{"event": "a", "event_id": "once"}] * 2}),
    ("/v1/events", [{"event": "a", "event_id": "once"}, {"event": "a", "event_id": "once"}]),
)
COPIES = 6


def test_id_is_one_event_over_dialects_workers_and_restarts(start_node: StartNode) -> None:
    """Copies that arrive together or after a kill of everything are answered alike, stored once."""
    node = start_node(workers=2, cut_age_s=0.2)
    other = _new_project_key(node)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda sent: _post(node, *sent), SENT * 5))
    assert {answer.status_code for answer in answers} == {202}
    wait_until(lambda: _count(node, node.key) == 1, within_s=20, what="one is stored")
    node.kill_all()
    node.start()
    assert [_post(node, *sent).json() for sent in SENT[1:2]] == [{"accepted": True, "queued": 1}]
    for sent in SENT:
        assert _post(node, *sent, key=other).status_code == 202
    total = _settled_total(node, other, accepted=COPIES)
    assert (total["stored"], total["duplicate"]) == (1, COPIES - 1)
    total = _settled_total(node, node.key, accepted=5 * COPIES + 1)
    assert total["stored"] == 1
    assert _count(node, node.key) == _count(node, other) == 1


def _post(node: Node, path: str, value: object, *, key: str | None = None) -> httpx.Response:
    """On a connection of its own, so that either worker may get it."""
    headers = {"X-API-Key": key or node.key}
    return httpx.post(node.url + path, json=value, headers=headers, timeout=20)


def _new_project_key(node: Node) -> str:
    where = ("--data", str(node.directory))
    assert node.weir("projects", "create", "other", *where).returncode == 0
    made = node.weir(
        *("keys", "create", *where, "--project", "other", "--scopes", "ingest,query,metrics")
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def _count(node: Node, key: str) -> object:
    answer = httpx.get(
        node.url + "/v1/query",
        params={"q": "SELECT count() FROM events"},
        headers={"X-API-Key": key},
        timeout=60,
    )
    return answer.json()["rows"][0][0] if answer.status_code == 200 else None


def _total(node: Node, key: str) -> dict[str, int]:
    answer = httpx.get(
        node.url + "/v1/ledger", params={"by": "total"}, headers={"X-API-Key": key}, timeout=20
    )
    if answer.status_code != 200:
        return {}
    items = answer.json()["items"]
    names = ("accepted", "stored", "duplicate", "in_flight")
    return {name: sum(row[name] for row in items) for name in names}


def _settled_total(node: Node, key: str, *, accepted: int) -> dict[str, int]:
    """The ledger once so many events are in it, each with its outcome."""
    total: dict[str, int] = {}

    def is_settled() -> bool:
        total.update(_total(node, key))
        return total.get("accepted") == accepted and not total["in_flight"]

    wait_until(is_settled, within_s=20, what="every event has its outcome")
    return total
