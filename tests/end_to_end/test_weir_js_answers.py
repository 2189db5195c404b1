"""``weir.js`` in a real browser against answers, storages and calls that go wrong.

The node is a stand-in that answers as each test wants; one server and one browser for all tests.
"""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

import pytest

from tests.end_to_end.browser import Browser, needs_browser
from tests.end_to_end.running_node import wait_until
from weir.api.routes.script import served

pytestmark = needs_browser

Event = dict[str, Any]
Answer = tuple[int, str]
WITHIN_S = 20
HTML = "<html>Please log in</html>"
SPOILED = '{"error":"invalid_request","message":"The body is not acceptable."}'
MONTH_S = 30 * 86400
NOTED = """
window.warned = []; window.delays = []; window.beacons = [];
console.warn = (...words) => warned.push(words.map(String).join(" "));
const later = setTimeout;
window.setTimeout = (call, ms) => (delays.push(ms), later(call, ms));
navigator.sendBeacon = (_url, text) => text.length < 65536 && !!beacons.push(text);
"""


def take(events: list[Event]) -> Answer:
    """What a node answers that has them all on disk."""
    return 202, json.dumps({"accepted": len(events), "rejected": 0, "results": []})


def always(status: int, text: str) -> Callable[[list[Event]], Answer]:
    """The same answer, whatever was sent."""
    return lambda _events: (status, text)


