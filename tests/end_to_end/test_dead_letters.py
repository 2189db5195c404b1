"""What could not become rows can be looked at, with its reason and byte for byte."""

import contextlib
import json
import os
import sqlite3
from pathlib import Path

from tests.end_to_end.running_node import Node, wait_until
from weir.clock import SystemClock
from weir.domain.frame import Draft, Place
from weir.journal.writer import JournalWriter
from weir.node.directory import Directory

BODY = b'[{"event":"a"},{"event":\x1b[31m"b"}]'


class _Waiter:
    def durable(self, received_at_us: int) -> None:
        """On disk."""

    def failed(self, error: Exception) -> None:
        raise AssertionError(error)


def write_poison(node: Node) -> None:
    """A frame that no door would write, in the journal of a worker that is not configured."""
    directory = Directory(Path(node.directory))
    writer = JournalWriter.open(
        directory.journal(9),
        quarantine=directory.quarantine,
        clock=SystemClock(),
        file_bytes=1 << 20,
        notify=lambda function: function(),
    )
    writer.append(Draft(Place(1, 1, 1, 1), 1, 1, 2, 0, 0, b"", BODY), _Waiter())
    writer.close()


def has_letter(node: Node) -> bool:
    """Whether the catalog knows a dead letter; much cheaper than asking a command again."""
    address = f"file:{node.directory / 'catalog.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=20)) as connection:
        [[count]] = connection.execute("SELECT count(*) FROM dead_letters")
    return bool(count)


def test_dead_letters_are_listed_and_shown(stopped_node: Node) -> None:
    """Running or not; control characters are shown and not sent to the terminal."""
    node = stopped_node
    node.settings |= {"WEIR_CUT_AGE_S": "0.3", "WEIR_WORKERS": "1"}
    where = ("--data", str(node.directory))
    assert json.loads(node.weir("dead-letters", "list", *where, "--json").stdout) == []
    write_poison(node)
    node.start()

    wait_until(lambda: has_letter(node), within_s=20, what="the dead letter")
    [letter] = json.loads(node.weir("dead-letters", "list", *where, "--json").stdout)
    assert letter["project"] == "default"
    assert letter["events"] == 2
    assert "InvalidInput" in str(letter["reason"])
    shown = node.weir("dead-letters", "show", str(letter["id"]), *where)
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout
    assert "\\x1b[31m" in shown.stdout
    assert node.stop() == 0
    raw = node.weir("dead-letters", "show", str(letter["id"]), "--raw", *where)
    assert os.fsencode(raw.stdout) == BODY
    stopped = node.weir("dead-letters", "replay", "--all", *where)
    assert stopped.returncode == 4
    missing = node.weir("dead-letters", "show", "09:1", *where)
    assert missing.returncode == 1
    unknown = node.weir("dead-letters", "list", "--project", "none", *where)
    assert unknown.returncode == 1
    assert "Traceback" not in missing.stderr + unknown.stderr


KILLER = """
import os
import signal
import weir.dialects.table as dialects
from dataclasses import replace

plain = dialects.dialects_by_code


def deadly():
    def armed(dialect):
        def decode(frames):
            if any(b"killer" in bytes(frame.body) for frame in frames):
                os.kill(os.getpid(), signal.SIGSEGV)
            return dialect.decode(frames)

        return type(dialect)(dialect.code, dialect.name, decode)

    return {code: armed(dialect) for code, dialect in plain().items()}


dialects.dialects_by_code = deadly
"""


def test_frame_that_kills_the_loader_is_put_aside_and_replayed_later(
    stopped_node: Node, tmp_path: Path
) -> None:
    """The loader dies on it a few times, then everything else is there; a mended one stores it."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text(KILLER)
    node = stopped_node
    node.settings |= {"WEIR_CUT_AGE_S": "0.3", "WEIR_WORKERS": "1"}
    node.settings["PYTHONPATH"] = str(tmp_path / "broken")
    where = ("--data", str(node.directory), "--json")
    node.start()
    for number in range(20):
        name = "killer" if number == 10 else "plain"
        sent = {"event": name, "event_id": f"sent-{number}"}
        assert node.send("/v1/events", sent).status_code == 202

    def stored() -> object:
        answer = node.ask("SELECT count() FROM events WHERE event_id LIKE 'sent-%'")
        return answer.json()["rows"] if answer.status_code == 200 else None

    wait_until(lambda: stored() == [[19]], within_s=60, what="everything but the frame")
    wait_until(lambda: has_letter(node), within_s=20, what="the dead letter")
    [letter] = json.loads(node.weir("dead-letters", "list", *where).stdout)
    assert letter["reason"].startswith("poison:")
    assert node.stop() == 0
    del node.settings["PYTHONPATH"]
    node.start()
    done = node.weir("dead-letters", "replay", letter["id"], *where)
    assert done.returncode == 0, done.stderr
    [fate] = json.loads(done.stdout)
    assert (fate["stored"], fate["duplicate"], fate["reason"]) == (1, 0, None)
    assert stored() == [[20]]
    again = node.weir("dead-letters", "replay", letter["id"], *where)
    assert again.returncode == 1
    assert json.loads(node.weir("dead-letters", "replay", "--all", *where).stdout) == []
    assert stored() == [[20]]
