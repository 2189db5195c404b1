"""The address of a node, opened in a browser and asked by a program."""

from pathlib import Path

import httpx

from tests.end_to_end.browser import Browser, needs_browser
from tests.end_to_end.running_node import Node


def test_address_of_a_node_says_what_runs_there(shared_node: Node) -> None:
    """JSON to a program, HEAD too; events are posted there all the same."""
    node = shared_node
    told = httpx.get(f"{node.url}/")
    assert (told.status_code, told.json()["name"]) == (200, "weir")
    assert httpx.get(node.url + told.json()["description"]).json()["openapi"] == "3.1.0"
    assert httpx.get(node.url + told.json()["ready"]).status_code == 200
    asked = httpx.head(f"{node.url}/", headers={"Accept": "text/html"})
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["Content-Type"].startswith("text/html")
    assert httpx.put(f"{node.url}/").headers["Allow"] == "POST, GET, HEAD, OPTIONS"
    assert httpx.post(f"{node.url}/", json={}).status_code == 401


@needs_browser
def test_browser_shows_the_page_and_follows_its_links(shared_node: Node, tmp_path: Path) -> None:
    """Its style is applied under the policy, and what it links to is there."""
    with Browser(tmp_path / "profile") as browser:
        browser.open(f"{shared_node.url}/nothing-here")
        assert "There is nothing at this path" in str(browser.run("return document.body.innerText"))
        browser.run("document.querySelector('a').click()")
        browser.open(f"{shared_node.url}/")
        assert "Weir runs here" in str(browser.run("return document.body.innerText"))
        width = browser.run("return getComputedStyle(document.body).maxWidth")
        assert width != "none"
        links = browser.run("return [...document.links].map((link) => link.href)")
        assert isinstance(links, list)
        assert len(links) >= 3
        for link in links:
            assert httpx.get(link).status_code == 200
