"""``weir.js`` in a real browser, on a page of another origin than the node's."""

import gzip
import re
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.browser import Browser, needs_browser, pages
from tests.end_to_end.running_node import Node, StartNode, wait_until
from weir_client import WeirClient

SIZE_MAX = 5000
KILLS = 15
"""How often the long test kills; it takes a minute and more."""
GUIDE = Path(__file__).parents[2] / "docs/guide/web-pages.md"


def _page(node: Node, *attributes: str, script: str = "") -> str:
    words = " ".join((f'data-key="{node.public_key}"', *attributes))
    return (
        "<!doctype html><title>A shop</title>"
        f"<script>window.weir = window.weir || []; {script}</script>"
        f'<script async src="{node.url}/weir.js" {words}></script>'
    )


def test_script_is_small_and_cached(shared_node: Node) -> None:
    """Under 5 KB packed; pages of every origin may have it; a second look costs nothing."""
    node = shared_node
    answer = httpx.get(f"{node.url}/weir.js", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert len(gzip.compress(answer.content)) < SIZE_MAX
    again = httpx.get(f"{node.url}/weir.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = httpx.get(f"{node.url}/weir.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content
    assert httpx.head(f"{node.url}/weir.js?v=1").status_code == 200


@needs_browser
def test_page_tracks_identifies_and_views(own_project: Node, tmp_path: Path) -> None:
    """What was called before the script came, and after; one visitor, one session, no cookie.

    The Python client's events are counted by the same query, which is the guide's.
    """
    node = own_project
    early = 'weir.push(["track", "early", {plan: "pro"}])'
    with (
        pages({"/": _page(node, "data-auto", script=early)}) as origin,
        Browser(tmp_path / "profile") as browser,
    ):
        browser.open(f"{origin}/?q=1")
        _await_script(browser)
        browser.run('weir.identify("u-7", {team: "red"}); weir.track("late", {half: "😀"[0]})')
        browser.run('history.pushState({}, "", "/second")')
        wait_until(lambda: _count(node) == 5, within_s=20, what="events")
        assert browser.run("return document.cookie") == ""
    rows = node.query("SELECT event, user_id FROM events ORDER BY ts, seq")
    assert rows == [
        ["early", None],
        ["page", None],
        ["identify", "u-7"],
        ["late", "u-7"],
        ["page", "u-7"],
    ]
    told = node.query(
        "SELECT count(DISTINCT anonymous_id), count(DISTINCT session_id), count(DISTINCT event_id)"
        " FROM events"
    )
    assert told == [[1, 1, 5]]
    pages_seen = "SELECT json_extract_string(context, '/page/path') FROM events WHERE event = "
    assert node.query(pages_seen + "'page' ORDER BY ts, seq") == [["/"], ["/second"]]
    with WeirClient(node.url, node.key) as client:
        client.page("Prices", {"path": "/prices"}, user_id="u-8")
        client.identify("u-8", {"team": "blue"})
        assert client.flush()
    (sql,) = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert node.query(sql) == [["/", 1], ["/second", 1], ["Prices", 1]]
    teams = "SELECT json_extract_string(properties, '/team') FROM events WHERE event = 'identify'"
    assert node.query(f"{teams} ORDER BY ts") == [["red"], ["blue"]]


@needs_browser
def test_event_of_a_page_that_goes_away_arrives(own_project: Node, tmp_path: Path) -> None:
    """By ``sendBeacon``: the last click, with the page already on its way out; stored once."""
    node = own_project
    with (
        pages({"/": _page(node), "/other": "elsewhere"}) as origin,
        Browser(tmp_path / "profile") as browser,
    ):
        browser.open(origin)
        _await_script(browser)
        browser.run('addEventListener("pagehide", () => {}); weir.track("last click")')
        browser.open(f"{origin}/other")
        wait_until(lambda: _count(node) == 1, within_s=20, what="the event")
        browser.open(origin)
        browser.run('weir.track("back")')
        wait_until(lambda: _count(node) == 2, within_s=20, what="the next event")
    assert node.query("SELECT event FROM events ORDER BY ts") == [["last click"], ["back"]]


@needs_browser
def test_events_of_an_offline_time_arrive_later(own_project: Node, tmp_path: Path) -> None:
    """Also when the browser was closed meanwhile; each once, with the time it happened."""
    node = own_project
    with pages({"/": _page(node)}) as origin:
        with Browser(tmp_path / "profile") as browser:
            browser.open(origin)
            _await_script(browser)
            browser.set_offline(offline=True)
            browser.run('weir.track("in the tunnel"); weir.track("still there")')
            browser.set_offline(offline=False)
            wait_until(lambda: _count(node) == 2, within_s=20, what="the events")
            browser.set_offline(offline=True)
            browser.run('weir.track("before the end")')
        with Browser(tmp_path / "profile") as browser:
            browser.open(origin)
            wait_until(lambda: _count(node) == 3, within_s=20, what="the event of the last time")
    assert node.query("SELECT count(), count(DISTINCT event_id) FROM events") == [[3, 3]]


@needs_browser
def test_what_waits_is_dropped_when_another_tab_opts_out(
    start_node: StartNode, tmp_path: Path
) -> None:
    """A frame of the same site stands for the other tab; opted in again, all is as before."""
    node = start_node()
    with pages({"/": _page(node)}) as origin, Browser(tmp_path / "profile") as browser:
        browser.open(origin)
        _await_script(browser)
        browser.run(
            'document.body.append(Object.assign(document.createElement("iframe"), {src: "/"}))'
        )
        other = "return !!frames[0].weir?.flush"
        wait_until(lambda: browser.run(other) is True, within_s=20, what="the other script")
        browser.set_offline(offline=True)
        browser.run('weir.track("waits"); frames[0].weir.optOut()')
        browser.set_offline(offline=False)
        waits = 'return Object.keys(localStorage).some((name) => name.startsWith("weir.queue"))'
        wait_until(lambda: browser.run(waits) is False, within_s=20, what="an empty queue")
        browser.run('weir.optIn(); weir.track("again")')
        wait_until(lambda: _count(node) == 1, within_s=20, what="the event")
    assert node.query("SELECT event FROM events") == [["again"]]


@needs_browser
def test_node_that_was_away_gets_every_event_once(start_node: StartNode, tmp_path: Path) -> None:
    """Killed in the middle, started again: the page goes on by itself."""
    node = start_node()
    with pages({"/": _page(node)}) as origin, Browser(tmp_path / "profile") as browser:
        browser.open(origin)
        _await_script(browser)
        browser.run("for (let n = 0; n < 60; n++) weir.track('first', {n})")
        node.kill_all()
        browser.run("for (let n = 0; n < 60; n++) weir.track('second', {n})")
        node.start()
        wait_until(lambda: _count(node) == 120, within_s=60, what="all events")
    assert node.query("SELECT count(DISTINCT event_id) FROM events") == [[120]]


@needs_browser
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_node_killed_for_a_minute_gets_every_event_of_a_page_once(
    start_node: StartNode, tmp_path: Path
) -> None:
    """A page that goes on tracking, and a node that dies every few seconds."""
    node = start_node()
    with pages({"/": _page(node)}) as origin, Browser(tmp_path / "profile") as browser:
        browser.open(origin)
        _await_script(browser)
        browser.run(
            "let n = 0; window.sent = () => n;"
            "window.ticking = setInterval(() => weir.track('tick', {n: n++}), 50)"
        )
        for _ in range(KILLS):
            before = int(str(_count(node)))
            wait_until(lambda: int(str(_count(node))) > before, within_s=60, what="more events")  # noqa: B023  # called here and now
            node.kill_all()
            node.start()
        browser.run("clearInterval(window.ticking)")
        sent = browser.run("return window.sent()")
        wait_until(lambda: _count(node) == sent, within_s=120, what=f"{sent} events")
    counts = "SELECT count(DISTINCT event_id), count(DISTINCT properties->>'n') FROM events"
    assert node.query(counts) == [[sent, sent]]


def _await_script(browser: Browser) -> None:
    wait_until(lambda: browser.run("return !!weir.flush") is True, within_s=20, what="the script")


def _count(node: Node) -> object:
    return node.query("SELECT count() FROM events")[0][0]
