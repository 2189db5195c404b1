"""``weir send`` over real HTTP: what is told, what can be repeated."""

import gzip
import json
from pathlib import Path

import pytest

from tests.unit.cli.fakes import Answer, Asked, FakeNode, Run
from weir.storage.local import FileLock


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


def test_two_finished_calls_are_two_runs(run: Run, node: FakeNode, file: str) -> None:
    """The same file on another day is new events, and no progress file is left."""
    node.respond = _accept_all
    for _ in range(2):
        assert run("send", file, "--url", node.url, "--key", "pk").exit_code == 0
    assert node.asked[0].body != node.asked[1].body
    assert [path.name for path in Path(file).parent.iterdir()] == [Path(file).name]


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
    assert node.asked == []


def _ids(asked: list[Asked]) -> list[str]:
    return [event["event_id"] for each in asked for event in json.loads(each.body)]


def test_interrupted_send_goes_on_where_it_was(
    run: Run, node: FakeNode, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the third of five requests: the next call sends the rest, as one run."""

    def respond(asked: Asked) -> Answer:
        return Answer(503) if len(node.asked) == 3 else _accept_all(asked)

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    node.respond = respond
    arguments = ("send", file, "--batch", "1", "--url", node.url, "--key", "pk")
    with monkeypatch.context() as patched:
        patched.setattr("weir.cli.send.send.sleep", interrupt)
        first = run(*arguments)
    assert first.exit_code == 130
    assert f"after line 2: {file}.weir-send" in first.stderr
    second = run(*arguments, "--json")
    assert second.exit_code == 0
    assert json.loads(second.stdout)["skipped"] == 2
    events = [json.loads(each.body)[0]["event"] for each in node.asked]
    assert events == ["e0", "e1", "e2", "e2", "e3", "e4"]
    ids = _ids(node.asked)
    assert ids[2] == ids[3]
    assert len({each.rpartition("-")[0] for each in ids}) == 1


def test_killed_send_repeats_under_the_same_ids(run: Run, node: FakeNode, file: str) -> None:
    """The progress file may be a second old; the run in it is there before the first event."""
    seen = []

    def respond(asked: Asked) -> Answer:
        seen.append(Path(f"{file}.weir-send").read_bytes())
        return _accept_all(asked)

    node.respond = respond
    arguments = ("send", file, "--batch", "2", "--url", node.url, "--key", "pk")
    assert run(*arguments).exit_code == 0
    Path(f"{file}.weir-send").write_bytes(seen[0])
    assert run(*arguments).exit_code == 0
    ids = _ids(node.asked)
    assert ids[:5] == ids[5:]


def test_a_send_of_which_nothing_can_have_arrived_leaves_no_progress(
    run: Run, node: FakeNode, file: str
) -> None:
    """A refused key, or nobody there; an answer that was lost leaves the ids."""
    arguments = ("send", file, "--retry-for", "0", "--key", "pk", "--url")
    node.respond = lambda _: Answer(401)
    assert run(*arguments, node.url).exit_code == 3
    assert run(*arguments, "http://127.0.0.1:1").exit_code == 4
    assert [path.name for path in Path(file).parent.iterdir()] == [Path(file).name]
    node.respond = lambda _: Answer(0)
    assert run(*arguments, node.url).exit_code == 4
    assert Path(f"{file}.weir-send").exists()


def test_progress_of_no_line_belongs_to_no_node(run: Run, node: FakeNode, file: str) -> None:
    """After a wrong address the right one is taken."""
    state = {"url": "http://other.example", "run": "r", "lines": 0, "checksum": 0}
    Path(f"{file}.weir-send").write_text(json.dumps(state))
    node.respond = _accept_all
    assert run("send", file, "--url", node.url, "--key", "pk").exit_code == 0
    assert _ids(node.asked)[0] == "r-1"


def test_a_second_send_of_the_same_progress_waits_its_turn(
    run: Run, node: FakeNode, file: str
) -> None:
    """It ends with 4 and says why; nothing of the lock is left."""
    node.respond = _accept_all
    lock = FileLock(Path(f"{file}.weir-send.lock"), purpose="A test")
    lock.acquire()
    second = run("send", file, "--url", node.url, "--key", "pk")
    assert second.exit_code == 4
    assert "Another send is under way" in second.stderr
    assert node.asked == []
    lock.release()
    assert run("send", file, "--url", node.url, "--key", "pk").exit_code == 0
    assert [path.name for path in Path(file).parent.iterdir()] == [Path(file).name]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(429, "quota_exceeded", "--events-per-month"), (403, "tenant_inactive", "--active")],
)
def test_refusals_of_an_account_say_what_to_do(
    run: Run, node: FakeNode, file: str, status: int, code: str, words: str
) -> None:
    """Until when a quota holds, and who can lift it."""
    body = json.dumps({"error": code, "message": "No."}).encode()
    node.respond = lambda _: Answer(status, body, {"retry-after": str(86400 * 10)})
    result = run("send", file, "--url", node.url, "--key", "pk")
    assert words in result.stderr
    assert ("10 days" in result.stderr) is (code == "quota_exceeded")


def test_standard_input_goes_on_with_a_named_state(
    run: Run, node: FakeNode, tmp_path: Path
) -> None:
    """The same input again, without what is acknowledged; without a name it is told."""
    node.respond = lambda asked: _accept_all(asked) if len(node.asked) < 2 else Answer(503)
    text = "".join(f'{{"event":"e{number}"}}\n' for number in range(4))
    arguments = ("send", "-", "--batch", "2", "--retry-for", "0", "--url", node.url, "--key", "pk")
    state = ("--state", str(tmp_path / "progress"))
    broken = run(*arguments, input=text)
    assert broken.exit_code == 4
    assert "--state FILE" in broken.stderr
    node.asked.clear()
    assert run(*arguments, *state, input=text).exit_code == 4
    node.respond = _accept_all
    node.asked.clear()
    done = run(*arguments, *state, input=text)
    assert done.stdout == "accepted 2, rejected 0, retries 0\n"
    assert not (tmp_path / "progress").exists()


@pytest.mark.parametrize("change", ["input", "shorter", "node", "garbage"])
def test_progress_of_something_else_is_refused(
    run: Run, node: FakeNode, file: str, change: str
) -> None:
    """Lines that were changed, another node, another file: nothing is sent or skipped."""
    node.respond = lambda asked: _accept_all(asked) if len(node.asked) < 2 else Answer(503)
    arguments = ("send", file, "--batch", "2", "--retry-for", "0", "--key", "pk")
    assert run(*arguments, "--url", node.url).exit_code == 4
    node.asked.clear()
    url = node.url
    if change == "node":
        url = node.url.replace("127.0.0.1", "localhost")
    elif change == "garbage":
        Path(f"{file}.weir-send").write_text("{}")
    else:
        text = Path(file).read_text()
        Path(file).write_text(text[5:] if change == "input" else text[:10])
    result = run(*arguments, "--json", "--url", url)
    assert result.exit_code == 1
    assert '"send_state"' in result.stderr
    assert node.asked == []


def test_progress_that_cannot_be_kept_is_told(run: Run, node: FakeNode, file: str) -> None:
    """The events are sent all the same."""
    node.respond = _accept_all
    arguments = ("send", file, "--state", "none/progress", "--url", node.url, "--key", "pk")
    result = run(*arguments)
    assert result.exit_code == 0
    assert "progress is not kept" in result.stderr


def test_broken_off_send_says_how_to_go_on(run: Run, node: FakeNode, file: str) -> None:
    """What was accepted is told, and what the same command would do."""
    node.respond = lambda asked: _accept_all(asked) if len(node.asked) < 3 else Answer(503)
    arguments = ("send", file, "--batch", "2", "--retry-for", "0", "--json")
    result = run(*arguments, "--url", node.url, "--key", "pk")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["accepted"] == 4
    assert "goes on after line 4" in json.loads(result.stderr)["hint"]


def test_backfill_is_asked_for_in_the_address(run: Run, node: FakeNode, file: str) -> None:
    """The lane is the node's affair; a 503 of it is waited for like any other."""
    node.respond = lambda asked: (
        _accept_all(asked) if len(node.asked) > 1 else Answer(503, b"", {"retry-after": "0"})
    )
    result = run("send", file, "--backfill", "--url", node.url, "--key", "pk")
    assert result.exit_code == 0
    assert {asked.path for asked in node.asked} == {"/v1/events?lane=backfill"}


def test_refused_key_ends_with_its_exit_code(run: Run, node: FakeNode, file: str) -> None:
    """A wrong key is told at once."""
    refusal = b'{"error":"unauthorized","message":"The API key is unknown or revoked."}'
    node.respond = lambda _: Answer(401, refusal)
    result = run("send", file, "--url", node.url, "--key", "pk")
    assert result.exit_code == 3
    assert "unknown or revoked" in result.stderr
    assert len(node.asked) == 1
