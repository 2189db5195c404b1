"""How long a start takes, until the node says that it is ready."""

import time

from bench.figure import Figure, spread
from bench.node import node

RUNS = 5


def measure() -> list[Figure]:
    """First starts on an empty directory, and later starts."""
    first, later = [], []
    for _ in range(RUNS):
        started = time.perf_counter()
        with node() as weir:
            first.append(time.perf_counter() - started)
            weir.stop()
            started = time.perf_counter()
            weir.start()
            later.append(time.perf_counter() - started)
    how = f"{RUNS} runs, from the start of the process to its line"
    return [
        Figure("ready after start, s", spread(later), "2", how),
        Figure("ready after the first start, s", spread(first), "", "makes databases and keys"),
    ]
