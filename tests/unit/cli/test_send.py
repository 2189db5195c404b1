"""``weir send`` over real HTTP: what is told, what can be repeated."""

import gzip
import json
from pathlib import Path

import pytest

from tests.unit.cli.fakes import Answer, Asked, FakeNode, Run


def _accept_all(asked: Asked) -> Answer:
    count = len(json.loads(asked.body))
    return Answer(202, json.dumps({"accepted": count, "rejected": 0, "results": []}).encode())


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Five events, a line each."""
    path = tmp_path / "events.ndjson"
    path.write_text("".join(f'{{"event":"e{number}"}}\n' for number in range(5)))
    return str(path)


def test_every_event_is_sent_once_with_an_id(run: Run, node: FakeNode, file: str) -> None:
    """Batches cover the file, and no two events share an id."""
    node.respond = _accept_all
    result = run("send", file, "--batch", "2", "--url", node.url, "--key", "pk")
    assert result.exit_code == 0
    assert result.stdout == "accepted 5, rejected 0, retries 0\n"
    sent = [event for asked in node.asked for event in json.loads(asked.body)]
    assert [event["event"] for event in sent] == ["e0", "e1", "e2", "e3", "e4"]
    assert len({event["event_id"] for event in sent}) == 5
    assert {asked.path for asked in node.asked} == {"/v1/events"}
    assert {asked.headers["authorization"] for asked in node.asked} == {"Bearer pk"}


def test_two_calls_are_two_runs_unless_told(run: Run, node: FakeNode, file: str) -> None:
    """The same file on another day is new events; with --run it is the same ones."""
    node.respond = _accept_all
    for more in ([], [], ["--run", "nightly7"], ["--run", "nightly7"]):
        run("send", file, *more, "--url", node.url, "--key", "pk")
    bodies = [asked.body for asked in node.asked]
    assert bodies[0] != bodies[1]
    assert bodies[2] == bodies[3]


def test_lost_answer_is_repeated_with_the_same_ids(run: Run, node: FakeNode, file: str) -> None:
    """The connection broke after the node had stored: the same request goes again."""

    def break_once(asked: Asked) -> Answer:
        return Answer(0) if len(node.asked) == 1 else _accept_all(asked)

    node.respond = break_once
    result = run("send", file, "--json", "--url", node.url, "--key", "pk")
    told = json.loads(result.stdout)
    assert (told["accepted"], told["retries"], told["requests"]) == (5, 1, 2)
    assert node.asked[0].body == node.asked[1].body


def test_rejected_lines_are_told_and_fail_the_command(run: Run, node: FakeNode) -> None:
    """Numbers of the input's lines, the node's reasons, exit code 5; the rest is taken."""
    results = [{"index": 1, "code": "validation.required", "field": "event", "message": "needed"}]
    reply = {"accepted": 1, "rejected": 1, "results": results}
    node.respond = lambda _: Answer(202, json.dumps(reply).encode())
    text = '{"event":"a"}\nnonsense\n{}\n'
    result = run("send", "-", "--url", node.url, "--key", "pk", input=text)
    assert result.exit_code == 5
    assert result.stderr.splitlines() == [
        "line 2: is not JSON: invalid character near byte 5, at nonsense (invalid_json)",
        "line 3: event needed (validation.required)",
    ]
    assert result.stdout == "accepted 1, rejected 2, retries 0\n"


def test_rejected_lines_are_told_in_order(run: Run, node: FakeNode) -> None:
    """Whoever found it, the command or the node, line 1 stands before line 2."""
    results = [{"index": 0, "code": "validation.required", "field": "event", "message": "needed"}]
    reply = {"accepted": 0, "rejected": 1, "results": results}
    node.respond = lambda _: Answer(202, json.dumps(reply).encode())
    arguments = ("send", "-", "--json", "--url", node.url, "--key", "pk")
    told = json.loads(run(*arguments, input="{}\nnonsense\n").stdout)
    assert [reject["line"] for reject in told["rejects"]] == [1, 2]


def test_compressed_file_is_refused_before_anything_is_sent(
    run: Run, node: FakeNode, tmp_path: Path
) -> None:
    """There is nothing to go on with; the hint is what to type instead."""
    (tmp_path / "e.gz").write_bytes(gzip.compress(b"{}\n"))
    result = run("send", "e.gz", "--url", node.url, "--key", "pk")
    assert result.exit_code == 1
    assert "zcat FILE | weir send -" in result.stderr
    assert "--run" not in result.stderr
    assert node.asked == []


def test_interrupted_run_says_how_to_go_on(
    run: Run, node: FakeNode, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C leaves the run's name, without which repeating would store twice."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("weir.cli.send.deliver", interrupt)
    result = run("send", file, "--json", "--url", node.url, "--key", "pk")
    assert result.exit_code == 1
    assert f"--run {json.loads(result.stdout)['run']}" in result.stderr


def test_broken_off_run_says_how_to_go_on(run: Run, node: FakeNode, file: str) -> None:
    """What was accepted is told, and the run that repeats nothing twice."""
    node.respond = lambda asked: _accept_all(asked) if len(node.asked) < 3 else Answer(503)
    arguments = ("send", file, "--batch", "2", "--retry-for", "0", "--json")
    result = run(*arguments, "--url", node.url, "--key", "pk")
    assert result.exit_code == 4
    told = json.loads(result.stdout)
    assert told["accepted"] == 4
    assert f"--run {told['run']}" in json.loads(result.stderr)["hint"]


def test_refused_key_ends_with_its_exit_code(run: Run, node: FakeNode, file: str) -> None:
    """A wrong key is told at once."""
    refusal = b'{"error":"unauthorized","message":"The API key is unknown or revoked."}'
    node.respond = lambda _: Answer(401, refusal)
    result = run("send", file, "--url", node.url, "--key", "pk")
    assert result.exit_code == 3
    assert "unknown or revoked" in result.stderr
    assert len(node.asked) == 1


@pytest.mark.parametrize("text", ["", "a b", "é", "x" * 300])
def test_run_must_fit_an_event_id(text: str, run: Run, node: FakeNode, file: str) -> None:
    """A run becomes part of ids, so it is letters and digits."""
    result = run("send", file, "--run", text, "--url", node.url, "--key", "pk")
    assert result.exit_code == 2
    assert node.asked == []
