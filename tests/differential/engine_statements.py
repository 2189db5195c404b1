"""The engine's own public test statements, from a folder, each compared in a process of its own.

``python -m tests.differential.engine_statements FOLDER`` prints what came of them. A process has
2 GiB of address space and a deadline, and one that ends takes one statement with it: the file is
gone through again from behind it.
"""

import argparse
import json
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from tests.differential.agreement import Comparison, SideBySide, Verdict, counted
from tests.differential.records import Record, records_of

MEMORY_BYTES_MAX: Final = 2 << 30
SILENCE_S_MAX: Final = 60.0
"""A process that has said nothing for so long is ended."""
FILE_S_MAX: Final = 300.0

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": "1",
    "memory_limit": "1GB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "temp_directory": "",
}


class Compared(NamedTuple):
    """A statement of a file, and what came of it."""

    file: str
    sql: str
    comparison: Comparison


class _Run(NamedTuple):
    """A process at work on a file."""

    file: Path
    process: multiprocessing.process.BaseProcess
    said: Connection
    started_s: float


def compare_folder(folder: Path, *, processes: int) -> Iterator[Compared]:
    """Yields what came of every statement of the folder's files, small files first."""
    files = sorted(folder.rglob("*.test"), key=lambda path: (path.stat().st_size, path))
    waiting = [(path, 0) for path in reversed(files)]
    running: dict[Connection, _Run] = {}
    reached: dict[Connection, tuple[int, str]] = {}
    heard_s: dict[Connection, float] = {}
    while waiting or running:
        while waiting and len(running) < processes:
            run, said = _start(*waiting.pop())
            running[said], heard_s[said] = run, time.monotonic()
        ready = wait(list(running), timeout=1.0)
        for said in ready:
            assert isinstance(said, Connection)
            heard_s[said] = time.monotonic()
            try:
                message = json.loads(said.recv_bytes())
            except (EOFError, OSError):
                run = running.pop(said)
                run.process.join()
                if said in reached:
                    place, sql = reached.pop(said)
                    yield Compared(run.file.name, sql, Comparison(Verdict.CRASHES))
                    if time.monotonic() - run.started_s < FILE_S_MAX:
                        waiting.append((run.file, place + 1))
                said.close()
                continue
            if "begins" in message:
                reached[said] = (message["begins"], message["sql"])
            else:
                place, sql = reached.pop(said)
                comparison = Comparison(Verdict(message["verdict"]), message["reason"])
                yield Compared(str(running[said].file.relative_to(folder)), sql, comparison)
        for said, run in running.items():
            if time.monotonic() - heard_s[said] > SILENCE_S_MAX and run.process.pid:
                os.kill(run.process.pid, signal.SIGKILL)


def _start(file: Path, first: int) -> tuple[_Run, Connection]:
    context = multiprocessing.get_context("fork")
    said, saying = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(file, first, saying), daemon=True)
    process.start()
    saying.close()
    return _Run(file, process, said, time.monotonic()), said


def _work(file: Path, first: int, saying: Connection) -> None:
    """The life of a process: one file, its statements from ``first`` on compared."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    records = records_of(file.read_text(errors="replace"))
    if any(record.asks for record in records[first:]):
        _compare_records(records, first, saying)
    saying.close()


def _compare_records(records: Sequence[Record], first: int, saying: Connection) -> None:
    connection = duckdb.connect(":memory:", config=_CONFIG)
    sides = SideBySide(connection)
    for place, record in enumerate(records):
        if not record.asks:
            _set_up(connection, record.sql)
        elif place >= first:
            saying.send_bytes(json.dumps({"begins": place, "sql": record.sql}).encode())
            comparison = sides.compare(record.sql)
            saying.send_bytes(json.dumps(comparison._asdict()).encode())


def _set_up(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Runs what comes before a question; what needs more than there is here is left out."""
    try:
        connection.execute(sql)
    except (duckdb.Error, RuntimeError, ValueError):
        return


def report(found: Iterable[Compared]) -> tuple[list[str], list[Compared]]:
    """Returns the counts as lines, and what differs."""
    everything = list(found)
    lines = [
        f"{count:7} {kind}" for count, kind in counted([each.comparison for each in everything])
    ]
    bad = (Verdict.DIFFERS, Verdict.CRASHES)
    return lines, [each for each in everything if each.comparison.verdict in bad]


def main() -> None:
    """Compares a folder's statements and prints counts and differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--all", action="store_true", help="print every comparison as JSON")
    arguments = parser.parse_args()
    found = []
    for each in compare_folder(arguments.folder, processes=arguments.processes):
        found.append(each)
        if arguments.all:
            print(json.dumps([each.file, each.sql, *each.comparison]), flush=True)
    lines, wrong = report(found)
    for each in wrong:
        print(f"{each.file}: {each.comparison.reason}\n    {each.sql}")
    print("\n".join(lines))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
