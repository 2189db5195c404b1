"""An export that lacks rows says so, however it is taken: header, trailer, standard error, code."""

import subprocess
import sys
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.end_to_end.running_node import COMMAND_WITHIN_S, Node
from tests.unit.ingest.wire import Wire, request

ROWS = 9000
LONG = f"SELECT range AS n, repeat('x', 100) AS text FROM range({ROWS})"
"""More than the node knows before the first byte, and its rows are no secret to any project."""
FORMATS = ["csv", "ndjson", "json", "arrow", "parquet"]


def export(node: Node, path: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and standard error of ``weir query … > path``."""
    with path.open("wb") as file:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "weir",
                "query",
                *arguments,
                "--url",
                node.url,
                "--key",
                node.key,
            ],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )
    return done.returncode, done.stderr


@pytest.mark.parametrize("form", FORMATS)
def test_file_says_by_exit_code_that_it_lacks_rows(
    shared_node: Node, tmp_path: Path, form: str
) -> None:
    """At the default limit and at one whose end is known last; a whole file says nothing."""
    path = tmp_path / "export"
    code, words = export(shared_node, path, LONG, "--format", form)
    assert (code, "Cut off at 1000 rows" in words) == (6, True)
    code, words = export(shared_node, path, LONG, "--format", form, "--limit", "8999")
    assert (code, "Cut off at 8999 rows" in words) == (6, True)
    assert export(shared_node, path, LONG, "--format", form, "--limit", "9000") == (0, "")
    own = f"{LONG} LIMIT 10"
    assert export(shared_node, path, own, "--format", form) == (0, "")


@pytest.mark.parametrize(("limit", "told"), [(ROWS - 1, "true"), (ROWS, "false")])
def test_trailer_comes_through_the_door(shared_node: Node, limit: int, told: str) -> None:
    """Behind the last chunk, announced; an old client is promised none."""
    node = shared_node
    sql = LONG.replace(" ", "+").replace("'", "%27")
    target = f"/v1/query?format=csv&limit={limit}&q={sql}"
    host, _, port = node.url.removeprefix("http://").partition(":")
    with Wire.connect((host, int(port))) as wire:
        answer = wire.ask(request(target, b"", method="GET", key=node.key), method="GET")
        assert (answer.status, answer["trailer"]) == (200, "X-Weir-Truncated")
        assert answer["x-weir-truncated"] is None
        assert answer.trailers == [("x-weir-truncated", told)]
        assert answer.body.count(b"\r\n") == limit + 1
        head = wire.ask(request(target, b"", method="HEAD", key=node.key), method="HEAD")
        assert (head.status, head["trailer"], head.body) == (200, None, b"")
    with Wire.connect((host, int(port))) as old:
        old.send(f"GET {target} HTTP/1.0\r\nAuthorization: Bearer {node.key}\r\n\r\n".encode())
        reply = HTTPResponse(old.socket)
        reply.begin()
        assert reply.headers["trailer"] is None
        assert reply.read().count(b"\r\n") == limit + 1


def test_header_says_it_where_the_end_is_known(shared_node: Node) -> None:
    """The default limit, whatever the rows' width."""
    for limit, told in (("1000", "true"), ("9000", None)):
        reply = shared_node.ask(LONG, format="csv", limit=limit)
        assert reply.headers.get("x-weir-truncated") == told
    assert shared_node.ask("SELECT 1", format="csv").headers["x-weir-truncated"] == "false"
