"""``weir query``: what is asked, what is printed, how failures end."""

import json
from functools import partial

import pytest

from tests.unit.cli.fakes import Answer, FakeNode, Run

ROWS = {
    "columns": ["plan", "n"],
    "rows": [["pro", 2], [None, 1]],
    "meta": {"elapsed_ms": 3.4, "truncated": True, "watermark": "2026-11-20T12:00:00Z"},
}


def test_query_is_sent_with_key_and_limit(run: Run, node: FakeNode) -> None:
    """The statement travels as JSON, the key as Bearer, the format as Accept."""
    node.respond = lambda _: Answer(200, b'{"n":1}\n{"meta":{"rows":1,"truncated":false}}\n')
    result = run("query", "SELECT 1", "--limit", "5", "--url", node.url, "--key", "sk_test")
    assert (result.exit_code, result.stdout, result.stderr) == (0, '{"n":1}\n', "")
    asked = node.asked[0]
    assert asked.path == "/v1/query"
    assert json.loads(asked.body) == {"q": "SELECT 1", "limit": 5, "meta": 1}
    assert asked.headers["authorization"] == "Bearer sk_test"
    assert asked.headers["accept"] == "application/x-ndjson"


@pytest.mark.parametrize(
    ("arguments", "accept"),
    [
        (("--json",), "application/json"),
        (("--format", "csv"), "text/csv"),
        (("--format", "arrow"), "application/vnd.apache.arrow.stream"),
        (("--format", "parquet"), "application/vnd.apache.parquet"),
    ],
)
def test_answer_is_copied_byte_for_byte(
    arguments: tuple[str, ...], accept: str, run: Run, node: FakeNode
) -> None:
    """What the node sends in the wanted format is the output."""
    body = bytes(range(256)) * 100
    node.respond = lambda _: Answer(200, body)
    result = run("query", "SELECT 1", *arguments, "--url", node.url, "--key", "sk")
    assert result.stdout_bytes == body
    assert node.asked[0].headers["accept"] == accept


def test_json_and_another_format_are_refused(run: Run, node: FakeNode) -> None:
    """Neither is dropped silently."""
    result = run("query", "SELECT 1", "--json", "--format", "csv", "--url", node.url, "--key", "k")
    assert result.exit_code == 2
    assert node.asked == []


def test_table_shows_rows_and_trust(run: Run, node: FakeNode) -> None:
    """The table's last line tells how complete the answer is."""
    node.respond = lambda _: Answer(200, json.dumps(ROWS).encode())
    result = run("query", "SELECT 1", "--format", "table", "--url", node.url, "--key", "sk")
    assert result.stdout == "plan\tn\npro\t2\n\t1\n"
    assert "2 rows, 3 ms, more were cut off" in result.stderr
    assert result.exit_code == 6
    assert "complete up to 2026-11-20T12:00:00Z" in result.stderr


def test_statement_can_come_from_standard_input(run: Run, node: FakeNode) -> None:
    """A long statement need not be quoted for the shell."""
    node.respond = lambda _: Answer(200)
    run("query", "-", "--url", node.url, "--key", "sk", input="SELECT 'a'\n")
    assert json.loads(node.asked[0].body)["q"] == "SELECT 'a'\n"


@pytest.mark.parametrize(
    ("status", "body", "code", "exit_code"),
    [
        (400, {"error": "invalid_query", "message": "No.", "position": 7}, "invalid_query", 1),
        (401, {"error": "unauthorized", "message": "Unknown."}, "unauthorized", 3),
        (403, {"error": "forbidden", "message": "No."}, "forbidden", 3),
        (403, {"error": "forbidden_query", "message": "No."}, "forbidden_query", 1),
        (429, {"error": "rate_limited", "message": "Later."}, "rate_limited", 4),
        (503, {"error": "unavailable", "message": "Later."}, "unavailable", 4),
        (502, "a proxy's page", "unavailable", 4),
    ],
)
def test_refusal_becomes_words_and_exit_code(
    status: int, body: object, code: str, exit_code: int, run: Run, node: FakeNode
) -> None:
    """The node's code and words reach the person, the kind of error the script."""
    node.respond = lambda _: Answer(status, json.dumps(body).encode())
    result = run("query", "SELECT", "--json", "--url", node.url, "--key", "sk")
    assert result.exit_code == exit_code
    assert json.loads(result.stderr)["error"] == code
    assert result.stdout == ""


