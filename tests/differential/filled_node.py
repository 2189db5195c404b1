"""A node whose events lie in every kind of place at once, and what was sent to it.

A large file with columns of their own for keys of one type, one with columns for keys of mixed
types that was merged from four, three small files without columns, and the tail. Each has its own
month, so that bounds of time leave files out.
"""

import asyncio
import contextlib
import os
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import httpx
import pyarrow as pa

from tests.differential.sent_events import Sent, Style, draw_batch
from tests.end_to_end.running_node import Node, wait_until
from weir.domain.layout import NO_LAYOUT
from weir.domain.snapshot import Snapshot
from weir.loader.serve.client import LoaderClient
from weir.node.directory import Directory

SETTINGS: Final = {
    "WEIR_CUT_AGE_S": "3600",
    "WEIR_COMPACTION_FILES": "4",
    "WEIR_COMPACTION_INTERVAL_S": "0.2",
    "WEIR_ACCELERATED_COLUMNS_MAX": "40",
    "WEIR_QUERY_ROWS_MAX": "2000000",
    "WEIR_QUERY_TENANT_WORKERS_MAX": "4",
}
LIMIT: Final = "2000000"
PROJECT_ID: Final = 1
_REQUEST_EVENTS: Final = 1000

_BATCHES: Final = (
    ("plain", False, False, 1, 4200),
    ("mixed-a", True, True, 2, 1050),
    ("mixed-b", True, True, 2, 1050),
    ("mixed-c", False, True, 3, 1050),
    ("mixed-d", True, False, 3, 1050),
    ("small-a", True, True, 4, 60),
    ("small-b", False, False, 5, 60),
    ("small-c", True, False, 5, 60),
)
"""Each is committed by itself: name, whether mixed, whether oddly spelled, month, events."""
_TAIL: Final = ("tail", True, True, 6, 250)


class Refused(NamedTuple):
    """An answer without rows: the status, and the error as it came."""

    status: int
    text: str


class FilledNode:
    """The running node and all that was sent to it."""

    def __init__(self, node: Node, seed: int) -> None:
        self.node = node
        self.sent: list[Sent] = []
        self._seed = seed
        self._client = httpx.Client(headers=node.headers, timeout=300)

    def fill(self) -> None:
        """Sends everything; returns when each part is where it should be."""
        loader = LoaderClient(Directory(self.node.directory).loader_socket)
        with contextlib.closing(loader):
            for name, is_mixed, spells_oddly, month, count in _BATCHES:
                self._send(self._style(name, is_mixed, spells_oddly, month), count)
                asyncio.run(loader.cut())
            wait_until(
                lambda: _is_settled(_snapshot(loader)), within_s=60, what="files as they should be"
            )
        name, is_mixed, spells_oddly, month, count = _TAIL
        self._send(self._style(name, is_mixed, spells_oddly, month), count)
        wait_until(
            lambda: self.rows("SELECT count(*) FROM events") == [(len(self.sent),)],
            within_s=30,
            what="all events in the answers",
        )

    def arrivals(self) -> dict[str, datetime]:
        """Returns when each event arrived, which only the node knows."""
        found = self.rows("SELECT event_id, received_at FROM events")
        assert isinstance(found, list)
        return {str(event_id): moment for event_id, moment in found}

    def rows(self, sql: str) -> list[tuple[Any, ...]] | Refused:
        """Returns a query's rows, typed as they came, or how it was refused."""
        fields = {"q": sql, "format": "arrow", "limit": LIMIT}
        answer = self._client.post(self.node.url + "/v1/query", json=fields)
        if answer.status_code != 200:
            return Refused(answer.status_code, answer.text)
        return rows_of(pa.ipc.open_stream(answer.content).read_all())

    def close(self) -> None:
        """Hangs up."""
        self._client.close()

    def _style(self, name: str, is_mixed: bool, spells_oddly: bool, month: int) -> Style:
        since, until = (datetime(2026, each, 1, tzinfo=UTC) for each in (month, month + 1))
        return Style(name, is_mixed, spells_oddly, since, until, first=len(self.sent))

    def _send(self, style: Style, count: int) -> None:
        batch = draw_batch(self._seed, style, count)
        for start in range(0, count, _REQUEST_EVENTS):
            part = batch[start : start + _REQUEST_EVENTS]
            body = "[" + ",".join(each.text for each in part) + "]"
            answer = self._client.post(self.node.url + "/v1/events", content=body.encode())
            assert answer.status_code == 202, answer.text
            assert not answer.json().get("rejected"), answer.text
        self.sent += batch


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Returns the rows of a table, whose columns may have one name twice."""
    if not table.num_columns:
        return [()] * table.num_rows
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _snapshot(loader: LoaderClient) -> Snapshot:
    shared = asyncio.run(loader.snapshot(PROJECT_ID))
    if shared.descriptor is not None:
        os.close(shared.descriptor)
    return shared.snapshot


def _is_settled(snapshot: Snapshot) -> bool:
    """Two files with columns, one of them merged, and three without."""
    merged = [file for file in snapshot.files if "merged" in file.path]
    wide = [file for file in snapshot.files if file.layout != NO_LAYOUT]
    return len(merged) == 1 and merged[0] in wide and len(wide) == 2 and len(snapshot.files) == 5
