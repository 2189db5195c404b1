"""Keys of a running node with two workers: changed at once."""

import httpx

from tests.end_to_end.running_node import Node, StartNode, wait_until
from weir.api.client import open_control
from weir.api.routes.operator.keys import CHANGE_KEY, CREATE_KEY
from weir.control.records import KeyChange, KeyRequest
from weir.domain.keys import Scope
from weir.node.directory import Directory
from weir.settings import Settings

ROUNDS = 6


def test_changed_key_is_changed_at_every_worker(start_node: StartNode) -> None:
    """Scopes, limits and bounds of the same text, from the next request on, without a restart."""
    node = start_node(workers=2)
    with open_control(Directory(node.directory), Settings()) as control:
        made = control.call(CREATE_KEY, KeyRequest(scopes=(Scope.METRICS,)))
    key_id, text = made.key.id, made.text
    refused = _send(node, text)
    assert refused.status_code == 403
    advice = refused.json()["message"].partition("weir ")[2].split()
    assert advice == ["keys", "change", key_id, "--scopes", "ingest,metrics"]
    assert text not in refused.text

    assert node.weir(*advice, "--data", str(node.directory)).returncode == 0
    _all_are(node, text, 202)
    _change(node, KeyChange(id=key_id, networks=("203.0.113.0/24",)))
    _all_are(node, text, 403)
    _change(node, KeyChange(id=key_id, networks=(), requests_per_minute=1))
    wait_until(lambda: _send(node, text).status_code == 429, within_s=20, what="a full window")
    _change(node, KeyChange(id=key_id, requests_per_minute=None))
    _all_are(node, text, 202)


def _change(node: Node, change: KeyChange) -> None:
    with open_control(Directory(node.directory), Settings()) as control:
        control.call(CHANGE_KEY, change)


def _send(node: Node, key: str) -> httpx.Response:
    """By a connection of its own, so that either worker may have it."""
    return httpx.post(
        f"{node.url}/v1/events",
        json=[{"event": "a"}],
        headers={"X-API-Key": key},
        timeout=20,
    )


def _all_are(node: Node, key: str, status: int) -> None:
    assert {_send(node, key).status_code for _ in range(ROUNDS)} == {status}
