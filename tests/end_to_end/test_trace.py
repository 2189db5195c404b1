"""The story of one event, from the door to the lake."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.end_to_end.running_node import Node, wait_until


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that commits every half second."""
    settings = {"WEIR_CUT_AGE_S": "0.5", "WEIR_WORKERS": "1"}
    running = Node(tmp_path_factory.mktemp("traced") / "node", settings)
    running.start()
    yield running
    running.end()


def trace(node: Node, event_id: str) -> httpx.Response:
    """The answer for an id."""
    path = f"{node.url}/v1/events/{event_id}/trace"
    return httpx.get(path, headers=node.headers, timeout=60)


def story_when(node: Node, event_id: str, outcome: str) -> dict[str, Any]:
    """The story once it has this outcome."""
    wait_until(
        lambda: trace(node, event_id).json().get("outcome") == outcome,
        within_s=20,
        what=f"{event_id} {outcome}",
    )
    found: dict[str, Any] = trace(node, event_id).json()
    return found


@pytest.mark.parametrize("event_id", ["a\nb", "a/../b", "\t", "..", "ü %2F"])
def test_odd_ids_have_a_story(node: Node, event_id: str) -> None:
    """Whatever text a client gave an event, over HTTP and from the command line."""
    sent = node.send("/v1/events", {"event": "odd", "event_id": event_id})
    assert sent.status_code == 202
    segment = quote(event_id, safe="").replace(".", "%2E")
    assert story_when(node, segment, "stored")["event_id"] == event_id
    told = node.weir("trace", event_id, "--data", str(node.directory), "--json")
    assert json.loads(told.stdout)["event_id"] == event_id


def test_story_tells_place_file_and_every_retry(node: Node) -> None:
    """The same again, and another body under the same id; each is told with its time."""
    for price in (1, 1, 2):
        event = {"event": "buy", "event_id": "order 7", "properties": {"price": price}}
        assert node.send("/v1/events", [event, {"event": "other"}]).status_code == 202
    story = story_when(node, "order%207", "stored")
    assert story["found"] is True
    assert story["project"] == "default"
    assert story["dialect"] == "native"
    assert story["key_id"].startswith("key_")
    assert story["journal"]["id"] == "00"
    assert [each["same_body"] for each in story["duplicates"]] == [True, False]
    times = [story["received_at"], *(each["received_at"] for each in story["duplicates"])]
    assert times == sorted(times)
    assert (node.directory / story["lake_file"]).exists()
    told = node.weir("trace", "order 7", "--data", str(node.directory))
    assert told.returncode == 0
    assert "stored" in told.stdout
    asked = node.weir("trace", "order 7", "--data", str(node.directory), "--json")
    assert json.loads(asked.stdout)["duplicates"] == story["duplicates"]


def test_event_in_memory_is_in_flight(shared_node: Node) -> None:
    """Visible and durable, and not in the lake yet."""
    shared_node.send("/v1/ingest", {"event": "a", "event_id": "early"})
    story = story_when(shared_node, "early", "in_flight")
    assert story["lake_file"] is None
    assert story["dialect"] == "novamesh"


def test_ids_that_weir_made_are_found_too(node: Node) -> None:
    """By the place of their frame: they stand in no body."""
    node.send("/v1/events", [{"event": "no id"}, {"event": "no id either"}])
    sql = "SELECT event_id FROM events WHERE event = 'no id either'"
    wait_until(lambda: bool(node.query(sql)), within_s=20, what="both events")
    [[made]] = node.query(sql)
    story = story_when(node, str(made), "stored")
    assert story["duplicates"] == []
    assert story["journal"] is not None


@pytest.mark.parametrize("event_id", ["a/b", "/", "who? me & you", "50%", "schön #1", "x/trace"])
def test_ids_may_hold_what_urls_do_not(shared_node: Node, event_id: str) -> None:
    """The route takes them quoted, and the command quotes them."""
    sent = shared_node.send("/v1/events", {"event": "a", "event_id": event_id})
    assert sent.status_code == 202
    story = story_when(shared_node, quote(event_id, safe=""), "in_flight")
    assert story["event_id"] == event_id
    where = ("--data", str(shared_node.directory), "--json")
    told = shared_node.weir("trace", event_id, *where)
    assert json.loads(told.stdout)["event_id"] == event_id
    assert httpx.get(f"{shared_node.url}/v1/events//trace", headers=shared_node.headers).is_error


def test_an_unknown_id_is_told_with_its_project_and_an_empty_one_is_refused(
    shared_node: Node,
) -> None:
    """Not as a wrong address."""
    where = ("--data", str(shared_node.directory))
    told = shared_node.weir("trace", "nobody", *where)
    assert told.returncode == 1
    assert "project default" in told.stderr
    assert "may take a second" in told.stderr
    assert "address" not in told.stderr
    assert shared_node.weir("trace", "", *where).returncode == 2


def test_unknown_ids_and_other_scopes_learn_nothing(node: Node) -> None:
    """404 for what is not in the key's project, 403 without the scope; odd ids harm nothing."""
    node.send("/v1/ingest", {"event": "a", "event_id": "mine"})
    for odd in ("none", "%27%20OR%201%3D1--", "x" * 300, "%00", "..%2F..%2Fetc"):
        assert trace(node, odd).status_code == 404, odd
    told = node.weir("trace", "none", "--data", str(node.directory))
    assert told.returncode == 1
    where = ("--data", str(node.directory))
    assert node.weir("projects", "create", "other", *where).returncode == 0
    for project, scopes, status in (("default", "query", 403), ("other", "metrics", 404)):
        made = node.weir(
            "keys", "create", *where, "--project", project, "--scopes", scopes, "--json"
        )
        headers = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}
        answer = httpx.get(f"{node.url}/v1/events/mine/trace", headers=headers, timeout=60)
        assert answer.status_code == status
        assert "mine" not in answer.text
