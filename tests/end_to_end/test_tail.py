"""``weir tail`` beside a real node that commits, stops and comes back."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.end_to_end.running_node import Node, StartNode, wait_until


class Tail:
    """A running ``weir tail --json`` and the ids that it has printed."""

    def __init__(self, node: Node, *arguments: str) -> None:
        self.ids: list[str] = []
        self.process = subprocess.Popen(
            [
                # Tests that run in the background inherit that it is ignored.
                *("env", "--default-signal=INT"),
                *(sys.executable, "-m", "weir", "tail", "--json"),
                *("--url", node.url, "--key", node.key, *arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.ids.append(json.loads(line)["event_id"])

    def stop(self) -> str:
        """Ctrl-C; what stood on standard error."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(120) == 0
        self._reader.join()
        assert self.process.stderr is not None
        told = self.process.stderr.read()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.stderr.close()
        return told


def test_events_are_printed_once_over_commits_and_a_restart(
    start_node: StartNode, tmp_path: Path
) -> None:
    """What was there before is printed on request only; names choose."""
    node = start_node(cut_age_s=0.3, workers=1)
    node.send("/v1/events", [{"event": "before", "event_id": "before"}])
    wait_until(
        lambda: node.query("SELECT count() FROM events") == [[1]], within_s=20, what="an event"
    )
    everything, chosen = Tail(node, "--since", "1h"), Tail(node, "--event", "b")
    try:
        wait_until(lambda: everything.ids == ["before"], within_s=20, what="the first line")
        begins = _send_until_seen(node, "b", chosen)
        expected = ["before"]
        for number in range(20):
            name = "ab"[number % 2]
            node.send("/v1/events", [{"event": name, "event_id": f"{name}{number}"}])
            expected.append(f"{name}{number}")
            if number == 10:
                assert node.stop() == 0
                node.start()
        wait_until(lambda: expected[-1] in everything.ids, within_s=30, what="all events")
        wait_until(lambda: "b19" in chosen.ids, within_s=30, what="the chosen events")
    finally:
        told = everything.stop() + chosen.stop()
    assert [each for each in everything.ids if each not in begins] == expected
    assert [each for each in chosen.ids if each not in begins] == expected[2::2]
    assert told.count("Waiting.") == 2
    assert "Traceback" not in told
    assert "Abort" not in told


def _send_until_seen(node: Node, name: str, tail: Tail) -> set[str]:
    """Returns when a command that prints what comes from now on has begun; the ids it took."""
    sent: list[str] = []

    def is_seen() -> bool:
        sent.append(f"begin-{len(sent)}")
        node.send("/v1/events", [{"event": name, "event_id": sent[-1]}])
        return bool(tail.ids)

    wait_until(is_seen, within_s=20, what="a first line")
    return set(sent)
