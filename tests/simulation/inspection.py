"""What a reader finds in a world, held against what must be there."""

import os
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tests.simulation.actors import Clock, Node, Wrong
from tests.simulation.model import Model, Row
from weir.domain.snapshot import Snapshot
from weir.loader.run import Loader

_number_of = msgspec.json.Decoder(dict[str, int]).decode


class _Held(NamedTuple):
    """Files that a query is reading, until it must have ended."""

    paths: tuple[str, ...]
    until_us: int


class Queries:
    """RoundReader that ask at any moment and take their time."""

    def __init__(self, model: Model, root: Path, clock: Clock, timeout_s: float) -> None:
        self._model = model
        self._root = root
        self._clock = clock
        self._timeout_us = int(timeout_s * 1e6)
        self._held: list[_Held] = []

    def ask(self, node: Node) -> None:
        """A reader sees every event before the watermark, and none twice."""
        for project in range(1, self._model.projects + 1):
            snapshot, rows = read_rows(node.loader, self._root, project)
            problems = self._model.missing(project, rows, before_us=snapshot.watermark_us)
            problems += self._model.wrong(project, rows, whole=False)
            if problems:
                raise Wrong("a query: " + "; ".join(problems))
            paths = tuple(file.path for file in snapshot.files)
            self._held.append(_Held(paths, self._clock.us + self._timeout_us))

    def look_back(self) -> None:
        """Files that a query still reads are there."""
        self._held = [each for each in self._held if each.until_us >= self._clock.us]
        for held in self._held:
            for path in held.paths:
                if not (self._root / path).exists():
                    raise Wrong(f"{path} is gone while a query reads it")

    def forget(self) -> None:
        """All queries have ended."""
        self._held.clear()


def check_all(model: Model, root: Path, node: Node) -> None:
    """Everything has come to rest: every event is where it belongs, once, and is accounted for."""
    state = node.catalog.load()
    problems = []
    if state.intent is not None:
        problems.append("a cut is unfinished")
    stored = 0
    for project in range(1, model.projects + 1):
        _, rows = read_rows(node.loader, root, project)
        stored += len(rows)
        problems += model.missing(project, rows, before_us=2**62)
        problems += model.wrong(project, rows, whole=True)
    ledger = node.catalog.ledger(key_ids=None, from_minute=0, to_minute=2**40)
    accepted = sum(place.offset for place in state.journals.values())
    if accepted != state.explained:
        problems.append(f"{accepted} events in the journals, {state.explained} explained")
    if stored != sum(row.stored for row in ledger):
        problems.append(f"{stored} rows are not what the ledger says")
    least, most = model.poisoned
    if not least <= sum(row.dead_lettered for row in ledger) <= most:
        problems.append("dead letters are missing, or too many")
    if sum(row.lost + row.quarantined for row in ledger):
        problems.append("events were counted as lost")
    if problems:
        raise Wrong("at the end: " + "; ".join(problems))


def check_rows(model: Model, root: Path, node: Node, when: str) -> None:
    """Every acknowledged event is there, and none too often."""
    for project in range(1, model.projects + 1):
        _, rows = read_rows(node.loader, root, project)
        problems = model.missing(project, rows, before_us=2**62)
        problems += model.wrong(project, rows, whole=True)
        if problems:
            raise Wrong(f"{when}: " + "; ".join(problems))


def read_rows(loader: Loader, root: Path, project: int) -> tuple[Snapshot, list[Row]]:
    """What a query of everything would give now."""
    shared = loader.answers.snapshot(project)
    columns = ["event_id", "properties"]
    tables = []
    if shared.descriptor is not None:
        content = os.pread(shared.descriptor, shared.snapshot.tail_byte_count, 0)
        os.close(shared.descriptor)
        tables.append(pa.ipc.open_stream(content).read_all().select(columns))
    for file in shared.snapshot.files:
        with pq.ParquetFile(root / file.path) as parquet:
            tables.append(parquet.read(columns))
    rows = [
        Row(_number_of(properties)["n"], event_id)
        for table in tables
        for event_id, properties in zip(
            table["event_id"].to_pylist(), table["properties"].to_pylist(), strict=True
        )
    ]
    return shared.snapshot, rows
