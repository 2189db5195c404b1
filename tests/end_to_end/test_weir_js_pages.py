"""``weir.js`` on pages as they are: loaded in every way, beside old libraries, with odd values."""

import json
from collections.abc import Iterator

import pytest

from tests.end_to_end.browser import Browser, needs_browser, pages
from tests.end_to_end.running_node import Node, wait_until

pytestmark = needs_browser

WITHIN_S = 20
NOTED = (
    "<!doctype html><title>T</title><script>window.weir = window.weir || []; window.warned = [];"
    "console.warn = (...words) => warned.push(words.map(String).join(' '));"
    "window.failed = []; addEventListener('error', (event) => failed.push(event.message));</script>"
)
OLD_LIBRARY = """<script>
// What an old Prototype.js does to JSON.stringify, and some pages to every object.
const json = (value) => JSON.stringify(value);
Array.prototype.toJSON = function () { return "[" + [...this].map(json).join(", ") + "]"; };
String.prototype.toJSON = function () { return '"' + this + '"'; };
Number.prototype.toJSON = function () { return String(this); };
Date.prototype.toJSON = function () { return '"' + this.toISOString() + '"'; };
</script>"""
EVERY_OBJECT = """<script>
Object.prototype.toJSON = function () { return "[object]"; };
</script>"""
CALLS = """
const when = new Date(0);
weir.identify("u", {tags: ["a", "b"], when});
weir.track("cart", {items: [{sku: "s", sizes: [1, 2]}], empty: [], nested: [[1], []]});
"""
SENT = [
    ("identify", {"tags": ["a", "b"], "when": "1970-01-01T00:00:00.000Z"}),
    ("cart", {"items": [{"sku": "s", "sizes": [1, 2]}], "empty": [], "nested": [[1], []]}),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as opened:
        yield opened


def tag(node: Node, attributes: str = "") -> str:
    """The script's tag, as the guide has it."""
    return f'<script src="{node.url}/weir.js" data-key="{node.public_key}" {attributes}></script>'


def made_by_loader(node: Node, *, then: str) -> str:
    """A script that makes the tag when the page is there."""
    return f"""<script>addEventListener("load", () => {{
        const made = document.createElement("script");
        made.src = "{node.url}/weir.js"; made.dataset.key = "{node.public_key}"; {then}
        document.head.append(made);
    }});</script>"""


def tracking(library: str, script: str) -> str:
    """A page of a new visitor that tracks by itself, and notes what the console is told."""
    begin = "<script>localStorage.clear(); navigator.sendBeacon = () => false;"
    begin += "console.warn = (...words) => localStorage.warned = words.map(String);</script>"
    return f"{NOTED}{begin}{library}{script}<script>{CALLS}</script>"


LOADED: dict[str, str] = {
    "plain": "",
    "async": "async",
    "defer": "defer",
    "module": 'type="module"',
    "module async": 'type="module" async crossorigin="anonymous"',
}


def events_of(node: Node) -> list[tuple[object, object]]:
    """Names and properties, in their order."""
    rows = node.query("SELECT event, properties FROM events ORDER BY client_ts, seq")
    return [(name, json.loads(str(text))) for name, text in rows]


def await_script(browser: Browser) -> None:
    wait_until(lambda: browser.run("return !!weir.flush") is True, within_s=WITHIN_S, what="it")


@pytest.mark.parametrize("way", [*LOADED, "loader", "loader of modules", "fetched and run"])
def test_script_works_however_it_is_loaded(own_project: Node, browser: Browser, way: str) -> None:
    """From another origin; what was called before it came is done, and no error is thrown."""
    node = own_project
    if way in LOADED:
        page = tag(node, LOADED[way])
    elif way == "fetched and run":
        # Loaders that hold scripts back: the tag stands there with a type of their own.
        held = tag(node, 'type="text/held"')
        run = "fetch(document.querySelector('[data-key]').src).then((it) => it.text()).then(eval)"
        page = f"{held}<script>setTimeout(() => {run})</script>"
    else:
        page = made_by_loader(node, then="made.type = 'module';" if "modules" in way else "")
    early = "<script>weir.push(['track', 'early'])</script>"
    with pages({"/": NOTED + early + page}) as origin:
        browser.open(origin)
        await_script(browser)
        browser.run('weir.track("late")')
        wait_until(lambda: len(events_of(node)) == 2, within_s=WITHIN_S, what="both events")
        assert browser.run("return [failed, warned]") == [[], []]
    assert [name for name, _ in events_of(node)] == ["early", "late"]


@pytest.mark.parametrize(
    "script",
    [
        '<script src="NODE/weir.js"></script>',
        '<script type="module" src="NODE/weir.js"></script>',
        '<script type="module">import "NODE/weir.js"</script>',
        '<script data-key="other"></script><script type="module">import "NODE/weir.js"</script>',
    ],
)
def test_script_without_a_key_says_what_is_missing(
    shared_node: Node, browser: Browser, script: str
) -> None:
    """In one sentence, and throws nothing."""
    with pages({"/": NOTED + script.replace("NODE", shared_node.url)}) as origin:
        browser.open(origin)
        said = "return warned.some((line) => line.includes('no script tag with data-key'))"
        wait_until(lambda: browser.run(said) is True, within_s=WITHIN_S, what="the warning")
        assert browser.run("return failed") == []


@pytest.mark.parametrize("library", ["", OLD_LIBRARY, EVERY_OBJECT])
def test_arrays_and_dates_arrive_beside_any_library(
    own_project: Node, browser: Browser, library: str
) -> None:
    """As on the page without one, which is the first."""
    node = own_project
    with pages({"/": tracking(library, tag(node)), "/next": NOTED + tag(node)}) as origin:
        browser.open(origin)
        wait_until(lambda: len(events_of(node)) == 2, within_s=WITHIN_S, what="both events")
        browser.open(f"{origin}/next")  # the driver cannot speak to a page where JSON is broken
        assert browser.run("return warned.concat(localStorage.warned || [])") == []
    assert events_of(node) == SENT
    people = node.query("SELECT DISTINCT user_id FROM events")
    assert people == [["u"]]


@pytest.mark.parametrize("library", ["", OLD_LIBRARY, EVERY_OBJECT])
def test_queue_of_a_page_with_any_library_is_read_by_the_next_one(
    own_project: Node, browser: Browser, library: str
) -> None:
    """The node is away while the page tracks; the page goes, and the next one finds it."""
    node = own_project
    away = tag(node, 'data-url="http://127.0.0.1:1"')
    with pages({"/": tracking(library, away), "/next": NOTED + tag(node)}) as origin:
        browser.open(origin)
        browser.open(f"{origin}/next")
        wait_until(lambda: len(events_of(node)) == 2, within_s=WITHIN_S, what="both events")
        assert browser.run("return warned") == []
    assert events_of(node) == SENT


def test_values_are_kept_by_rules_or_told(own_project: Node, browser: Browser) -> None:
    """Nothing becomes an empty object or a null without a word; the node takes what is sent."""
    node = own_project
    with pages({"/": NOTED + tag(node)}) as origin:
        browser.open(origin)
        browser.run(
            """weir.track("kept", {
                big: 12345678901234567890n, boxed: [new String("s"), new Number(1), Object(2n)],
                map: new Map([["a", 1], [2, [new Set("xy")]]]), typed: new Uint8Array([1, 2]),
                bigs: new BigInt64Array([1n]), url: new URL("https://a.b/c"),
                search: new URLSearchParams("a=1"), error: new TypeError("no"), pattern: /a/g,
                own: {toJSON: () => ({a: [1]})}, gone: undefined, holes: [, undefined, null],
                half: "😀"[0], nothing: {}, none: Object.create(null), date: new Date(0),
            });
            weir.track("told", {
                nan: NaN, all: [Infinity, () => 1], symbol: Symbol("s"), never: new Date(NaN),
                weak: new WeakMap(), buffer: new ArrayBuffer(1), element: document.body,
            });
            weir.page("Prices", new Map([["path", "/p"]]));
            weir.track(404);
            for (const name of [undefined, null, "", {}, Symbol("s"), NaN]) weir.track(name);
            weir.track("after")"""
        )
        wait_until(lambda: len(events_of(node)) == 5, within_s=WITHIN_S, what="the events")
        warned = browser.run("return warned")
    events = events_of(node)
    assert [name for name, _ in events] == ["kept", "told", "page", "404", "after"]
    assert events[0][1] == {
        "big": 12345678901234567890,
        "boxed": ["s", 1, 2],
        "map": {"a": 1, "2": [["x", "y"]]},
        "typed": [1, 2],
        "bigs": [1],
        "url": "https://a.b/c",
        "search": "a=1",
        "error": "TypeError: no",
        "pattern": "/a/g",
        "own": {"a": [1]},
        "holes": [None, None, None],
        "half": "\ufffd",
        "nothing": {},
        "none": {},
        "date": "1970-01-01T00:00:00.000Z",
    }
    assert events[1][1] == {
        **dict.fromkeys(("nan", "symbol", "never", "weak", "buffer", "element")),
        "all": [None, None],
    }
    assert events[2][1] == {"name": "Prices", "path": "/p"}
    assert isinstance(warned, list)
    fields = ["nan", "all.0", "all.1", "symbol", "never", "weak", "buffer", "element"]
    for line, field in zip(warned, fields, strict=False):
        assert f"the event told has null for properties.{field}" in line
    assert len(warned) == len(fields) + 6
    assert all("track needs the name of an event" in line for line in warned[len(fields) :])


def test_event_that_the_node_refuses_is_named_with_its_field(
    own_project: Node, browser: Browser
) -> None:
    """And it costs no other event."""
    node = own_project
    with pages({"/": NOTED + tag(node)}) as origin:
        browser.open(origin)
        browser.run('weir.track("bad", ["no object"]); weir.track("good")')
        wait_until(lambda: len(events_of(node)) == 1, within_s=WITHIN_S, what="the good one")
        said = "return warned.some((line) => line.includes('refused bad properties must be'))"
        wait_until(lambda: browser.run(said) is True, within_s=WITHIN_S, what="the refusal")
    assert [name for name, _ in events_of(node)] == ["good"]
