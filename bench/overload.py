"""More than the loader can take, for ten minutes: what piles up, and when it is gone again."""

import json
import threading
import time

from bench.door import EVENT
from bench.figure import Figure
from bench.node import node
from bench.peers import Load, drive
from bench.processes import peak_mib
from tests.end_to_end.running_node import Node
from weir.node.board import Board, Slot
from weir.node.directory import Directory

SECONDS = 600
BATCH = 500
CONNECTIONS = 16
BACKLOG_GIB = 2
DRAIN_S = 1800


def measure() -> list[Figure]:
    """Batches without a pause; the journal may hold ``BACKLOG_GIB`` before the door refuses."""
    body = json.dumps({"events": [json.loads(EVENT)] * BATCH})
    loads: list[Load] = []
    with node(workers=1, journal_backlog_bytes_max=f"{BACKLOG_GIB}GiB") as weir:
        sender = threading.Thread(target=lambda: loads.append(_send(weir, body)), daemon=True)
        sender.start()
        backlogs = []
        while sender.is_alive():
            time.sleep(1)
            backlogs.append(_backlog_gib(weir))
        drained_s = _drain(weir)
        peaks = [max(peak_mib(pid) for pid in weir.pids(role)) for role in ("edge", "loader")]
    [load] = loads
    refused = load.not_2xx / (load.requests_per_s * SECONDS)
    how = f"wrk, {CONNECTIONS} connections, batches of {BATCH}, {SECONDS} s"
    return [
        Figure(
            "overload: journal backlog, GiB, most; at the end",
            f"{max(backlogs):.2f}; {backlogs[-1]:.2f}",
            f"{BACKLOG_GIB}, and a file",
            how,
        ),
        Figure(
            "overload: batches refused with 503",
            f"{refused:.0%} of {load.requests_per_s:.0f}/s",
            "",
            "none before the backlog is full",
        ),
        Figure("overload: seconds until all is in the lake", f"{drained_s:.0f}", "", "afterwards"),
        Figure(
            "overload: peak memory, MiB, edge and loader",
            "; ".join(f"{each:.0f}" for each in peaks),
            "",
            "resident",
        ),
    ]


def _send(weir: Node, body: str) -> Load:
    return drive(
        weir.url + "/v1/batch", key=weir.key, body=body, connections=CONNECTIONS, seconds=SECONDS
    )


def _backlog_gib(weir: Node) -> float:
    journals = Directory(weir.directory).journals
    return sum(path.stat().st_blocks * 512 for path in journals.rglob("*.wal")) / 2**30


def _drain(weir: Node) -> float:
    """Until the loader's watermark is younger than a second."""
    board = Board.open(weir.directory / "run" / "board")
    started = time.perf_counter()
    while time.perf_counter() - started < DRAIN_S:
        if time.time() - board.get(Slot.WATERMARK_US) / 1e6 < 1:
            return time.perf_counter() - started
        time.sleep(0.2)
    raise SystemExit("the loader did not catch up")
