"""The operator's ledger shows what no key's ledger can."""

import json
from pathlib import Path

from tests.unit.cli.fakes import Run
from tests.unit.loader.rig import RigClock, event, make_rig
from weir.clock import SystemClock


def test_events_of_a_damaged_journal_are_shown_for_nobody(run: Run, tmp_path: Path) -> None:
    """Running or not: quarantined events stand apart, with the minute, and all balances."""
    rig = make_rig(tmp_path / "node", RigClock(SystemClock().now_us() - 60_000_000))
    for number in range(3):
        rig.write([event(number)])
    rig.close()
    [path] = (tmp_path / "node" / "journal" / "00").glob("*.wal")
    content = path.read_bytes()
    place = content.index(b'"id-1"')
    path.write_bytes(content[:place] + b"X" + content[place + 1 :])
    arguments = ("ledger", "--data", str(tmp_path / "node"))
    with rig.running() as loader:
        loader.cut()
        running = json.loads(run(*arguments, "--json").stdout)
    stopped = json.loads(run(*arguments, "--json").stdout)
    assert running == stopped
    assert (stopped["keys"]["stored"], stopped["keys"]["accepted"]) == (2, 2)
    assert (stopped["nobody"]["quarantined"], stopped["nobody"]["lost"]) == (1, 0)
    assert stopped["balance"] == 0
    [damage] = stopped["damage"]
    assert damage["quarantined"] == 1
    shown = run(*arguments)
    assert "nobody" in shown.stdout
    assert "quarantine/" in shown.stderr


def test_directory_without_a_node_is_told(run: Run, tmp_path: Path) -> None:
    """And nothing is made there."""
    assert run("ledger", "--data", str(tmp_path / "none")).exit_code == 1
    assert not (tmp_path / "none").exists()
