"""The engine's own public test statements, from a folder, each compared in a process of its own.

``python -m tests.differential.engine_statements FOLDER`` prints what came of them. A process has
2 GiB of address space and a deadline, and one that ends takes one statement with it: the file is
gone through again from behind it.
"""

import argparse
import json
import multiprocessing
import os
import re
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import duckdb

from tests.differential.agreement import Comparison, SideBySide, Verdict, counted, names_of_engine
from tests.differential.records import Record, records_of

MEMORY_BYTES_MAX: Final = 2 << 30
SILENCE_S_MAX: Final = 180.0
"""A process that has said nothing for so long is ended."""
FILE_S_MAX: Final = 600.0
"""A file whose process ended is not begun again after so long."""

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": "1",
    "memory_limit": "1GB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "temp_directory": "",
}


_OTHERWISE_SET: Final = re.compile(
    r"\b(?:enable_logging|set_logging|enable_profil|profiling_|regex_match_operator_semantics\s*=)",
    re.IGNORECASE,
)
"""What would have the engine log or profile into files, which it may not here, or read ``~`` in
another way than wherever the gate reads it. No node sets these."""


class Compared(NamedTuple):
    """A statement of a file, and what came of it."""

    file: str
    sql: str
    comparison: Comparison


def compare_folder(folder: Path, *, processes: int) -> Iterator[Compared]:
    """Yields what came of every statement of the folder's files, in an order that says nothing.

    It is the same each time, so that what was not waited for is a fair sample of what was.
    """
    waiting = [(path, 0) for path in sorted(folder.rglob("*.test"))]
    Random(0).shuffle(waiting)
    names = names_of_engine()
    runs: dict[Connection, _Run] = {}
    while waiting or runs:
        while waiting and len(runs) < processes:
            run = _Run(*waiting.pop(), names)
            runs[run.said] = run
        for said in list(runs):
            run = runs[said]
            while run.says_more():
                if (found := run.hear()) is not None:
                    yield Compared(str(run.file.relative_to(folder)), *found)
            if run.is_over:
                del runs[said]
                if (place := run.goes_on_at()) is not None:
                    waiting.append((run.file, place))
        wait(list(runs), timeout=1.0)


class _Run:
    """A process at work on a file, from one of its statements on."""

    def __init__(self, file: Path, first: int, names: frozenset[str]) -> None:
        context = multiprocessing.get_context("fork")
        self.file = file
        self.said, saying = context.Pipe(duplex=False)
        self.is_over = False
        self._process = context.Process(
            target=_work, args=(file, first, names, saying), daemon=True
        )
        self._process.start()
        saying.close()
        self._began_s = self._heard_s = time.monotonic()
        self._reached: tuple[int, str] | None = None
        self._ended_at: int | None = None

    def says_more(self) -> bool:
        """Whether there is something to hear; ends the process when it was silent too long."""
        if self.is_over:
            return False
        if time.monotonic() - self._heard_s > SILENCE_S_MAX:
            self._process.kill()
        return self.said.poll()

    def hear(self) -> tuple[str, Comparison] | None:
        """Returns a statement and what came of it, once that is said."""
        self._heard_s = time.monotonic()
        try:
            message = json.loads(self.said.recv_bytes())
        except (EOFError, OSError):
            return self._end()
        if "begins" in message:
            self._reached = (message["begins"], message["sql"])
            return None
        assert self._reached is not None
        (_, sql), self._reached = self._reached, None
        return sql, Comparison(Verdict(message["verdict"]), message["reason"])

    def goes_on_at(self) -> int | None:
        """Returns where another process has to begin, if this one left something."""
        is_late = time.monotonic() - self._began_s > FILE_S_MAX
        return None if self._ended_at is None or is_late else self._ended_at + 1

    def _end(self) -> tuple[str, Comparison] | None:
        self.is_over = True
        self._process.join()
        self.said.close()
        if self._reached is None:
            return None
        self._ended_at, sql = self._reached
        return sql, Comparison(Verdict.CRASHES)


def _work(file: Path, first: int, names: frozenset[str], saying: Connection) -> None:
    """The life of a process: one file, its statements from ``first`` on compared."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    records = records_of(file.read_text(errors="replace"))
    if any(record.asks for record in records[first:]):
        _compare_records(records, first, names, saying)
    saying.close()


def _compare_records(
    records: Sequence[Record], first: int, names: frozenset[str], saying: Connection
) -> None:
    connection = duckdb.connect(":memory:", config=_CONFIG)
    sides = SideBySide(connection, names)
    for place, record in enumerate(records):
        if _OTHERWISE_SET.search(record.sql):
            continue
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