class StandIn:
    """Serves the script and one page, and answers events as ``answer`` says."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.answer: Callable[[list[Event]], Answer] = take
        self.headers: dict[str, str] = {}
        self.before = ""
        """JavaScript that runs in the page before the script does."""
        self.attributes = ""
        self.requests: list[list[Event]] = []
        self.taken: list[Event] = []

    def get(self, path: str) -> tuple[str, bytes]:
        if path == "/weir.js":
            script = served(files("weir.browser").joinpath("weir.js").read_text())
            return "text/javascript", script.encode()
        page = ""
        if path == "/":
            page = f"<script>{NOTED}{self.before}</script>"
            page += f'<script src="/weir.js" data-key="pk" {self.attributes}></script>'
        return "text/html; charset=utf-8", f"<!doctype html><title>T</title>{page}".encode()

    def post(self, body: bytes) -> Answer:
        events = json.loads(body)["events"]
        self.requests.append(events)
        status, text = self.answer(events)
        if status == 202 and text == take(events)[1]:
            self.taken += events
        return status, text

    def names(self) -> list[str]:
        """The events that were taken, by name."""
        return [event["event"] for event in self.taken]


class Site:
    """The browser at the stand-in's page."""

    def __init__(self, browser: Browser, origin: str, node: StandIn) -> None:
        self.run = browser.run
        self.node = node
        self._browser = browser
        self._origin = origin

    def open(self, before: str = "", attributes: str = "") -> None:
        """A page whose script has begun; what other pages kept is still there."""
        self.node.before, self.node.attributes = before, attributes
        self._browser.open(f"{self._origin}/")

    def leave(self) -> None:
        """To a page without the script."""
        self._browser.open(f"{self._origin}/elsewhere")

    def flush(self, times: int = 1) -> None:
        """Sends what waits, and returns with the answer."""
        for _ in range(times):
            self.run("return weir.flush()")

    def await_taken(self, *names: str) -> None:
        """Until exactly these events are taken, in any order."""

        def is_taken() -> bool:
            self.flush()
            return sorted(self.node.names()) == sorted(names)

        wait_until(is_taken, within_s=WITHIN_S, what=f"{names}, not {self.node.names()}")

    def kept(self) -> list[tuple[str, bool]]:
        """The names of the events in localStorage, and whether a beacon took them."""
        queues = "Object.keys(localStorage).filter((n) => n.startsWith('weir.queue'))"
        found = self.run(f"return {queues}.map((n) => localStorage[n])")
        assert isinstance(found, list)
        entries = [entry for text in found for entry in json.loads(text)["queue"]]
        return [(json.loads(text)["event"], bool(sent)) for text, _made, sent in entries]

    def warned(self) -> str:
        """What the console was told."""
        return str(self.run("return warned.join('\\n')"))


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    node = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = node.get(self.path)
            self._reply(200, kind, body)

        def do_POST(self) -> None:
            status, text = node.post(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(status, "application/json", text.encode())

        def _reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in node.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    origin = f"http://127.0.0.1:{server.server_port}"
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield Site(browser, origin, node)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def site(shared_site: Site) -> Site:
    shared_site.leave()
    shared_site.run("localStorage.clear()")
    shared_site.node.reset()
    return shared_site


def test_wait_of_a_month_is_one_request_and_short_timers(site: Site) -> None:
    """A timer of more than 24.8 days would be one of no time; ``flush`` waits as well."""
    site.node.answer = always(429, '{"error":"quota_exceeded","message":"Spent."}')
    site.node.headers = {"Retry-After": str(MONTH_S)}
    site.open()
    site.run('weir.track("first")')
    site.flush(3)
    site.run('weir.track("second")')
    site.flush(3)
    assert len(site.node.requests) == 1
    assert site.run("return Math.max(...delays) <= 300e3 && delays.length < 20") is True
    assert site.kept() == [("first", False), ("second", False)]


def test_text_that_no_node_keeps_is_mended_before_it_is_sent(site: Site) -> None:
    """Half an emoji and NUL, in values and names; what only looks like their escapes stays."""
    site.open()
    site.run(
        r"""weir.track("cut", {half: "Great 😀".slice(0, 7), nul: "a\0b", ["\0"]: 1,
        whole: "😀", literal: "\\ud83d \\u0000", slash: "\\\0"})"""
    )
    site.await_taken("cut")
    assert site.node.taken[0]["properties"] == {
        "half": "Great \ufffd",
        "nul": "a\ufffdb",
        "\ufffd": 1,
        "whole": "😀",
        "literal": "\\ud83d \\u0000",
        "slash": "\\\ufffd",
    }


def test_event_that_spoils_its_request_is_dropped_alone(site: Site) -> None:
    """A 400 that names no event: halves, until it is alone; each other is taken once."""
    site.node.answer = lambda events: (
        (400, SPOILED) if any(e["event"] == "bad" for e in events) else take(events)
    )
    site.open()
    site.run("for (let n = 0; n < 20; n++) weir.track(n === 13 ? 'bad' : `good ${n}`)")
    site.await_taken(*(f"good {n}" for n in range(20) if n != 13))
    wait_until(lambda: site.kept() == [], within_s=WITHIN_S, what="an empty queue")
    assert "refused bad The body is not acceptable." in site.warned()


def test_refused_events_of_a_taken_request_are_named(site: Site) -> None:
    """The node takes one and refuses the other: the console tells which, and both are done."""
    refused = {"index": 1, "status": "rejected", "code": "validation.type", "message": "is no text"}
    told = {"accepted": 1, "rejected": 1, "results": [refused]}
    site.node.answer = always(202, json.dumps(told))
    site.open()
    site.run('weir.track("fine"); weir.track("wrong")')
    site.flush()
    assert site.kept() == []
    assert "refused wrong" in site.warned()
    assert "fine" not in site.warned()


def test_answer_that_names_no_event_loses_none(site: Site) -> None:
    """Another's pages and answers without a verdict: all events stay, and go out afterwards."""
    site.open()
    site.node.answer = always(503, "")
    site.run('weir.track("one"); weir.track("two"); weir.track("three")')
    for status, text in [
        (404, HTML),
        (200, HTML),
        (202, '{"accepted": "yes"}'),
        (202, '{"accepted": 1, "rejected": 9, "results": []}'),
        (400, HTML),
        (400, '{"error":"bad_gateway_configuration"}'),
        (403, HTML),
        (401, '{"error":"unauthorized","message":"mistyped"}'),
        (500, "null"),
        (413, HTML),  # to the single event, which is not given up either
    ]:
        site.node.answer = always(status, text)
        site.flush(4)
        assert sorted(site.kept()) == [("one", False), ("three", False), ("two", False)], text

    def was_alone() -> bool:
        site.flush(1)
        return len(site.node.requests[-1]) == 1

    wait_until(was_alone, within_s=WITHIN_S, what="a request of one event")
    assert len(site.kept()) == 3
    site.node.answer = take
    site.await_taken("one", "two", "three")


def test_event_that_json_cannot_say_is_dropped_alone(site: Site) -> None:
    """A cycle, a getter that throws, too long a text; the page sees no error."""
    site.open()
    site.run(
        """const circle = {}; circle.self = circle;
        weir.track("before");
        weir.track("circle", circle);
        weir.page("trap", {get x() { throw new Error("no"); }});
        weir.track("long", {text: "x".repeat(1.2e6)});
        weir.track("after", JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}'))"""
    )
    site.await_taken("before", "after")
    assert site.node.taken[1]["properties"] == {"__proto__": {"a": 1}, "constructor": 2}
    for name in ("circle", "page", "long"):
        assert f"dropped the event {name}" in site.warned()


def test_event_is_what_it_was_at_the_call(site: Site) -> None:
    """Properties that change afterwards change nothing."""
    site.open()
    site.run('const cart = {n: 1}; weir.track("cart", cart); cart.n = cart')
    site.await_taken("cart")
    assert site.node.taken[0]["properties"] == {"n": 1}


def test_identify_takes_only_a_user(site: Site) -> None:
    """What a page has before its user is known names nobody; a number becomes its text."""
    site.open()
    nobody = "undefined, null, '', NaN, {}, true"
    site.run(f"for (const user of [{nobody}]) weir.identify(user); weir.track('nobody')")
    site.run("weir.identify(42, {team: 'red'}); weir.page('Prices', {path: '/prices'})")
    site.await_taken("nobody", "identify", "page")
    told = [(event.get("user_id"), event["properties"]) for event in site.node.taken]
    assert told == [
        (None, {}),
        ("42", {"team": "red"}),
        ("42", {"name": "Prices", "path": "/prices"}),
    ]
    assert site.warned().count("identify needs a user") == 6


def test_wrong_calls_do_not_end_the_script(site: Site) -> None:
    """A misspelt call before the script came; and the script a second time on the page."""
    site.open('window.weir = [["trak", "x"], null, ["track", "early"]];')
    site.run(
        """const again = document.createElement("script"); again.src = "/weir.js?again";
        again.dataset.key = "pk"; window.first = weir;
        const come = new Promise((done) => (again.onload = done));
        document.head.append(again); return come"""
    )
    assert site.run("return weir === first") is True
    site.await_taken("early")
    assert site.warned().count("cannot do") == 2


@pytest.mark.parametrize(
    "storage",
    [
        'Storage.prototype.setItem = () => { throw new DOMException("full"); };',
        'Object.defineProperty(window, "localStorage", {get() { throw new Error("forbidden"); }});',
    ],
)
def test_events_go_out_without_storage(site: Site, storage: str) -> None:
    """Full or forbidden: memory serves, with one visitor and one session of the page."""
    site.open(storage)
    site.run('weir.track("one"); weir.identify("u"); weir.track("two")')
    site.await_taken("one", "identify", "two")
    assert len({(e["anonymous_id"], e["session_id"]) for e in site.node.taken}) == 1
    assert site.node.taken[-1]["user_id"] == "u"


def test_spoiled_storage_does_no_harm(site: Site) -> None:
    """Another script wrote there: what cannot be read stays and is told, the rest arrives."""
    entry = json.dumps(json.dumps({"event": "saved", "event_id": "e1"}))
    queues = [
        "{", "5", "null", '{"queue": 5}', '{"queue": [1, null, ["{", 1, 0], ["7", 1, 0]]}',
        f'{{"queue": [[{entry}, 9e12, 0], {entry}]}}',
    ]  # fmt: skip
    site.run(f"{json.dumps(queues)}.forEach((text, n) => localStorage['weir.queue.' + n] = text)")
    site.run(
        """localStorage['weir.visitor'] = '{"anonymous": 5, "user": {}}';
        localStorage['weir.session'] = '"x"'"""
    )
    site.open()
    site.run('weir.track("new")')
    site.await_taken("saved", "new")
    left = site.run(f"return {json.dumps(queues)}.map((_, n) => localStorage['weir.queue.' + n])")
    assert isinstance(left, list)
    assert left[:5] == queues[:5]
    assert json.loads(left[5])["queue"] == [json.loads(entry)]
    assert site.warned().count("cannot read all that is kept as weir.queue.") == 6
    site.open()
    site.run('weir.track("later")')
    site.await_taken("saved", "new", "later")
    event = site.node.taken[site.node.names().index("new")]
    assert isinstance(event["anonymous_id"], str)
    assert isinstance(event["session_id"], str)
    assert "user_id" not in event


def test_session_ends_although_the_clock_went_back(site: Site) -> None:
    """A session of next year's would last until then."""
    session = {"id": "old", "at": 4e12}
    site.run(f"localStorage['weir.session'] = {json.dumps(json.dumps(session))}")
    site.open()
    site.run('weir.track("now"); weir.track("then")')
    site.await_taken("now", "then")
    first, second = (event["session_id"] for event in site.node.taken)
    assert first == second != "old"


def test_browser_that_wrongly_says_offline_is_not_believed(site: Site) -> None:
    """Virtual network cards make browsers say so."""
    site.open('Object.defineProperty(Navigator.prototype, "onLine", {get: () => false});')
    site.run('weir.track("here")')
    site.await_taken("here")


def test_event_too_large_for_a_beacon_does_not_hold_up_others(site: Site) -> None:
    """As the page goes: the small ones leave, the large one stays for the next page."""
    site.node.answer = always(500, "")
    site.open()
    site.run(
        """weir.track("large", {text: "ü".repeat(70e3)}); weir.track("small");
        dispatchEvent(new Event("pagehide"))"""
    )
    assert site.kept() == [("large", False), ("small", True)]
    sent = site.run("return beacons.map((text) => JSON.parse(text).events.map((e) => e.event))")
    assert sent == [["small"]]


def test_node_that_fails_gets_no_beacons(site: Site) -> None:
    """A beacon's event is given up after 23 hours, which none that was surely not taken may be."""
    site.node.answer = always(503, "")
    site.open()
    site.run('weir.track("waits")')
    site.flush()
    site.run('dispatchEvent(new Event("pagehide"))')
    assert site.kept() == [("waits", False)]


def test_event_that_a_beacon_took_long_ago_is_not_sent_again(site: Site) -> None:
    """A tab that was hidden for a day: the node would not know the id any more."""
    site.open()
    site.run('weir.track("seen"); dispatchEvent(new Event("pagehide"))')
    site.run("const now = Date.now(); Date.now = () => now + 24 * 3600e3")
    site.flush()
    assert site.node.requests == []
    assert site.kept() == []


def test_tabs_share_visitor_and_choice_and_no_event_twice(site: Site) -> None:
    """A frame stands for the other tab; closed with events that wait, they arrive once."""
    site.node.answer = always(503, "")
    site.open()
    site.run(
        """const frame = document.createElement("iframe"); frame.src = "/";
        const come = new Promise((done) => (frame.onload = done));
        document.body.append(frame); return come"""
    )
    site.run('weir.identify("u"); frames[0].weir.reset(); weir.track("after the logout")')
    site.run('weir.optOut(); frames[0].weir.optIn(); weir.track("back")')
    site.run('frames[0].weir.track("other"); return frames[0].weir.flush()')
    site.run('document.querySelector("iframe").remove()')
    site.node.answer = take
    site.leave()
    held = "return navigator.locks.query().then((all) => all.held.length)"
    wait_until(lambda: site.run(held) == 0, within_s=WITHIN_S, what="the end of both tabs")
    site.open()
    site.await_taken("back", "other")
    assert [event.get("user_id") for event in site.node.taken] == [None, None]


def test_queue_is_bounded_in_size_and_says_what_it_drops(site: Site) -> None:
    """The oldest go, before they fill what the site may store."""
    site.node.answer = always(503, "")
    site.open()
    site.run("for (let n = 0; n < 4; n++) weir.track(`e${n}`, {text: 'x'.repeat(600e3)})")
    assert [name for name, _sent in site.kept()] == ["e1", "e2", "e3"]
    assert "no longer kept: 1" in site.warned()
