"""Memory: the whole tree at rest, an edge worker, and the loader at a steady rate."""

import threading
import time

from bench.figure import Figure
from bench.node import node
from bench.processes import peak_mib, proportional_mib, resident_mib, tree
from bench.visibility import send_steadily

IDLE_S = 10
LOAD_RATE = 50_000
LOAD_S = 30


def measure() -> list[Figure]:
    """Proportional set sizes, as ``/proc/PID/smaps_rollup`` counts them."""
    with node(workers=2) as weir:
        time.sleep(IDLE_S)
        assert weir.process is not None
        idle = {pid: proportional_mib(pid) for pid in tree(weir.process.pid)}
        edge = max(resident_mib(pid) for pid in weir.pids("edge"))
    whole = f"{len(idle)} processes, two edge workers, two spare query workers, {IDLE_S} s after"
    loader, rate = _loader_under_load()
    return [
        Figure("idle memory of the whole tree, MiB", f"{sum(idle.values()):.0f}", "400", whole),
        Figure("one edge worker at rest, resident MiB", f"{edge:.0f}", "130", "the larger of two"),
        Figure(
            "loader at a steady rate, peak resident MiB",
            f"{loader:.0f}",
            "700",
            f"{rate:.0f} events/s over {LOAD_S} s; {LOAD_RATE} were wanted",
        ),
    ]


def _loader_under_load() -> tuple[float, float]:
    with node(workers=1) as weir:
        stop = threading.Event()
        sent: list[int] = []
        sender = threading.Thread(
            target=send_steadily, args=(weir, stop, sent), kwargs={"rate": LOAD_RATE}, daemon=True
        )
        started = time.perf_counter()
        sender.start()
        time.sleep(LOAD_S)
        stop.set()
        sender.join(10)
        elapsed = time.perf_counter() - started
        return peak_mib(weir.pids("loader")[0]), sum(sent) / elapsed
