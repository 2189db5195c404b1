"""``python -m bench [NAME …]``: runs the measurements and prints one table."""

import os
import platform
import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from bench import (
    dialects,
    door,
    fair,
    lake,
    merging,
    overload,
    projects,
    restart,
    singles,
    size,
    start,
    tree,
    visibility,
)
from bench.figure import Figure

MEASUREMENTS: dict[str, Callable[[], list[Figure]]] = {
    "start": start.measure,
    "restart": restart.measure,
    "single": door.measure_single,
    "batch": door.measure_batch,
    "singles": singles.measure,
    "tree": tree.measure,
    "dialects": dialects.measure,
    "fair": fair.measure,
    "visible": visibility.measure,
    "loader": lake.measure_loader,
    "projects": projects.measure,
    "memory": size.measure,
    "merge-memory": merging.measure_memory,
    "merge-time": merging.measure_time,
    "query": lake.measure_query,
    "overload": overload.measure,
}


def main(names: list[str]) -> int:
    """Runs the named measurements, or all."""
    unknown = set(names) - set(MEASUREMENTS)
    if unknown:
        sys.stderr.write(f"Known: {', '.join(MEASUREMENTS)}; not: {', '.join(unknown)}\n")
        return 2
    table = Table(title=f"{_machine()}; CPython {platform.python_version()}")
    for column in ("measured", "figure", "goal", "how"):
        table.add_column(column, overflow="fold")
    for name in names or MEASUREMENTS:
        sys.stderr.write(f"measuring: {name}\n")
        for figure in MEASUREMENTS[name]():
            table.add_row(figure.what, figure.value, figure.goal, figure.how)
    Console().print(table)
    return 0


def _machine() -> str:
    with open("/proc/cpuinfo") as lines:  # noqa: PTH123  # not a file of ours
        models = {line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")}
    return f"{os.cpu_count()} cores, {', '.join(sorted(models))}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