def test_stream_that_tells_a_failure_fails(run: Run, node: FakeNode) -> None:
    """Rows came, then the node had to give up: the exit code says so."""
    lines = b'{"n":1}\n{"error":"query_timeout","message":"Too slow."}\n'
    node.respond = lambda _: Answer(200, lines)
    result = run("query", "SELECT 1", "--url", node.url, "--key", "sk")
    assert result.exit_code == 4
    assert "Too slow." in result.stderr
    assert result.stdout_bytes == lines


def test_rows_that_look_like_an_ending_are_rows(run: Run, node: FakeNode) -> None:
    """Columns may be called error and meta: only the line behind them tells how it ended."""
    rows = b'{"meta":{"truncated":true}}\n{"error":"disk full","message":"m"}\n'
    node.respond = lambda _: Answer(200, rows + b'{"meta":{"truncated":false}}\n')
    result = run("query", "SELECT 1", "--url", node.url, "--key", "sk")
    assert (result.exit_code, result.stdout_bytes) == (0, rows)


META = '{"elapsed_ms":3,"truncated":%s}'
JSON = '{"columns":["a"],"rows":[["],\\"meta\\":{\\"truncated\\":false}}"]],"meta":' + META + "}\n"


def answer_with(answer: Answer, _asked: object) -> Answer:
    """The same answer, whatever is asked."""
    return answer


@pytest.mark.parametrize(
    ("form", "body", "headers"),
    [
        ("ndjson", '{"n":1}\n{"meta":' + META + "}\n", {}),
        ("json", JSON, {}),
        ("csv", "n\r\n1\r\n", {"X-Weir-Truncated": "%s"}),
        ("arrow", "bytes", {"X-Weir-Truncated": "%s"}),
        ("parquet", "bytes", {"X-Weir-Truncated": "%s"}),
    ],
)
def test_file_that_lacks_rows_has_words_and_an_exit_code(
    form: str, body: str, headers: dict[str, str], run: Run, node: FakeNode
) -> None:
    """And one that is whole has neither, in every format."""
    for told, exit_code in (("true", 6), ("false", 0)):
        sent = {name: value % told for name, value in headers.items()}
        text = (body % told if "%s" in body else body).encode()
        node.respond = partial(answer_with, Answer(200, text, sent))
        result = run("query", "SELECT 1", "--format", form, "--url", node.url, "--key", "sk")
        assert result.exit_code == exit_code
        assert ("Cut off at 1000 rows" in result.stderr) == (told == "true")
        assert result.stdout_bytes == (b'{"n":1}\n' if form == "ndjson" else text)


def test_cut_is_told_as_json_beside_json(run: Run, node: FakeNode) -> None:
    """Standard error is JSON then too, and names the limit that was asked for."""
    node.respond = lambda _: Answer(200, (JSON % "true").encode())
    arguments = ("query", "SELECT 1", "--json", "--limit", "7", "--url", node.url, "--key", "sk")
    result = run(*arguments)
    assert result.exit_code == 6
    assert json.loads(result.stderr)["note"].startswith("Cut off at 7 rows: there are more.")


@pytest.mark.parametrize("form", ["csv", "ndjson", "json", "arrow"])
def test_answer_that_does_not_say_whether_it_is_whole_does_not_pass_for_it(
    form: str, run: Run, node: FakeNode
) -> None:
    """A proxy on the way may drop what the node says behind the body."""
    node.respond = lambda _: Answer(200, b"n\r\n1\r\n")
    result = run("query", "SELECT 1", "--format", form, "--url", node.url, "--key", "sk")
    assert (result.exit_code, result.stdout_bytes) == (6, b"n\r\n1\r\n")
    assert "Whether rows were cut off is not known" in result.stderr


def test_unreachable_node_is_not_available(run: Run, node: FakeNode) -> None:
    """Nobody there, or a connection that breaks, may be tried again later."""
    node.respond = lambda _: Answer(0)
    broken = run("query", "SELECT 1", "--url", node.url, "--key", "sk")
    absent = run("query", "SELECT 1", "--url", "http://127.0.0.1:1", "--key", "sk")
    assert (broken.exit_code, absent.exit_code) == (4, 4)
    assert "does not answer" in broken.stderr


def test_proxy_of_the_environment_is_not_asked_for_a_local_node(
    run: Run, node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine behind a proxy reaches its own node directly."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    node.respond = lambda asked: Answer(200, asked.path.encode())
    assert run("query", "SELECT 1", "--url", node.url, "--key", "sk").stdout == "/v1/query"
