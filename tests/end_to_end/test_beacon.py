"""The beacon of a page that is left, from a real browser and another origin than the node's."""

import json
from pathlib import Path

from tests.end_to_end.browser import Browser, needs_browser, pages
from tests.end_to_end.running_node import Node, wait_until

EVENT = {
    "ts": "2026-04-23T18:30:12.456Z",
    "anonymous_id": "a8f3c2d0-1e5b-4a9c-8d4e-7f2a1b3c4d5e",
    "session_id": "sess_a1b2c3d4",
    "content_title": "Ünïcode 🎬",
    "position_sec": 1234.5,
}
BODIES = {
    "text": "text",
    "json": "new Blob([text], {type: 'application/json'})",
    "plain": "new Blob([text], {type: 'text/plain'})",
    "untyped": "new Blob([text])",
    "form": "new URLSearchParams({data: text})",
    "multipart": "(() => { const f = new FormData(); f.append('data', text); return f; })()",
}
"""Every kind of body that a page gives ``sendBeacon``, as scripts that make it of a text."""


def _page(node: Node) -> str:
    """Sends its beacons when it is hidden, which is when a browser still lets it."""
    beacons = {
        name: json.dumps({"events": [{**EVENT, "event_type": name, "event_id": name}]})
        for name in BODIES
    }
    make = ", ".join(f"{name}: text => {script}" for name, script in BODIES.items())
    return (
        "<!doctype html><title>A film</title><script>"
        f"const url = '{node.url}/v1/ingest/beacon?api_key={node.public_key}';"
        f"const texts = {json.dumps(beacons)}; const make = {{{make}}};"
        "addEventListener('pagehide', () => { for (const name in texts)"
        " navigator.sendBeacon(url, make[name](texts[name])); });"
        "</script>"
    )


@needs_browser
def test_beacons_of_a_page_that_is_left_are_in_sql(own_project: Node, tmp_path: Path) -> None:
    """Each kind of body arrives once, after a preflight where the browser asks for one."""
    sql = (
        "SELECT event_id, count(), any_value(anonymous_id), any_value(session_id),"
        " any_value(properties->>'content_title'), any_value(properties->>'position_sec')"
        f" FROM events WHERE event IN {tuple(BODIES)} GROUP BY 1 ORDER BY 1"
    )
    with (
        pages({"/film": _page(own_project), "/next": "elsewhere"}) as origin,
        Browser(tmp_path / "profile") as browser,
    ):
        browser.open(f"{origin}/film")
        browser.open(f"{origin}/next")
        wait_until(
            lambda: len(own_project.query(sql)) == len(BODIES), within_s=20, what="the beacons"
        )
    sent = [EVENT[name] for name in ("anonymous_id", "session_id", "content_title")]
    assert own_project.query(sql) == [[name, 1, *sent, "1234.5"] for name in sorted(BODIES)]
