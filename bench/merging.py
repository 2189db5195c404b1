"""What merging takes of memory, and what it leaves of a query's time.

Memory: 20 M events of 231 bytes arrive as fast as they can, while every process of the tree is
looked at. Time: as many lie in files that nobody has merged; then the merging begins, another
project sends 45,000 events/s, and a count over the first is asked for until that is over. Then the
same count once all is merged, alone, and beside as many events without merging: on a small machine
those alone take their share of the processors.
"""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.figure import Figure, spread
from bench.lake import BATCH, COUNT_BY_EVENT, ask_ms, await_committed, bodies, settled_files
from bench.node import node
from bench.processes import proportional_mib, tree
from tests.end_to_end.running_node import Node

ROWS = 20_000_000
RATE = 45_000
SECONDS = 120
LOOK_EVERY_S = 0.25
ASKED = 31
Seen = dict[str, float]
"""MiB by role."""

ROLES = ("serve", "edge", "api", "loader", "merge", "zygote")


def measure_memory() -> list[Figure]:
    """The greatest sums of proportional set sizes, of processes that were there at once."""
    with node(workers=1) as weir:
        with _looking(weir) as looks:
            _send(weir, ROWS, stop=threading.Event())
            await_committed(weir, ROWS, within_s=1800)
        both = max(look["loader"] + look["merge"] for look in looks)
        whole = max(sum(look.values()) for look in looks)
        alone = {role: max(look[role] for look in looks) for role in ROLES}
    each = ", ".join(f"{role} {mib:.0f}" for role, mib in alone.items())
    how = f"{ROWS // 1_000_000} M events of 231 bytes, as fast as they can; peaks alone: {each}"
    return [
        Figure("loader and merge together, peak MiB", f"{both:.0f}", "1024", how),
        Figure("the whole tree, peak MiB", f"{whole:.0f}", "", "proportional set sizes"),
    ]


def measure_time() -> list[Figure]:
    """The same count while files are merged and events come, and once all that is over."""
    with node(workers=1, compaction_cpu_share=0) as weir:
        other = weir.with_new_project()
        _send(weir, ROWS, stop=threading.Event())
        await_committed(weir, ROWS, within_s=1800)
        weir.stop()
        weir.settings["WEIR_COMPACTION_CPU_SHARE"] = "1"
        weir.start()
        other.url = weir.url
        meanwhile, rate = _ask_meanwhile(weir, other)
        files = len(settled_files(weir))
        after = [ask_ms(weir, COUNT_BY_EVENT) for _ in range(ASKED)]
        weir.stop()
        weir.settings["WEIR_COMPACTION_CPU_SHARE"] = "0"
        weir.start()
        other.url = weir.url
        loaded, _ = _ask_meanwhile(weir, other)
    how = f"ms, over {ROWS // 1_000_000} M events; {rate:.0f} events/s came; {files} files at last"
    return [
        Figure(
            "count while files are merged and events come", spread(meanwhile, digits=0), "", how
        ),
        Figure("the same once all is merged", spread(after, digits=0), "", "ms"),
        Figure("the same while events come, unmerged", spread(loaded, digits=0), "", "ms"),
        Figure(
            "ratio of the first two", f"{median(meanwhile) / median(after):.2f}", "1.3", "medians"
        ),
        Figure(
            "what merging adds to events that come",
            f"{median(meanwhile) / median(loaded):.2f}",
            "",
            "the first by the third, medians",
        ),
    ]


def _ask_meanwhile(weir: Node, other: Node) -> tuple[list[float], float]:
    stop, sent = threading.Event(), Counter[str]()
    sender = threading.Thread(
        target=_send, args=(other, 10**12), kwargs={"stop": stop, "rate": RATE, "sent": sent}
    )
    sender.start()
    begun = time.perf_counter()
    asked: list[float] = []
    while time.perf_counter() - begun < SECONDS:
        asked.append(ask_ms(weir, COUNT_BY_EVENT))
        time.sleep(LOOK_EVERY_S)
    rate = sent["events"] / (time.perf_counter() - begun)
    stop.set()
    sender.join()
    return asked, rate


def _send(
    weir: Node,
    count: int,
    *,
    stop: threading.Event,
    rate: float = float("inf"),
    sent: "Counter[str] | None" = None,
) -> None:
    """Sends events, none faster than ``rate``; what is refused for want of room is sent again."""
    connection = http.client.HTTPConnection(urlsplit(weir.url).netloc)
    texts, number, due = bodies(seed=0), 0, time.perf_counter()
    while number * BATCH < count and not stop.is_set():
        body = texts[number % len(texts)].replace("@@@@@@@@", f"{number:08d}")
        connection.request("POST", "/v1/events", body, weir.headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status == 503:
            time.sleep(0.05)
            continue
        if answer.status != 202:
            raise SystemExit(f"{answer.status} {content[:200]!r}")
        number += 1
        if sent is not None:
            sent["events"] += BATCH
        due = max(due + BATCH / rate, time.perf_counter() - 1)
        time.sleep(max(0.0, due - time.perf_counter()))


@contextmanager
def _looking(weir: Node) -> Iterator[list[Seen]]:
    """While it is open: memory in MiB by role, every ``LOOK_EVERY_S``."""
    assert weir.process is not None
    root, stop = weir.process.pid, threading.Event()
    looks: list[Seen] = []

    def look() -> None:
        while not stop.wait(LOOK_EVERY_S):
            seen: Seen = dict.fromkeys((*ROLES, "other"), 0.0)
            with suppress(OSError):
                for pid in tree(root):
                    with suppress(OSError):  # it has ended meanwhile
                        seen[_role(pid)] += proportional_mib(pid)
            looks.append(seen)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield looks
    finally:
        stop.set()
        watcher.join()


def _role(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return next((role for role in ROLES if any(word.endswith(role) for word in words)), "other")
